import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { builtProgram } from './built-program.js';
import { PROJECT_FOLDER } from './source-tree.js';

/** A run of the program, from its start to its end. */
export interface Program {
  readonly pid: number;
  /** Everything that it printed until now, both streams, in order. */
  output(): string;
  /** The first line on standard output that fits, from the past or the future; rejects when the program ends without one. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
  /** Writes a line to its standard input, which ends when this process does. */
  tell(line: string): void;
  /** Resolves with the exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

/**
 * Runs `tidegate` with these arguments and settings.
 *
 * @param folder the working folder; the project's own by default
 * @param script what Node runs; the built program by default
 */
export function runProgram(
  line: readonly string[],
  settings: Readonly<Record<string, string>> = {},
  folder: string = PROJECT_FOLDER,
  script: string = builtProgram(),
): Program {
  const { PORT: _port, HOST: _host, DATABASE_URL: _url, ...environment } = process.env;
  const child = spawn(process.execPath, [script, ...line], {
    cwd: folder,
    env: { ...environment, ...settings },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // One that ended does not hear us any more.
  child.stdin.on('error', () => undefined);
  const lines: string[] = [];
  let output = '';
  const listeners = new Set<(text: string) => void>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(text);
    for (const listener of listeners) listener(text);
  });
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    pid: child.pid as number,
    output: () => output,
    ended,
    signal: (name) => void child.kill(name),
    tell: (text) => void child.stdin.write(`${text}\n`),
    line: async (pattern) =>
      await new Promise<RegExpExecArray>((found, failed) => {
        const look = (text: string): void => {
          const match = pattern.exec(text);
          if (match !== null) found(match);
        };
        lines.forEach(look);
        listeners.add(look);
        void ended.then((code) =>
          failed(new Error(`ended (${code}) without a line like ${String(pattern)}:\n${output}`)),
        );
      }),
  };
}
