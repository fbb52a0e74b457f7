import type { Chance, Clock, Log } from '../core/ports.js';
import { orAbort } from './abortable.js';
import { CallFault } from './fault.js';
import type { Secrets } from './secrets.js';
import { SignInFault, type Grant, type SignIn } from './sign-in.js';

/** Keeps what a source's sign-in brought, for all of its calls. */
export interface GrantKeeper {
  /**
   * The grant of now; asks for one where there is none.
   *
   * @throws CallFault notSent - there is none to be had
   */
  current(signal: AbortSignal): Promise<Grant>;
  /**
   * Another grant than the one that the source refused; null: new ones were refused, too, a moment ago.
   *
   * @throws CallFault notSent - there is none to be had
   */
  another(refused: Grant, signal: AbortSignal): Promise<Grant | null>;
  /** What became of a call that was made again with another grant. */
  madeAgain(wasTaken: boolean): void;
  close(): Promise<void>;
}

/** A grant is renewed this long before its end, or a fifth of its life before it where that is less; by chance up to half as much more. */
const MARGIN_MS = 60_000;
const MARGIN_PART = 0.2;
/** A sign-in may take this part of a call's time, so that the call is told what it waited for in vain. */
const SIGN_IN_PART = 0.5;
/** After a fault nothing is asked for 1 s, then 2, 4 … 30 s; where our credentials were refused for 10 s … 5 min: accounts get locked. */
const PASSING_BACK_OFF = { firstMs: 1_000, lastMs: 30_000 } as const;
const LASTING_BACK_OFF = { firstMs: 10_000, lastMs: 300_000 } as const;

export function createGrantKeeper(
  signIn: SignIn,
  settings: { readonly source: string; readonly timeoutMs: number; readonly secrets: Secrets },
  deps: { readonly clock: Clock; readonly chance: Chance; readonly log: Log },
): GrantKeeper {
  const { source, secrets } = settings;
  const { clock, chance, log } = deps;
  const limitMs = Math.max(1, Math.floor(settings.timeoutMs * SIGN_IN_PART));
  const where = `cannot sign in to ${source} at ${signIn.endpoint}`;
  let held: { readonly grant: Grant; readonly renewAtMs: number; readonly endsAtMs: number } | null = null;
  let asking: Promise<Grant> | null = null;
  let isClosed = false;
  let failures = 0;
  let askAgainAtMs = -Infinity;
  let lastFault = '';
  /** Renewals in a row whose grant was refused as well. */
  let inVain = 0;
  let replaceAgainAtMs = -Infinity;

  const backOffMs = (times: number, { firstMs, lastMs }: typeof PASSING_BACK_OFF | typeof LASTING_BACK_OFF): number =>
    Math.min(lastMs, firstMs * 2 ** (times - 1)) * (1 + chance() / 2);

  async function askOnce(): Promise<Grant> {
    const askedMs = clock.monotonicMs();
    const controller = new AbortController();
    const timer = new AbortController();
    let isLate = false;
    clock.wait(limitMs, timer.signal).then(
      () => {
        isLate = true;
        controller.abort();
      },
      () => undefined,
    );
    try {
      const grant = await signIn.ask(controller.signal);
      keep(grant, askedMs);
      return grant;
    } catch (thrown) {
      throw failed(thrown, isLate);
    } finally {
      timer.abort();
    }
  }

  function keep(grant: Grant, askedMs: number): void {
    secrets.add(grant.secrets);
    const lifeMs = grant.lifeMs ?? Infinity;
    const marginMs = Math.min(MARGIN_MS, lifeMs * MARGIN_PART) * (1 + chance() / 2);
    held = { grant, renewAtMs: askedMs + lifeMs - marginMs, endsAtMs: askedMs + lifeMs };
    failures = 0;
    askAgainAtMs = -Infinity;
    log.debug('signed in', { source, endpoint: signIn.endpoint });
  }

  function failed(thrown: unknown, isLate: boolean): CallFault {
    const isTold = thrown instanceof SignInFault || thrown instanceof CallFault;
    const what = isLate ? `no answer within ${limitMs} ms` : isTold ? thrown.message : 'its answer cannot be read';
    failures += 1;
    const isLasting = thrown instanceof SignInFault && thrown.isLasting;
    const askedForMs = isTold ? (thrown.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(askedForMs, backOffMs(failures, isLasting ? LASTING_BACK_OFF : PASSING_BACK_OFF));
    askAgainAtMs = clock.monotonicMs() + waitMs;
    lastFault = secrets.hide(`${where}: ${what}`);
    if (!isClosed) log.warn('a sign-in failed', { source, reason: lastFault, againInMs: Math.ceil(waitMs) });
    return faultOf(lastFault);
  }

  /** One sign-in at a time, whoever waits for it; none before the pause after a fault is over. */
  function ask(): Promise<Grant> {
    if (asking !== null) return asking;
    const leftMs = Math.ceil(askAgainAtMs - clock.monotonicMs());
    if (leftMs > 0) return Promise.reject(faultOf(`${lastFault}; it is asked again in ${leftMs} ms`));
    asking = askOnce().finally(() => (asking = null));
    return asking;
  }

  /** A caller that goes away leaves the sign-in to the others. */
  function waitFor(grant: Promise<Grant>, signal: AbortSignal): Promise<Grant> {
    grant.catch(() => undefined);
    return orAbort(grant, signal, () => faultOf(`${where}: no answer yet`));
  }

  return {
    async current(signal) {
      const nowMs = clock.monotonicMs();
      if (held === null || nowMs >= held.endsAtMs) return waitFor(ask(), signal);
      // Nobody waits for a renewal while there is a grant; if it fails there is time for another.
      if (nowMs >= held.renewAtMs) ask().catch(() => undefined);
      return held.grant;
    },
    async another(refused, signal) {
      if (held !== null && held.grant !== refused) return held.grant;
      if (asking === null && clock.monotonicMs() < replaceAgainAtMs) return null;
      held = null;
      return waitFor(ask(), signal);
    },
    madeAgain(wasTaken) {
      const nowMs = clock.monotonicMs();
      // Calls that were under way together had the same grant: they count once.
      if (!wasTaken && nowMs < replaceAgainAtMs) return;
      inVain = wasTaken ? 0 : inVain + 1;
      replaceAgainAtMs = wasTaken ? -Infinity : nowMs + backOffMs(inVain, PASSING_BACK_OFF);
    },
    async close() {
      isClosed = true;
      await signIn.close();
    },
  };
}

/** Without a token nothing was asked of the source: nothing was sent, and it is not in trouble. */
function faultOf(message: string): CallFault {
  return new CallFault('notSent', message, { sourceIsSick: false });
}
