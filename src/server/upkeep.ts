import type { AuditStore } from '../core/audit.js';
import type { Clock, Log } from '../core/ports.js';
import type { RetentionStore } from '../core/retention-port.js';
import type { SigningKeys } from '../pull/signing-keys.js';

/** Keys that another gateway made or forgot are known here after so long. */
const EVERY_MS = 60_000;
/** Forgetting by age is looked after each time that so many of these are over: hourly. */
const FORGET_EVERY = 60;
/** So long a key signs checkpoints, days; then a new one does. */
const KEY_DAYS = 30;
const DAY_MS = 86_400_000;

/** What runs now and then beside the requests. */
export interface Upkeep {
  stop(): Promise<void>;
}

/** Forgets what is past its days (tombstones, left memberships, receipts, keys, silent devices, the audit log), and makes new keys. Harmless on several nodes at once. */
export function startUpkeep(options: {
  readonly store: Pick<RetentionStore, 'purge' | 'rotateSigningKeys'> & Pick<AuditStore, 'forgetAudit'>;
  readonly keys: Pick<SigningKeys, 'refresh'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenant: string;
  readonly retentionDays: number;
  readonly auditDays: number;
}): Upkeep {
  const { store, keys, clock, log, tenant, retentionDays, auditDays } = options;
  const stopping = new AbortController();

  async function forget(): Promise<void> {
    const now = clock.nowMs();
    const keptFromMs = now - retentionDays * DAY_MS;
    await store.purge(tenant, keptFromMs);
    // A checkpoint of a key is signed anew with the next pull, and one that is older than what is kept starts over anyway.
    await store.rotateSigningKeys({ newestBeforeMs: now - KEY_DAYS * DAY_MS, replacedBeforeMs: keptFromMs });
  }

  async function loop(): Promise<void> {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      if (turn % FORGET_EVERY === 0) {
        await forget().catch(failed('what is old is not forgotten, trying again'));
        await store
          .forgetAudit(tenant, clock.nowMs() - auditDays * DAY_MS)
          .catch(failed('old rows of the audit log stay, trying again'));
      }
      await keys.refresh().catch(failed('the keys of checkpoints are not read, trying again'));
      await clock.wait(EVERY_MS, stopping.signal).catch(() => undefined);
    }
  }

  const failed =
    (what: string) =>
    (cause: unknown): void =>
      log.warn(what, { cause: String(cause) });

  const running = loop();
  return {
    async stop() {
      stopping.abort(new Error('the gateway stops'));
      await running;
    },
  };
}
