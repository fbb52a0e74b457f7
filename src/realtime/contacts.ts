import type { SeenScopes } from '../core/device-port.js';
import type { Answered, PhoneContact, PhoneStore } from '../core/phone-port.js';
import type { Clock, Log } from '../core/ports.js';
import { deviceOf, type DeviceKey, type Session } from '../core/session.js';

/** What was noted is written this often, all of it together: no request waits for it. */
const WRITE_EVERY_MS = 1_000;
/** Contacts that wait while the store is away; past it the oldest are forgotten, and a hint too many may go out. */
const MOST_WAITING = 50_000;

/** Which devices were here, for what they are owed while they sleep. Never throws, and holds nobody up. */
export interface Contacts {
  /** @param pulled what a pull to the end brought; null: there is more */
  pulled(session: Session, beganMs: number, pulled: PhoneContact['pulled']): void;
  /** @param changeIds whose fate the answer to a push told */
  told(session: Session, changeIds: readonly string[]): void;
  start(): void;
  /** Writes what waits. */
  stop(): Promise<void>;
}

/** @param ports.onAnswered told of each pull that was the first after a hint */
export function createContacts(
  ports: {
    readonly store: Pick<PhoneStore, 'noteContacts'>;
    readonly clock: Clock;
    readonly log: Log;
    readonly seenBy: (session: Session) => SeenScopes;
    readonly onAnswered: (answered: Answered) => void;
  },
  { tenant }: { readonly tenant: string },
): Contacts {
  const { store, clock, log, seenBy, onAnswered } = ports;
  /** By device and collections. */
  const waiting = new Map<string, Noted>();
  const stopping = new AbortController();
  let running: Promise<void> | null = null;

  function note(session: Session, noted: Pick<Noted, 'atMs' | 'pulled' | 'told'>): void {
    const device = deviceOf(session);
    if (device === null) return;
    const key = JSON.stringify([device.user, device.device, noted.pulled?.collections ?? null]);
    keep(key, { device, seen: seenBy(session), ...noted });
  }

  function keep(key: string, noted: Noted): void {
    const other = waiting.get(key);
    waiting.set(key, other === undefined ? noted : joined(noted, other));
    const [oldest] = waiting.keys();
    if (waiting.size > MOST_WAITING && oldest !== undefined) waiting.delete(oldest);
  }

  /** What waits by now; what comes meanwhile waits for the next time. */
  async function write(): Promise<void> {
    const taken = new Map(waiting);
    waiting.clear();
    try {
      while (taken.size > 0) {
        const round = oncePerDevice(taken);
        const nowMs = clock.monotonicMs();
        const contacts = round.map(([, { atMs, ...noted }]) => ({ ...noted, agoMs: Math.max(0, nowMs - atMs) }));
        for (const answered of await store.noteContacts(tenant, contacts)) onAnswered(answered);
        for (const [key] of round) taken.delete(key);
      }
    } catch (cause) {
      for (const [key, noted] of taken) keep(key, noted);
      throw cause;
    }
  }

  async function tryToWrite(): Promise<void> {
    await write().catch((cause: unknown) =>
      log.warn('hints: who was here is not noted yet, trying again', { cause: String(cause) }),
    );
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.wait(WRITE_EVERY_MS, stopping.signal).catch(() => undefined);
      await tryToWrite();
    }
    await tryToWrite();
  }

  return {
    pulled: (session, beganMs, pulled) => note(session, { atMs: beganMs, pulled, told: [] }),
    told: (session, changeIds) => {
      if (changeIds.length > 0) note(session, { atMs: clock.monotonicMs(), pulled: null, told: changeIds });
    },
    start() {
      running ??= loop();
    },
    async stop() {
      stopping.abort(new Error('the gateway stops'));
      await running;
    },
  };
}

interface Noted extends Omit<PhoneContact, 'agoMs'> {
  readonly device: DeviceKey;
  readonly atMs: number;
}

/**
 * The later pull brought what the earlier one did; told is what either told. The time is the pull's, where there is one: a push that came behind it
 * does not make it later, or it would answer a hint that went out in between.
 */
function joined(one: Noted, other: Noted): Noted {
  const [before, now] = one.atMs <= other.atMs ? [one, other] : [other, one];
  const { atMs, pulled } = now.pulled === null && before.pulled !== null ? before : now;
  return { ...now, atMs, pulled, told: [...before.told, ...now.told] };
}

/** One contact of each device: several in one statement would hide each other. */
function oncePerDevice(waiting: ReadonlyMap<string, Noted>): readonly (readonly [string, Noted])[] {
  const devices = new Set<string>();
  return [...waiting].filter(([, { device }]) => {
    const name = JSON.stringify([device.user, device.device]);
    const isFirst = !devices.has(name);
    devices.add(name);
    return isFirst;
  });
}
