import { hash } from 'node:crypto';
import type { Fields, RecordId } from '../../src/core/change.js';
import type { Collection } from '../../src/core/collection.js';
import type { Log } from '../../src/core/ports.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { Device, SOUND_RULES, TENANT, type DeviceRules, type WatchedDevice } from './device.js';
import { declaredCollection } from './declared-collection.js';
import { createDice, type Dice } from './dice.js';
import { GatewayNode, type NodeGround } from './gateway-node.js';
import { Judge } from './judge.js';
import { LocalChange } from './local-change.js';
import { Network } from './network.js';
import type { CollectionPlan, Plan } from './plan.js';
import { SdkDevice, type SdkFaults } from './sdk-device.js';
import { Simulation } from './simulation.js';
import { createSourceLink, SourceWeather } from './source-link.js';
import { ToySystem, type Row } from './toy-system.js';
import { watchedStore } from './watched-store.js';

/** The row of each collection that nobody deletes: the last word of a list that is otherwise empty. */
export const ANCHOR = 'anchor';
/** The clocks of the two nodes are off by so much. */
const SKEWS_MS = [-120, 180];
const RESTART_MS = 1_500;

/** A planted fault: what it puts between the parts of the world. */
export interface Mutation {
  /** What a node's store does instead. */
  readonly store?: (real: Store, world: World, node: string) => Partial<Store>;
  /** What a source as nodes reach it does instead. */
  readonly source?: (real: SourceCollection, world: World, node: string) => Partial<SourceCollection>;
  readonly device?: Partial<DeviceRules>;
  /** What the client does instead, on devices that it makes. */
  readonly sdk?: SdkFaults;
}

/** What a run may be given besides its plan. */
export interface RunOptions {
  readonly mutation?: Mutation;
  /** Keeps what happened, for reading. */
  readonly isTraced?: boolean;
  /** Devices are what the client makes them, not the simulated ones. */
  readonly isSdk?: boolean;
  /** The store to run on. Absent: a new one in memory. */
  readonly storeOf?: (sim: Simulation) => Store;
}

/** Everything of one run: system, store, nodes, network, devices, and the judge who watches them. */
export class World {
  readonly plan: Plan;
  readonly sim = new Simulation();
  readonly dice: Dice;
  /** The store behind every node, as the judge reads it. */
  readonly store: Store;
  readonly systems = new Map<string, ToySystem>();
  readonly weathers = new Map<string, SourceWeather>();
  readonly collections: readonly Collection[];
  readonly nodes: GatewayNode[] = [];
  readonly devices: readonly WatchedDevice[];
  readonly network: Network;
  readonly judge: Judge;
  /** What happened, in order; null: nobody reads it. */
  readonly trace: string[] | null;
  /** What planted faults write down. */
  readonly notes = new Map<string, number>();
  private readonly ground: NodeGround;
  private readonly mutation: Mutation;
  /** Null: the store is a real one. */
  private readonly memory: MemoryStore | null;
  private backup: ReturnType<MemoryStore['backup']> | null = null;
  private lives = 0;
  private values = 0;

  constructor(plan: Plan, { mutation = {}, isTraced = false, isSdk = false, storeOf }: RunOptions = {}) {
    this.plan = plan;
    this.mutation = mutation;
    this.trace = isTraced ? [] : null;
    this.dice = createDice(plan.seed ^ 0x5bd1e995);
    this.memory = storeOf ? null : createMemoryStore({ clock: this.sim.clock(), chance: seededChance(plan.seed) });
    this.store = storeOf?.(this.sim) ?? (this.memory as MemoryStore);
    this.ground = {
      sim: this.sim,
      dice: this.dice,
      hash: hashText,
      log: this.log(),
      noise: { delay: plan.noise.delay, storeFault: plan.noise.storeFault, isHealed: true },
    };
    this.collections = plan.collections.map((one) => declaredCollection(one, plan));
    this.judge = new Judge({
      plans: new Map(plan.collections.map((one) => [one.name, one])),
      idempotencyKeyOf: (change) =>
        hashText(JSON.stringify([TENANT, userOf(change.device), change.device, change.changeId])),
      rowOf: (collection, key) => {
        const row = this.systems.get(collection)?.rows.get(key);
        return row === undefined || row.isFlagged ? null : row.fields;
      },
      hadKey: (collection, key) => this.systems.get(collection)?.hadKey(key) ?? false,
      recordOf: (change) => {
        const isIt = (row: Row): boolean =>
          row.key === change.id.replace(/~\d+$/, '') || this.judge.changeOfKey(row.madeBy)?.id === change.id;
        return this.systems.get(change.collection)?.alive().find(isIt)?.fields ?? null;
      },
      epoch: async () => (await this.store.readHead(TENANT)).epoch,
      knownIds: async (device, changeIds) => {
        const key = { tenant: TENANT, user: userOf(device.name), device: device.name };
        const { known } = await this.store.readChanges(key, changeIds);
        return new Set(known.map((one) => one.changeId));
      },
    });
    for (const one of plan.collections) this.openSystem(one);
    this.network = new Network({
      sim: this.sim,
      dice: this.dice,
      nodes: () => this.nodes.filter((node) => !node.isDead),
      told: (device, batch, results, epoch) => {
        this.tell(() => `${device.name} is told ${results.map((one) => `${one.changeId} ${one.status}`).join(', ')}`);
        void this.judge.told(device, batch, results, epoch);
      },
    });
    this.devices = Array.from({ length: plan.devices }, (_one, at) => {
      const witness = {
        applied: (...what: Parameters<Judge['applied']>) => {
          const [device, page, changes] = what;
          this.tell(() => {
            const rows = changes.map(
              (one) => `${one.kind} ${one.collection} ${one.id} ${one.version} ${JSON.stringify(one.json)}`,
            );
            const receipts = page.receipts.map((one) => `${one.changeId} ${one.status}`);
            const flags = [page.reset ? 'reset' : '', page.hasMore ? 'more' : '', page.complete ? 'complete' : ''].join(
              ' ',
            );
            return `${device.name} gets ${[...rows, ...receipts].join(', ') || 'nothing'} (${flags.trim()})`;
          });
          this.judge.applied(...what);
        },
        shows: (device: WatchedDevice) => this.judge.shows(device),
      };
      if (isSdk) return new SdkDevice(`d${at}`, witness, this, mutation.sdk);
      return new Device(`d${at}`, witness, { ...SOUND_RULES, ...mutation.device });
    });
  }

  /** Tells the trace, if there is one. */
  tell(what: () => string): void {
    this.trace?.push(`${(this.sim.elapsed / 1_000).toFixed(3)} ${what()}`);
  }

  isAlive(node: string): boolean {
    return this.nodes.some((one) => one.name === node && !one.isDead);
  }

  /** How far a node's clock is off. */
  skewOf(node: string): number {
    return SKEWS_MS[node.startsWith('node 1') ? 0 : 1] ?? 0;
  }

  system(collection: number): ToySystem {
    return this.systems.get(
      this.plan.collections[collection % this.plan.collections.length]?.name as string,
    ) as ToySystem;
  }

  /** The source knows some records, the nodes run, and every device has pulled. */
  async open(): Promise<void> {
    await this.store.openTenant(TENANT);
    for (const system of this.systems.values()) {
      const patientOf = (patient: string): Fields =>
        this.plan.via === true && system.plan.name === 'visits' ? { patient } : {};
      this.officePut(system, ANCHOR, { ...this.officeFields(), route: 'c', ...patientOf(ANCHOR) });
      for (const n of [1, 2, 3]) {
        const route = 'abb'[n - 1] as string;
        this.officePut(system, `O-${n}`, { ...this.officeFields(), route, ...patientOf(`O-${n}`) });
      }
    }
    for (const at of [0, 1]) this.watch(this.startNode(at));
    const isReady = async (name: string): Promise<boolean> =>
      (await this.store.readCollection(TENANT, name)).state === 'READY';
    for (const { name } of this.collections)
      while (this.judge.breach === null && !(await isReady(name))) await this.pass(100);
    for (const device of this.devices) await this.settlesDown(this.network.pull(device, 100));
    this.ground.noise.isHealed = false;
    this.network.loss = this.plan.noise.loss;
    for (const weather of this.weathers.values()) weather.noise = this.plan.noise.trouble;
  }

  /** Lets time pass until a piece of work is done. */
  private async settlesDown(work: Promise<void>): Promise<void> {
    let isDone = false;
    this.watch(work.then(() => void (isDone = true)));
    while (!isDone && this.judge.breach === null) await this.pass(200);
  }

  /** Work of which nobody waits for the end; what it throws is a breach. */
  watch(work: Promise<unknown>): void {
    work.catch((thrown: unknown) => this.judge.fail(faultText(thrown)));
  }

  pass(ms: number): Promise<void> {
    return this.sim.pass(ms, () => this.judge.breach !== null);
  }

  /** Writes on their way to a source, also those for which nobody waits any more. */
  hasRequestsUnderWay(): boolean {
    return [...this.weathers.values()].some((weather) => weather.underWay > 0);
  }

  heal(): void {
    this.ground.noise.isHealed = true;
    this.network.loss = 0;
    for (const weather of this.weathers.values()) weather.heal();
    for (const node of this.nodes) {
      node.ambushes.length = 0;
      node.pausedUntilMs = 0;
    }
  }

  /** Real stores are not put back here: that is what the tests of restoring do. */
  keepBackup(): void {
    this.backup = this.memory?.backup() ?? null;
  }

  /** The operator puts yesterday's copy back, and says so: every process starts anew in a new epoch (F5). */
  async restore(): Promise<void> {
    if (this.backup === null || this.memory === null) return;
    this.tell(() => 'the store is put back');
    this.judge.isRestored = true;
    for (const node of this.nodes) node.die();
    for (const device of this.devices) this.network.hangUp(device);
    this.memory.restore(this.backup);
    const { epoch } = await this.store.readHead(TENANT);
    await this.store.newEpoch(TENANT, epoch);
  }

  officeFields(): Fields {
    const n = ++this.values;
    return { note: `office.${n}`, mark: `office.${n}!` };
  }

  officePut(system: ToySystem, key: string, fields: Fields): void {
    this.judge.officeWrote(fields);
    system.put(key, fields);
    this.tell(() => `office: ${system.plan.name} ${key} ${JSON.stringify(fields)}`);
  }

  /** An edit as the app makes it. */
  edit(
    device: WatchedDevice,
    name: { readonly collection: string; readonly id: RecordId },
    edit: Pick<LocalChange, 'kind' | 'fields' | 'isCreate'>,
  ): Promise<void> {
    const key = `${name.collection} ${name.id}`;
    const n = ++this.values;
    const change = new LocalChange({
      ...name,
      ...edit,
      fields: Object.fromEntries(
        Object.entries(edit.fields).map(([field, value]) => [
          field,
          field === 'route' || field === 'patient' ? value : `${device.name}.${n}${field === 'mark' ? '!' : ''}`,
        ]),
      ),
      changeId: `${device.name}-${n}`,
      device: device.name,
      baseVersion: device.rows.get(key)?.version ?? null,
      changedAtMs: Math.floor(this.sim.nowMs()),
      seen: new Map(['note', 'mark'].map((field) => [field, new Set(device.seen.get(`${key} ${field}`))])),
    });
    this.judge.made(change);
    this.tell(() => `${device.name} edits: ${change} from ${change.baseVersion}`);
    return device.edit(change);
  }

  newId(): RecordId {
    return `00000000-0000-4000-8000-${String(++this.values).padStart(12, '0')}` as RecordId;
  }

  private openSystem(plan: CollectionPlan): void {
    const system = new ToySystem(plan, this.plan.references && plan.name === 'visits', () => this.sim.nowMs());
    system.onEffect = (effect) => {
      this.tell(() => `source: ${effect.kind} ${effect.collection} ${effect.key} ${JSON.stringify(effect.sent)}`);
      this.judge.effect(effect);
    };
    this.systems.set(plan.name, system);
    this.weathers.set(plan.name, new SourceWeather());
  }

  private async startNode(at: number): Promise<void> {
    const name = `node ${at + 1}.${++this.lives}`;
    const node = new GatewayNode(name, this.ground, () => {
      this.tell(() => `${name} dies`);
      this.sim.after(RESTART_MS, () => this.watch(this.startNode(at)));
    });
    const watched = watchedStore(this, name);
    const store = { ...watched, ...this.mutation.store?.(watched, this, name) };
    const started = node.start(
      store,
      this.collections,
      (gate) =>
        this.collections.map((collection) => {
          const system = this.systems.get(collection.name) as ToySystem;
          const weather = this.weathers.get(collection.name) as SourceWeather;
          const link = createSourceLink(system, collection, {
            sim: this.sim,
            dice: this.dice,
            weather,
            gate,
            name: `${name} ${collection.name}`,
          });
          return { ...link, ...this.mutation.source?.(link, this, name) };
        }),
      SKEWS_MS[at] ?? 0,
    );
    try {
      await started;
    } catch (thrown) {
      this.tell(() => `${name} cannot start: ${String(thrown)}`);
      return node.die();
    }
    this.nodes[at] = node;
    this.tell(() => `${name} runs`);
  }

  private log(): Log {
    const say =
      (level: string) =>
      (what: string, details: Readonly<Record<string, unknown>> = {}): void =>
        this.tell(() => `  ${level}: ${what} ${JSON.stringify(details)}`);
    return { debug: () => undefined, info: say('info'), warn: say('warn'), error: say('error') };
  }
}

export function hashText(text: string): string {
  return hash('sha1', text);
}

function userOf(device: string): string {
  return `user of ${device}`;
}

function faultText(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause === undefined ? '' : `\ncaused by ${faultText(thrown.cause)}`;
  return `${thrown.stack ?? thrown.message}${cause}`;
}
