import type { RecordId, Seq } from '../../../src/core/change.js';
import { EVERY_FIELD, type Stamps } from '../../../src/core/conflict.js';
import {
  ERASED_BODY,
  ERASED_HASH,
  ERASED_WRITER,
  erasedError,
  NOTHING_ERASED,
  type ErasureStore,
  type UserErasure,
} from '../../../src/core/erasure-port.js';
import type { Clock } from '../../../src/core/ports.js';
import { hiddenScope } from '../../../src/core/overlay.js';
import { writerOf } from '../../../src/core/session.js';
import { deviceIn } from './device-tables.js';
import { collectionOf, deviceText, recordKey, type StoredRecord, type TenantTables } from './tables.js';

/** Erasure on request. */
export function createErasureTables(ports: {
  readonly clock: Clock;
  readonly forWriting: (tenant: string) => TenantTables;
  /** @returns how many owed bodies were forgotten */
  readonly forgetOwed: (tenant: string, collection: string, ids: readonly string[]) => number;
}): ErasureStore {
  const { clock, forWriting, forgetOwed } = ports;
  return {
    async eraseRecord(tenant, { collection, id, isServed }) {
      const tables = forWriting(tenant);
      const target = tables.records.get(recordKey(collection, id))?.aliasOf ?? id;
      const named = [...tables.records.values()].filter(
        (one) => one.collection === collection && (one.id === target || one.aliasOf === target),
      );
      const ids = [...new Set([id, ...named.map((one) => one.id)])];
      const recordKeys = new Set(ids.map((one) => recordKey(collection, one)));
      const open = [...tables.intents.values()].filter(
        (intent) =>
          recordKeys.has(recordKey(intent.collection, intent.id)) ||
          intent.refersTo.some((other) => recordKeys.has(other)),
      );
      if (open.length > 0) return { kind: 'open', intentNos: open.map(({ intentNo }) => intentNo) };
      if (named.some(({ deleted, aliasOf }) => !deleted && aliasOf === null)) return { kind: 'alive' };
      const keys = [...ids, ...named.flatMap(({ sourceKey }) => sourceKey ?? [])].map((key) =>
        recordKey(collection, key),
      );
      const lists = [tables.quarantine, tables.rechecks];
      if (isServed && lists.some((list) => keys.some((key) => list.has(key)))) return { kind: 'listed' };

      const erased = { ...NOTHING_ERASED, ...eraseStates(tables, named) };
      const told = eraseAnswers(tables, collection, ids, recordKeys);
      const gone = lists.flatMap((list) => keys.filter((key) => list.delete(key)));
      const listed = gone.length + forgetOwed(tenant, collection, ids);
      if (erased.keys > 0) raiseFloor(tables, collection, Math.max(...named.map(({ seq }) => seq)) as Seq);
      const { known, ...answered } = told;
      return {
        kind: 'erased',
        erased: { ...erased, ...answered, listed },
        isKnown: named.length > 0 || known > 0 || listed > 0,
      };
    },

    async eraseUser(tenant, user) {
      const tables = forWriting(tenant);
      const open = [...tables.intents.values()].filter(({ device }) => device.user === user);
      if (open.length > 0) return { kind: 'open', intentNos: open.map(({ intentNo }) => intentNo) };
      return eraseTraces(tables, tenant, user, clock.nowMs());
    },
  };
}

function eraseStates(tables: TenantTables, named: readonly StoredRecord[]) {
  const counts = { states: 0, keys: 0, marks: 0 };
  for (const record of named) {
    const { body, vis, hash, sourceVersion, via, sourceKey, seq } = record;
    const stamps: Stamps = { [EVERY_FIELD]: { seq, writer: ERASED_WRITER } };
    const hasState =
      (body ?? ERASED_BODY) !== ERASED_BODY || [vis, hash, sourceVersion, via].some((one) => one !== null);
    const hasMarks = JSON.stringify(record.stamps) !== JSON.stringify(stamps);
    counts.states += Number(hasState);
    counts.keys += Number(sourceKey !== null);
    counts.marks += Number(hasMarks);
    if (!hasState && !hasMarks && sourceKey === null) continue;
    if (sourceKey !== null) tables.sourceKeys.delete(recordKey(record.collection, sourceKey));
    tables.records.set(recordKey(record.collection, record.id), {
      ...record,
      ...{ body: body === null ? null : ERASED_BODY, vis: null, hash: null, sourceVersion: null, via: null },
      ...{ sourceKey: null, stamps, mark: record.mark + 1 },
    });
  }
  return counts;
}

function eraseAnswers(
  tables: TenantTables,
  collection: string,
  ids: readonly RecordId[],
  recordKeys: ReadonlySet<string>,
) {
  const counts = { answers: 0, keptEdits: 0, known: 0 };
  for (const [key, change] of tables.changes) {
    const isOfIt = (change.collection === collection && ids.includes(change.id)) || recordKeys.has(change.effectOn);
    if (!isOfIt) continue;
    counts.known += 1;
    const error = change.error === null ? null : erasedError(change.error);
    const left = { ...change, error, kept: null, bodyHash: ERASED_HASH };
    if (JSON.stringify(left) === JSON.stringify(change)) continue;
    counts.answers += 1;
    counts.keptEdits += Number(change.kept !== null);
    tables.changes.set(key, left);
  }
  return counts;
}

function raiseFloor(tables: TenantTables, name: string, to: Seq): void {
  const before = collectionOf(tables, name);
  tables.collections.set(name, { ...before, floor: Math.max(before.floor, to) as Seq });
}

function eraseTraces(tables: TenantTables, tenant: string, user: string, nowMs: number): UserErasure {
  const changes = [...tables.changes].filter(([, { device }]) => device.user === user);
  const known = [...tables.devices.values()].map(({ key }) => key).filter((key) => key.user === user);
  const pushing = changes
    .map(([, { device }]) => device)
    .filter(({ device }) => known.every((one) => one.device !== device));
  const devices = [...known, ...new Map(pushing.map((key) => [key.device, key])).values()];
  const counts = { devices: 0, registrations: 0, marks: 0, scopes: 0 };
  for (const key of devices) {
    const device = deviceIn(tables, key, nowMs);
    counts.devices += Number(device.revokedAtMs === null);
    counts.registrations += Number(tables.phones.delete(deviceText(key)));
    const revoked = { standing: 'revoked', revokedAtMs: device.revokedAtMs ?? nowMs } as const;
    tables.devices.set(deviceText(key), { ...device, ...revoked });
  }
  for (const [key] of changes) tables.changes.delete(key);
  const writers = writerOf({ tenant, user, device: '' });
  for (const [key, record] of tables.records) {
    if (Object.values(record.stamps).every(({ writer }) => !writer.startsWith(writers))) continue;
    counts.marks += 1;
    const stamps = Object.entries(record.stamps).map(([field, { seq, writer }]) => [
      field,
      { seq, writer: writer.startsWith(writers) ? ERASED_WRITER : writer },
    ]);
    tables.records.set(key, { ...record, stamps: Object.fromEntries(stamps) as Stamps });
  }
  const hidden = hiddenScope({ tenant, user, device: '' });
  for (const [recordNo, rows] of tables.memberships) {
    const kept = rows.filter(({ scope, left }) => !left || !scope.startsWith(hidden));
    if (kept.length < rows.length) tables.memberships.set(recordNo, kept);
  }
  for (const [hash, set] of tables.scopeSets)
    if (set.some(({ scope }) => scope.startsWith(hidden))) tables.scopeSets.delete(hash);
  const inUse = new Set([...tables.memberships.values()].flat().map(({ scope }) => scope));
  for (const [key, { scope }] of tables.pairs) {
    if (!scope.startsWith(hidden) || inUse.has(scope)) continue;
    counts.scopes += 1;
    tables.pairs.delete(key);
  }
  const keptEdits = changes.filter(([, { kept }]) => kept !== null).length;
  return { kind: 'erased', devices, erased: { ...NOTHING_ERASED, ...counts, answers: changes.length, keptEdits } };
}
