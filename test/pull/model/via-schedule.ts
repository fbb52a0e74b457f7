import type { Collection } from '../../../src/core/collection.js';
import type { RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import type { RecordWrite } from '../../../src/core/record-port.js';
import type { ScopeGrant, Session } from '../../../src/core/session.js';
import { fullShape } from '../../../src/core/shape.js';
import type { Store } from '../../../src/core/store-port.js';
import type { createPull, Pull } from '../../../src/pull/pull.js';
import { seededChance } from '../../support/seeded-chance.js';
import { priming } from '../priming.js';
import { changesOf, DeviceModel } from './device-model.js';
import { Divergence } from './schedule.js';

/** Each collection after the first has its scopes from the one before it. */
const CHAIN = ['patients', 'visits', 'notes'];
const OF_EACH = 5;
const SCOPES = ['a', 'b', 'c'];
const SHAPE = fullShape(CHAIN);
const STEPS = 60;
const MOST_PAGES = 300;

/** What a schedule runs on. */
interface Ground {
  readonly store: Store;
  readonly createPull: typeof createPull;
  readonly nowMs: () => number;
  readonly tick: () => void;
}

interface TrueRecord {
  readonly scopes: readonly string[];
  /** The id of the record whose scopes it has, which may not be there; null: `scopes`. */
  readonly parent: string | null;
  readonly text: string;
  readonly deleted: boolean;
}

/**
 * Runs one schedule in which parents move among scopes, children among parents, and either comes before the other, goes and comes back,
 * one by one or many in one commit, while devices of changing grants pull small pages and lose some.
 *
 * @throws Divergence - with the seed and the steps: a device was sent, or still has, what it may not see, or misses what it may
 */
export async function runViaSchedule(ground: Ground, seed: number): Promise<void> {
  const { store, nowMs, tick } = ground;
  const chance = seededChance(seed);
  const tenant = `clinic-via-${seed}-${nowMs()}`;
  const truth = new Map<string, TrueRecord>();
  const devices = [new DeviceModel('tablet'), new DeviceModel('phone')];
  const trace: string[] = [];
  const times: number[] = [];
  let made = 0;

  const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T;
  const someScopes = (): readonly string[] => SCOPES.filter(() => chance() < 0.4);
  const scopesOf = (key: string): readonly string[] => {
    const record = truth.get(key);
    if (record === undefined || record.deleted) return [];
    return record.parent === null ? record.scopes : scopesOf(record.parent);
  };
  const visible = (grant: ScopeGrant): ReadonlyMap<string, string> =>
    new Map(
      [...truth]
        .filter(([key]) => scopesOf(key).some((scope) => grant.kind === 'every' || grant.scopes.includes(scope)))
        .map(([key, { text }]) => [key, text]),
    );

  /** One record as its source has it now: of the first collection with scopes, of others with a parent, there or not. */
  function next(key: string): TrueRecord {
    const before = truth.get(key);
    const text = `{"v":${made++}}`;
    if (before !== undefined && chance() < 0.2) return { ...before, text, deleted: !before.deleted };
    if (before !== undefined && chance() < 0.2) return { ...before, text };
    const at = CHAIN.indexOf(collectionOf(key));
    const parent = at === 0 ? null : `${CHAIN[at - 1]} ${Math.floor(chance() * OF_EACH)}`;
    return { scopes: at === 0 ? someScopes() : [], parent, text, deleted: false };
  }

  async function write(): Promise<void> {
    const all = CHAIN.flatMap((name) => Array.from({ length: OF_EACH }, (_, no) => `${name} ${no}`));
    const keys = new Set(Array.from({ length: chance() < 0.6 ? 1 : 4 }, () => pick(all)));
    const states = [...keys].map((key) => [key, next(key)] as const);
    const names = states.map(([key]) => ({ collection: collectionOf(key), id: idOf(key) as RecordId }));
    const views = await store.readRecords(tenant, names);
    const outcomes = await store.commit(
      tenant,
      states.map(([key, { scopes, parent, text, deleted }], at): RecordWrite => {
        const { seq = 0 as Seq, mark = 0 } = views[at] ?? {};
        const next = {
          sourceKey: idOf(key) as SourceKey,
          deleted,
          body: text,
          vis: null,
          pending: false,
          sourceVersion: null,
          hash: text,
          scopes: deleted ? [] : scopes,
          via: deleted || parent === null ? null : (`k ${parent}` as `k ${string} ${SourceKey}`),
          throughUs: false,
        };
        return { collection: collectionOf(key), id: idOf(key) as RecordId, expected: { seq, mark }, next };
      }),
    );
    if (outcomes.some(({ kind }) => kind !== 'written'))
      throw new Error(`expected writes, got ${JSON.stringify(outcomes)}`);
    for (const [key, state] of states) truth.set(key, state);
    trace.push(states.map(([key, state]) => `${key} = ${JSON.stringify(state)}`).join('; '));
  }

  function compare(device: DeviceModel): void {
    const expected = visible(device.grant);
    for (const [key, { text }] of device.held) {
      if (!expected.has(key)) throw new Error(`R4: ${device.name} keeps ${key}, which it may not see`);
      if (expected.get(key) !== text) throw new Error(`R1: ${device.name} has ${key} in an old state`);
    }
    for (const key of expected.keys()) if (!device.held.has(key)) throw new Error(`R1: ${device.name} misses ${key}`);
  }

  async function turn(pull: Pull, device: DeviceModel, isLost: boolean): Promise<boolean> {
    const session: Session = { tenant, user: device.name, device: device.name, grant: device.grant };
    const page = await pull(session, {
      since: device.checkpoint,
      collections: null,
      limit: 1 + Math.floor(chance() * 4),
      shape: SHAPE,
    });
    const expected = visible(device.grant);
    const changes = changesOf(page);
    trace.push(
      `${device.name} ${JSON.stringify(device.grant)}: ${changes.map(({ kind, collection, id }) => `${kind} ${collection} ${id}`).join(', ')}${page.complete ? ' complete' : ''}`,
    );
    for (const { kind, collection, id, json } of changes) {
      const key = `${collection} ${id}`;
      if (kind === 'UPSERT' && expected.get(key) !== JSON.stringify(json))
        throw new Error(`R4: ${key} is sent to who may not see it, or in an old state`);
      if (kind === 'DELETE' && truth.get(key)?.deleted !== true) throw new Error(`R4: DELETE of ${key}, which lives`);
    }
    if (isLost) return false;
    device.apply(page);
    if (page.complete) compare(device);
    return page.complete;
  }

  try {
    await store.openTenant(tenant);
    const pull = await ground.createPull({
      store,
      collections: CHAIN.map(collectionNamed),
      readPriming: priming(store),
    });
    for (let step = 0; step < STEPS; step++) {
      tick();
      times.push(nowMs());
      const roll = chance();
      const device = pick(devices);
      if (roll < 0.55) await write();
      else if (roll < 0.65) device.grant = { kind: 'listed', scopes: someScopes() };
      else if (roll < 0.67) await store.purge(tenant, pick(times.slice(-12)));
      else await turn(pull, device, chance() < 0.15);
    }
    for (const device of devices) {
      for (let pages = 0; !(await turn(pull, device, false)); pages++)
        if (pages > MOST_PAGES) throw new Error(`${device.name}: endless pages`);
    }
  } catch (thrown) {
    const what = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Divergence(`seed ${seed}: ${what}\n${trace.join('\n')}`, { cause: thrown });
  }
}

function collectionOf(key: string): string {
  return key.slice(0, key.indexOf(' '));
}

function idOf(key: string): string {
  return key.slice(key.indexOf(' ') + 1);
}

function collectionNamed(name: string): Collection {
  return {
    name,
    type: name,
    source: 'clinic',
    fields: [],
    policy: 'mergeFields',
    writes: { create: false, update: false, delete: false },
    scopesOf: () => [],
  };
}
