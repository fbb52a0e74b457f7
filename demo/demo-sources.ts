import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { SourceNews } from './source-process.js';
import { SUPPLIES_PATH } from './supplies-wsdl.js';

/** Where the launcher says what happens; the gateway's own log fits. */
export interface DemoLog {
  info(what: string, details?: Readonly<Record<string, unknown>>): void;
  warn(what: string, details?: Readonly<Record<string, unknown>>): void;
  error(what: string, details?: Readonly<Record<string, unknown>>): void;
}

export interface DemoOptions {
  /** Where both sources keep their records; made when it is not there. One demo at a time. */
  readonly folder: string;
  /** Loopback by default. */
  readonly host?: string;
  /** 0, the default: any free port. */
  readonly restPort?: number;
  readonly soapPort?: number;
  /** The day around which a new folder's visits are planned, like 2026-11-24; today by default. */
  readonly today?: string;
  /** Given: a back office edits the sources at about this interval, ms. */
  readonly backOfficeEveryMs?: number;
  readonly log: DemoLog;
}

/** Two running sources, each a process of its own. */
export interface DemoSources {
  /** The clinic's REST system, like http://127.0.0.1:5001. */
  readonly restUrl: string;
  /** The store room's SOAP endpoint. */
  readonly soapUrl: string;
  readonly wsdlUrl: string;
  readonly pids: { readonly rest: number; readonly soap: number; readonly backOffice: number | null };
  /** Ends all of them and waits until they have ended. Safe to repeat. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;

/**
 * Starts the demo's sources and waits until both answer. They end with this process, however it ends: their ipc channel
 * closes. A source that dies later is logged with the command that starts it again at the same address.
 *
 * @throws Error saying what was wrong (port taken, folder in use or not writable); nothing is left running then
 */
export async function startDemoSources(options: DemoOptions): Promise<DemoSources> {
  const children: ChildProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(end));
  };
  const startSource = async (
    program: string,
    port: number,
  ): Promise<{ readonly url: string; readonly pid: number }> => {
    const child = launch(program, sourceArguments(options, port), options.log);
    children.push(child);
    const url = await untilReady(program, child);
    await untilAnswering(program, url);
    reportEnd(program, child, `--folder ${options.folder} --port ${new URL(url).port}`, options.log);
    return { url, pid: child.pid ?? 0 };
  };
  try {
    const [rest, soap] = await Promise.all([
      startSource('rest-source', options.restPort ?? 0),
      startSource('soap-source', options.soapPort ?? 0),
    ]);
    const soapUrl = `${soap.url}${SUPPLIES_PATH}`;
    const wsdlUrl = `${soapUrl}?wsdl`;
    let backOffice: number | null = null;
    if (options.backOfficeEveryMs !== undefined) {
      const child = launch(
        'back-office',
        ['--rest', rest.url, '--wsdl', wsdlUrl, '--every', String(options.backOfficeEveryMs)],
        options.log,
      );
      children.push(child);
      reportEnd('back-office', child, `--rest ${rest.url} --wsdl ${wsdlUrl}`, options.log);
      backOffice = child.pid ?? null;
    }
    return { restUrl: rest.url, soapUrl, wsdlUrl, pids: { rest: rest.pid, soap: soap.pid, backOffice }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sourceArguments(options: DemoOptions, port: number): readonly string[] {
  return [
    ...['--folder', options.folder, '--port', String(port)],
    ...(options.host === undefined ? [] : ['--host', options.host]),
    ...(options.today === undefined ? [] : ['--today', options.today]),
  ];
}

function programPath(program: string): string {
  return fileURLToPath(new URL(`./${program}.js`, import.meta.url));
}

function launch(program: string, line: readonly string[], log: DemoLog): ChildProcess {
  const child = fork(programPath(program), [...line], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
  forward(child.stdout, (text) => log.info(text, { program }));
  forward(child.stderr, (text) => log.warn(text, { program }));
  return child;
}

function forward(stream: Readable | null, say: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on('line', say);
}

/** The url that a child says it listens on. */
async function untilReady(program: string, child: ChildProcess): Promise<string> {
  return await new Promise<string>((ready, failed) => {
    const timer = setTimeout(
      () => failed(new Error(`${program}: expected it to be ready within ${START_TIMEOUT_MS} ms`)),
      START_TIMEOUT_MS,
    );
    child.once('message', (news: SourceNews) =>
      news.ready ? ready(news.url) : failed(new Error(`${program}: ${news.reason}`)),
    );
    child.once('error', failed);
    child.once('exit', (code, signal) =>
      failed(new Error(`${program}: ended before it was ready (${signal ?? `exit code ${code}`})`)),
    );
    child.once('message', () => clearTimeout(timer));
    child.once('exit', () => clearTimeout(timer));
  });
}

/** Any answer will do: it proves that the address can be reached from here. */
async function untilAnswering(program: string, url: string): Promise<void> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    await answer.arrayBuffer();
  } catch (cause) {
    throw new Error(`${program}: expected an answer at ${url}`, { cause });
  }
}

function reportEnd(program: string, child: ChildProcess, line: string, log: DemoLog): void {
  child.once('exit', (code, signal) => {
    if (child.connected || signal !== null || code !== 0) {
      log.error(
        `${program} ended (${signal ?? `exit code ${code}`}); to start it again: node ${programPath(program)} ${line}`,
        { program },
      );
    }
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  else child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(timer);
}
