import type { OpenState } from '../../../src/core/intent.js';
import type { LeasedIntent } from '../../../src/core/outbox-port.js';
import type { OpenIntent, RecordStore } from '../../../src/core/record-port.js';
import { intentsOf, moveMark, putIntent, recordKey, type StoredIntent, type TenantTables } from './tables.js';

/** What the outbox needs of its store: every tenant's tables, ready to be written. */
export interface OutboxTables {
  all(): Iterable<readonly [string, TenantTables]>;
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
    fits: (intent: StoredIntent, tenant: TenantTables) => boolean,
    leaseMs: number,
    limit: number,
    taken: (intent: StoredIntent) => Partial<StoredIntent>,
  ): readonly LeasedIntent[] {
    const now = tables.nowMs();
    const due = [...tables.all()]
      .flatMap(([tenant, held]) =>
        [...held.intents.values()]
          .filter((intent) => intent.leaseUntilMs <= now && fits(intent, held))
          .map((intent) => ({ tenant, intent })),
      )
      .sort((a, b) => a.intent.intentNo - b.intent.intentNo)
      .slice(0, limit);
    return due.map(({ tenant, intent }) => {
      const leased = { ...intent, ...taken(intent), fence: intent.fence + 1, leaseUntilMs: now + leaseMs };
      const held = tables.forWriting(tenant);
      putIntent(held, leased);
      if (leased.state !== 'PENDING') moveMark(held, intent);
      return leasedPart(leased, tenant, now);
    });
  }

  function change(
    { tenant, stored }: { readonly tenant: string; readonly stored: StoredIntent },
    parts: Partial<StoredIntent>,
  ): void {
    const held = tables.forWriting(tenant);
    putIntent(held, { ...stored, ...parts });
    moveMark(held, stored);
  }

  function holderOf(intent: { readonly intentNo: number; readonly fence: number }) {
    for (const [tenant, held] of tables.all()) {
      const stored = held.intents.get(intent.intentNo);
      if (stored?.fence === intent.fence) return { tenant, stored };
    }
    return null;
  }

  return {
    async leaseIntents({ collections, leaseMs, limit }) {
      const now = tables.nowMs();
      const isDue = (intent: StoredIntent, tenant: TenantTables): boolean =>
        intent.state === 'PENDING' &&
        intent.notBeforeMs <= now &&
        collections.includes(intent.collection) &&
        (intent.waitsFor === null || !tenant.intents.has(intent.waitsFor)) &&
        intentsOf(tenant, intent.collection, intent.id).every(isBehind(intent));
      return lease(isDue, leaseMs, limit, () => ({}));
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
      const found = holderOf(intent);
      if (found === null || found.stored.state === 'PARKED') return false;
      const notBeforeMs = tables.nowMs() + retryInMs;
      change(found, {
        state: 'PENDING',
        notBeforeMs,
        leaseUntilMs: 0,
        waitsFor: waitsFor === undefined ? found.stored.waitsFor : waitsFor,
      });
      return true;
    },

    async leaveInDoubt(intent, lookInMs) {
      const found = holderOf(intent);
      if (found === null || !isSent(found.stored.state)) return false;
      change(found, { state: 'IN_DOUBT', leaseUntilMs: tables.nowMs() + lookInMs });
      return true;
    },

    async leaseInDoubt({ leaseMs, limit }) {
      return lease(
        (intent, tenant) =>
          isSent(intent.state) &&
          intentsOf(tenant, intent.collection, intent.id).every(
            (other) => other.intentNo >= intent.intentNo || (other.state === 'PENDING' && !isForgotten(intent)),
          ),
        leaseMs,
        limit,
        () => ({ state: 'IN_DOUBT' }),
      );
    },

    async readUnshown({ collections, olderThanMs, limit }) {
      const latest = tables.nowMs() - olderThanMs;
      const hidden = [...tables.all()].flatMap(([tenant, { intents }]) =>
        [...intents.values()]
          .filter((one) => one.seq === null && collections.includes(one.collection) && one.acceptedAtMs <= latest)
          .map(({ intentNo, collection, id }) => ({ intentNo, name: { tenant, collection, id } })),
      );
      const names = hidden
        .sort((a, b) => a.intentNo - b.intentNo)
        .map(({ name }) => [JSON.stringify(name), name] as const);
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
function isForgotten({ state, payload }: StoredIntent): boolean {
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
