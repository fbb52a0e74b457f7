import type { AuditStore } from '../core/audit.js';
import type { Clock, Log } from '../core/ports.js';
import type { RetentionStore } from '../core/retention-port.js';

/** Forgetting by age is looked after this often. */
const EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** What runs now and then beside the requests. */
export interface Upkeep {
  stop(): Promise<void>;
}

/** Forgets tombstones, left memberships, receipts and rows of the audit log past their days. Harmless on several nodes at once. */
export function startUpkeep(options: {
  readonly store: Pick<RetentionStore, 'purge'> & Pick<AuditStore, 'forgetAudit'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly tenant: string;
  readonly retentionDays: number;
  readonly auditDays: number;
}): Upkeep {
  const { store, clock, log, tenant, retentionDays, auditDays } = options;
  const stopping = new AbortController();

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await store
        .purge(tenant, clock.nowMs() - retentionDays * DAY_MS)
        .catch((cause: unknown) => log.warn('old tombstones are not purged, trying again', { cause: String(cause) }));
      await store
        .forgetAudit(tenant, clock.nowMs() - auditDays * DAY_MS)
        .catch((cause: unknown) => log.warn('old rows of the audit log stay, trying again', { cause: String(cause) }));
      await clock.wait(EVERY_MS, stopping.signal).catch(() => undefined);
    }
  }

  const running = loop();
  return {
    async stop() {
      stopping.abort(new Error('the gateway stops'));
      await running;
    },
  };
}
