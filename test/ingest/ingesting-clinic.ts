import { createHash, randomUUID } from 'node:crypto';
import type { Fields, RecordId, SourceKey } from '../../src/core/change.js';
import { renderBody } from '../../src/core/collection.js';
import type { Log } from '../../src/core/ports.js';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import type { Recheck, RecordView } from '../../src/core/record-port.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { createPoller, type Poller } from '../../src/ingest/poller.js';
import {
  BEGINNING,
  changesOf,
  createWorld,
  FAR_FUTURE_MS,
  FULL,
  settled,
  VISITS,
  type World,
} from '../contract/store/world.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';

export const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** One line of the log. */
export interface LogLine {
  readonly level: keyof Log;
  readonly what: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A clinic's feed, fed from sources by a node's poller. */
export interface IngestingClinic {
  readonly world: World;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly poller: Poller;
  readonly log: readonly LogLine[];
  /** Another node's poller on the same store. */
  node(holder: string, store?: Store): Poller;
  /** A record as the store has it. */
  record(key: string): Promise<RecordView>;
  /** All live records as a device that sees everything has them: `id: fields`. */
  live(): Promise<Readonly<Record<string, Fields>>>;
  rechecks(): Promise<readonly Recheck[]>;
  /** A device's change of this record is on its way: SENT, the source not reached yet. */
  send(key: string, fields: Fields): Promise<LeasedIntent>;
  /** The source took it; `seen` is what it holds now. */
  settle(intent: LeasedIntent, seen: Fields): Promise<void>;
  park(intent: LeasedIntent): Promise<void>;
  /** Lets everything that waits for no clock come to rest. */
  rest(): Promise<void>;
  /** Moves time in steps, with rest between them. */
  pass(ms: number, stepMs?: number): Promise<void>;
}

export async function createIngestingClinic(
  sources: readonly SourceCollection[],
  { wrap = (store) => store, seed = 1 }: { readonly wrap?: (store: Store) => Store; readonly seed?: number } = {},
): Promise<IngestingClinic> {
  const clock = createManualClock();
  const store = createMemoryStore({ clock, chance: seededChance(seed) });
  const world = await createWorld(store);
  const { tenant, nurse } = world;
  const log: LogLine[] = [];
  const tell =
    (level: keyof Log) =>
    (what: string, details: LogLine['details'] = {}) =>
      void log.push({ level, what, details });
  const logs: Log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') };
  const node: IngestingClinic['node'] = (holder, nodeStore = wrap(store)) =>
    createPoller({ store: nodeStore, clock, hash, log: logs, chance: seededChance(seed) }, { tenant, holder, sources });
  const [{ collection }] = sources as [SourceCollection];
  const rest = async (): Promise<void> => {
    for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    world,
    store,
    clock,
    poller: node('node 1'),
    log,
    node,
    record: (key) => world.view(key),
    live: () =>
      store.snapshot(tenant, async (snapshot) => {
        const set = await snapshot.everyPair([VISITS]);
        const filled = await snapshot.fill({ set, after: BEGINNING, upTo: snapshot.feed.head }, 10_000, FULL);
        return Object.fromEntries(changesOf(filled).map((change) => [change.id, change.json ?? {}]));
      }),
    rechecks: () => store.dueRechecks(tenant, VISITS, FAR_FUTURE_MS, 1_000),
    async send(key, fields) {
      const id = key as RecordId;
      const { seq, mark } = await world.view(key);
      const changeId = randomUUID();
      const lease = { holder: 'node 1', leaseMs: 60_000 };
      const intent = {
        kind: 'UPSERT' as const,
        fields: JSON.stringify(fields),
        baseSeq: seq,
        editedAtMs: clock.nowMs(),
        lease,
        waitsFor: null,
        isShown: false,
      };
      const acceptance = { device: nurse, changeId, bodyHash: changeId, intent };
      const [written] = await world.write([{ collection: VISITS, id, expected: { seq, mark }, acceptance }]);
      const view = await world.view(key);
      const note = {
        intentNo: written?.intentNo as number,
        fence: 1,
        collection: VISITS,
        id,
        expected: { seq: view.seq, mark: view.mark },
        payload: '{}',
        guard: view.sourceVersion,
        deadlineMs: 60_000,
      };
      expect(await store.noteSent(tenant, [note])).toEqual(['sent']);
      const open = (await world.view(key)).intents.find((one) => one.intentNo === note.intentNo);
      return { ...(open as LeasedIntent), tenant, fence: 1 };
    },
    async settle(intent, seen) {
      const { seq, mark, stamps: _stamps } = await world.view(intent.id);
      const body = renderBody(collection, seen);
      const next = {
        sourceKey: intent.id as string as SourceKey,
        deleted: false,
        body,
        vis: null,
        pending: false,
        sourceVersion: null,
        hash: hash(body),
        scopes: collection.scopesOf(seen),
        throughUs: true,
      };
      const settlement = settled(nurse, intent.changeId, { intent });
      await world.write([{ collection: VISITS, id: intent.id, expected: { seq, mark }, next, settlement }]);
    },
    async park(intent) {
      const { seq, mark } = await world.view(intent.id);
      const settlement = settled(nurse, intent.changeId, { intent, status: 'PARKED', inEffect: false });
      await world.write([{ collection: VISITS, id: intent.id, expected: { seq, mark }, settlement }]);
    },
    rest,
    async pass(ms, stepMs = 1_000) {
      for (let left = ms; left > 0; left -= stepMs) {
        clock.advance(Math.min(stepMs, left));
        await rest();
      }
    },
  };
}

/** The notes of live records, by key. */
export async function notes(clinic: IngestingClinic): Promise<Readonly<Record<string, unknown>>> {
  return Object.fromEntries(Object.entries(await clinic.live()).map(([key, fields]) => [key, fields['note']]));
}
