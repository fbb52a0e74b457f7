// Generates the Prisma client without the network: `prisma generate` looks for an engine that it then does not use, and is
// content with any existing file.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const { status, stdout, stderr } = spawnSync(
  process.execPath,
  [path.join(root, 'node_modules/prisma/build/index.js'), 'generate', '--no-hints'],
  {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: path.join(root, 'package.json'), CHECKPOINT_DISABLE: '1' },
  },
);
if (status !== 0) {
  console.error(`${stdout}\n${stderr}`);
  console.error('prisma generate failed');
  process.exitCode = 1;
}
