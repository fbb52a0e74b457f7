import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '../../src/core/errors.js';
import { loadConfig, type Config, type TidegateConfig } from '../../src/server/config.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tidegate-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(text: string, name = 'tidegate.config.ts'): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function load(env: Record<string, string> = {}, defaults?: TidegateConfig): Promise<Config> {
  return loadConfig(env, folder, defaults);
}

async function faultOf(env: Record<string, string> = {}): Promise<string> {
  const fault = await load(env).catch((thrown: unknown) => thrown);
  expect(fault).toBeInstanceOf(StartupError);
  expect(fault).toMatchObject({ reason: 'config', exitCode: 2 });
  return (fault as StartupError).message;
}

describe('a configuration', () => {
  test('that is not there is the defaults, with the data folder as a whole path', async () => {
    expect(await load()).toMatchObject({
      file: null,
      host: '127.0.0.1',
      port: 4000,
      dataFolder: path.join(folder, '.tidegate'),
      maxBodyBytes: 4_194_304,
      maxChangesPerPush: 1_000,
      patienceMs: 2_000,
      parentPatienceMs: 900_000,
      retentionDays: 90,
      auditDays: 400,
      hintWindowMs: 100,
      logLevel: 'info',
      connectors: [],
    });
    expect(await load()).not.toHaveProperty('databaseUrl');
  });

  test('in TypeScript is read, with its types and its imports, CommonJS too', async () => {
    write('export const ports = { http: 4100 } as const;', 'ports.ts');
    const file = write(`
      import { defineConfig } from 'tidegate';
      import pino from '${path.resolve('node_modules/pino/pino.js')}';
      import { ports } from './ports.ts';
      const port: number = pino.levels.values['info'] === 30 ? ports.http : 0;
      export default defineConfig({ port, allowedOrigins: ['https://app.clinic.example'] });
    `);
    expect(await load()).toMatchObject({ file, port: 4100, allowedOrigins: ['https://app.clinic.example'] });
  });

  test('is read again when it has changed', async () => {
    write('export default { port: 4100 };');
    expect((await load()).port).toBe(4100);
    write('export default { port: 4200 };');
    expect((await load()).port).toBe(4200);
  });

  test('loses to the environment and wins over defaults, key by key', async () => {
    write(`export default { port: 4100, host: '127.0.0.2', patienceMs: 5 };`);
    const env = {
      PORT: '4300',
      DATABASE_URL: 'postgres://pooler/tidegate',
      TIDEGATE_DIRECT_DATABASE_URL: 'postgres://db/tidegate',
      TIDEGATE_DATA: 'kept',
      TIDEGATE_LOG: 'debug',
      TIDEGATE_DEVELOPMENT_NETWORK: 'any',
      TIDEGATE_PARENT_PATIENCE: '60000',
    };
    expect(await load(env, { host: '::1', patienceMs: 7, retentionDays: 3 })).toMatchObject({
      port: 4300,
      host: '127.0.0.2',
      patienceMs: 5,
      parentPatienceMs: 60_000,
      retentionDays: 3,
      databaseUrl: 'postgres://pooler/tidegate',
      directDatabaseUrl: 'postgres://db/tidegate',
      dataFolder: path.join(folder, 'kept'),
      logLevel: 'debug',
      developmentNetwork: 'any',
    });
    expect((await load({ HOST: '::1', PORT: '' })).host).toBe('::1');
    expect((await load({ HOST: '::1', PORT: '' })).port).toBe(4100);
  });

  test('is found by TIDEGATE_CONFIG, from the working folder', async () => {
    const file = write('export default { port: 4100 };', 'other.ts');
    expect(await load({ TIDEGATE_CONFIG: 'other.ts' })).toMatchObject({ file, port: 4100 });
  });
});

describe('a fault of the configuration is said with file, line, key, what was expected and what came', () => {
  test('an unknown key, with those that there are', async () => {
    const file = write(`export default {\n  port: 4100,\n  prot: 4200,\n};\n`);
    const message = await faultOf();
    expect(message).toMatch(/^.*:3: prot: no such key; known keys: host, port, databaseUrl, /);
    expect(message).toContain(file);
  });

  test.each([
    ['a wrong type', `port: '4100'`, 'port', /: expected number, got "4100"$/],
    ['a port that is none', `port: 70000`, 'port', /<=65535, got 70000$/],
    ['half a number', `patienceMs: 1.5`, 'patienceMs', /expected int.*got 1\.5$/],
    ['a word that is not among those', `logLevel: 'loud'`, 'logLevel', /"silent"\|"error".*got "loud"$/],
    ['null', `host: null`, 'host', /: expected string, got null$/],
    ['an element of a list', `allowedOrigins: ['https://a.example', 7]`, 'allowedOrigins.1', /expected string.*got 7$/],
    [
      'no connector',
      `connectors: [{ name: 'clinic' }]`,
      'connectors.0',
      /expected what defineConnector\(\) returns, got an object$/,
    ],
  ])('%s', async (_what, line, key, expected) => {
    const file = write(`export default {\n  retentionDays: 3,\n  ${line},\n};\n`);
    const message = await faultOf();
    expect(message.startsWith(`${file}:3: ${key}: `)).toBe(true);
    expect(message).toMatch(expected);
    expect(message.split('\n')).toHaveLength(1);
  });

  test('each of several on a line of its own', async () => {
    const file = write(`export default {\n  port: -1,\n  retentionDays: 0,\n  nonsense: 1,\n};\n`);
    const lines = (await faultOf()).split('\n');
    expect(lines.map((line) => line.slice(file.length, file.length + 3)).sort()).toEqual([':2:', ':3:', ':4:']);
  });

  test('a syntax error with its line', async () => {
    const file = write(`export default {\n  port: 4100,\n  host: = 1,\n};\n`);
    expect(await faultOf()).toMatch(new RegExp(`^${file}:3: cannot be read: `));
  });

  test('what it throws itself, with its line', async () => {
    const file = write(`const port = 4100;\nthrow new Error('CLINIC_TOKEN is not set');\nexport default { port };\n`);
    expect(await faultOf()).toBe(`${file}:2: cannot be read: CLINIC_TOKEN is not set`);
  });

  test('an import that there is not', async () => {
    write(`import { x } from './gone.ts';\nexport default { port: x };\n`);
    expect(await faultOf()).toContain('gone.ts');
  });

  test.each([
    ['nothing by default', `export const port = 4100;\n`, 'nothing'],
    ['a function', `export default () => ({ port: 4100 });\n`, 'a function'],
    ['a list', `export default [{ port: 4100 }];\n`, 'a list'],
    ['a text', `export default 'port';\n`, '"port"'],
  ])('a file that exports %s', async (_what, text, got) => {
    const file = write(text);
    expect(await faultOf()).toBe(`${file}: expected "export default { … }", got ${got}`);
  });

  test('a file that is not there, when it was named', async () => {
    expect(await faultOf({ TIDEGATE_CONFIG: 'gone.ts' })).toBe(
      `TIDEGATE_CONFIG: expected a configuration file at ${path.join(folder, 'gone.ts')}, found none`,
    );
  });

  test('a folder that was named as the file', async () => {
    expect(await faultOf({ TIDEGATE_CONFIG: '.' })).toContain('expected a configuration file');
  });

  test.each(['abc', '-1', '70000', '40.5', '0x10', '4000 '])('a bad PORT, by its variable: %j', async (text) => {
    const message = await faultOf({ PORT: text });
    expect(message).toMatch(/^PORT: port: .*expected /i);
    expect(message).toContain(text.trim());
  });

  test('attack 34: without a word of a secret that stands in another key', async () => {
    write(`export default { databaseUrl: 'postgres://u:hunter2@db/x', port: 'x' };`);
    expect(await faultOf()).not.toContain('hunter2');
  });
});
