import { formatVersion, type Version } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import type { FeedReader } from '../core/feed-port.js';
import type { KeptEdit } from '../core/intent.js';
import type { Clock, HashText } from '../core/ports.js';
import type { KeptConflict, OperatorStore } from '../core/operator-port.js';
import type { KnownChange, RecordStore } from '../core/record-port.js';
import type { DeviceKey, Session } from '../core/session.js';
import { checkLimit } from './operator.js';
import type { PushedChange, PushResult } from './pushed-change.js';

/** Edits that were refused as CONFLICT and are kept: for their devices to look at, and for operators to settle (F19). */
export interface KeptConflicts {
  /** Those of a tenant, oldest first. @throws SyncError LIMIT_EXCEEDED, UNAVAILABLE */
  list(
    tenant: string,
    request: { readonly after: KeptConflict['settledSeq'] | null; readonly limit: number },
  ): Promise<{ readonly conflicts: readonly OpenConflict[]; readonly hasMore: boolean }>;
  /** What is kept of these changes of a device, by change id; those of which nothing is kept are missing. @throws SyncError UNAVAILABLE */
  read(device: DeviceKey, changeIds: readonly string[]): Promise<ReadonlyMap<string, Clashing>>;
  /** Forgets the edit; false when none is kept. Safe to repeat. @throws SyncError UNAVAILABLE */
  dismiss(device: DeviceKey, changeId: string): Promise<boolean>;
  /**
   * Pushes the edit again, made from the record's current version, as its device and user; the edit is not kept any longer once
   * that is accepted. Safe to repeat: the new change's id derives from the old one's.
   *
   * @param operator whose scopes the record must be in
   * @returns the new change's own result; REJECTED leaves the edit where it is
   * @throws SyncError NOT_FOUND - no such edit is kept, or its record is gone; DEVICE_EVICTED, DEVICE_REVOKED, UNAVAILABLE
   */
  reapply(operator: Session, device: DeviceKey, changeId: string): Promise<PushResult>;
}

/** An edit in conflict with what the record is now. */
export interface Clashing {
  readonly kind: KeptEdit['kind'];
  /** The version that it was made from; null: a new record. */
  readonly baseVersion: Version | null;
  /** The fields in which it conflicts; empty: it was refused because of another change. */
  readonly fields: readonly string[];
  /** The edit as pushed; null for DELETE. */
  readonly yours: KeptEdit['fields'] | null;
}

export interface OpenConflict extends Omit<KeptConflict, 'kept'> {
  readonly clash: Clashing;
}

/** @param push the ordinary way in */
export function createKeptConflicts(
  ports: {
    readonly store: Pick<RecordStore, 'readRecords' | 'readChanges'> &
      Pick<OperatorStore, 'readConflicts' | 'dismissConflict'> &
      Pick<FeedReader, 'readHead'>;
    readonly clock: Clock;
    readonly hash: HashText;
  },
  push: (session: Session, changes: readonly PushedChange[], sentAtMs: number | null) => Promise<readonly PushResult[]>,
): KeptConflicts {
  const { store, clock, hash } = ports;

  async function pushAgain(
    operator: Session,
    device: DeviceKey,
    { collection, id, kept }: KnownChange & { readonly kept: string },
    changeId: string,
  ): Promise<PushResult> {
    const [{ epoch }, [view]] = await Promise.all([
      store.readHead(device.tenant),
      store.readRecords(device.tenant, [{ collection, id }]),
    ]);
    if (view === undefined || view.deleted || view.aliasOf !== null) {
      throw new SyncError(
        'NOT_FOUND',
        `expected ${collection} ${id} to be there, it is gone: there is nothing to lay the edit over`,
      );
    }
    const edit = JSON.parse(kept) as KeptEdit;
    const change: PushedChange = {
      changeId,
      collection,
      id,
      kind: edit.kind,
      baseVersion: view.seq === 0 ? null : formatVersion(epoch, view.seq),
      changedAt: new Date(clock.nowMs()).toISOString(),
      fields: edit.kind === 'DELETE' ? null : edit.fields,
      sentEpoch: null,
    };
    const [result] = await push({ ...operator, ...device }, [change], null);
    return result as PushResult;
  }

  async function readKnown(device: DeviceKey, changeIds: readonly string[]) {
    const { known } = await store.readChanges(device, changeIds);
    return new Map(known.map((change) => [change.changeId, change]));
  }

  return {
    async list(tenant, { after, limit }) {
      checkLimit(limit);
      const [{ epoch }, found] = await Promise.all([
        store.readHead(tenant),
        store.readConflicts(tenant, after, limit + 1),
      ]);
      const conflicts = found.slice(0, limit).map(({ kept, ...rest }) => ({ ...rest, clash: clashing(kept, epoch) }));
      return { conflicts, hasMore: found.length > limit };
    },

    async read(device, changeIds) {
      const [{ epoch }, known] = await Promise.all([store.readHead(device.tenant), readKnown(device, changeIds)]);
      return new Map(
        [...known.values()].flatMap(({ changeId, kept }) =>
          kept === null ? [] : [[changeId, clashing(kept, epoch)] as const],
        ),
      );
    },

    dismiss: (device, changeId) => store.dismissConflict(device, changeId),

    async reapply(operator, device, changeId) {
      const newId = reappliedId(changeId, hash);
      const known = await readKnown(device, [changeId, newId]);
      const old = known.get(changeId);
      const kept = old?.kept ?? null;
      const before = known.get(newId);
      if (before === undefined && (old === undefined || kept === null)) {
        throw new SyncError('NOT_FOUND', `expected a kept edit of ${device.device}, there is none under ${changeId}`);
      }
      let result = before === undefined ? null : resultOf(before);
      if (result === null && old !== undefined && kept !== null) {
        result = await pushAgain(operator, device, { ...old, kept }, newId);
        // Another operator was first, from another version: what became of that one holds.
        if (result.error?.code === 'KEY_REUSED') {
          const first = (await readKnown(device, [newId])).get(newId);
          result = first === undefined ? result : resultOf(first);
        }
      }
      const settled = result as PushResult;
      if (settled.status !== 'REJECTED') await store.dismissConflict(device, changeId);
      return settled;
    },
  };
}

/** Never longer than a change id may be, and never one that a device makes. */
function reappliedId(changeId: string, hash: HashText): string {
  return `reapplied-${hash(changeId).slice(0, 40)}`;
}

function clashing(kept: string, epoch: Parameters<typeof formatVersion>[0]): Clashing {
  const { kind, fields, baseSeq, conflicting } = JSON.parse(kept) as KeptEdit;
  return {
    kind,
    // 0 and 1 are no versions: a new record, and one that no version was pulled of.
    baseVersion: baseSeq <= 1 ? null : formatVersion(epoch, baseSeq),
    fields: conflicting,
    yours: kind === 'DELETE' ? null : fields,
  };
}

function resultOf({ changeId, collection, id, status, error, blockedBy }: KnownChange): PushResult {
  return { changeId, collection, id, status, error, blockedBy };
}
