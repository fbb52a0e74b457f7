import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Fields } from '../../src/core/change.js';
import { valueText } from '../../src/core/collection.js';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy.js';
import { startGatewayProcess, stopGatewayProcess, untilGone, type GatewayProcess } from '../support/gateway-process.js';
import { startTestPostgres } from '../support/postgres.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';
import { until } from '../support/until.js';
import type { ClientUnderTest, Replica } from './client-under-test.js';
import { openRoundStore } from './round-store.js';
import {
  startRoundSystem,
  withoutNulls,
  type CollectionName,
  type RecordFields,
  type RoundSystem,
} from './round-system.js';

const ROUTE = 'north';
const COLLECTIONS: readonly CollectionName[] = ['patients', 'visits'];
/** Records of the route when a client begins: more than RxDB's batches of 20 and 100, in several pages of ours. */
const VISITS = 130;
export const PAGE_SIZE = 50;
const WITHIN_MS = 20_000;

/** A system, a Postgres, a gateway process in front of them, and a network that can fail. */
export interface RoundWorld {
  readonly system: RoundSystem;
  readonly proxy: FaultProxy;
  /** Every push is sent twice at the same time; the second answer counts. */
  doublesPushes: boolean;
  /** A new installation of a client on the nurse's phone. */
  open(client: ClientUnderTest): Promise<Replica>;
  /**
   * Waits until the replica shows exactly what the system has, and nothing is open in the gateway.
   *
   * @param beforeLooking done after each sync
   */
  untilEqual(replica: Replica, beforeLooking?: () => Promise<void>): Promise<void>;
  /** Syncs again and again, with or without success, until this is so. */
  untilSynced(replica: Replica, fact: string, look: () => Promise<boolean> | boolean): Promise<void>;
  /** Waits until the gateway has seen what the system shows now. */
  untilRead(): Promise<void>;
  /** Changes that the gateway has accepted and not settled, each with what is known of it. */
  openChanges(): Promise<readonly string[]>;
  /** The operator looks at what is parked, and refuses it. */
  refuseParked(): Promise<void>;
  /** `kill -9`, and nobody there until `restart`. */
  kill(): Promise<void>;
  /** @param changed settings of the new process */
  restart(changed?: Readonly<Record<string, string>>): Promise<void>;
  /** All that is not live is forgotten, as after `retentionDays`: older checkpoints start over. */
  expire(): Promise<void>;
  /** Evicts the nurse's phones, as after `retentionDays` of silence: what they pushed is forgotten. */
  evict(): Promise<void>;
  /** Declares that the store came back from a backup: every device starts over. */
  newEpoch(): Promise<void>;
  /**
   * The gateway's store comes back from a backup that was made before `work`. Of what the gateway accepted meanwhile nothing reaches the
   * system, which is there again, and nobody but the devices knows it.
   */
  restore(work: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

export async function openRoundWorld(): Promise<RoundWorld> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-round-'));
  const [postgres, system] = await Promise.all([startTestPostgres(), startRoundSystem()]);
  const store = await openRoundStore(postgres);
  const settings = {
    DATABASE_URL: store.url,
    TIDEGATE_CONFIG: path.join(PROJECT_FOLDER, 'test/clients/round.config.ts'),
    TIDEGATE_DATA: folder,
    ROUND_SOURCE_URL: system.url,
  };
  for (let at = 1; at <= VISITS; at += 1) system.edit('visits', `V-${at}`, firstVisit(at));
  system.edit('patients', 'P-1', { name: 'Ada Nord', route: ROUTE });
  system.edit('visits', 'V-south', { ...firstVisit(0), route: 'south' });
  const start = (changed = {}): Promise<GatewayProcess> =>
    startGatewayProcess(['start'], { ...settings, ...changed }, folder);
  let gateway = await start();
  const proxy = await startFaultProxy(() => gateway.url);
  let opened = 0;

  async function askOffice(query: string, variables: object = {}): Promise<Record<string, unknown>> {
    const answer = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer office', 'tidegate-device': 'office' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await answer.json()) as { data: Record<string, unknown>; errors?: unknown };
    if (errors !== undefined) throw new Error(`the office got ${JSON.stringify(errors)}`);
    return data;
  }

  interface CollectionState {
    readonly state: string;
    readonly lastPolledAt: string | null;
  }

  async function readCollections(): Promise<readonly CollectionState[]> {
    return (await askOffice('{ collections { state lastPolledAt } }'))['collections'] as readonly CollectionState[];
  }

  const untilReady = (): Promise<void> =>
    until('the system is read', async () => (await readCollections()).every(({ state }) => state === 'READY'));

  async function difference(replica: Replica): Promise<string | null> {
    for (const collection of COLLECTIONS) {
      const [theirs, ours] = [system.records(collection, ROUTE), await replica.all(collection)];
      for (const id of new Set([...theirs.keys(), ...ours.keys()])) {
        const [expected, got] = [theirs.get(id), ours.get(id)].map((one) => one && declared(collection, one));
        if (expected !== got) return `${collection} ${id}: expected ${expected ?? 'nothing'}, got ${got ?? 'nothing'}`;
      }
    }
    return null;
  }

  async function send(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
    const isPush = typeof init?.body === 'string' && init.body.includes('mutation');
    if (!world.doublesPushes || !isPush) return fetch(input, init);
    const [, second] = await Promise.all([fetch(input, init), fetch(input, init)]);
    return second;
  }

  const world: RoundWorld = {
    system,
    proxy,
    doublesPushes: false,
    open: (client) =>
      client.open({
        url: `${proxy.url}/graphql`,
        headers: { authorization: 'Bearer nurse' },
        device: `phone-${(opened += 1)}`,
        fetch: send,
        pageSize: PAGE_SIZE,
      }),
    async untilEqual(replica, beforeLooking) {
      let last: string | null = 'nobody looked';
      try {
        await world.untilSynced(replica, 'the replica equals the system', async () => {
          await beforeLooking?.();
          const [open = null] = await world.openChanges();
          last = open ?? (await difference(replica));
          return last === null;
        });
      } catch (thrown) {
        throw new Error(`${String(last)} (${String(thrown)})`, { cause: thrown });
      }
    },
    async untilSynced(replica, fact, look) {
      let fault: unknown = null;
      const sync = async (): Promise<boolean> => {
        fault = await replica.sync().catch((thrown: unknown) => thrown);
        return look();
      };
      try {
        await until(fact, sync, WITHIN_MS);
      } catch (thrown) {
        throw new Error(`${fact}: the last sync ended with ${String(fault)}`, { cause: thrown });
      }
    },
    async untilRead() {
      // The poll that is under way may have read before: the one after it has not.
      for (let polls = 0; polls < 2; polls += 1) {
        const seen = (await readCollections()).map(({ lastPolledAt }) => lastPolledAt);
        await until('there was another poll', async () =>
          (await readCollections()).every(({ lastPolledAt }, at) => lastPolledAt !== seen[at]),
        );
      }
    },
    async openChanges() {
      const { outbox } = await askOffice('{ outbox { changes { id kind state known } } }');
      return (outbox as { readonly changes: readonly object[] }).changes.map((one) => JSON.stringify(one));
    },
    async refuseParked() {
      const { outbox } = await askOffice('{ outbox { changes { intentNo state } } }');
      const { changes } = outbox as {
        readonly changes: readonly { readonly intentNo: string; readonly state: string }[];
      };
      for (const { intentNo, state } of changes)
        if (state === 'PARKED')
          await askOffice('mutation ($no: ID!) { rejectChange(intentNo: $no, reason: "a test") { status } }', {
            no: intentNo,
          });
    },
    async kill() {
      gateway.signal('SIGKILL');
      await untilGone(gateway.pid);
      proxy.cutAll();
    },
    async restart(changed) {
      gateway = await start(changed);
    },
    expire: () => store.query('update tenant set horizon = head'),
    async evict() {
      await store.query("update device set evicted = true where user_id = 'nurse'");
      await store.query(
        "delete from push_change where user_id = 'nurse' and settled_seq is null and status not in ('ACCEPTED', 'PARKED')",
      );
    },
    async newEpoch() {
      const { epoch } = await askOffice('{ epoch }');
      await askOffice('mutation ($from: String!) { newEpoch(from: $from) }', { from: epoch });
      await untilReady();
    },
    async restore(work) {
      await world.kill();
      await store.backUp();
      await world.restart();
      await work();
      await world.kill();
      await store.restore();
      system.isDown = false;
      await world.restart();
      await untilReady();
    },
    async stop() {
      await proxy.close();
      await stopGatewayProcess(gateway);
      await Promise.all([system.stop(), postgres.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await untilReady();
  return world;
}

/** As canonical text. Of patients no time of change is declared. */
function declared(collection: CollectionName, { updatedAt, ...fields }: RecordFields): string {
  return valueText(withoutNulls(collection === 'visits' ? { ...fields, updatedAt } : fields) as Fields);
}

function firstVisit(at: number): Readonly<Record<string, unknown>> {
  return {
    patientId: 'P-1',
    route: ROUTE,
    status: 'planned',
    note: at % 3 === 0 ? null : `key under the mat ${at}`,
    minutes: at % 50,
    price: `${at}.50`,
    plannedAt: new Date(Date.UTC(2026, 4, 1, 8, at)).toISOString(),
    isUrgent: at % 2 === 0,
    vitals: { pulse: 60 + (at % 40), pressure: [120, 80] },
    supplies: ['bandage', `no. ${at}`],
  };
}
