import { readFileSync } from 'node:fs';
import { request } from 'undici';
import type { Usage } from './fan-out.js';
import { median, percentile, report } from './measure.js';
import {
  startBareFanOut,
  startHintDevices,
  startHintGateway,
  startInstantSource,
  type RunningProcess,
} from './processes.js';

/** What a device hears, to the byte: the limit sends the same. */
const MESSAGE =
  '{"id":"1","type":"next","payload":{"data":{"hints":{"collections":["items"],"at":"2026-01-05T08:00:00.000Z"}}}}';
/** More than the window over which hints are joined. */
const PAUSE_MS = 150;
/** Files that are not sockets. */
const OTHER_FILES = 500;
/** That come at the same moment; and in all but one measurement, so many at a time. */
const STORM = Number(process.env['HINT_STORM'] ?? 5_000);
const AT_ONCE = 200;
const MOST = Number(process.env['HINT_DEVICES'] ?? openFiles() - OTHER_FILES);

const GOAL_P50_MS = 5;
const GOAL_LAST_MS = 60;
const GOAL_PER_SECOND = 25_000;
const GOAL_BYTES = 25_000;

/**
 * From the commit to the sockets of 1, 1,000 and as many devices as files may be open, beside the same bytes sent by a bare `ws` server: when the median,
 * the 99th of a hundred and the last device had it, the CPU of one hint, and the memory of a device that only listens.
 */
export async function benchHints(): Promise<void> {
  const source = await startInstantSource(0);
  await storm(source);
  for (const { devices, rounds, scopes } of [
    { devices: 1, rounds: 100, scopes: 1 },
    { devices: 1_000, rounds: 40, scopes: 1 },
    { devices: 1_000, rounds: 20, scopes: 20 },
    { devices: MOST, rounds: 12, scopes: 1 },
  ]) {
    const gateway = await startHintGateway(source.url, { devices, scopes });
    const ours = await measure(gateway, devices, rounds, false);
    const bare = await startBareFanOut(MESSAGE);
    const limit = await measure(bare, devices, rounds, true);
    report({
      bench: 'hints: commit to socket',
      devices,
      scopes,
      ...ours,
      limit,
      ratioLast: ours.lastMs / limit.lastMs,
      ratioCpu: ours.cpuMicros / limit.cpuMicros,
      goals: { p50Ms: GOAL_P50_MS, lastMs: GOAL_LAST_MS, perSecondAndCore: GOAL_PER_SECOND, rssBytes: GOAL_BYTES },
    });
  }
  await source.stop();
}

/** All devices of a gateway that went away come at once: each is let in, listens, and is hinted. */
async function storm(source: RunningProcess): Promise<void> {
  const gateway = await startHintGateway(source.url, { devices: STORM, scopes: 1 });
  const clients = await startHintDevices();
  const openedMs = await open(gateway, clients, { devices: STORM, atOnce: STORM });
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  const heard = await sendAndHear(gateway, clients);
  await clients.stop();
  await gateway.stop();
  report({
    bench: 'hints: all devices come at once',
    devices: STORM,
    openedMs,
    perSecond: (STORM * 1_000) / openedMs,
    heardTheNext: heard.length,
  });
}

async function open(
  fanOut: RunningProcess,
  clients: RunningProcess,
  { devices, atOnce, isBare = false }: { readonly devices: number; readonly atOnce: number; readonly isBare?: boolean },
): Promise<number> {
  const { text: url } = await get(`${fanOut.url}/url`);
  const query = { url, count: String(devices), atOnce: String(atOnce), isBare: String(isBare) };
  return Number((await get(`${clients.url}/open?${new URLSearchParams(query)}`)).text);
}

/** @returns after how many ms each device had it */
async function sendAndHear(fanOut: RunningProcess, clients: RunningProcess): Promise<readonly number[]> {
  const { text: sinceNs } = await get(`${fanOut.url}/send`);
  return JSON.parse((await get(`${clients.url}/heard?sinceNs=${sinceNs}`)).text) as readonly number[];
}

async function measure(fanOut: RunningProcess, devices: number, rounds: number, isBare: boolean) {
  const clients = await startHintDevices();
  const idle = await usageOf(fanOut);
  const openedMs = await open(fanOut, clients, { devices, atOnce: AT_ONCE, isBare });
  const round = async (): Promise<readonly number[]> => {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const tookMs = await sendAndHear(fanOut, clients);
    if (tookMs.length !== devices) throw new Error(`expected ${devices} hints, got ${tookMs.length}`);
    return tookMs;
  };
  // Memory is looked at when code and sockets are warm.
  for (let warm = 0; warm < 3; warm++) await round();
  const listening = await usageOf(fanOut);
  const samples: (readonly number[])[] = [];
  for (let n = 0; n < rounds; n++) samples.push(await round());
  const after = await usageOf(fanOut);
  await clients.stop();
  await fanOut.stop();
  const cpuMicros = ((after.cpuMs - listening.cpuMs) * 1_000) / (rounds * devices);
  return {
    p50Ms: median(samples.flat()),
    p99Ms: percentile(samples.flat(), 0.99),
    lastMs: median(samples.map((one) => Math.max(...one))),
    cpuMicros,
    perSecondAndCore: 1e6 / cpuMicros,
    rssBytes: (listening.rssBytes - idle.rssBytes) / devices,
    heapBytes: (listening.heapBytes - idle.heapBytes) / devices,
    openedMs,
  };
}

async function usageOf({ url }: RunningProcess): Promise<Usage> {
  return JSON.parse((await get(`${url}/usage`)).text) as Usage;
}

async function get(url: string): Promise<{ readonly text: string }> {
  const answer = await request(url, { headersTimeout: 0, bodyTimeout: 0 });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`${url}: expected 200, got ${answer.statusCode} ${text}`);
  return { text };
}

/** How many files a process may have open (Linux). */
function openFiles(): number {
  return Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1_024);
}
