import { createSource } from '../src/connectors/define.js';
import type { Seq } from '../src/core/change.js';
import { createPoller } from '../src/ingest/poller.js';
import { systemClock } from '../src/server/clock.js';
import { hashText } from '../src/server/telemetry.js';
import { items } from './items-connector.js';
import { cpuOfTreeMs, ownCpuMs, timed } from './measure.js';
import { openOwnStore, quietLog, TENANT, type OwnStore } from './own-store.js';
import { startInstantSource } from './processes.js';
import { requestsTo, type Requests } from './requests.js';

/** The instant source, and the gateway's reading half in this process with a store of its own. */
export interface OwnIngest {
  readonly own: OwnStore;
  /** To the source itself. */
  readonly direct: Requests;
  /** One round of its collection: a poll, and a scan when it is due. */
  round(): Promise<Cost>;
  /** From now on each round scans. */
  scanEachRound(): void;
  /** Seq of the newest change in the feed. */
  head(): Promise<Seq>;
  stop(): Promise<void>;
}

export interface Cost {
  readonly ms: number;
  /** Of this process. */
  readonly cpuMs: number;
  readonly postgresMs: number;
}

export async function openOwnIngest(records: number): Promise<OwnIngest> {
  const instant = await startInstantSource(records);
  const direct = requestsTo(instant.url, 'bench', 1);
  const own = await openOwnStore();
  const deps = { clock: systemClock, chance: Math.random, log: quietLog };
  const source = createSource(items({ baseUrl: instant.url }), deps);
  let scanEveryMs = Number.MAX_SAFE_INTEGER;
  const [collection] = source.collections.map((one) => ({
    ...one,
    get facts() {
      return { ...one.facts, scanEveryMs };
    },
  }));
  if (collection === undefined) throw new Error('expected one collection');
  const poller = createPoller(
    { store: own.store, hash: hashText, ...deps },
    { tenant: TENANT, holder: 'bench', sources: [collection] },
  );
  return {
    own,
    direct,
    async round() {
      const before = { node: ownCpuMs(), postgres: cpuOfTreeMs(own.postgresPid) };
      const { ms } = await timed(() => poller.round('items'));
      return { ms, cpuMs: ownCpuMs() - before.node, postgresMs: cpuOfTreeMs(own.postgresPid) - before.postgres };
    },
    scanEachRound: () => void (scanEveryMs = 0),
    head: async () => (await own.store.readHead(TENANT)).head,
    async stop() {
      await poller.stop();
      await source.close();
      await own.stop();
      await direct.close();
      await instant.stop();
    },
  };
}
