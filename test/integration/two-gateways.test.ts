import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as connector from '../../src/connectors/define.js';
import * as rest from '../../src/connectors/rest.js';
import type { Store } from '../../src/core/store-port.js';
import { createPull } from '../../src/pull/pull.js';
import { systemClock } from '../../src/server/clock.js';
import { openStore } from '../../src/store/open.js';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { listenForHints } from '../support/hint-listener.js';
import { visitsConnector } from '../support/journal-connector.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { createSyncDevice, type PushedEdit, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';
import { createScopedReader, type ScopedReader } from './scoped-reader.js';

const SEED = Number(process.env['SEED'] ?? 29);
const WRITERS = 16;
const PUSHES = 12;
const VISITS = 240;
const ROUTES = ['r0', 'r1', 'r2', 'r3'];
/** Records that the system's own people delete, over the whole run. */
const REMOVALS = 6;
/** A change of a record that the source does not have any more is tried for half a minute before it is a conflict. */
const SETTLED_WITHIN_MS = 240_000;

/** A device's change and what came of it. */
interface Pushed {
  readonly edit: PushedEdit;
  readonly writer: SyncDevice;
  status: string;
}

const chance = seededChance(SEED);
const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T;
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-two-'));
const pushed = new Map<string, Pushed>();
let postgres: TestPostgres;
let system: JournalSystem;
let gateways: readonly [GatewayProcess, GatewayProcess];
let scopedStore: Store;
let writers: readonly SyncDevice[];
let readers: readonly SyncDevice[];
let nurses: readonly ScopedReader[];

beforeAll(async () => {
  postgres = await startTestPostgres();
  system = await startJournalSystem({ visits: VISITS, routes: ROUTES.length, answerMs: () => chance() * 10 });
  system.configuration(folder);
  const url = await postgres.freshDatabase();
  const start = () => startGatewayProcess(['start'], { DATABASE_URL: url, TIDEGATE_DATA: folder }, folder);
  // Both at once: they meet at the migrations, the tenant and the leases.
  gateways = await Promise.all([start(), start()]);
  writers = Array.from({ length: WRITERS }, (_, n) => createSyncDevice(`writer-${n}`, () => addressOf(n)));
  readers = [7, 50, 333, 1_000].map((limit) => createSyncDevice(`reader-${limit}`, () => pick(gateways).url));
  nurses = await openScopedReaders(url);
  await until('the first ingest is complete', async () => {
    await writers[0]?.pull();
    return writers[0]?.records.size === VISITS;
  });
});

afterAll(async () => {
  await scopedStore.close();
  await Promise.all(gateways.map(stopGatewayProcess));
  await system.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

const addressOf = (n: number): string => gateways[(n % 2) as 0 | 1].url;

async function openScopedReaders(url: string): Promise<readonly ScopedReader[]> {
  const store = (scopedStore = await openStore({ url, clock: systemClock, log: silentLog }));
  const collections = connector.collectionsOf(visitsConnector({ ...connector, ...rest }, system.url));
  const pull = await createPull({
    store,
    collections,
    readPriming: async (tenant) => ({ epoch: (await store.readHead(tenant)).epoch, priming: new Set() }),
    feedWentBack: () => Promise.reject(new Error('expected a feed that only grows')),
  });
  return ROUTES.map((route, n) => createScopedReader(pull, route, 3 + n * 40));
}

/** One of: a new record, an edit that may move the record to another route, a deletion. */
function newEdit(writer: SyncDevice): PushedEdit {
  const changeId = `change-${pushed.size}`;
  const common = { changeId, collection: 'visits', changedAt: new Date().toISOString() };
  const id = pick([...writer.records.keys()]).replace('visits ', '');
  const { version } = writer.held('visits', id);
  const what = chance();
  const edit: PushedEdit =
    what < 0.15
      ? { ...common, id: randomUUID(), json: { note: changeId, route: pick(ROUTES) } }
      : what < 0.18
        ? { ...common, id, kind: 'DELETE', baseVersion: version }
        : what < 0.6
          ? { ...common, id, baseVersion: version, json: { note: changeId, route: pick(ROUTES) } }
          : { ...common, id, baseVersion: version, json: { note: changeId } };
  pushed.set(changeId, { edit, writer, status: 'none' });
  return edit;
}

async function write(writer: SyncDevice): Promise<void> {
  for (let n = 0; n < PUSHES; n++) {
    await writer.pull(1 + Math.floor(chance() * 400));
    const edits = Array.from({ length: 1 + Math.floor(chance() * 4) }, () => newEdit(writer));
    for (const { changeId, status } of await writer.push(edits)) (pushed.get(changeId) as Pushed).status = status;
    workInTheOffice();
  }
}

/** The system's own people: they edit, move, create and now and then delete. */
function workInTheOffice(): void {
  const id = pick([...system.visits.keys()]);
  const n = system.journal.length;
  system.put(id, { note: `office ${n}`, ...(chance() < 0.5 ? { route: pick(ROUTES) } : {}) });
  if (chance() < 0.1) system.put(`V-new-${n}`, { note: 'phoned in', route: pick(ROUTES) });
  if (chance() < 0.05 && removed.length < REMOVALS) {
    system.remove(id);
    removed.push(id);
  }
}
const removed: string[] = [];

/** Pages as fast as it can until the writers are done. */
async function readWhile(isWriting: () => boolean, page: () => Promise<unknown>): Promise<void> {
  while (isWriting()) await page();
}

function limitOf(reader: SyncDevice): number {
  return Number(reader.name.replace('reader-', ''));
}

function statusOf({ edit, writer, status }: Pushed): string {
  return writer.receipts.get(edit.changeId)?.status ?? status;
}

const entriesOf = (notes: Iterable<readonly [string, unknown]>): unknown =>
  Object.fromEntries([...notes].toSorted(([a], [b]) => (a < b ? -1 : 1)));
const truth = (): unknown =>
  entriesOf([...system.visits.values()].map(({ id, note, route }) => [id, `${note} on ${route}`]));
const replica = ({ records }: SyncDevice): unknown =>
  entriesOf([...records].map(([key, { json }]) => [key.replace('visits ', ''), `${json['note']} on ${json['route']}`]));
const truthOf = (of: string): unknown =>
  entriesOf([...system.visits.values()].filter(({ route }) => route === of).map(({ id, note }) => [id, note]));

describe(`two gateways on one Postgres, ${WRITERS} writers and readers paging all the while (seed ${SEED})`, () => {
  test('R8: every pushed change comes to its end', async () => {
    let isWriting = true;
    const writing = Promise.all(writers.map(write)).finally(() => (isWriting = false));
    await Promise.all([
      writing,
      ...readers.map((reader) =>
        readWhile(
          () => isWriting,
          () => reader.page(limitOf(reader)),
        ),
      ),
      ...nurses.map((nurse) =>
        readWhile(
          () => isWriting,
          () => nurse.page(),
        ),
      ),
    ]);
    await until(
      'no change is ACCEPTED any more',
      async () => {
        await Promise.all(writers.map((writer) => writer.pull()));
        return [...pushed.values()].every((one) => statusOf(one) !== 'ACCEPTED');
      },
      SETTLED_WITHIN_MS,
    );
    const statuses = new Set([...pushed.values()].map(statusOf));
    expect([...statuses].filter((status) => !['APPLIED', 'CONFLICT', 'REJECTED'].includes(status))).toEqual([]);
    expect(statuses).toContain('APPLIED');
    expect(statuses).toContain('CONFLICT');
  });

  test('R7, R11: the system took each applied change exactly once, and no other', () => {
    const taken = system.journal.flatMap(({ note }) => (note === undefined ? [] : [note]));
    const applied = [...pushed.values()].filter((one) => statusOf(one) === 'APPLIED' && one.edit['json'] !== undefined);
    expect(taken.toSorted()).toEqual(applied.map(({ edit }) => edit.changeId).toSorted());
    const deleted = system.journal.filter(({ method }) => method === 'DELETE').map(({ id }) => id);
    expect(new Set(deleted).size).toBe(deleted.length);
    expect(deleted.filter((id) => system.visits.has(id))).toEqual([]);
  });

  test('R1: every reader holds exactly what the system holds: nothing missed, nothing stale, nothing left behind', async () => {
    for (const reader of [...readers, ...writers]) {
      await until(
        `${reader.name} holds what the system holds`,
        async () => {
          await reader.pull(Number.isNaN(limitOf(reader)) ? 500 : limitOf(reader));
          return JSON.stringify(replica(reader)) === JSON.stringify(truth());
        },
        SETTLED_WITHIN_MS,
      ).catch(() => expect(replica(reader)).toEqual(truth()));
      expect(reader.resets).toBe(0);
    }
  });

  test('R4: a nurse of one route holds exactly its records, however they moved', async () => {
    for (const nurse of nurses) {
      while (await nurse.page());
      expect(entriesOf(nurse.held)).toEqual(truthOf(nurse.route));
      expect(nurse.resets).toBe(0);
    }
  });

  test.each([
    [0, 1],
    [1, 0],
  ])('R18: what is pushed through gateway %i is hinted by gateway %i', async (pushing, listening) => {
    const listener = listenForHints(addressOf(listening), 'listener');
    const writer = createSyncDevice('hinting', () => addressOf(pushing));
    // Again and again, for there is no telling when the other gateway begins to listen.
    await until('a hint comes', async () => {
      const [result] = await writer.push([
        {
          changeId: randomUUID(),
          id: randomUUID(),
          collection: 'visits',
          json: { note: 'heard elsewhere', route: 'r0' },
        },
      ]);
      expect(result?.status).toBe('APPLIED');
      return listener.take().includes('visits');
    });
    await listener.stop();
  });
});
