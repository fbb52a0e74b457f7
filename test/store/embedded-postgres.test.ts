import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { StartupError } from '../../src/core/errors.js';
import { systemClock } from '../../src/server/clock.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { silentLog } from '../support/postgres.js';
import { builtModule } from '../support/built-sources.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const HOLDER = `
  const { startEmbeddedPostgres } = await import(process.argv[1]);
  const { systemClock } = await import(process.argv[2]);
  const quiet = () => undefined;
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  const server = await startEmbeddedPostgres({ folder: process.argv[3], clock: systemClock, log });
  console.log(JSON.stringify({ url: server.url, adopted: server.adopted }));
  process.on('SIGTERM', async () => { await server.stop(); process.exit(0); });
  setInterval(quiet, 1000);
`;

let root: string;
const holders: ChildProcess[] = [];
const folders: string[] = [];

beforeAll(() => {
  root = mkdtempSync(path.join(tmpdir(), 'tidegate-embedded-'));
});

afterAll(async () => {
  for (const holder of holders) holder.kill('SIGKILL');
  for (const folder of folders) await (await start(folder)).stop();
  rmSync(root, { recursive: true, force: true });
});

function newFolder(name: string): string {
  const folder = path.join(root, name);
  folders.push(folder);
  return folder;
}

function start(folder: string): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ folder, clock: systemClock, log: silentLog });
}

async function query<Row extends object>(url: string, text: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(text)).rows;
  } finally {
    await client.end();
  }
}

function postmaster(folder: string): number {
  return Number(readFileSync(path.join(folder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
}

/** A gateway's part in another process, which can be killed. */
async function hold(
  folder: string,
  prefix: readonly string[] = [],
): Promise<{ child: ChildProcess; url: string; adopted: boolean }> {
  const modules = [builtModule('store/embedded-postgres'), builtModule('server/clock')];
  const line = [...prefix, process.execPath, '--input-type=module', '-e', HOLDER, ...modules, folder];
  const child = spawn(line[0] as string, line.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  holders.push(child);
  const [bytes] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return { child, ...(JSON.parse(bytes.toString()) as { url: string; adopted: boolean }) };
}

test('it starts in any folder, serves, stops cleanly and starts again with what was written', async () => {
  const folder = newFolder('a folder with blanks/and depth');
  const first = await start(folder);
  await query(first.url, 'create table visit (id int); insert into visit values (17)');
  await first.stop();
  expect(existsSync(path.join(folder, 'postgres/data/postmaster.pid'))).toBe(false);
  const second = await start(folder);
  expect(second.adopted).toBe(false);
  expect(await query(second.url, 'select id from visit')).toEqual([{ id: 17 }]);
  await second.stop();
});

test('after kill -9 of the gateway the next one adopts the living server', async () => {
  const folder = newFolder('adopt');
  const holder = await hold(folder);
  await query(holder.url, 'create table visit (id int); insert into visit values (17)');
  const server = postmaster(folder);
  holder.child.kill('SIGKILL');
  await once(holder.child, 'exit');
  const next = await start(folder);
  expect(next.adopted).toBe(true);
  expect(postmaster(folder)).toBe(server);
  expect(await query(next.url, 'select id from visit')).toEqual([{ id: 17 }]);
  await next.stop();
  expect(existsSync(path.join(folder, 'postgres/data/postmaster.pid'))).toBe(false);
});

test('after kill -9 of both, the next start recovers every acknowledged row', async () => {
  const folder = newFolder('recover');
  const holder = await hold(folder);
  await query(holder.url, 'create table visit (id int); insert into visit select generate_series(1, 500)');
  const server = postmaster(folder);
  holder.child.kill('SIGKILL');
  process.kill(server, 'SIGKILL');
  const next = await start(folder);
  expect(next.adopted).toBe(false);
  expect(await query(next.url, 'select count(*)::int as n from visit')).toEqual([{ n: 500 }]);
  await next.stop();
});

test('a server that dies while the gateway runs is started again at the same address', async () => {
  const folder = newFolder('die');
  const server = await start(folder);
  process.kill(postmaster(folder), 'SIGKILL');
  let alive = false;
  while (!alive) {
    alive = await query(server.url, 'select 1').then(
      () => true,
      () => false,
    );
  }
  await server.stop();
});

test('a second gateway on the folder shares the server, and who stops last stops it', async () => {
  const folder = newFolder('shared');
  const holder = await hold(folder);
  const client = new pg.Client({ connectionString: holder.url, application_name: 'tidegate:1' });
  await client.connect();
  const second = await start(folder);
  expect(second.adopted).toBe(true);
  // Somebody else's connection is open: it stays up.
  await second.stop();
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  await client.end();
  holder.child.kill('SIGTERM');
  await once(holder.child, 'exit');
  expect(existsSync(path.join(folder, 'postgres/data/postmaster.pid'))).toBe(false);
});

test('a folder of another major version is refused in a sentence', async () => {
  const folder = newFolder('old');
  const server = await start(folder);
  await server.stop();
  writeFileSync(path.join(folder, 'postgres/data/PG_VERSION'), '15\n');
  await expect(start(folder)).rejects.toThrow(/is of Postgres 15, the embedded server is 18/);
  writeFileSync(path.join(folder, 'postgres/data/PG_VERSION'), '18\n');
});

test('a first start that was interrupted leaves nothing half-made behind', async () => {
  const folder = newFolder('interrupted');
  mkdirSync(path.join(folder, 'postgres/data.unfinished/base'), { recursive: true });
  const server = await start(folder);
  await server.stop();
});

if (isRoot) {
  test('an ordinary user starts it too', async () => {
    const folder = path.join(root, 'ordinary');
    mkdirSync(folder);
    chownSync(folder, NOBODY, NOBODY);
    // It may read this checkout wherever that lies, and write nowhere but into its own folder.
    const reading = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
    const holder = await hold(folder, [
      'setpriv',
      `--reuid=${NOBODY}`,
      `--regid=${NOBODY}`,
      '--clear-groups',
      ...reading,
    ]);
    expect(await query(holder.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    holder.child.kill('SIGTERM');
    await once(holder.child, 'exit');
  });

  test('root starts it inside a folder that others may not enter', async () => {
    const home = path.join(root, 'home');
    mkdirSync(home, { mode: 0o700 });
    expect(spawnSync('setpriv', ['--reuid=65534', '--clear-groups', 'ls', home]).status).not.toBe(0);
    const server = await start(newFolder('home/data'));
    expect(await query(server.url, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.stop();
  });
} else {
  test('no permission to write is said in a sentence', async () => {
    await expect(start('/proc/tidegate')).rejects.toThrow(StartupError);
  });
}
