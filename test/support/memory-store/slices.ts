import { createHash } from 'node:crypto';
import { formatVersion, type ChangeKind, type Seq } from '../../../src/core/change.js';
import type { DrainPosition } from '../../../src/core/checkpoint.js';
import type { FeedSlice, FeedSnapshot, SliceForm, StoredReceipt } from '../../../src/core/feed-port.js';
import { pairKey, scopeSet, type ScopeSet } from '../../../src/core/scope.js';
import { renderChange } from '../../../src/core/shape.js';
import { sameDevice, type DeviceKey } from '../../../src/core/session.js';
import { deviceText, recordKey, type Membership, type StoredRecord, type TenantTables } from './tables.js';

/** Reads tables that nobody changes any more: the three steps of specification part 1, as it words them. */
export function readTables(tables: TenantTables): FeedSnapshot {
  let flat: readonly Membership[] | null = null;
  const rows = (): readonly Membership[] => (flat ??= [...tables.memberships.values()].flat());
  const liveIn = (record: StoredRecord, set: ScopeSet, fits: (row: Membership) => boolean): boolean => {
    const pairs = new Set(set.map(pairKey));
    const own = tables.memberships.get(record.recordNo) ?? [];
    return own.some((row) => !row.left && pairs.has(pairKey(row)) && fits(row));
  };
  const slice = <Position>(walk: Walk<Position>, room: number, form: SliceForm): FeedSlice<Position> =>
    collect(tables, walk, room, form);

  return {
    feed: { epoch: tables.epoch, head: tables.head, horizon: tables.horizon },

    async everyPair(collections) {
      return scopeSet([...tables.pairs.values()].filter((pair) => collections.includes(pair.collection)));
    },

    async drain({ set, after, seq, cover, fill }, room, form) {
      const lost = new Set(set.map(pairKey));
      const walk = rows()
        .filter((row) => lost.has(pairKey(row)) && row.entered <= seq && (!row.left || row.seq > seq))
        .sort(byPrimaryKey)
        .map((row) => {
          const record = recordOf(tables, row);
          const held =
            liveIn(record, cover, (other) => other.entered <= seq) ||
            (fill !== null && liveIn(record, fill.set, (other) => other.seq <= fill.at));
          const position = { recordNo: row.recordNo, scope: row.scope };
          return { row, position, kind: held ? null : goneKind(record) };
        })
        .filter(({ position }) => after === null || byPrimaryKey(position, after) > 0);
      return slice<DrainPosition>(walk, room, form);
    },

    async fill({ set, after, upTo }, room, form) {
      const gained = new Set(set.map(pairKey));
      const live = rows().filter((row) => gained.has(pairKey(row)) && !row.left && row.seq > after && row.seq <= upTo);
      const walk = groupBySeq(live).map(([row]) => ({ row, position: row.seq, kind: 'UPSERT' as const }));
      return slice<Seq>(walk, room, form);
    },

    async main({ cover, after, upTo, heldUpTo }, room, form) {
      const covered = new Set(cover.map(pairKey));
      const range = rows().filter((row) => covered.has(pairKey(row)) && row.seq > after && row.seq <= upTo);
      const walk = groupBySeq(range).map((group) => {
        const [row] = group;
        return { row, position: row.seq, kind: mainKind(recordOf(tables, row), group) };
      });
      function mainKind(record: StoredRecord, group: readonly [Membership, ...Membership[]]): ChangeKind | null {
        const { seq } = group[0];
        if (group.every((row) => row.left && row.entered > heldUpTo)) return null;
        if (record.seq === seq) return group.some((row) => !row.left) ? 'UPSERT' : goneKind(record);
        return liveIn(record, cover, (row) => row.entered <= seq) ? null : goneKind(record);
      }
      return slice<Seq>(walk, room, form);
    },

    async tally(set, upTo) {
      const pairs = new Set(set.map(pairKey));
      const own = rows().filter((row) => pairs.has(pairKey(row)));
      if (own.some((row) => row.seq > upTo)) return null;
      const tallies = new Map<string, { count: number; sum: bigint }>();
      for (const { collection, seq } of groupBySeq(own.filter((row) => !row.left)).map(([row]) => row)) {
        const { count, sum } = tallies.get(collection) ?? { count: 0, sum: 0n };
        const digest = createHash('sha256').update(formatVersion(tables.epoch, seq)).digest();
        tallies.set(collection, { count: count + 1, sum: sum + digest.readBigUInt64BE() });
      }
      return tallies;
    },

    async receipts(device, after, upTo) {
      return changesOf(tables, device)
        .filter(({ settledSeq }) => settledSeq > Math.max(after, tables.horizon) && settledSeq <= upTo)
        .map(({ changeId, status, collection, id, error, blockedBy, settledSeq }): StoredReceipt => {
          return { changeId, status, collection, id, error, blockedBy, seq: settledSeq };
        });
    },
  };
}

/** The rows of a step in its order; kind null: looked at and passed over. */
type Walk<Position> = readonly {
  readonly row: Membership;
  readonly position: Position;
  readonly kind: ChangeKind | null;
}[];

function collect<Position>(
  tables: TenantTables,
  walk: Walk<Position>,
  room: number,
  form: SliceForm,
): FeedSlice<Position> {
  const texts: string[] = [];
  const mine = mineOf(tables, form);
  let looked = 0;
  for (const { row, kind } of walk) {
    if (kind !== null && texts.length === room) break;
    looked++;
    if (kind !== null) texts.push(render(tables, row, kind, form, mine));
  }
  return {
    texts: texts.length === 0 ? [] : [new TextEncoder().encode(texts.join(','))],
    count: texts.length,
    position: walk[looked - 1]?.position ?? null,
    exhausted: looked === walk.length,
  };
}

/** A change carries the seq of the row that sends it: a revoke names no newer state than the one it ends. */
function render(tables: TenantTables, row: Membership, kind: ChangeKind, form: SliceForm, mine: Mine): string {
  const record = recordOf(tables, row);
  const parts = form.shape.parts.get(row.collection);
  if (parts === undefined) throw new Error(`the shape has no parts for ${row.collection}`);
  const change = {
    collection: row.collection,
    id: row.id,
    version: formatVersion(tables.epoch, row.seq),
    changedAt: new Date(record.changedAtMs).toISOString(),
    kind,
    pending: record.pending,
    mine: mine.get(recordKey(row.collection, row.id)) ?? [],
  };
  return renderChange(parts, change, kind === 'UPSERT' ? (record.vis ?? record.body) : null);
}

/** The device's changes that records contain: settled ones in the order of their seqs, then open ones that are laid over. */
type Mine = ReadonlyMap<string, readonly string[]>;

function mineOf(tables: TenantTables, { device, mineAfter }: SliceForm): Mine {
  const mine = new Map<string, string[]>();
  for (const change of device === null ? [] : changesOf(tables, device)) {
    if (!change.inEffect || change.settledSeq <= mineAfter) continue;
    mine.set(change.effectOn, [...(mine.get(change.effectOn) ?? []), change.changeId]);
  }
  const open = device === null ? [] : [...tables.intents.values()].filter((one) => sameDevice(one.device, device));
  for (const { collection, id, kind, seq, changeId } of open) {
    if (kind === 'DELETE' || seq === null || seq <= mineAfter) continue;
    const key = recordKey(collection, id);
    if (tables.records.get(key)?.pending === true) mine.set(key, [...(mine.get(key) ?? []), changeId]);
  }
  return mine;
}

/** A device's settled changes in the order of their seqs. */
function changesOf(tables: TenantTables, device: DeviceKey) {
  return [...tables.changes.values()]
    .flatMap((change) => (change.settledSeq === null ? [] : [{ ...change, settledSeq: change.settledSeq }]))
    .filter((change) => deviceText(change.device) === deviceText(device))
    .sort((a, b) => a.settledSeq - b.settledSeq);
}

function recordOf(tables: TenantTables, row: Membership): StoredRecord {
  const record = tables.records.get(recordKey(row.collection, row.id));
  if (record === undefined) throw new Error(`a row of ${row.collection} ${row.id} has no record`);
  return record;
}

function goneKind(record: StoredRecord): ChangeKind {
  return record.deleted ? 'DELETE' : 'REVOKE';
}

function byPrimaryKey(a: DrainPosition, b: DrainPosition): number {
  return a.recordNo - b.recordNo || (a.scope < b.scope ? -1 : a.scope > b.scope ? 1 : 0);
}

function groupBySeq(rows: readonly Membership[]): readonly [Membership, ...Membership[]][] {
  const groups = new Map<Seq, [Membership, ...Membership[]]>();
  for (const row of rows) {
    const group = groups.get(row.seq);
    if (group === undefined) groups.set(row.seq, [row]);
    else group.push(row);
  }
  return [...groups.values()].sort(([a], [b]) => a.seq - b.seq);
}
