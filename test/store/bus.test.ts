import pg from 'pg';
import { systemClock } from '../../src/server/clock.js';
import { openBus, type Bus } from '../../src/store/bus.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

/** The smallest queue that a server takes: 64 pages of 8 KB. */
const SMALLEST_QUEUE = { max_notify_queue_pages: '64' };
const ASK_EVERY_MS = 5_000;
const ANSWER_WITHIN_MS = 5_000;
const RECONNECT_AFTER_MS = 1_000;

let postgres: TestPostgres;
let url: string;
let proxy: FaultProxy;
let clock: ManualClock;
let heard: string[];
/** Behind the proxy, with a clock of its own. */
let far: Bus;
let near: Bus;

beforeAll(async () => {
  postgres = await startTestPostgres(SMALLEST_QUEUE);
  url = await postgres.freshDatabase();
  proxy = await startFaultProxy(url.replace('postgresql:', 'http:'));
  near = await openBus({ url, clock: systemClock, log: silentLog, hear: () => undefined });
});

beforeEach(async () => {
  clock = createManualClock();
  heard = [];
  await proxy.set({ kind: 'pass' });
  far = await openBus({
    url: Object.assign(new URL(url), { port: new URL(proxy.url).port }).href,
    clock,
    log: silentLog,
    hear: (text) => void heard.push(text),
  });
});

afterEach(() => far.close());

afterAll(async () => {
  await near.close();
  await proxy.close();
  await postgres.stop();
});

const hears = (text: string): Promise<void> => until(`"${text}" is heard`, async () => heard.includes(text));

const isDown = (): Promise<void> =>
  until('the line is seen to be down', () =>
    far.tell(['lost']).then(
      () => false,
      (thrown: unknown) => String(thrown).includes('is down'),
    ),
  );
const isUp = (bus: Bus): Promise<void> =>
  until('something can be told', () =>
    bus.tell(['again']).then(
      () => true,
      () => false,
    ),
  );

test('what a node tells comes to all, in one transaction, in order, and to itself', async () => {
  await near.tell(['one', 'two']);
  await hears('two');
  await far.tell(['three']);
  await hears('three');
  expect(heard).toEqual(['one', 'two', 'three']);
});

test('a line that the server ends is replaced, and nothing can be told meanwhile', async () => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const lines = "pid <> pg_backend_pid() and datname = current_database() and application_name like 'tidegate:%'";
  const newest = `select pid from pg_stat_activity where ${lines} order by backend_start desc limit 1`;
  await client.query(`select pg_terminate_backend(pid) from (${newest}) line`);
  await client.end();
  await isDown();
  clock.advance(RECONNECT_AFTER_MS);
  await isUp(far);
  await hears('again');
});

test('a line that is dead and does not say so is found out by asking, and replaced', async () => {
  await proxy.set({ kind: 'blackHole', swallows: 'request' });
  const before = proxy.exchanges.length;
  clock.advance(ASK_EVERY_MS);
  await until('it was asked', async () => proxy.exchanges.length > before);
  await proxy.set({ kind: 'pass' });
  clock.advance(ANSWER_WITHIN_MS);
  await isDown();
  clock.advance(RECONNECT_AFTER_MS);
  await isUp(far);
  await near.tell(['over there']);
  await hears('over there');
});

test('what is told over a line that is dead does not wait for ever', async () => {
  await proxy.set({ kind: 'blackHole', swallows: 'answer' });
  const before = proxy.exchanges.length;
  const told = far.tell(['who is there']);
  await until('it is on its way', async () => proxy.exchanges.length > before);
  clock.advance(ANSWER_WITHIN_MS);
  await expect(told).rejects.toThrow('terminated');
});

test('a full queue is an error for whoever tells, and nobody else', async () => {
  // A session that listens and does not end its transaction keeps everything in the queue.
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  await holder.query('listen tidegate_advance');
  await holder.query('begin');
  await holder.query('select 1');
  const tellMuch = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) await near.tell([`${n} `.padEnd(7_000, '.')]);
  };
  await expect(tellMuch()).rejects.toMatchObject({ code: '54000' });
  await holder.end();
  await isUp(near);
  await near.tell(['after']);
  await hears('after');
});
