import type { Seq } from '../../../src/core/change.js';
import type { TouchedPair } from '../../../src/core/feed-port.js';
import type { RecordWrite } from '../../../src/core/record-port.js';
import { pairKey } from '../../../src/core/scope.js';
import { recordKey, type StoredRecord, type TenantTables } from './tables.js';

/** Past this many generations records follow each other in a circle: they are nobody's. */
const MOST_GENERATIONS = 50;

/**
 * Brings records that have the scopes of others there, after `written` were written: those of them whose scopes another record gives, and
 * whatever hangs on any of them. What was written keeps its seq, everything else takes one of its own if its scopes change.
 */
export function follow(
  tables: TenantTables,
  written: readonly RecordWrite[],
  nowMs: number,
  touched: Map<string, TouchedPair>,
): void {
  const keys = new Set(written.map(({ collection, id }) => recordKey(collection, id)));
  const isFollowing = (record: StoredRecord): boolean => record.via !== null;
  // Whoever was a child of a written record before may not be one now: each is looked at anew.
  let generation = [...tables.records].filter(([, record]) => isFollowing(record)).map(([key]) => key);
  for (let depth = 1; generation.length > 0; depth++) {
    const moved = new Set<string>();
    const found = generation.map((key) => {
      const record = tables.records.get(key) as StoredRecord;
      return { key, record, wanted: depth < MOST_GENERATIONS ? liveScopes(tables, parentOf(tables, record)) : [] };
    });
    for (const { key, record, wanted } of found) {
      const had = liveScopes(tables, record);
      if (wanted.length === had.length && wanted.every((scope) => had.includes(scope))) continue;
      const seq = keys.has(key) ? record.seq : ((tables.head = (tables.head + 1) as Seq), tables.head);
      tables.records.set(key, { ...record, seq, changedAtMs: nowMs });
      place(tables, record, new Set(wanted), seq, touched);
      moved.add(key);
    }
    generation = [...tables.records]
      .filter(([, record]) => isFollowing(record) && moved.has(keyOf(parentOf(tables, record))))
      .map(([key]) => key);
  }
}

/** Live rows take the seq and stay or leave; a row that left comes back with the `entered` it had. */
export function place(
  tables: TenantTables,
  { recordNo, collection, id }: StoredRecord,
  scopes: ReadonlySet<string>,
  seq: Seq,
  touched: Map<string, TouchedPair>,
  author: TouchedPair['author'] = null,
): void {
  const known = new Map((tables.memberships.get(recordNo) ?? []).map((row) => [row.scope, row]));
  for (const scope of new Set([...scopes, ...known.keys()])) {
    const row = known.get(scope);
    const left = !scopes.has(scope);
    if (left && row?.left === true) continue;
    known.set(scope, { recordNo, collection, id, scope, entered: row?.entered ?? seq, seq, left });
    const pair = { collection, scope };
    tables.pairs.set(pairKey(pair), pair);
    const before = touched.get(pairKey(pair));
    touched.set(pairKey(pair), { ...pair, author: before && !same(before.author, author) ? null : author });
  }
  tables.memberships.set(recordNo, [...known.values()]);
}

/** The scopes of a record; nobody's: none. */
export function liveScopes(tables: TenantTables, record: StoredRecord | undefined): readonly string[] {
  const rows = record === undefined ? [] : (tables.memberships.get(record.recordNo) ?? []);
  return rows.filter((row) => !row.left).map((row) => row.scope);
}

function parentOf(tables: TenantTables, { via }: StoredRecord): StoredRecord | undefined {
  const [kind, collection = '', name = ''] = (via ?? '').split(' ');
  const named = recordKey(collection, name);
  const key = kind === 'k' ? tables.sourceKeys.get(named) : named;
  const record = key === undefined ? undefined : tables.records.get(key);
  const aliasOf = kind === 'k' ? null : (record?.aliasOf ?? null);
  return aliasOf === null ? record : tables.records.get(recordKey(collection, aliasOf));
}

function keyOf(record: StoredRecord | undefined): string {
  return record === undefined ? '' : recordKey(record.collection, record.id);
}

function same(a: TouchedPair['author'], b: TouchedPair['author']): boolean {
  return a !== null && b !== null && a.tenant === b.tenant && a.user === b.user && a.device === b.device;
}
