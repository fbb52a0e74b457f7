import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildDemo, type BuiltDemo } from '../demo/built-demo.js';
import { builtProgram } from '../support/built-program.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';

/** A fenced block of the page. */
interface Block {
  readonly language: string;
  readonly text: string;
}

const PAGE = readFileSync(path.join(PROJECT_FOLDER, 'docs/first-connector.md'), 'utf8');
const BLOCKS: readonly Block[] = [...PAGE.matchAll(/^```(ts|sh|text)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', text = '']) => ({ language, text }),
);
const MARK = '--- end of block';

let folder: string;
let demo: BuiltDemo;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'tidegate-first-'));
  // The embedded Postgres runs as an ordinary user.
  chmodSync(folder, 0o755);
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(PROJECT_FOLDER, path.join(folder, 'node_modules/tidegate'));
  symlinkSync(path.resolve(builtProgram(), '../../..'), path.join(folder, 'dist'));
  demo = buildDemo();
});
afterAll(async () => {
  await demo.remove();
  rmSync(folder, { recursive: true, force: true });
});

test('the page about a first connector is true, word by word', async () => {
  const source = demo.start('rest-source', ['--folder', demo.newFolder(), '--port', '0']);
  const address = /http:\/\/127\.0\.0\.1:\d+/.exec((await source.line(/http:\/\/127\.0\.0\.1:\d+/))[0])?.[0] ?? '';
  const here = (text: string): string =>
    text.replaceAll('http://127.0.0.1:5001', address).replaceAll('4100', String(ownPort));
  const ownPort = await freePort();
  const script = BLOCKS.filter(({ language }) => language !== 'text').map(({ language, text }) =>
    language === 'ts' ? `cat > first/tidegate.config.ts <<'END'\n${text}END\n` : `${text}echo '${MARK}'\n`,
  );
  const shell = spawn('bash', ['-s'], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] });
  let printed = '';
  let errors = '';
  shell.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()));
  shell.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  shell.stdin.end(here(script.join('')));
  await once(shell, 'close');
  const outputs = printed.split(`${MARK}\n`);
  const shown = BLOCKS.flatMap(({ language, text }, at) =>
    language === 'text' ? [{ text, after: BLOCKS.slice(0, at).filter((one) => one.language === 'sh').length - 1 }] : [],
  );
  expect(shown.length).toBeGreaterThan(4);
  for (const { text, after } of shown) expect([outputs[after], errors]).toEqual([like(text), expect.anything()]);
  expect(outputs).toHaveLength(BLOCKS.filter(({ language }) => language === 'sh').length + 1);
});

/** `…` stands for anything. */
function like(text: string): unknown {
  const parts = text
    .trim()
    .split('…')
    .map((part) => part.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'));
  return expect.stringMatching(new RegExp(`^\\s*${parts.join('[\\s\\S]*')}\\s*$`)) as unknown;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
