import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { StartupError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import { lastLogLine, prepareDataFolder, urlOf, type DataFolder } from './data-folder.js';
import { postgresBinaries } from './postgres-binaries.js';
import {
  findLiving,
  isAlive,
  isServing,
  LOOK_EVERY_MS,
  othersConnected,
  readPidFile,
  READY_WITHIN_MS,
  signal,
  tryConnect,
} from './postmaster.js';
import { unprivilegedLaunch } from './unprivileged.js';

const RETRY_EVERY_MS = 50;
const WATCH_EVERY_MS = 1_000;
const LONGEST_RESTART_WAIT_MS = 30_000;

/** Settings for a server on a developer's or a clinic's machine: durable, loopback, small. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '256MB',
  // Planning just-in-time compilation costs more than our short statements take.
  jit: 'off',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_level: 'replica',
  password_encryption: 'scram-sha-256',
  logging_collector: 'off',
  log_checkpoints: 'off',
};

/** A running embedded server. */
export interface EmbeddedPostgres {
  readonly url: string;
  /** True when a living server of an earlier process was taken over. */
  readonly adopted: boolean;
  /** Stops it, unless another gateway is connected to it; that one stops it later. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Starts Postgres as a supervised child with its data in `folder/postgres`, or adopts the living one that a killed gateway
 * left behind (proved by connecting; its `postmaster.pid` is never deleted). A server that dies is started again.
 *
 * @param options.settings further server settings, for tests
 * @throws StartupError store or disk - one sentence on what is wrong
 */
export async function startEmbeddedPostgres(options: {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<EmbeddedPostgres> {
  const { clock, log } = options;
  const place = prepareDataFolder(path.resolve(options.folder, 'postgres'));
  const settings = { ...SETTINGS, ...options.settings };
  const living = await findLiving(place, clock);
  let child: ChildProcess | null = null;
  let stopping = false;
  const halting = new AbortController();
  let restarting: Promise<void> | null = null;
  let watcher: NodeJS.Timeout | undefined;
  const port = living?.port ?? (await freePort());
  const url = urlOf(place, port);

  const launch = async (): Promise<void> => {
    child = spawnServer(place, port, settings);
    const exited = new Promise<number | null>((resolve) => child?.once('exit', (code) => resolve(code)));
    await untilReady(url, place, clock, exited);
    void exited.then(beginRestart);
  };
  const beginRestart = (): void => {
    if (!stopping) restarting = restart();
  };
  const restart = async (): Promise<void> => {
    for (let waitMs = 100; !stopping; waitMs = Math.min(waitMs * 2, LONGEST_RESTART_WAIT_MS)) {
      log.error('the embedded Postgres ended, starting it again', { inMs: waitMs });
      await clock.wait(waitMs, halting.signal).catch(() => undefined);
      if (stopping) return;
      const started = await launch().then(
        () => true,
        (cause: unknown) => {
          log.error('the embedded Postgres does not start', { cause: String(cause) });
          return false;
        },
      );
      if (started) return;
    }
  };

  if (living === null) await launchPatiently(launch, place, clock);
  else {
    log.info('adopted the Postgres that is still running', { port });
    watcher = setInterval(() => {
      if (stopping || isAlive(living.pid)) return;
      clearInterval(watcher);
      beginRestart();
    }, WATCH_EVERY_MS).unref();
  }

  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    stopping = true;
    halting.abort(new Error('the embedded Postgres is to stop'));
    clearInterval(watcher);
    // A server that is just being started again is stopped like one that runs.
    await restarting;
    if (await othersConnected(url)) {
      log.info('another gateway uses the embedded Postgres: it stays up');
      child?.unref();
      return;
    }
    const pid = child?.pid ?? readPidFile(place)?.pid;
    if (pid === undefined) return;
    // Fast shutdown: open transactions roll back, everything committed is flushed.
    signal(pid, 'SIGINT');
    while (isServing(place, pid, child)) await clock.wait(LOOK_EVERY_MS);
  };
  return { url, adopted: living !== null, stop: () => (stopped ??= stop()) };
}

function spawnServer(place: DataFolder, port: number, settings: Readonly<Record<string, string>>): ChildProcess {
  const launch = unprivilegedLaunch();
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [program, ...rest] = [
    ...launch.prefix,
    postgresBinaries().postgres,
    '-D',
    place.dataFolder,
    '-p',
    String(port),
    ...args,
  ] as [string, ...string[]];
  const output = openSync(place.logFile, 'a', 0o600);
  launch.own(place.logFile);
  // A session of its own: Ctrl-C in the terminal must reach the gateway only, which then stops the server in order.
  const child = spawn(program, rest, {
    ...launch.identity,
    cwd: place.folder,
    detached: true,
    stdio: ['ignore', output, output],
  });
  child.on('error', () => undefined);
  closeSync(output);
  return child;
}

/** A server that was killed keeps its pid and its shared memory for a moment: the next one is refused until they are gone. */
async function launchPatiently(launch: () => Promise<void>, place: DataFolder, clock: Clock): Promise<void> {
  const deadline = clock.monotonicMs() + READY_WITHIN_MS;
  for (;;) {
    try {
      await launch();
      return;
    } catch (cause) {
      const passing = /lock file "postmaster\.pid" already exists|shared memory block/.test(lastLogLine(place));
      if (!passing || clock.monotonicMs() > deadline) throw cause;
      await clock.wait(RETRY_EVERY_MS);
    }
  }
}

async function untilReady(url: string, place: DataFolder, clock: Clock, exited: Promise<number | null>): Promise<void> {
  const deadline = clock.monotonicMs() + READY_WITHIN_MS;
  let ended: { readonly code: number | null } | null = null;
  void exited.then((code) => (ended = { code }));
  for (;;) {
    // Its status line tells without a connection; the connection proves it.
    if (readPidFile(place)?.status === 'ready' && (await tryConnect(url)) === 'ready') return;
    if (ended !== null || clock.monotonicMs() > deadline) {
      throw new StartupError(
        'store',
        `the embedded Postgres does not start: ${lastLogLine(place)} (see ${place.logFile})`,
      );
    }
    await clock.wait(LOOK_EVERY_MS);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
