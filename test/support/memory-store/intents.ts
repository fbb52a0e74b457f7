import type { OpenState } from '../../../src/core/intent.js';
import type { HeldIntent, LeasedIntent } from '../../../src/core/outbox-port.js';
import type { OpenIntent, RecordStore } from '../../../src/core/record-port.js';
import { intentsOf, moveMark, putIntent, recordKey, type StoredIntent, type TenantTables } from './tables.js';

/** What the outbox needs of its store: a tenant's tables. */
export interface OutboxTables {
  forReading(tenant: string): TenantTables;
  forWriting(tenant: string): TenantTables;
  nowMs(): number;
}

/** The outbox's part of the store: leases with growing fences, lanes, and the durable note before a call. */
export function createOutbox(
  tables: OutboxTables,
): Pick<
  RecordStore,
  'leaseIntents' | 'noteSent' | 'releaseIntent' | 'leaveInDoubt' | 'leaseInDoubt' | 'readUnshown' | 'readReferring'
> {
  function lease(
    tenant: string,
    fits: (intent: StoredIntent, tenant: TenantTables) => boolean,
    leaseMs: number,
    limit: number,
    taken: (intent: StoredIntent) => Partial<StoredIntent>,
  ): readonly LeasedIntent[] {
    const now = tables.nowMs();
    const known = tables.forReading(tenant);
    const due = [...known.intents.values()]
      .filter((intent) => intent.leaseUntilMs <= now && fits(intent, known))
      .sort((a, b) => a.intentNo - b.intentNo)
      .slice(0, limit);
    return due.map((intent) => {
      const leased = { ...intent, ...taken(intent), fence: intent.fence + 1, leaseUntilMs: now + leaseMs };
      const held = tables.forWriting(tenant);
      putIntent(held, leased);
      if (leased.state !== 'PENDING') moveMark(held, intent);
      return leasedPart(leased, tenant, now);
    });
  }

  function change(tenant: string, stored: StoredIntent, parts: Partial<StoredIntent>): void {
    const held = tables.forWriting(tenant);
    putIntent(held, { ...stored, ...parts });
    moveMark(held, stored);
  }

  function storedOf({ tenant, intentNo, fence }: HeldIntent): StoredIntent | null {
    const stored = tables.forReading(tenant).intents.get(intentNo);
    return stored?.fence === fence ? stored : null;
  }

  return {
    async leaseIntents({ tenant, collections, leaseMs, limit }) {
      const now = tables.nowMs();
      const isDue = (intent: StoredIntent, held: TenantTables): boolean =>
        intent.state === 'PENDING' &&
        intent.notBeforeMs <= now &&
        collections.includes(intent.collection) &&
        (intent.waitsFor === null || !held.intents.has(intent.waitsFor)) &&
        intentsOf(held, intent.collection, intent.id).every(isBehind(intent));
      return lease(tenant, isDue, leaseMs, limit, () => ({}));
    },

    async noteSent(tenant, notes) {
      const held = tables.forWriting(tenant);
      const now = tables.nowMs();
      return notes.map((note) => {
        const intent = held.intents.get(note.intentNo);
        if (intent?.fence !== note.fence || (intent.state !== 'PENDING' && intent.state !== 'IN_DOUBT')) return 'lost';
        const record = held.records.get(recordKey(note.collection, note.id));
        if (record?.seq !== note.expected.seq || record.mark !== note.expected.mark) return 'stale';
        // The lease lasts at least as long as the call may, or the call would be taken for lost while it runs.
        const deadlineMs = now + note.deadlineMs;
        putIntent(held, {
          ...intent,
          state: 'SENT',
          attempt: intent.attempt + 1,
          payload: note.payload,
          guard: note.guard,
          deadlineMs,
          leaseUntilMs: Math.max(intent.leaseUntilMs, deadlineMs),
        });
        moveMark(held, intent);
        return 'sent';
      });
    },

    async releaseIntent(intent, retryInMs, waitsFor) {
      const stored = storedOf(intent);
      if (stored === null || stored.state === 'PARKED') return false;
      const notBeforeMs = tables.nowMs() + retryInMs;
      change(intent.tenant, stored, {
        state: 'PENDING',
        notBeforeMs,
        leaseUntilMs: 0,
        waitsFor: waitsFor === undefined ? stored.waitsFor : waitsFor,
      });
      return true;
    },

    async leaveInDoubt(intent, lookInMs) {
      const stored = storedOf(intent);
      if (stored === null || !isSent(stored.state)) return false;
      change(intent.tenant, stored, { state: 'IN_DOUBT', leaseUntilMs: tables.nowMs() + lookInMs });
      return true;
    },

    async leaseInDoubt({ tenant, leaseMs, limit }) {
      return lease(
        tenant,
        (intent, held) =>
          isSent(intent.state) &&
          intentsOf(held, intent.collection, intent.id).every(
            (other) => other.intentNo >= intent.intentNo || (other.state === 'PENDING' && !isForgotten(intent)),
          ),
        leaseMs,
        limit,
        () => ({ state: 'IN_DOUBT' }),
      );
    },

    async readUnshown({ tenant, collections, olderThanMs, limit }) {
      const latest = tables.nowMs() - olderThanMs;
      const names = [...tables.forReading(tenant).intents.values()]
        .filter((one) => one.seq === null && collections.includes(one.collection) && one.acceptedAtMs <= latest)
        .sort((a, b) => a.intentNo - b.intentNo)
        .map(({ collection, id }) => [recordKey(collection, id), { collection, id }] as const);
      return [...new Map(names).values()].slice(0, limit);
    },

    async readReferring(tenant, to, before) {
      const key = recordKey(to.collection, to.id);
      return [...tables.forReading(tenant).intents.values()]
        .filter(({ intentNo, refersTo }) => intentNo < before && refersTo.includes(key))
        .map(({ intentNo, changeId }) => ({ intentNo, changeId }));
    },
  };
}

/** May this intent go although the other one is open? Only an earlier one's alias can be under way and behind it. */
function isBehind(intent: StoredIntent): (other: StoredIntent) => boolean {
  return (other) =>
    other.intentNo === intent.intentNo ||
    (other.intentNo > intent.intentNo && (other.state === 'PENDING' || isForgotten(other)));
}

/** What a new epoch put in doubt although no call of it is remembered keeps its place in the lane. */
export function isForgotten({ state, payload }: StoredIntent): boolean {
  return state === 'IN_DOUBT' && payload === null;
}

/** The part of an intent that the port shows. */
export function openPart(intent: StoredIntent): OpenIntent {
  const {
    notBeforeMs: _notBefore,
    leaseUntilMs: _leaseUntil,
    deadlineMs: _deadline,
    refersTo: _refersTo,
    ...open
  } = intent;
  return open;
}

export function leasedPart(intent: StoredIntent, tenant: string, nowMs: number): LeasedIntent {
  const { deadlineMs } = intent;
  return { ...openPart(intent), tenant, sinceDeadlineMs: deadlineMs === null ? null : nowMs - deadlineMs };
}

/** May a call for this intent have reached its source? */
export function isSent(state: OpenState): boolean {
  return state === 'SENT' || state === 'IN_DOUBT';
}
