import type { OpenState } from '../../../src/core/intent.js';
import type { Clock } from '../../../src/core/ports.js';
import type { OperatorStore } from '../../../src/core/operator-port.js';
import type { KnownChange } from '../../../src/core/record-port.js';
import { isSent, leasedPart } from './intents.js';
import {
  changeKey,
  collectionOf,
  intentsOf,
  moveMark,
  putIntent,
  type StoredChange,
  type StoredIntent,
  type TenantTables,
} from './tables.js';

/** The outbox and the kept conflicts as operators see them. */
export function createOperatorTables(ports: {
  readonly clock: Clock;
  readonly tablesOf: (tenant: string) => TenantTables;
  readonly forWriting: (tenant: string) => TenantTables;
}): OperatorStore {
  const { clock, tablesOf, forWriting } = ports;
  return {
    async readOutbox(tenant, { states, collection, after, limit }) {
      const tables = tablesOf(tenant);
      return [...tables.intents.values()]
        .filter((intent) => states.length === 0 || states.includes(intent.state))
        .filter((intent) => collection === null || intent.collection === collection)
        .filter((intent) => after === null || intent.intentNo > after)
        .slice(0, limit)
        .map((intent) => ({
          ...leasedPart(intent, tenant, clock.nowMs()),
          error: tables.changes.get(changeKey(intent.device, intent.changeId))?.error ?? null,
          blockedBy: blockerOf(tables, intent),
          dueAtMs: isSent(intent.state) ? intent.leaseUntilMs : intent.notBeforeMs,
        }));
    },
    async countOutbox(tenant) {
      const counts = new Map<OpenState, number>();
      for (const { state } of tablesOf(tenant).intents.values()) counts.set(state, (counts.get(state) ?? 0) + 1);
      return counts;
    },
    async askScan(tenant, name, allow) {
      const tables = forWriting(tenant);
      const before = collectionOf(tables, name);
      const nowMs = clock.nowMs();
      const allowed = allow === null ? before.allowed : { deletions: allow.deletions, untilMs: nowMs + allow.forMs };
      tables.collections.set(name, { ...before, scanAskedAtMs: nowMs, allowed });
    },
    async reopenIntent(tenant, intentNo) {
      const tables = forWriting(tenant);
      const intent = tables.intents.get(intentNo);
      if (intent?.state !== 'PARKED') return false;
      const fence = intent.fence + 1;
      putIntent(tables, { ...intent, state: 'PENDING', fence, notBeforeMs: clock.nowMs(), leaseUntilMs: 0 });
      moveMark(tables, intent);
      const key = changeKey(intent.device, intent.changeId);
      const change = tables.changes.get(key);
      const open = { status: 'ACCEPTED', error: null, blockedBy: null, settledSeq: null } as const;
      if (change !== undefined) tables.changes.set(key, { ...change, ...open });
      return true;
    },
    async readSettled(tenant, intentNo) {
      const { changes, intents } = tablesOf(tenant);
      const settled = intents.has(intentNo)
        ? undefined
        : [...changes.values()].find((one) => one.intentNo === intentNo);
      return settled === undefined ? null : { ...knownPart(settled), intentNo, device: settled.device };
    },
    async readConflicts(tenant, after, limit) {
      return [...tablesOf(tenant).changes.values()]
        .flatMap(({ device, changeId, collection, id, error, kept, settledSeq }) =>
          kept === null || settledSeq === null || settledSeq <= (after ?? 0)
            ? []
            : [{ device, changeId, collection, id, error, kept, settledSeq }],
        )
        .sort((a, b) => a.settledSeq - b.settledSeq)
        .slice(0, limit);
    },
    async dismissConflict(device, changeId) {
      const tables = forWriting(device.tenant);
      const key = changeKey(device, changeId);
      const change = tables.changes.get(key);
      if (change === undefined || change.kept === null) return false;
      tables.changes.set(key, { ...change, kept: null });
      return true;
    },
  };
}

/** The part of a remembered change that the port shows. */
export function knownPart({
  changeId,
  bodyHash,
  collection,
  id,
  status,
  error,
  blockedBy,
  kept,
}: StoredChange): KnownChange {
  return { changeId, bodyHash, collection, id, status, error, blockedBy, kept };
}

/** The change that an open one waits for: `OutboxEntry.blockedBy`. */
export function blockerOf(tables: TenantTables, intent: StoredIntent): string | null {
  const { waitsFor, intentNo, collection, id } = intent;
  const awaited = waitsFor === null ? undefined : tables.intents.get(waitsFor);
  const earlier = intentsOf(tables, collection, id).filter((other) => other.intentNo < intentNo);
  return (awaited ?? earlier.at(-1))?.changeId ?? null;
}
