import type { SourceKey } from '../core/change.js';
import { SyncError, type ChangeError } from '../core/errors.js';
import type { OpenState, PushStatus } from '../core/intent.js';
import type { Clock, HashText } from '../core/ports.js';
import type { OperatorStore, OutboxEntry } from '../core/operator-port.js';
import type { RecordStore, RecordView, RecordWrite } from '../core/record-port.js';
import { createReferenceMap, type ReferenceStore } from '../core/reference-map.js';
import type { SourceCollection } from '../core/source-port.js';
import { describeCall, mayHaveTakenEffect } from './call-history.js';
import { confirmChange } from './confirmed-change.js';
import { settleRefused } from './settle.js';
import { settleTakenKey } from './taken-key.js';

/** What operators see of the outbox, and what they decide where the gateway must not (R11). */
export interface Operator {
  /**
   * Open changes, oldest first.
   *
   * @throws SyncError LIMIT_EXCEEDED, UNAVAILABLE
   */
  outbox(tenant: string, request: OutboxRequest): Promise<OutboxPage>;
  /** How many changes are open in each state, and since when the oldest waits. @throws SyncError UNAVAILABLE */
  counts(tenant: string): Promise<OutboxCounts>;
  /**
   * A parked change is sent again. Safe to repeat: one that is on its way already stays as it is.
   *
   * @param mayApplyTwice the operator accepts that a call which took effect takes effect again
   * @returns the change as it is then, with what was known of its calls before
   * @throws SyncError BAD_REQUEST - its call may have taken effect and that is not accepted: the message says what is known of
   * it; NOT_FOUND - it is settled, or never was; UNAVAILABLE
   */
  retry(tenant: string, intentNo: number, mayApplyTwice: boolean): Promise<OutboxChange>;
  /**
   * The change falls: its device gets REJECTED with the reason. What a source made of it meanwhile is ingested as the source's
   * own doing.
   *
   * @throws SyncError NOT_FOUND - it is settled (a repeat: with what became of it), or never was; RECORD_BLOCKED - a call of it
   * is under way; VALIDATION - the reason; UNAVAILABLE
   */
  reject(tenant: string, intentNo: number, reason: string): Promise<Decided>;
  /**
   * The source has the change: it is settled as APPLIED or MERGED with the source's own copy where that can be read, else with
   * what was sent laid over what is known.
   *
   * @param sourceKey the key of a created record that nothing here knows; null: it is known, or can be looked up
   * @throws SyncError as `reject`; BAD_REQUEST - the source shows the opposite; SOURCE_UNAVAILABLE - it cannot be read now
   */
  settle(tenant: string, intentNo: number, sourceKey: string | null): Promise<Decided>;
}

export interface OutboxRequest {
  /** Empty: every state. */
  readonly states: readonly OpenState[];
  /** Null: every collection. */
  readonly collection: string | null;
  /** The number of the last change seen; null: from the oldest. */
  readonly after: number | null;
  /** 1 to 1,000. */
  readonly limit: number;
}

/** An open change, and what is known of its calls in words. */
export interface OutboxChange extends OutboxEntry {
  readonly known: string;
}

export interface OutboxPage {
  readonly changes: readonly OutboxChange[];
  readonly hasMore: boolean;
}

export interface OutboxCounts {
  /** States without any are missing. */
  readonly byState: ReadonlyMap<OpenState, number>;
  /** When the oldest open change was accepted, ms since 1970; null: there is none. */
  readonly oldestAcceptedAtMs: number | null;
}

/** A change that an operator settled, as its device is told. */
export interface Decided {
  readonly changeId: string;
  readonly collection: string;
  readonly id: string;
  readonly status: PushStatus;
  readonly error: ChangeError | null;
}

/** An open change with its record, as one decision sees them. */
export interface OpenChange {
  readonly entry: OutboxEntry;
  readonly view: RecordView;
  readonly source: SourceCollection;
}

/** Most changes, and most kept conflicts, of one page. */
export const MAX_OPERATOR_LIMIT = 1_000;
/** Longest reason, in characters. */
const MAX_REASON_LENGTH = 1_000;
/** Times that a decision is made again because its record moved meanwhile. */
const MAX_DECISIONS = 8;

/** @param options.wake looks for due changes now: what waited for a settled one goes on */
export function createOperator(
  ports: {
    readonly store: RecordStore & OperatorStore & ReferenceStore;
    readonly clock: Clock;
    readonly hash: HashText;
  },
  options: { readonly sources: readonly SourceCollection[]; wake(): void },
): Operator {
  const { store } = ports;
  const references = createReferenceMap(store, options.sources);
  const wake = (): void => options.wake();
  const sources = new Map(options.sources.map((source) => [source.collection.name, source]));

  async function readEntry(tenant: string, intentNo: number): Promise<OutboxEntry> {
    const after = intentNo - 1;
    const [entry] = await store.readOutbox(tenant, { states: [], collection: null, after, limit: 1 });
    if (entry?.intentNo === intentNo) return entry;
    const settled = await store.readSettled(tenant, intentNo);
    const became =
      settled === null
        ? 'there never was one, or it is forgotten'
        : `${settled.changeId} of ${settled.collection} ${settled.id} is settled as ${settled.status}${because(settled.error)}`;
    throw new SyncError('NOT_FOUND', `expected an open change with the number ${intentNo}: ${became}`);
  }

  /** Decides on what is there now, again whenever that moved before the decision was kept. */
  async function decide(
    tenant: string,
    intentNo: number,
    build: (open: OpenChange) => Promise<RecordWrite> | RecordWrite,
  ): Promise<Decided> {
    for (let decisions = 0; decisions < MAX_DECISIONS; decisions++) {
      const entry = await readEntry(tenant, intentNo);
      const [view] = await store.readRecords(tenant, [{ collection: entry.collection, id: entry.id }]);
      const own = view?.intents.find((intent) => intent.intentNo === intentNo);
      // Settled, or another record's, between the two reads.
      if (view === undefined || own === undefined) continue;
      if (own.state === 'SENT') throw underway(entry);
      const source = sources.get(entry.collection);
      if (source === undefined) {
        throw new SyncError(
          'BAD_REQUEST',
          `expected ${entry.collection} to be configured: only then its changes can be settled`,
        );
      }
      let write = await build({ entry: { ...entry, ...own }, view, source });
      let [outcome] = await store.commit(tenant, [write]);
      if (outcome?.kind === 'keyTaken') {
        const instead = await settleTakenKey({ store, references }, source, tenant, write, outcome.by);
        if (typeof instead === 'string') continue;
        write = instead;
        [outcome] = await store.commit(tenant, [write]);
      }
      if (outcome?.kind !== 'written') continue;
      wake();
      const { status, error } = write.settlement as NonNullable<RecordWrite['settlement']>;
      return { changeId: entry.changeId, collection: entry.collection, id: entry.id, status, error };
    }
    throw new SyncError('RECORD_BLOCKED', `the record of change ${intentNo} moves faster than it can be settled`);
  }

  return {
    async outbox(tenant, { states, collection, after, limit }) {
      checkLimit(limit);
      const found = await store.readOutbox(tenant, { states, collection, after, limit: limit + 1 });
      return { changes: found.slice(0, limit).map(withKnown), hasMore: found.length > limit };
    },

    async counts(tenant) {
      const [byState, [oldest]] = await Promise.all([
        store.countOutbox(tenant),
        store.readOutbox(tenant, { states: [], collection: null, after: null, limit: 1 }),
      ]);
      return { byState, oldestAcceptedAtMs: oldest?.acceptedAtMs ?? null };
    },

    async retry(tenant, intentNo, mayApplyTwice) {
      const entry = await readEntry(tenant, intentNo);
      if (entry.state !== 'PARKED') return withKnown(entry);
      if (mayHaveTakenEffect(entry) && !mayApplyTwice) {
        throw new SyncError(
          'BAD_REQUEST',
          `expected mayApplyTwice: true, for change ${intentNo} may take effect twice: ${describeCall(entry)}`,
          { field: 'mayApplyTwice' },
        );
      }
      if (await store.reopenIntent(tenant, intentNo)) wake();
      return { ...withKnown(entry), state: 'PENDING', error: null };
    },

    async reject(tenant, intentNo, reason) {
      const error: ChangeError = {
        code: 'OPERATOR_REFUSED',
        message: checkReason(reason),
        field: null,
        retryable: false,
      };
      return decide(tenant, intentNo, async ({ entry, view, source }) => {
        const mapping = await references.mappingOf(tenant, source.collection, view, null);
        return settleRefused(source.collection, view, entry, { status: 'REJECTED', error, by: 'policy' }, mapping);
      });
    },

    settle(tenant, intentNo, sourceKey) {
      return decide(tenant, intentNo, (open) =>
        confirmChange({ ...ports, references }, open, sourceKey as SourceKey | null),
      );
    },
  };
}

/** @throws SyncError LIMIT_EXCEEDED */
export function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_OPERATOR_LIMIT) return;
  throw new SyncError('LIMIT_EXCEEDED', `limit: expected 1 to ${MAX_OPERATOR_LIMIT}, got ${limit}`, { field: 'limit' });
}

function withKnown(entry: OutboxEntry): OutboxChange {
  return { ...entry, known: describeCall(entry) };
}

function checkReason(reason: string): string {
  const text = reason.trim();
  if (text !== '' && text.length <= MAX_REASON_LENGTH && !/[\u0000-\u001f]/.test(text)) return text;
  throw new SyncError(
    'VALIDATION',
    `reason: expected 1 to ${MAX_REASON_LENGTH} characters without control characters, got ${text.length}`,
    { field: 'reason' },
  );
}

function underway({ intentNo, changeId }: OutboxEntry): SyncError {
  return new SyncError(
    'RECORD_BLOCKED',
    `expected change ${intentNo} (${changeId}) to wait, a call of it is under way`,
  );
}

function because(error: ChangeError | null): string {
  return error === null ? '' : `: ${error.message}`;
}
