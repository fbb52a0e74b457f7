import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformSync } from '@swc/core';

let root: string | undefined;

/** The URL of a module of src/ as Node runs it, built from the sources as they are now: for tests with real processes. */
export function builtModule(module: string): string {
  root ??= build();
  return pathToFileURL(path.join(root, 'src', `${module}.js`)).href;
}

function build(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-built-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  // Tests read it as ordinary users too.
  chmodSync(folder, 0o755);
  writeFileSync(path.join(folder, 'package.json'), readFileSync('package.json'));
  for (const linked of ['node_modules', 'prisma']) symlinkSync(path.resolve(linked), path.join(folder, linked));
  for (const top of ['src', 'connectors', 'demo'].filter((name) => existsSync(name))) {
    for (const file of readdirSync(top, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts') || file.endsWith('.d.ts')) continue;
      const target = path.join(folder, top, file.replace(/\.ts$/, '.js'));
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, compile(path.join(top, file)));
    }
  }
  return folder;
}

function compile(file: string): string {
  return transformSync(readFileSync(file, 'utf8'), {
    filename: file,
    swcrc: false,
    module: { type: 'es6' },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
      keepClassNames: true,
    },
  }).code;
}
