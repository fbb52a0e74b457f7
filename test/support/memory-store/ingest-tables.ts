import type { Clock } from '../../../src/core/ports.js';
import type { SourceKey } from '../../../src/core/change.js';
import type { IngestStore } from '../../../src/core/ingest-port.js';
import { isForgotten } from './intents.js';
import {
  collectionOf,
  intentsOf,
  isLive,
  recordKey,
  type StoredCollection,
  type StoredIntent,
  type TenantTables,
} from './tables.js';

/** A lease that somebody has or had; its fence never goes back. */
export interface Lease {
  readonly tenant: string;
  readonly holder: string;
  readonly fence: number;
  readonly untilMs: number;
}

/** What ingest asks of the store besides records: progress, rechecks, keys, deletions, leases. */
export function createIngestTables(ports: {
  readonly clock: Clock;
  readonly leases: Map<string, Lease>;
  readonly tablesOf: (tenant: string) => TenantTables;
  readonly forWriting: (tenant: string) => TenantTables;
}): IngestStore {
  const { clock, leases, tablesOf, forWriting } = ports;
  const change = (tenant: string, name: string, to: Partial<StoredCollection>): void => {
    const { collections } = forWriting(tenant);
    collections.set(name, { ...collectionOf(tablesOf(tenant), name), ...to });
  };
  return {
    async readCollection(tenant, collection) {
      const tables = tablesOf(tenant);
      const { allowed, ...progress } = collectionOf(tables, collection);
      return {
        ...progress,
        recordCount: tables.liveCounts.get(collection) ?? 0,
        allowedDeletions: allowed !== null && allowed.untilMs > clock.nowMs() ? allowed.deletions : 0,
      };
    },
    async readCreates(tenant, collection) {
      const tables = tablesOf(tenant);
      const creates = [...tables.intents.values()].filter((intent) => {
        if (intent.collection !== collection || intent.kind !== 'UPSERT' || intent.state === 'PENDING') return false;
        const record = tables.records.get(recordKey(collection, intent.id));
        const isMade = intent.payload !== null && (JSON.parse(intent.payload) as { kind?: string }).kind === 'create';
        return record === undefined || record.sourceKey === null || !isLive(record) || isMade;
      });
      const isStill = (intent: StoredIntent): boolean => intent.state === 'PARKED' || isForgotten(intent);
      return {
        inFlight: creates.some((intent) => !isStill(intent)),
        parked: creates.filter(isStill).map(({ fields }) => fields),
      };
    },
    async dueRechecks(tenant, collection, nowMs, limit) {
      return [...tablesOf(tenant).rechecks.values()]
        .filter((one) => one.collection === collection && one.notBeforeMs <= nowMs)
        .sort((a, b) => a.notBeforeMs - b.notBeforeMs)
        .slice(0, limit)
        .map(({ sourceKey, reason, notBeforeMs }) => ({ sourceKey, reason, notBeforeMs }));
    },
    async knownKeys(tenant, collection, before, after, limit) {
      const tables = tablesOf(tenant);
      return [...tables.records.values()]
        .filter((record) => record.collection === collection && isLive(record) && record.firstSeq <= before)
        .filter((record) => intentsOf(tables, collection, record.id).length === 0)
        .flatMap(({ sourceKey }) => (sourceKey === null ? [] : [sourceKey]))
        .filter((key) => after === null || key > after)
        .sort()
        .slice(0, limit);
    },
    async countDeletions(tenant, collection, sinceMs) {
      const tables = tablesOf(tenant);
      const deletions = [...tables.records.values()].filter(
        (record) => record.collection === collection && record.deletedBySource && record.changedAtMs >= sinceMs,
      );
      return { deletions: deletions.length, live: tables.liveCounts.get(collection) ?? 0 };
    },
    async noteHeldDeletions(tenant, collection, heldDeletions) {
      change(tenant, collection, { heldDeletions });
    },
    async noteScanned(tenant, collection, askedAtMs) {
      const { scanAskedAtMs } = collectionOf(tablesOf(tenant), collection);
      if (scanAskedAtMs !== null && scanAskedAtMs <= askedAtMs) change(tenant, collection, { scanAskedAtMs: null });
    },
    async readQuarantine(tenant, collection) {
      return [...tablesOf(tenant).quarantine.values()]
        .filter((one) => one.collection === collection)
        .map(({ collection: _name, ...one }) => one)
        .sort((a, b) => (a.sourceKey < b.sourceKey ? -1 : 1));
    },
    async countQuarantined(tenant) {
      const counts = new Map<string, number>();
      for (const { collection } of tablesOf(tenant).quarantine.values())
        counts.set(collection, (counts.get(collection) ?? 0) + 1);
      return counts;
    },
    async noteQuarantine(tenant, collection, { misfits, released, atMs, atMost }) {
      const { quarantine } = forWriting(tenant);
      const isOurs = (): number => [...quarantine.values()].filter((one) => one.collection === collection).length;
      for (const key of released) quarantine.delete(recordKey(collection, key));
      const listed: SourceKey[] = [];
      const isNew: SourceKey[] = [];
      for (const one of misfits.toSorted((a, b) => (a.sourceKey < b.sourceKey ? -1 : 1))) {
        const key = recordKey(collection, one.sourceKey);
        const known = quarantine.get(key);
        if (known === undefined && isOurs() >= atMost) continue;
        quarantine.set(key, { ...one, collection, firstSeenAtMs: known?.firstSeenAtMs ?? atMs, lastSeenAtMs: atMs });
        listed.push(one.sourceKey);
        if (known?.reason !== one.reason || known.field !== one.field) isNew.push(one.sourceKey);
      }
      return { listed, isNew };
    },
    async noteReading(tenant, collection, reading) {
      change(tenant, collection, reading);
    },
    async readScopes(tenant, collection, keys) {
      const tables = tablesOf(tenant);
      return new Map(
        keys.flatMap((key) => {
          const record = tables.records.get(tables.sourceKeys.get(recordKey(collection, key)) ?? '');
          if (record === undefined || !isLive(record)) return [];
          const rows = tables.memberships.get(record.recordNo) ?? [];
          const scopes = rows.filter((row) => !row.left).map((row) => row.scope);
          return [[key, scopes.sort()] as const];
        }),
      );
    },
    async restate(tenant, collection, records) {
      const tables = forWriting(tenant);
      for (const { id, expected, body, hash, vis } of records) {
        const key = recordKey(collection, id);
        const record = tables.records.get(key);
        if (record === undefined || record.seq !== expected.seq || record.mark !== expected.mark) continue;
        if (record.deleted || intentsOf(tables, collection, id).length > 0) continue;
        tables.records.set(key, { ...record, body, hash, vis });
      }
    },
    async acquireLease(tenant, name, holder, leaseMs) {
      const lease = leases.get(leaseKey(tenant, name));
      const isFree = lease === undefined || lease.untilMs <= clock.nowMs();
      if (!isFree && lease.holder !== holder) return null;
      const isRenewal = lease !== undefined && !isFree;
      const fence = isRenewal ? lease.fence : (lease?.fence ?? 0) + 1;
      leases.set(leaseKey(tenant, name), { tenant, holder, fence, untilMs: clock.nowMs() + leaseMs });
      return { fence };
    },
    async releaseLease(tenant, name, holder) {
      const lease = leases.get(leaseKey(tenant, name));
      if (lease?.holder === holder) leases.set(leaseKey(tenant, name), { ...lease, untilMs: 0 });
    },

    countGateways: () => Promise.resolve(1),
  };
}

/** The name of a lease among those of all tenants. */
export function leaseKey(tenant: string, name: string): string {
  return JSON.stringify([tenant, name]);
}
