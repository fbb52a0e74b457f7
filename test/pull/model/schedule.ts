import type { Collection } from '../../../src/core/collection.js';
import type { SyncError } from '../../../src/core/errors.js';
import type { FeedReader } from '../../../src/core/feed-port.js';
import type { ScopeGrant, Session } from '../../../src/core/session.js';
import { fullShape } from '../../../src/core/shape.js';
import type { Store } from '../../../src/core/store-port.js';
import type { createPull, Pull, PullPage } from '../../../src/pull/pull.js';
import type { MemoryStore } from '../../support/memory-store/memory-store.js';
import { seededChance } from '../../support/seeded-chance.js';
import { priming } from '../priming.js';
import { changesOf, DeviceModel, seqOf } from './device-model.js';
import { SourceTruth, type TrueReceipt, type TrueRecord } from './source-truth.js';

const SCOPES = ['a', 'b', 'c'];
const COLLECTIONS = ['patients', 'visits'];
const CONFIGURATIONS = [['patients'], ['visits'], COLLECTIONS];
const SHAPE = fullShape(COLLECTIONS);
const STEPS = 60;
/** Rounds and resets that a healed device may need; more is endless. */
const MOST_PAGES = 500;
const MOST_RESETS = 2;

/** What a schedule runs on. Only a store in memory is restored from backups; others get a new epoch in place of that. */
export interface ScheduleGround {
  readonly store: Store;
  readonly memory: MemoryStore | null;
  readonly createPull: typeof createPull;
  readonly nowMs: () => number;
  /** Lets time pass between steps. */
  readonly tick: () => void;
  /** What pull reads from, when it is not the store itself (planted faults). */
  readonly reader?: (schedule: ScheduleView) => FeedReader;
}

/** What planted faults may look at. */
export interface ScheduleView {
  readonly truth: SourceTruth;
  /** The session that is pulling now. */
  session(): Session;
}

/** What makes a schedule fail: the first thing that a device can see to be wrong. */
export class Divergence extends Error {}

/**
 * Runs one schedule of devices that pull while records, scopes, grants, lists, configuration, retention and epochs change;
 * then heals everything and compares every device with what is visible to it.
 *
 * @throws Divergence - with the seed and the steps
 */
export async function runSchedule(ground: ScheduleGround, seed: number): Promise<void> {
  const schedule = new Schedule(ground, seed);
  try {
    await schedule.open();
    for (let step = 0; step < STEPS; step++) await schedule.step();
    await schedule.heal();
  } catch (thrown) {
    const what = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Divergence(`seed ${seed}: ${what}\n${schedule.trace.join('\n')}`, { cause: thrown });
  }
}

interface Backup {
  readonly store: ReturnType<MemoryStore['backup']>;
  readonly records: ReadonlyMap<string, TrueRecord>;
  readonly receipts: readonly TrueReceipt[];
}

class Schedule implements ScheduleView {
  readonly trace: string[] = [];
  readonly truth: SourceTruth;
  private readonly chance: () => number;
  private readonly tenant: string;
  private readonly devices = [new DeviceModel('tablet'), new DeviceModel('phone')];
  private readonly pulls = new Map<string, Pull>();
  private readonly times: number[] = [];
  private configured: readonly string[] = COLLECTIONS;
  private backup: Backup | null = null;
  private asking: Session;
  private readonly ground: ScheduleGround;

  constructor(ground: ScheduleGround, seed: number) {
    this.ground = ground;
    this.chance = seededChance(seed);
    this.tenant = `clinic-${seed}-${ground.nowMs()}`;
    this.truth = new SourceTruth(ground.store, this.tenant);
    this.asking = this.sessionOf(this.devices[0] as DeviceModel);
  }

  session(): Session {
    return this.asking;
  }

  async open(): Promise<void> {
    await this.ground.store.openTenant(this.tenant);
    const store = this.ground.reader?.(this) ?? this.ground.store;
    for (const names of CONFIGURATIONS) {
      const collections = names.map(collectionNamed);
      const pull = await this.ground.createPull({ store, collections, readPriming: priming(store) });
      this.pulls.set(names.join(), pull);
    }
  }

  async step(): Promise<void> {
    const { chance, truth } = this;
    this.ground.tick();
    this.times.push(this.ground.nowMs());
    const roll = chance();
    const device = this.pick(this.devices);
    const record = this.pick([...truth.records.values()]);
    const alive = record !== undefined && !record.deleted ? record : undefined;
    if (device === undefined) return;
    if (roll < 0.17) await truth.create(this.pick(COLLECTIONS) as string, this.someScopes());
    else if (roll < 0.4) await (alive && truth.change(alive, chance() < 0.5 ? alive.scopes : this.someScopes()));
    else if (roll < 0.47) await (alive && truth.remove(alive));
    else if (roll < 0.48) await (record && truth.change(record, this.someScopes()));
    else if (roll < 0.52) await (alive && truth.settle(device.name, alive, chance() < 0.7));
    else if (roll < 0.6) device.grant = this.someGrant();
    else if (roll < 0.62) this.configured = this.pick(CONFIGURATIONS) ?? COLLECTIONS;
    else if (roll < 0.635) await this.askOtherwise(device);
    else if (roll < 0.67) await this.purge();
    else if (roll < 0.68) this.takeBackup();
    else if (roll < 0.69) await this.restore();
    else await this.pull(device, chance() < 0.1 ? 10 : 1 + Math.floor(chance() * 3), chance() < 0.15);
    if (roll < 0.69)
      this.trace.push(
        `${roll.toFixed(3)} ${device.name} ${JSON.stringify(device.grant)} ${this.configured.join()} ${record?.id}`,
      );
  }

  /** Everything stays as it is now: every device must come to hold exactly what it may see. */
  async heal(): Promise<void> {
    this.configured = COLLECTIONS;
    for (const device of this.devices) {
      device.resets = 0;
      for (let pages = 0, complete = false; !complete; pages++) {
        const page = await this.pull(device, 1 + Math.floor(this.chance() * 3), false);
        complete = page?.complete ?? true;
        if (pages > MOST_PAGES) throw new Error(`${device.name}: endless pages`);
        if (device.resets > MOST_RESETS) throw new Error(`${device.name}: endless resets`);
      }
      this.compare(device);
      const { horizon } = await this.ground.store.readHead(this.tenant);
      const untold = this.truth.receipts.filter(
        (receipt) => receipt.device === device.name && receipt.seq > horizon && !device.receipts.has(receipt.changeId),
      );
      if (untold.length > 0) throw new Error(`F10: ${device.name} was never told of ${untold[0]?.changeId}`);
    }
  }

  private async pull(device: DeviceModel, limit: number, replyLost: boolean): Promise<PullPage | null> {
    this.asking = this.sessionOf(device);
    const turn = this.pulls.get(this.configured.join()) as Pull;
    const { checkpoint: since, asks: collections } = device;
    const names = collections ?? this.configured;
    if (!names.every((name) => this.configured.includes(name))) return null;
    const page = await turn(this.asking, { since, collections, limit, shape: SHAPE });
    const changes = changesOf(page);
    const said = changes.map((change) => `${change.kind[0]}${change.id}@${seqOf(change.version)}`).join();
    this.trace.push(
      `pull ${device.name} limit ${limit}${replyLost ? ' lost' : ''} ${JSON.stringify(device.grant)} of ${names.join()}: ${said} ` +
        `${page.hasMore ? 'more' : 'end'}${page.complete ? ' complete' : ''}${page.reset ? ' reset' : ''}`,
    );
    this.judge(page, device, names, limit);
    if (replyLost) return page;
    device.apply(page);
    for (const { seq, changeId } of page.receipts) {
      const { key, inEffect } = this.truth.receipts.find((one) => one.changeId === changeId) as TrueReceipt;
      const held = device.held.get(key);
      // A record that moved on since comes in its newer state, further on in the feed.
      const isLatest = this.truth.records.get(key)?.seq === seq;
      if (inEffect && isLatest && held !== undefined && !device.isStale(key) && held.seq < seq) {
        throw new Error(`F10: the receipt of ${changeId} came before its effect on ${key}`);
      }
    }
    if (page.complete) this.compare(device);
    return page;
  }

  /** What must be true of every page, applied or not. */
  private judge(page: PullPage, device: DeviceModel, names: readonly string[], limit: number): void {
    const changes = changesOf(page);
    if (changes.length !== page.count) throw new Error(`expected ${page.count} changes, got ${changes.length}`);
    if (page.count > limit) throw new Error(`R1: ${page.count} changes in a page of ${limit}`);
    if (page.complete && page.hasMore) throw new Error('R2: a page is complete, but has more');
    const visible = this.truth.visible(device.grant, names);
    for (const { kind, collection, id, json } of changes) {
      const key = `${collection} ${id}`;
      const text = visible.get(key);
      if (kind === 'UPSERT' && text === undefined) throw new Error(`R4: ${key} is sent to who may not see it`);
      if (kind === 'UPSERT' && JSON.stringify(json) !== text) throw new Error(`R1: ${key} is not in its latest state`);
      if (kind !== 'UPSERT' && json !== null) throw new Error(`R4: ${kind} of ${key} shows its fields`);
      if (kind !== 'UPSERT' && (kind === 'REVOKE') !== this.truth.isAlive(collection, id)) {
        throw new Error(`R4: ${kind} of ${key}, which ${kind === 'REVOKE' ? 'is gone' : 'lives'}`);
      }
    }
  }

  private compare(device: DeviceModel): void {
    const names = device.asks ?? this.configured;
    const visible = this.truth.visible(device.grant, names);
    for (const [key, { text }] of device.held) {
      const expected = visible.get(key);
      if (expected === undefined) throw new Error(`${device.name} keeps ${key}, which it may not see`);
      if (expected !== text) throw new Error(`${device.name} has ${key} in an old state`);
    }
    for (const key of visible.keys()) if (!device.held.has(key)) throw new Error(`${device.name} misses ${key}`);
  }

  private async askOtherwise(device: DeviceModel): Promise<void> {
    const asks = this.pick([null, ['visits'], ['patients', 'visits']]) ?? null;
    const before = device.asks;
    if (device.checkpoint !== null && JSON.stringify(asks) !== JSON.stringify(before)) {
      const turn = this.pulls.get(COLLECTIONS.join()) as Pull;
      const request = { since: device.checkpoint, collections: asks, limit: 1, shape: SHAPE };
      const code = await turn(this.sessionOf(device), request).then(
        () => 'a page',
        (thrown: unknown) => (thrown as Partial<SyncError>).code ?? String(thrown),
      );
      if (code !== 'CHECKPOINT_COLLECTIONS') throw new Error(`R3: another list got ${code}`);
      device.forget(asks);
    }
  }

  private async purge(): Promise<void> {
    const recent = this.times.slice(-12);
    await this.ground.store.purge(this.tenant, this.pick(recent) ?? 0);
  }

  private takeBackup(): void {
    const { truth } = this;
    if (this.ground.memory === null) return;
    this.backup = { store: this.ground.memory.backup(), records: new Map(truth.records), receipts: truth.receipts };
  }

  private async restore(): Promise<void> {
    const { memory, store } = this.ground;
    if (memory !== null && this.backup === null) return;
    if (memory !== null && this.backup !== null) {
      memory.restore(this.backup.store);
      this.truth.records = new Map(this.backup.records);
      this.truth.receipts = this.backup.receipts;
    }
    const { epoch } = await store.readHead(this.tenant);
    await store.newEpoch(this.tenant, epoch);
  }

  private sessionOf(device: DeviceModel): Session {
    return { tenant: this.tenant, user: device.name, device: device.name, grant: device.grant };
  }

  private someScopes(): readonly string[] {
    return SCOPES.filter(() => this.chance() < 0.4);
  }

  private someGrant(): ScopeGrant {
    return this.chance() < 0.1 ? { kind: 'every' } : { kind: 'listed', scopes: this.someScopes() };
  }

  private pick<T>(from: readonly T[]): T | undefined {
    return from[Math.floor(this.chance() * from.length)];
  }
}

function collectionNamed(name: string): Collection {
  return {
    name,
    type: name,
    source: 'clinic',
    fields: [],
    policy: 'mergeFields',
    writes: { create: true, update: true, delete: true },
    scopesOf: () => [],
  };
}
