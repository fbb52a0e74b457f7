import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { run, type RunningProgram } from '../demo/built-demo.js';
import { startDemoClinic, type DemoClinic } from '../scenario/demo-clinic.js';
import { builtProgram } from '../support/built-program.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';
import { createSyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

/** What a browser has and Node has not, or not in every release. */
const BROWSER = `
import 'fake-indexeddb/auto';
import { WebSocket } from 'ws';
globalThis.WebSocket ??= WebSocket;
`;
/** What an app has that a page does not show: Omar drives the route of V-00001. */
const APP = `
const user = { id: 'omar' };
const accessToken = async () => 'omar';
const show = console.log, ask = console.log, leave = console.log;
const render = (list) => console.log(list.length, 'visits');
`;
const VISIT = 'V-00001';
const WITHIN_MS = 60_000;

let folder: string;
let clinic: DemoClinic;
beforeAll(async () => {
  builtProgram();
  // Inside the project, so that the packages that it imports are found.
  folder = mkdtempSync(path.join(PROJECT_FOLDER, 'dist/first-snippets-'));
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(PROJECT_FOLDER, path.join(folder, 'node_modules/tidegate'));
  writeFileSync(path.join(folder, 'browser.mjs'), BROWSER);
  clinic = await startDemoClinic();
});
afterAll(async () => {
  await clinic.end();
  clinic.removeFiles();
  rmSync(folder, { recursive: true, force: true });
});

const running: RunningProgram[] = [];
afterEach(() => Promise.all(running.splice(0).map((program) => program.kill())));

test.each([
  ['README.md', /http:\/\/127\.0\.0\.1:4000/],
  ['docs/client.md', /https:\/\/sync\.example\.com/],
])(
  'R10: the first code of %s about the client runs on a new installation, and its edit reaches the source',
  async (page, address) => {
    await untilTheGatewayShows('as it was');
    const code = firstCodeOf(page);
    expect(code).toMatch(address);
    const given = 'user.id';
    const program = start(page, (code.includes(given) ? APP : '') + code.replace(address, clinic.url));
    expect(Number((await program.line(/^(\d+) visits$/))[1])).toBe(0);
    await program.line(/^[1-9]\d* visits$/);
    const isWritten = async () => (await clinic.row('visits', VISIT))?.['notes'] === 'Key is under the mat.';
    await until(`the source has the edit; ${program.errors()}`, isWritten, WITHIN_MS);
    expect([program.child.exitCode, program.errors()]).toEqual([null, '']);
  },
);

/** Another note before each, so that there is something to edit. */
async function untilTheGatewayShows(notes: string): Promise<void> {
  await clinic.edit('visits', VISIT, { notes });
  const office = createSyncDevice('office', () => clinic.url);
  await until(
    'the gateway has read it',
    async () => {
      await office.pull();
      return office.held('visits', VISIT).json['notes'] === notes;
    },
    WITHIN_MS,
  );
}

function firstCodeOf(page: string): string {
  const text = readFileSync(path.join(PROJECT_FOLDER, page), 'utf8');
  const blocks = [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, block = '']) => block);
  return blocks.find((block) => block.includes("from 'tidegate/client'")) ?? '';
}

/** As a bundler makes it, types left out. */
function start(page: string, code: string): RunningProgram {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  const file = path.join(folder, `${path.basename(page, '.md')}.mjs`);
  writeFileSync(file, `import './browser.mjs';\n${outputText}`);
  const program = run(file, []);
  running.push(program);
  return program;
}
