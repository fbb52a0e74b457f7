import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '../../src/server/clock.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';
import { builtProgram } from '../support/built-program.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { readJournal } from '../support/journal-file.js';
import { silentLog } from '../support/postgres.js';
import { runProgram, type Program } from '../support/program.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';
import { CAPABILITIES, type Capability } from './capabilities.js';
import type { JournalEntry } from './capable-system.js';
import type { Armed } from './crash-points.js';

/**
 * What a crash sweep runs on: one embedded Postgres with its durability on, the sources in a process of their own, a fault
 * proxy before each, and one gateway process after another.
 */
export interface SweepWorld {
  readonly device: SyncDevice;
  readonly databaseUrl: string;
  /** The gateway that runs, or ran last. */
  readonly gateway: GatewayProcess;
  /** How long each start took until the gateway was ready, ms; its modules were loaded before. */
  readonly startsMs: readonly number[];
  proxyOf(capability: Capability): FaultProxy;
  /** Between the device and whichever gateway runs. */
  readonly deviceProxy: FaultProxy;
  /** Starts the next gateway; the last one must have ended. @param armed where it ends by itself; null: nowhere */
  start(armed: Armed | null): Promise<void>;
  /** One more gateway beside it. Whoever starts it stops it. */
  startAnother(armed: Armed | null): Promise<GatewayProcess>;
  /** What the sources took, as their journal on the disk has it. */
  journal(): readonly JournalEntry[];
  /** What a source holds now: notes by key. */
  holdings(capability: Capability): Promise<ReadonlyMap<string, string>>;
  stop(): Promise<void>;
}

/** @param seeds visits that each source has at the beginning */
export async function startSweepWorld(seeds: number): Promise<SweepWorld> {
  builtProgram();
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-crash-'));
  const journalFile = path.join(folder, 'journal.jsonl');
  const postgres = await startEmbeddedPostgres({ folder, clock: systemClock, log: silentLog });
  const system = runProgram([journalFile, String(seeds)], {}, folder, script('system-entry.mjs'));
  const [, port] = await system.line(/listening at (\d+)/);
  const systemUrl = `http://127.0.0.1:${port}`;
  const proxies = new Map<Capability, FaultProxy>();
  for (const capability of CAPABILITIES) proxies.set(capability, await startFaultProxy(systemUrl));
  const proxyOf = (capability: Capability): FaultProxy => proxies.get(capability) as FaultProxy;
  writeConfiguration(folder, (capability) => proxyOf(capability).url);
  const startsMs: number[] = [];
  let gateway: GatewayProcess;

  /** A process that has loaded everything and waits for its start: loading is most of what a start costs. */
  function load(): Program {
    const settings = { DATABASE_URL: postgres.url, PORT: '0', TIDEGATE_LOG: 'warn' };
    return runProgram([], settings, folder, script('gateway-entry.mjs'));
  }

  async function startOne(program: Program, armed: Armed | null): Promise<GatewayProcess> {
    program.tell(JSON.stringify({ armed }));
    const [, url = ''] = await program.line(/ready at (http:\S+)/);
    return { ...program, url };
  }

  let spare = load();
  async function start(armed: Armed | null): Promise<void> {
    await spare.line(/^loaded/);
    const begunAt = performance.now();
    gateway = await startOne(spare, armed);
    startsMs.push(performance.now() - begunAt);
    spare = load();
  }

  const deviceProxy = await startFaultProxy(() => gateway.url);
  const device = createSyncDevice('nurse', () => deviceProxy.url);
  await start(null);
  await until('the first ingest is complete', async () => {
    await device.pull();
    return device.records.size === CAPABILITIES.length * seeds;
  });

  return {
    device,
    databaseUrl: postgres.url,
    get gateway() {
      return gateway;
    },
    startsMs,
    proxyOf,
    deviceProxy,
    start,
    startAnother: (armed) => startOne(load(), armed),
    journal: () => readJournal<JournalEntry>(journalFile),
    async holdings(capability) {
      const answer = await fetch(`${systemUrl}/${capability}/visits`);
      const visits = (await answer.json()) as readonly { readonly id: string; readonly note: string }[];
      return new Map(visits.map(({ id, note }) => [id, note]));
    },
    async stop() {
      await stopGatewayProcess(gateway);
      spare.signal('SIGKILL');
      await spare.ended;
      for (const proxy of [deviceProxy, ...proxies.values()]) await proxy.close();
      system.signal('SIGKILL');
      await system.ended;
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function script(name: string): string {
  return path.join(PROJECT_FOLDER, 'test/crash', name);
}

/** The configuration of the gateways: the five connectors, each behind its proxy. */
function writeConfiguration(folder: string, urlOf: (capability: Capability) => string): void {
  const urls = Object.fromEntries(CAPABILITIES.map((capability) => [capability, urlOf(capability)]));
  const capabilities = path.join(PROJECT_FOLDER, 'test/crash/capabilities.ts');
  writeFileSync(
    path.join(folder, 'tidegate.config.ts'),
    `import * as connector from 'tidegate/connector';
import * as rest from 'tidegate/connector/rest';
import { connectorOf } from ${JSON.stringify(capabilities)};

const urls = ${JSON.stringify(urls)};
const connectors = Object.entries(urls).map(([capability, url]) => connectorOf({ ...connector, ...rest }, capability, url));
export default { connectors, patienceMs: 500 };
`,
  );
}
