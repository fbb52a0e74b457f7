import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as wait } from 'node:timers/promises';
import { lockFolder } from './folder-lock.js';

/** What a source's process was told on its command line. */
export interface SourceArguments {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Where the source keeps its records. */
  readonly folder: string;
  /** The first day of the records, like 2026-11-24; counts only when the folder is new. */
  readonly today: string;
}

/** What a source's process tells its parent over ipc, once. */
export type SourceNews =
  { readonly ready: true; readonly url: string } | { readonly ready: false; readonly reason: string };

/** What a source does with its server. */
export interface OpenSource {
  readonly listener: RequestListener;
  /** Called once the address is known, before the source says that it is ready. */
  readonly onListening?: (server: Server, url: string) => void;
}

const USAGE = 'expected --folder FOLDER [--port 0..65535] [--host ADDRESS] [--today YYYY-MM-DD]';
/** A source whose parent was killed needs a moment to end; a new one waits that long for its folder and its port. */
const PATIENCE_MS = 2000;
const RETRY_MS = 100;

/**
 * The main part of a source's process: takes the folder, lets `open` load the records, listens, says where, and ends on
 * SIGTERM or with its parent (ipc), so that a killed gateway leaves no source behind. Never returns an error: it says what
 * is wrong on stderr and to its parent, and ends with exit code 1.
 *
 */
export async function runSource(name: string, open: (source: SourceArguments) => Promise<OpenSource>): Promise<void> {
  let release = (): void => undefined;
  const end = (code: number): never => {
    release();
    process.exit(code);
  };
  process.on('SIGTERM', () => end(0));
  // Ctrl-C in a terminal reaches the children too; the parent ends them when it no longer needs them.
  process.on('SIGINT', () => (process.connected ? undefined : end(0)));
  process.on('disconnect', () => end(0));
  try {
    const source = readArguments(process.argv.slice(2));
    release = await lockFolder(source.folder, name, PATIENCE_MS);
    const opened = await open(source);
    const server = createServer(opened.listener);
    const url = await listen(server, source);
    opened.onListening?.(server, url);
    tell({ ready: true, url });
    if (!process.send) console.log(`${name}: ${url} (records in ${source.folder})`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`${name}: ${reason}`);
    tell({ ready: false, reason });
    end(1);
  }
}

function readArguments(line: readonly string[]): SourceArguments {
  const { values } = parseArgs({
    args: [...line],
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: '0' },
      folder: { type: 'string' },
      today: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    },
  });
  const port = Number(values.port);
  if (values.folder === undefined || values.folder === '') throw new Error(`${USAGE}, got no folder`);
  if (!/^\d+$/.test(values.port) || port > 65_535) throw new Error(`${USAGE}, got the port ${values.port}`);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(values.today) || Number.isNaN(Date.parse(values.today)))
    throw new Error(`${USAGE}, got the day ${values.today}`);
  return { host: values.host, port, folder: resolve(values.folder), today: values.today };
}

async function listen(server: Server, source: SourceArguments): Promise<string> {
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      server.listen(source.port, source.host);
      // Rejects on an error, and leaves no listener behind at the next try.
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      return `http://${source.host.includes(':') ? `[${source.host}]` : source.host}:${port}`;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE' && waitedMs < PATIENCE_MS) await wait(RETRY_MS);
      else if (code === 'EADDRINUSE')
        throw new Error(
          `expected port ${source.port} on ${source.host} to be free, but it is taken by another process`,
          {
            cause: error,
          },
        );
      else throw error;
    }
  }
}

function tell(news: SourceNews): void {
  if (process.connected) process.send?.(news);
}
