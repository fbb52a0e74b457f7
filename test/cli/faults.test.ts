import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram } from '../support/program.js';

let folder: string;
let taken: Server;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'tidegate-cli-'));
  taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await new Promise((resolve) => taken.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

/** A configuration in front of the clinic's systems, both at this port. */
function configuration(name: string, port: number, more = ''): string {
  const file = path.join(folder, name);
  writeFileSync(
    file,
    `import { defineConfig } from 'tidegate';
import { clinic } from 'tidegate/connectors/clinic';
import { supplies } from 'tidegate/connectors/supplies';

export default defineConfig({
  connectors: [
    clinic({ baseUrl: 'http://127.0.0.1:${port}' }),
    supplies({ wsdl: 'http://127.0.0.1:${port}/?wsdl', endpoint: 'http://127.0.0.1:${port}/' }),
  ],
  ${more}
});
`,
  );
  return file;
}

async function run(
  line: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const program = runProgram(line, { TIDEGATE_DATA: path.join(folder, 'data'), ...settings }, folder);
  return { code: await program.ended, output: program.output() };
}

const port = (): string => String((taken.address() as AddressInfo).port);

describe('a start that cannot go on says why in one sentence, and with which exit code:', () => {
  test('an unknown command, and an unknown option', async () => {
    expect(await run(['frobnicate'], {})).toMatchObject({ code: 2, output: expect.stringContaining('frobnicate') });
    expect(await run(['demo', '--nope'], {})).toMatchObject({ code: 2, output: expect.stringContaining('--nope') });
  });

  test('no configuration, and one that is not there', async () => {
    const none = await run(['start'], {});
    expect(none).toMatchObject({
      code: 2,
      output: expect.stringMatching(/^tidegate: .*no connectors.*tidegate demo\n$/),
    });
    const missing = await run(['start'], { TIDEGATE_CONFIG: 'nope.ts' });
    expect(missing).toMatchObject({ code: 2, output: expect.stringMatching(/^tidegate: TIDEGATE_CONFIG: .*nope\.ts/) });
  });

  test('a wrong key: file, line, key, what was expected and what came', async () => {
    const file = configuration('wrong.config.ts', 1, `retentionDays: 'many',`);
    const { code, output } = await run(['start'], { TIDEGATE_CONFIG: file });
    expect(code).toBe(2);
    expect(output).toMatch(/^tidegate: .*wrong\.config\.ts:10: retentionDays: expected number.*got "many"\n$/);
  });

  test('an address that others can reach, without sign-in', async () => {
    const file = configuration('open.config.ts', 1);
    const { code, output } = await run(['start'], { TIDEGATE_CONFIG: file, HOST: '0.0.0.0' });
    expect(code).toBe(2);
    expect(output).toMatch(/^tidegate: HOST: expected a loopback address, got "0\.0\.0\.0"/);
  });

  test('a port that is taken, and nothing is left running', async () => {
    const file = configuration('taken.config.ts', 1, `logLevel: 'silent',`);
    const { code, output } = await run(['start'], { TIDEGATE_CONFIG: file, PORT: port() });
    expect(code).toBe(3);
    expect(output).toMatch(new RegExp(`^tidegate: port ${port()} on 127\\.0\\.0\\.1 is taken .*\\n$`));
  });

  test('a database that does not answer: without its password', async () => {
    const file = configuration('away.config.ts', 1);
    const settings = { TIDEGATE_CONFIG: file, DATABASE_URL: 'postgresql://nurse:secret@127.0.0.1:1/clinic' };
    const { code, output } = await run(['start'], settings);
    expect(code).toBe(4);
    expect(output).toBe('tidegate: DATABASE_URL: 127.0.0.1:1/clinic: nothing listens there\n');
  });

  test('a data folder that cannot be written', async () => {
    writeFileSync(path.join(folder, 'a-file'), '');
    for (const command of ['demo', 'start']) {
      const file = configuration('folder.config.ts', 1);
      const settings = command === 'start' ? { TIDEGATE_CONFIG: file } : {};
      const data = path.join(folder, 'a-file/data');
      const { code, output } = await run([command], { ...settings, TIDEGATE_DATA: data });
      expect([command, code, output]).toEqual([command, 5, expect.stringContaining(`cannot write to ${data}`)]);
    }
  });

  test('doctor: a source that is not there', async () => {
    const file = configuration('doctor.config.ts', 1);
    const { code, output } = await run(['doctor'], { TIDEGATE_CONFIG: file });
    expect(code).toBe(6);
    expect(output).toMatch(/^ok {5}store: embedded Postgres/m);
    expect(output).toMatch(/^WRONG {2}clinic\.visits: .*ECONNREFUSED/m);
  });
});

test('help and version exit with 0, and help names every command and exit code', async () => {
  const { code, output } = await run(['--help'], {});
  expect(code).toBe(0);
  for (const word of ['start', 'demo', 'schema', 'doctor', '2 config', '6 source']) expect(output).toContain(word);
  expect(await run(['--version'], {})).toMatchObject({ code: 0, output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});
