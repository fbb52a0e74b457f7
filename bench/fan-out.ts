import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Something that sends one message to every socket that is open, in a process of its own. */
export interface FanOut {
  /** Where sockets connect. */
  readonly url: string;
  /** @returns when the sending began, on the clock of all processes of this machine */
  sendToAll(): Promise<bigint>;
  stop(): Promise<void>;
}

/** What a process takes. */
export interface Usage {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly cpuMs: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Serves it to the benchmark, and prints the port: GET /url, GET /send, GET /usage. */
export function serveFanOut(fanOut: FanOut): void {
  const answers: Readonly<Record<string, () => Promise<string>>> = {
    '/url': async () => fanOut.url,
    '/send': async () => String(await fanOut.sendToAll()),
    '/usage': async () => JSON.stringify(usage()),
  };
  const server = createServer((request, response) => {
    void answers[request.url ?? '']?.().then((text) => response.end(text));
  });
  server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
  process.stdin.on('end', () => void fanOut.stop().then(() => process.exit())).resume();
}

function usage(): Usage {
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return { rssBytes: rss, heapBytes: heapUsed, cpuMs: (user + system) / 1_000 };
}
