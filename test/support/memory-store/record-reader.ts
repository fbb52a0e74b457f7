import { createHash } from 'node:crypto';
import { statesText } from '../../../src/core/known-states.js';
import type { Clock } from '../../../src/core/ports.js';
import type { RecordMark, RecordStore, RecordView } from '../../../src/core/record-port.js';
import { isForgotten, isSent, openPart } from './intents.js';
import { blockerOf, knownPart } from './operator-tables.js';
import { absentRecord } from './record-row.js';
import { changeKey, deviceText, intentsOf, recordKey, type StoredRecord, type TenantTables } from './tables.js';

/** Records as decisions need them, and what is remembered of pushed changes. */
export function createRecordReader(ports: {
  readonly clock: Clock;
  readonly tablesOf: (tenant: string) => TenantTables;
}): Pick<RecordStore, 'readRecords' | 'readBySourceKey' | 'readHashes' | 'readStates' | 'readChanges'> {
  const { clock, tablesOf } = ports;
  return {
    async readRecords(tenant, names) {
      const tables = tablesOf(tenant);
      return names.map(({ collection, id }) =>
        viewOf(tables, tables.records.get(recordKey(collection, id)) ?? absentRecord(0, collection, id, clock.nowMs())),
      );
    },
    async readBySourceKey(tenant, collection, keys) {
      const tables = tablesOf(tenant);
      return new Map(
        keys.flatMap((key) => {
          const record = bySourceKey(tables, collection, key);
          return record === undefined ? [] : [[key, viewOf(tables, record)]];
        }),
      );
    },
    async readHashes(tenant, collection, keys) {
      const tables = tablesOf(tenant);
      return new Map(
        keys.flatMap((key) => {
          const record = bySourceKey(tables, collection, key);
          return record === undefined ? [] : [[key, markOf(tables, record)]];
        }),
      );
    },
    async readStates(tenant, collection, keys) {
      const tables = tablesOf(tenant);
      const records = keys.map((key) => bySourceKey(tables, collection, key));
      const text = statesText(records.map((record) => (record === undefined ? undefined : markOf(tables, record))));
      return text === null ? null : createHash('sha256').update(text).digest('hex');
    },
    async readChanges(device, changeIds) {
      const tables = tablesOf(device.tenant);
      const known = changeIds.flatMap((id) => {
        const change = tables.changes.get(changeKey(device, id));
        if (change === undefined) return [];
        const open = tables.intents.get(change.intentNo ?? 0);
        return [{ ...knownPart(change), blockedBy: open === undefined ? change.blockedBy : blockerOf(tables, open) }];
      });
      return { standing: tables.devices.get(deviceText(device))?.standing ?? 'kept', known };
    },
  };
}

function viewOf(tables: TenantTables, record: StoredRecord): RecordView {
  const { recordNo, deletedBySource: _by, firstSeq: _first, via: _via, ownSeq: _own, ...view } = record;
  const rows = tables.memberships.get(recordNo) ?? [];
  const scopes = rows
    .filter((row) => !row.left || (record.deleted && row.seq === record.seq))
    .map(({ scope }) => scope);
  return { ...view, scopes: scopes.sort(), intents: intentsOf(tables, record.collection, record.id).map(openPart) };
}

function markOf(tables: TenantTables, record: StoredRecord): RecordMark {
  const { id, seq, mark, hash, sourceVersion, deleted, written, ownSeq, via, pending } = record;
  const intents = intentsOf(tables, record.collection, id);
  const inFlight = intents.some((intent) => isSent(intent.state) && !isForgotten(intent));
  const openIntents = intents.length;
  return { id, seq, mark, hash, sourceVersion, deleted, written, ownSeq, via, pending, openIntents, inFlight };
}

function bySourceKey(tables: TenantTables, collection: string, key: string): StoredRecord | undefined {
  const at = tables.sourceKeys.get(recordKey(collection, key));
  return at === undefined ? undefined : tables.records.get(at);
}
