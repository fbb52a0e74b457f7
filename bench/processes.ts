import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { cpuMs } from './measure.js';

const BUILT = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.resolve(BUILT, '../..');

/** The gateway in front of the demo's systems. */
export const CLINIC_CONFIG = path.join(ROOT, 'bench/clinic.config.ts');

/** The instant source behind a gateway with sign-in. */
export const GUARDED_CONFIG = path.join(ROOT, 'bench/guarded.config.ts');

/** Sleeping phones, hinted by what `BENCH_PUSH_URL` names. */
export const PHONES_CONFIG = path.join(ROOT, 'bench/phones.config.ts');

/** A child of the benchmark that ends with it. */
export interface RunningProcess {
  readonly pid: number;
  readonly url: string;
  stop(): Promise<void>;
}

/** The instant REST source with so many records. */
export async function startInstantSource(records: number): Promise<RunningProcess> {
  return startPrinting('instant-source.js', [String(records)]);
}

/** The source that goes away, and remembers what it took. */
export async function startOutageSource(): Promise<RunningProcess> {
  return startPrinting('outage-source.js', []);
}

/** What stands for the push service; its other side. */
export async function startPushServiceProcess(): Promise<RunningProcess> {
  return startPrinting('push-service-process.js', []);
}

/** The limit: ready bytes over node:http, nothing else. */
export async function startReadyBytes(bytes: number): Promise<RunningProcess> {
  return startPrinting('ready-bytes.js', [String(bytes)]);
}

/** The least server that each client library wants, with so many records; one that compresses does so for who accepts gzip. */
export async function startMinimalServer(records: number, coding?: 'compressed'): Promise<RunningProcess> {
  return startPrinting('minimal-server.js', [String(records), ...(coding === undefined ? [] : [coding])]);
}

/** Somebody who sends so many requests a second, whatever the answers are; tells what they were when it is stopped. */
export async function startFlooder(url: string, perSecond: number): Promise<RunningProcess> {
  return startPrinting('flooder.js', [url, String(perSecond)]);
}

/** The product in a process that commits when it is told to, with so many users who listen. */
export async function startHintGateway(
  sourceUrl: string,
  { devices, scopes }: { readonly devices: number; readonly scopes: number },
): Promise<RunningProcess> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-bench-'));
  const started = await startPrinting('hint-gateway.js', [], {
    ...gatewaySettings(sourceUrl, folder),
    TIDEGATE_CONFIG: path.join(ROOT, 'bench/hints.config.ts'),
    BENCH_DEVICES: String(devices),
    BENCH_SCOPES: String(scopes),
  });
  return {
    ...started,
    async stop() {
      await started.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The limit of hints: a ready message to all sockets of a bare server. */
export async function startBareFanOut(message: string): Promise<RunningProcess> {
  return startPrinting('bare-fan-out.js', [message]);
}

/** Devices that listen. */
export async function startHintDevices(): Promise<RunningProcess> {
  return startPrinting('hint-devices.js', []);
}

async function startPrinting(
  file: string,
  args: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<RunningProcess> {
  const child = spawn(process.execPath, [path.join(BUILT, file), ...args], {
    cwd: ROOT,
    env: { ...process.env, ...settings },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const port = await firstLine(child, /^\d+$/);
  return { pid: child.pid as number, url: `http://127.0.0.1:${port}`, stop: () => end(child) };
}

export interface RunningGateway extends RunningProcess {
  /** The embedded Postgres, whose CPU counts as ours; 0: it has another one. */
  readonly postgresPid: number;
  readonly folder: string;
}

/** Ends a gateway as `kill -9` does; its embedded Postgres lives on, for the next one to take over. */
export async function killGateway({ pid }: RunningGateway): Promise<void> {
  process.kill(pid, 'SIGKILL');
  // Its parent, we, collects it in its own time.
  while (cpuMs(pid) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

/**
 * The product itself, `tidegate start`, on an embedded Postgres, in front of a source.
 *
 * @param folder of its data; a fresh one by default
 */
export async function startGateway(
  sourceUrl: string,
  settings: Readonly<Record<string, string>> = {},
  folder: string = mkdtempSync(path.join(tmpdir(), 'tidegate-bench-')),
): Promise<RunningGateway> {
  const child = spawn(process.execPath, [path.join(ROOT, 'dist/src/cli/main.js'), 'start'], {
    cwd: ROOT,
    env: { ...process.env, ...gatewaySettings(sourceUrl, folder), ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await firstLine(child, /ready at (http:\S+)/);
  const pidFile = path.join(folder, 'postgres/data/postmaster.pid');
  const postgresPid = settings['DATABASE_URL'] === undefined ? Number(readFileSync(pidFile, 'utf8').split('\n')[0]) : 0;
  return {
    pid: child.pid as number,
    url,
    postgresPid,
    folder,
    async stop() {
      await end(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function gatewaySettings(sourceUrl: string, folder: string): Readonly<Record<string, string>> {
  return {
    PORT: '0',
    TIDEGATE_DATA: folder,
    TIDEGATE_CONFIG: path.join(ROOT, 'bench/tidegate.config.ts'),
    TIDEGATE_LOG: 'warn',
    BENCH_SOURCE_URL: sourceUrl,
  };
}

async function firstLine(child: ChildProcess, pattern: RegExp): Promise<string> {
  if (child.stdout === null) throw new Error('expected a child with a readable output');
  for await (const line of createInterface({ input: child.stdout })) {
    const match = pattern.exec(line);
    if (match !== null) {
      child.stdout.resume();
      return match[1] ?? match[0];
    }
  }
  throw new Error(`expected a line like ${pattern} from ${child.spawnargs.join(' ')}, it ended without one`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.stdin?.end();
  child.kill('SIGTERM');
  await gone;
}
