import type { Epoch, Seq } from '../../../src/core/change.js';
import { SyncError } from '../../../src/core/errors.js';
import type { FeedAdvance, FeedReader, SigningKey } from '../../../src/core/feed-port.js';
import type { Chance, Clock } from '../../../src/core/ports.js';
import type { RecordStore } from '../../../src/core/record-port.js';
import type { RetentionStore } from '../../../src/core/retention-port.js';
import { pairKey } from '../../../src/core/scope.js';
import type { DeviceKey } from '../../../src/core/session.js';
import type { Store } from '../../../src/core/store-port.js';
import { createAuditTables } from './audit-tables.js';
import { createAskedPolls } from './asked-polls.js';
import { callBudgets } from './call-budget.js';
import { commitWrites } from './commit.js';
import { createDeviceTables, deviceIn } from './device-tables.js';
import { createErasureTables } from './erasure-tables.js';
import { createIngestTables, leaseKey, type Lease } from './ingest-tables.js';
import { createOutbox } from './intents.js';
import { createKeepingTables } from './keeping-tables.js';
import { createOperatorTables } from './operator-tables.js';
import { createPhoneTables } from './phone-tables.js';
import { createRecordReader } from './record-reader.js';
import type { Counters } from './record-row.js';
import { EPOCH_GAP, purgeTables, startEpoch } from './retention.js';
import { readTables } from './slices.js';
import { copyTables, deviceText, emptyTables, randomName, type TenantTables } from './tables.js';

interface Backup {
  readonly tenants: ReadonlyMap<string, TenantTables>;
  readonly leases: ReadonlyMap<string, Lease>;
  readonly counters: Counters;
}

/** The store in memory, and what tests do to it. */
export interface MemoryStore extends Store {
  /** A copy of everything, as a backup tool takes it. */
  backup(): Backup;
  /** Puts a backup back: seqs and epochs repeat, exactly as after a real restore. */
  restore(backup: Backup): void;
  /** What retention does to a device that was silent too long (F11). */
  evictDevice(device: DeviceKey): void;
}

/**
 * The sync store in plain maps: the obviously right form of every promise of the store's ports. Each method changes
 * everything that it changes in one turn of the event loop, so that every `await` of a caller is a border between
 * transactions. Not for production: nothing survives, nothing is fast.
 */
export function createMemoryStore(ports: { readonly clock: Clock; readonly chance: Chance }): MemoryStore {
  const { clock, chance } = ports;
  const newKey = () => ({
    kid: randomName(chance, 8),
    secret: Uint8Array.from({ length: 32 }, () => Math.floor(chance() * 256)),
    createdAtMs: clock.nowMs(),
  });
  /** Newest first. */
  let signingKeys = [newKey()];
  const tenants = new Map<string, TenantTables>();
  const readers = new Map<TenantTables, number>();
  const leases = new Map<string, Lease>();
  const listeners = new Set<(advance: FeedAdvance) => void>();
  let counters: Counters = { recordNo: 0, intentNo: 0 };

  function tablesOf(tenant: string): TenantTables {
    const tables = tenants.get(tenant);
    if (tables === undefined) throw new SyncError('INTERNAL', `tenant ${JSON.stringify(tenant)} is not open`);
    return tables;
  }

  /** Tables that a snapshot looks at stay as they are: the writer goes on with a copy. */
  function forWriting(tenant: string): TenantTables {
    const tables = tablesOf(tenant);
    if (!readers.has(tables)) return tables;
    const copy = copyTables(tables);
    tenants.set(tenant, copy);
    return copy;
  }

  const feed: FeedReader = {
    async readHead(tenant) {
      const { epoch, head, horizon } = tablesOf(tenant);
      return { epoch, head, horizon };
    },
    async snapshot(tenant, read) {
      const tables = tablesOf(tenant);
      readers.set(tables, (readers.get(tables) ?? 0) + 1);
      try {
        return await read(readTables(tables));
      } finally {
        const left = (readers.get(tables) ?? 1) - 1;
        if (left === 0) readers.delete(tables);
        else readers.set(tables, left);
      }
    },
    async saveScopeSets(tenant, sets) {
      for (const [hash, set] of sets) forWriting(tenant).scopeSets.set(hash, set);
    },
    async readScopeSet(tenant, hash) {
      return tablesOf(tenant).scopeSets.get(hash) ?? null;
    },
    async readSigningKeys() {
      return signingKeys.map(({ kid, secret }): SigningKey => ({ kid, secret }));
    },
  };

  const records: Pick<RecordStore, 'commit'> = {
    async commit(tenant, writes, context) {
      const fence = context?.fence;
      const lease = fence === undefined ? undefined : leases.get(leaseKey(tenant, fence.name));
      if (fence !== undefined && (lease?.fence !== fence.fence || lease.untilMs <= clock.nowMs())) {
        return writes.map(() => ({ kind: 'fenceLost' }));
      }
      const tables = forWriting(tenant);
      const before = tables.head;
      const result = commitWrites(tables, tenant, counters, clock.nowMs(), writes, context?.ingest);
      if (tables.head > before) {
        const advance = {
          tenant,
          epoch: tables.epoch,
          after: before,
          head: tables.head,
          touched: result.touched,
          receipts: result.receipts,
        };
        for (const listener of listeners) listener(advance);
      }
      return result.outcomes;
    },
  };

  const retention: RetentionStore = {
    async purge(tenant, olderThanMs) {
      return { horizon: purgeTables(forWriting(tenant), olderThanMs) };
    },
    async rotateSigningKeys({ newestBeforeMs, replacedBeforeMs }) {
      if (signingKeys.every(({ createdAtMs }) => createdAtMs < newestBeforeMs))
        signingKeys = [newKey(), ...signingKeys];
      signingKeys = signingKeys.filter(
        (_, at) => at === 0 || (signingKeys[at - 1]?.createdAtMs ?? 0) >= replacedBeforeMs,
      );
    },
    async newEpoch(tenant, from, seenHead = 0 as Seq) {
      const tables = forWriting(tenant);
      if (tables.epoch !== from) return tables.epoch;
      startEpoch(tables, randomName(chance, 8) as Epoch, seenHead, clock.nowMs());
      for (const [key, lease] of leases) {
        if (lease.tenant === tenant) leases.set(key, { ...lease, fence: lease.fence + EPOCH_GAP, untilMs: 0 });
      }
      counters = { recordNo: counters.recordNo + EPOCH_GAP, intentNo: counters.intentNo + EPOCH_GAP };
      return tables.epoch;
    },
  };

  const { keeping, forgetOwed } = createKeepingTables({ clock, tablesOf });
  return {
    ...feed,
    ...records,
    ...createRecordReader({ clock, tablesOf }),
    ...createOutbox({ forReading: tablesOf, forWriting, nowMs: () => clock.nowMs() }),
    ...createOperatorTables({ clock, tablesOf, forWriting }),
    ...createIngestTables({ clock, leases, tablesOf, forWriting }),
    ...createAuditTables({ clock, tablesOf, forWriting }),
    ...createAskedPolls({ tablesOf, forWriting }),
    ...keeping,
    ...createDeviceTables({ clock, tablesOf, forWriting }),
    ...createPhoneTables({ clock, leases, tablesOf, forWriting }),
    ...createErasureTables({ clock, forWriting, forgetOwed }),
    ...retention,
    ...callBudgets(clock),
    onAdvance(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async changedPairs(tenant, pairs, after) {
      const rows = [...tablesOf(tenant).memberships.values()].flat().filter((row) => row.seq > after);
      const moved = new Set(rows.map(pairKey));
      return pairs.filter((pair) => moved.has(pairKey(pair)));
    },
    async openTenant(tenant) {
      if (!tenants.has(tenant)) tenants.set(tenant, emptyTables(randomName(chance, 8) as Epoch));
    },
    async close() {
      listeners.clear();
    },
    evictDevice(key) {
      const tables = forWriting(key.tenant);
      tables.devices.set(deviceText(key), { ...deviceIn(tables, key, 0), standing: 'evicted' });
      tables.phones.delete(deviceText(key));
    },
    backup() {
      const copies = [...tenants].map(([tenant, tables]) => [tenant, copyTables(tables)] as const);
      return { tenants: new Map(copies), leases: new Map(leases), counters: { ...counters } };
    },
    restore(backup) {
      for (const [tenant, tables] of backup.tenants) tenants.set(tenant, copyTables(tables));
      leases.clear();
      for (const [name, lease] of backup.leases) leases.set(name, lease);
      counters = { ...backup.counters };
    },
  };
}
