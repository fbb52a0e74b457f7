import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_FOLDER } from './source-tree.js';

/** The command line program as users run it; built first if the sources changed (10 ms when they did not). */
export function builtProgram(): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], {
    cwd: PROJECT_FOLDER,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`expected the product to build, got:\n${stdout}${stderr}`);
  const program = path.join(PROJECT_FOLDER, 'dist/src/cli/main.js');
  if (!existsSync(program)) throw new Error(`expected the build to make ${program}`);
  return program;
}
