import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { unprivilegedLaunch } from '../../src/store/unprivileged.js';

const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-private-'));

afterAll(() => rmSync(folder, { recursive: true }));

function launch(...line: readonly string[]) {
  const { prefix, identity } = unprivilegedLaunch();
  const [program, ...rest] = [...prefix, ...line] as [string, ...string[]];
  return spawnSync(program, rest, { ...identity, cwd: '/', encoding: 'utf8' });
}

test('what Postgres is started with never runs as root, and other users start it as they are', () => {
  const { stdout } = launch('id', '-u');
  expect(stdout.trim()).toBe(isRoot ? '65534' : String(process.getuid?.()));
});

test('programs in a folder that only root may enter can be found and run, as in a clone in its home', () => {
  const home = path.join(folder, 'home');
  mkdirSync(home);
  const program = path.join(home, 'true');
  cpSync('/bin/true', program, { dereference: true });
  chmodSync(home, 0o700);
  expect(launch(program).status).toBe(0);
  // With access(2), as initdb looks for the server beside it.
  const look = `require('node:fs').accessSync(${JSON.stringify(program)}, require('node:fs').constants.X_OK)`;
  expect(launch(process.execPath, '-e', look)).toMatchObject({ status: 0, stderr: '' });
});
