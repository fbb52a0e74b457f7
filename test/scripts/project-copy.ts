import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PROJECT_FOLDER } from '../support/source-tree.js';

/** A project of a few lines with the real scripts, whose tools are whatever a test wants them to be. */
export interface ProjectCopy {
  write(file: string, text: string): void;
  /** Runs one of the scripts to its end. */
  run(script: string, line?: readonly string[]): { readonly status: number | null; readonly lines: readonly string[] };
  remove(): void;
}

export function copyProject(): ProjectCopy {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-scripts-'));
  cpSync(path.join(PROJECT_FOLDER, 'scripts'), path.join(folder, 'scripts'), {
    recursive: true,
    // The generator of the Prisma client wants the whole project.
    filter: (file) => !file.endsWith('generate-prisma.mjs'),
  });
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  write('package.json', '{"type":"module"}');
  for (const file of ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json']) write(file, '{}');
  return {
    write,
    run(script, line = []) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${script}`, ...line], {
        cwd: folder,
        encoding: 'utf8',
      });
      return { status, lines: `${stdout}${stderr}`.trimEnd().split('\n') };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A compiler that writes the program each time and says of which project. */
export const COMPILER_THAT_TELLS = `
  const fs = require('node:fs');
  fs.mkdirSync('dist/src/cli', { recursive: true });
  fs.writeFileSync('dist/src/cli/main.js', 'console.log("running", process.argv.slice(2).join(" "));');
  console.log('compiled', require('node:path').basename(process.argv.at(-1).replace('/tsconfig.json', '')));`;
