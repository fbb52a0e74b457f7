import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { transformSync } from '@swc/core';

/** The demo's programs as Node runs them, built from the sources as they are now, in a folder of their own. */
export interface BuiltDemo {
  /** A fresh folder for a source's records. */
  newFolder(): string;
  /** Starts one of the programs by itself, as a user would; ended at the latest by `remove`. */
  start(program: string, line: readonly string[]): RunningProgram;
  /** The path of a built module. */
  path(module: string): string;
  /** Ends what still runs and removes all files. */
  remove(): Promise<void>;
}

/** A program that was started by `start`. */
export interface RunningProgram {
  readonly child: ChildProcess;
  /** Resolves with the first line on stdout that fits, rejects with what it printed when it ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  /** What it printed on stderr until now. */
  errors(): string;
  /** Ends it at once, without a chance to tidy up. */
  kill(): Promise<void>;
}

export function buildDemo(): BuiltDemo {
  const root = mkdtempSync(join(tmpdir(), 'tidegate-demo-'));
  const sources = resolve('demo');
  mkdirSync(join(root, 'demo'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  for (const file of readdirSync(sources).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))) {
    const { code } = transformSync(readFileSync(join(sources, file), 'utf8'), {
      filename: file,
      module: { type: 'es6' },
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    });
    writeFileSync(join(root, 'demo', file.replace(/\.ts$/, '.js')), code);
  }
  const running: RunningProgram[] = [];
  return {
    newFolder: () => mkdtempSync(join(root, 'records-')),
    path: (module) => join(root, 'demo', `${module}.js`),
    start: (program, line) => {
      const started = run(join(root, 'demo', `${program}.js`), line);
      running.push(started);
      return started;
    },
    remove: async () => {
      await Promise.all(running.map((program) => program.kill()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Runs a built module or a script with Node. */
export function run(path: string, line: readonly string[]): RunningProgram {
  const child = spawn(process.execPath, [path, ...line], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  let errors = '';
  child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
  const reader = createInterface({ input: child.stdout }).on('line', (text) => lines.push(text));
  const ended = once(child, 'close');
  return {
    child,
    errors: () => errors,
    kill: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await ended;
    },
    line: async (pattern) =>
      await new Promise<RegExpExecArray>((found, failed) => {
        const look = (text: string): void => {
          const match = pattern.exec(text);
          if (match !== null) found(match);
        };
        lines.forEach(look);
        reader.on('line', look);
        child.once('close', () => failed(new Error(`ended without ${String(pattern)}: ${lines.join('\n')}${errors}`)));
      }),
  };
}
