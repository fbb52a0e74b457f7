import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import type { RecordId, Seq } from '../../src/core/change.js';
import type { FeedHead } from '../../src/core/feed-port.js';
import type { Log } from '../../src/core/ports.js';
import type { Store } from '../../src/core/store-port.js';
import { systemClock } from '../../src/server/clock.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { openStore } from '../../src/store/open.js';
import { NEW, shown } from '../contract/store/world.js';
import { postmasterOf } from '../support/gateway-process.js';
import { startPlainPostgres } from '../support/plain-postgres.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

const TENANT = 'clinic';
/** Twenty looks a second. */
const HASTY = {
  ...systemClock,
  wait: (ms: number, signal?: AbortSignal) => systemClock.wait(ms / 20, signal),
};

let root: string;
let server: TestPostgres;

beforeAll(async () => {
  root = mkdtempSync(path.join(tmpdir(), 'tidegate-restore-'));
  server = await startTestPostgres();
  const first = new DataFolder('empty');
  await first.start();
  await first.stop();
});

afterAll(async () => {
  await server.stop();
  rmSync(root, { recursive: true, force: true });
});

async function open(url: string, more: { readonly witnessFile?: string; readonly log?: Log } = {}): Promise<Store> {
  const store = await openStore({ url, clock: HASTY, log: silentLog, ...more });
  await store.openTenant(TENANT);
  return store;
}

/** Opens, does its work, and closes as a gateway does. */
async function withStore<T>(url: string, work: (store: Store) => Promise<T>, witnessFile?: string): Promise<T> {
  const store = await open(url, witnessFile === undefined ? {} : { witnessFile });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

const readHead = (store: Store): Promise<FeedHead> => store.readHead(TENANT);

async function write(store: Store, id: string): Promise<Seq> {
  const next = { ...shown(id), scopes: ['route:1'] };
  const [outcome] = await store.commit(TENANT, [{ collection: 'visits', id: id as RecordId, expected: NEW, next }]);
  return outcome?.kind === 'written' ? outcome.seq : (0 as Seq);
}

async function administer(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

function watchLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const note = (what: string, details?: object): void => void lines.push(`${what} ${JSON.stringify(details ?? {})}`);
  return { lines, log: { ...silentLog, warn: note, error: note } };
}

/** A data folder with its server and, beside it, the witness file: as the gateway lays them out. */
class DataFolder {
  readonly folder: string;
  readonly witnessFile: string;
  private running: EmbeddedPostgres | null = null;

  constructor(name: string) {
    this.folder = path.join(root, name);
    this.witnessFile = path.join(this.folder, 'seen-feeds.json');
    // Made once: it takes longer than the rest of a test.
    const empty = path.join(root, 'empty');
    if (existsSync(empty)) copyFolder(empty, this.folder);
  }

  async start(): Promise<string> {
    const settings = { fsync: 'off' };
    this.running = await startEmbeddedPostgres({ folder: this.folder, clock: systemClock, log: silentLog, settings });
    return this.running.url;
  }

  async stop(): Promise<void> {
    await this.running?.stop();
  }

  /** One life of a gateway on it. */
  async live<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const url = await this.start();
    try {
      return await withStore(url, work, this.witnessFile);
    } finally {
      await this.stop();
    }
  }

  copyTo(name: string): void {
    copyFolder(path.join(this.folder, 'postgres'), path.join(this.folder, name));
  }

  putBack(name: string): void {
    rmSync(path.join(this.folder, 'postgres'), { recursive: true });
    copyFolder(path.join(this.folder, name), path.join(this.folder, 'postgres'));
  }
}

describe('a database that is the same as ever', () => {
  test('F5: keeps its epoch over restarts of gateway and server, in order and by kill -9', async () => {
    const data = new DataFolder('same');
    const first = await data.live(readHead);
    const url = await data.start();
    const store = await open(url, { witnessFile: data.witnessFile });
    for (let n = 0; n < 50; n++) await write(store, `v${n}`);
    const killed = postmasterOf(data.folder) ?? 0;
    process.kill(killed, 'SIGKILL');
    await until('another server runs', () => Promise.resolve((postmasterOf(data.folder) ?? killed) !== killed));
    await until('the store answers again', () => readHead(store).then(Boolean, () => false));
    expect(await readHead(store)).toMatchObject({ epoch: first.epoch, head: 50 });
    await store.close();
    await data.stop();
    expect(await data.live(readHead)).toMatchObject({ epoch: first.epoch, head: 50 });
  });

  test('F5: keeps its epoch when the file of what was seen is lost, spoilt or older', async () => {
    const data = new DataFolder('spoilt');
    const url = await data.start();
    const look = (): Promise<FeedHead> => withStore(url, readHead, data.witnessFile);
    const { epoch } = await look();
    const older = readFileSync(data.witnessFile);
    await withStore(url, (store) => write(store, 'v1'), data.witnessFile);
    for (const spoil of [
      () => rmSync(data.witnessFile),
      () => writeFileSync(data.witnessFile, '{"form":1,"se'),
      () => writeFileSync(data.witnessFile, older),
    ]) {
      spoil();
      expect((await look()).epoch).toBe(epoch);
    }
    await data.stop();
  });
});

describe('an older copy of the data folder', () => {
  test('F5: begins a new epoch above everything that was seen, and only once', async () => {
    const data = new DataFolder('copied');
    const before = await data.live(async (store) => {
      await write(store, 'v1');
      return readHead(store);
    });
    data.copyTo('yesterday');
    await data.live(async (store) => {
      for (let n = 2; n < 20; n++) await write(store, `v${n}`);
    });
    data.putBack('yesterday');
    const after = await data.live(readHead);
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.head).toBe(19);
    expect(await data.live(readHead)).toEqual(after);
  });

  test('F5: is seen although no head had moved: a call may have been noted since', async () => {
    const data = new DataFolder('noted');
    const before = await data.live(readHead);
    data.copyTo('yesterday');
    await data.live((store) => store.acquireLease(TENANT, 'poll', 'node', 1_000));
    data.putBack('yesterday');
    expect((await data.live(readHead)).epoch).not.toBe(before.epoch);
  });

  test('F5: is seen by a gateway that runs on, before anybody is served from it', async () => {
    const data = new DataFolder('running');
    let target = new URL(await data.start());
    const relay = await startRelay(() => target);
    const { log, lines } = watchLog();
    const url = Object.assign(new URL(target), { port: String(relay.port) }).href;
    const store = await open(url, { log });
    await write(store, 'v1');
    const before = await readHead(store);
    await data.stop();
    data.copyTo('yesterday');
    target = new URL(await data.start());
    await until('the store answers again', () => readHead(store).then(Boolean, () => false));
    expect((await readHead(store)).epoch).toBe(before.epoch);
    const head = await write(store, 'v2');
    await data.stop();
    data.putBack('yesterday');
    target = new URL(await data.start());
    const found: FeedHead[] = [];
    await until('the store answers again', () =>
      readHead(store).then(
        (one) => found.push(one) > 0,
        () => false,
      ),
    );
    expect(found[0]?.epoch).not.toBe(before.epoch);
    expect(found[0]?.head).toBeGreaterThanOrEqual(head);
    expect(lines.filter((line) => line.startsWith('the feed was restored'))).toHaveLength(1);
    // Twice it was away, for dozens of looks: not each of them is told.
    const blind = lines.filter((line) => line.startsWith('whether the database was restored')).length;
    expect([blind > 0, blind < 5]).toEqual([true, true]);
    await store.close();
    relay.close();
    await data.stop();
  });
});

describe('a copy in another place', () => {
  test('F5: another database of the same server begins a new epoch, the first goes on in its own', async () => {
    const url = await server.freshDatabase();
    const before = await withStore(url, async (store) => {
      await write(store, 'v1');
      return readHead(store);
    });
    const copy = url.replace(/[^/]+$/, 'copy_of_it');
    await administer(url.replace(/[^/]+$/, 'postgres'), `create database copy_of_it template ${path.basename(url)}`);
    const after = await withStore(copy, readHead);
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.head).toBe(before.head);
    expect((await withStore(copy, readHead)).epoch).toBe(after.epoch);
    expect((await withStore(url, readHead)).epoch).toBe(before.epoch);
  });

  test('F5: a dump that was loaded begins a new epoch, also over the database that it was made of', async () => {
    const plain = await startPlainPostgres();
    const tool = (name: string): string => path.join(plain.tools ?? '', name);
    // Without tools there is nothing that could make or load a dump.
    if (plain.tools !== null) {
      const before = await withStore(plain.url, async (store) => {
        await write(store, 'v1');
        return readHead(store);
      });
      const dump = path.join(root, 'dump');
      command(tool('pg_dump'), '--format=custom', `--file=${dump}`, plain.url);
      await administer(plain.url, 'create database loaded');
      const loaded = plain.url.replace(/[^/]+$/, 'loaded');
      command(tool('pg_restore'), `--dbname=${loaded}`, dump);
      command(tool('pg_restore'), '--clean', `--dbname=${plain.url}`, dump);
      const epochs = [(await withStore(loaded, readHead)).epoch, (await withStore(plain.url, readHead)).epoch];
      expect(new Set([...epochs, before.epoch]).size).toBe(3);
      expect((await withStore(loaded, readHead)).head).toBe(before.head);
    }
    await plain.stop();
  });

  test('F5: two gateways that find it at once begin one epoch', async () => {
    const url = await server.freshDatabase();
    await withStore(url, readHead);
    await administer(url, "update tenant set pg_identity = 'another server'");
    const [first, second] = await Promise.all([open(url), open(url)]);
    const epochs = [(await readHead(first)).epoch, (await readHead(second)).epoch];
    expect(epochs[0]).toBe(epochs[1]);
    await Promise.all([first.close(), second.close()]);
    expect((await withStore(url, readHead)).epoch).toBe(epochs[0]);
  });

  test('F5: a server that does not tell its identity is said once, and heads prove as ever', async () => {
    const url = await server.freshDatabase();
    await administer(
      url,
      `create role managed login password 'nurse'`,
      `grant all on schema public to managed`,
      `revoke execute on function pg_control_system() from public`,
    );
    const managed = Object.assign(new URL(url), { username: 'managed', password: 'nurse' }).href;
    const { log, lines } = watchLog();
    const store = await open(managed, { log });
    await write(store, 'v1');
    const before = await readHead(store);
    await HASTY.wait(5_000);
    expect(lines.filter((line) => line.startsWith('the database does not tell'))).toHaveLength(1);
    await administer(url, `update tenant set head = 0 where id = '${TENANT}'`);
    await until('a new epoch has begun', async () => (await readHead(store)).epoch !== before.epoch);
    expect((await readHead(store)).head).toBeGreaterThanOrEqual(before.head);
    await store.close();
  });
});

/** With its owner, as a backup does. */
function copyFolder(from: string, to: string): void {
  command('cp', '-a', from, to);
}

function command(program: string, ...line: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, line, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`expected ${path.basename(program)} to succeed, got: ${error?.message ?? stderr}`);
}

/** Forwards connections to wherever the server is now. */
async function startRelay(to: () => URL): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connect(Number(to().port), to().hostname);
    for (const [from, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => other.destroy()).on('close', () => other.destroy());
      from.pipe(other);
    }
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    port: (relay.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      relay.close();
    },
  };
}
