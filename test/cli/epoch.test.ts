import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { addEpoch } from '../../src/cli/epoch.js';
import { StartupError } from '../../src/core/errors.js';
import { startGateway, type Gateway } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { createSyncDevice } from '../support/sync-device.js';

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-epoch-'));
let postgres: TestPostgres;
let environment: Readonly<Record<string, string>>;
let gateway: Gateway;

beforeAll(async () => {
  postgres = await startTestPostgres();
  environment = { PORT: '0', DATABASE_URL: await postgres.freshDatabase(), TIDEGATE_DATA: folder };
  gateway = await startGateway(await loadConfig(environment, folder, {}), { log: silentLog });
});

afterAll(async () => {
  await gateway.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true });
});

/** @returns what it printed */
async function run(...line: readonly string[]): Promise<string> {
  const printed: string[] = [];
  const { log } = console;
  console.log = (text: string) => void printed.push(text);
  try {
    const program = new Command();
    addEpoch(program, environment);
    await program.parseAsync(['epoch', 'new', ...line], { from: 'user' });
    return printed.join('\n');
  } finally {
    console.log = log;
  }
}

async function epoch(): Promise<string> {
  const device = createSyncDevice('phone', () => gateway.url);
  await device.pull();
  return device.epoch ?? '';
}

describe.each([
  ['a running gateway', () => ['--url', gateway.url]],
  ['the store itself', () => ['--database']],
])('tidegate epoch new, by %s', (_how, where) => {
  test('does nothing without --yes, says what it would do, and prints the line that does it', async () => {
    const before = await epoch();
    const asked = run(...where());
    await expect(asked).rejects.toThrow(StartupError);
    await expect(asked).rejects.toThrow(new RegExp(`every device starts its sync over.*--yes --from ${before}`));
    expect(await epoch()).toBe(before);
  });

  test('F5: begins a new epoch, and a repeat of the printed line does nothing more', async () => {
    const before = await epoch();
    const said = await run(...where(), '--yes', '--from', before);
    const after = await epoch();
    expect(after).not.toBe(before);
    expect(said).toBe(`The epoch is ${after} now, it was ${before}.`);
    expect(await run(...where(), '--yes', '--from', before)).toBe(
      `Nothing was done: the epoch is ${after}, not ${before} any more.`,
    );
    expect(await epoch()).toBe(after);
  });
});

test('a gateway that is not there is said in a sentence', async () => {
  await expect(run('--url', 'http://127.0.0.1:1', '--yes')).rejects.toThrow(/expected a running gateway/);
});
