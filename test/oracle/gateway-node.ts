import type { Collection } from '../../src/core/collection.js';
import { SyncError } from '../../src/core/errors.js';
import type { FeedSnapshot } from '../../src/core/feed-port.js';
import type { HashText, Log } from '../../src/core/ports.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { createPoller } from '../../src/ingest/poller.js';
import { createPull, type Pull } from '../../src/pull/pull.js';
import { createPush, type Push } from '../../src/push/push.js';
import { TENANT } from './device.js';
import type { Dice } from './dice.js';
import type { When } from './plan.js';
import type { Simulation } from './simulation.js';
import type { CallGate } from './source-link.js';

const PATIENCE_MS = 2_000;
/** A parent that never comes is waited for so long, and not for a quarter of an hour of every such run. */
const PARENT_PATIENCE_MS = 60_000;
/** The longest that a delayed call of the store takes. */
const STORE_MS = 40;

/** What nodes of one world have in common. */
export interface NodeGround {
  readonly sim: Simulation;
  readonly dice: Dice;
  readonly hash: HashText;
  readonly log: Log;
  readonly noise: { readonly delay: number; readonly storeFault: number; isHealed: boolean };
}

/** Something that is to happen at one of the next calls. */
interface Ambush {
  readonly at: 'store' | 'source';
  readonly what: 'crash' | 'fault';
  readonly when: When;
  calls: number;
}

/**
 * One gateway process: the project's push, pull and ingest on a store whose every call takes time, fails now and then, and is a
 * place to die. A dead process gets no answer any more, so that nothing it would do has an effect.
 */
export class GatewayNode {
  readonly name: string;
  isDead = false;
  /** It stands still until then. */
  pausedUntilMs = 0;
  readonly ambushes: Ambush[] = [];
  push!: Push;
  pull!: Pull;
  private readonly ground: NodeGround;
  private readonly onDeath: () => void;

  constructor(name: string, ground: NodeGround, onDeath: () => void) {
    this.name = name;
    this.ground = ground;
    this.onDeath = onDeath;
  }

  /** @param sourcesOf the sources as this node reaches them */
  async start(
    store: Store,
    collections: readonly Collection[],
    sourcesOf: (gate: CallGate, node: GatewayNode) => readonly SourceCollection[],
    skewMs: number,
  ): Promise<void> {
    const { sim, dice, hash, log } = this.ground;
    const mortal = this.mortal(store);
    const sources = sourcesOf(this.gate('source'), this);
    const clock = sim.clock(() => this.isDead, skewMs);
    const chance = (): number => dice.roll(`${this.name} chance`);
    const ports = { store: mortal, clock, chance, hash, log };
    this.push = createPush(ports, {
      tenant: TENANT,
      sources,
      holder: this.name,
      patienceMs: PATIENCE_MS,
      parentPatienceMs: PARENT_PATIENCE_MS,
    });
    const poller = createPoller(ports, { tenant: TENANT, holder: this.name, sources });
    this.pull = await createPull({
      store: mortal,
      collections,
      readPriming: async (tenant) => {
        const { epoch } = await mortal.readHead(tenant);
        const states = await Promise.all(collections.map(({ name }) => mortal.readCollection(tenant, name)));
        const isPriming = (at: number): boolean => states[at]?.state === 'PRIMING' || states[at]?.scannedAtMs === null;
        const priming = collections.filter((_one, at) => isPriming(at)).map(({ name }) => name);
        return { epoch, priming: new Set(priming) };
      },
      feedWentBack: (tenant, epoch) => mortal.newEpoch(tenant, epoch),
    });
    this.push.start();
    poller.start();
  }

  die(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.onDeath();
  }

  private gate(at: 'store' | 'source'): CallGate {
    return {
      before: () => this.pass(at, 'before', true),
      after: () => this.pass(at, 'after', false),
    };
  }

  /** The way to a call and back; nothing where nothing lies on it, which is cheaper to await than a promise. */
  private pass(at: 'store' | 'source', when: When, isNext: boolean, delay = 0): Promise<void> | undefined {
    const isFree = !this.isDead && delay === 0 && this.ambushes.length === 0;
    if (isFree && this.pausedUntilMs <= this.ground.sim.nowMs()) return undefined;
    return this.slowPass(at, when, isNext, delay);
  }

  private async slowPass(at: 'store' | 'source', when: When, isNext: boolean, delay: number): Promise<void> {
    if (this.isDead) return never();
    const { sim, dice } = this.ground;
    const standsMs = this.pausedUntilMs - sim.nowMs();
    if (standsMs > 0) await sim.wait(standsMs);
    else if (delay > 0) await sim.wait(dice.roll(`${this.name} time`) * STORE_MS);
    let fault = false;
    for (const ambush of this.ambushes) {
      if (ambush.at !== at) continue;
      if (isNext) ambush.calls -= 1;
      if (ambush.calls >= 0 || ambush.when !== when) continue;
      this.ambushes.splice(this.ambushes.indexOf(ambush), 1);
      if (ambush.what === 'crash') this.die();
      else fault = true;
      break;
    }
    if (this.isDead) return never();
    if (fault) throw new SyncError('UNAVAILABLE', 'the store does not answer');
  }

  private mortal(store: Store): Store {
    const { dice, noise } = this.ground;
    const wrapped = Object.entries(store).map(([method, call]) => {
      if (method === 'onAdvance') return [method, call];
      const [slowly, faulty] = [`${this.name} ${method} slow`, `${this.name} ${method} fault`];
      const mortalCall = async (...values: unknown[]): Promise<unknown> => {
        const luck = noise.isHealed ? 1 : dice.roll(slowly);
        const fault = noise.storeFault > 0 && !noise.isHealed ? dice.roll(faulty) : 1;
        await this.pass('store', 'before', true, luck < noise.delay / 2 ? 1 : 0);
        if (fault < noise.storeFault / 2) throw new SyncError('UNAVAILABLE', 'the store does not answer');
        const given = method === 'snapshot' ? [values[0], this.slowReader(values[1] as Read)] : values;
        const answer = await (call as (...all: unknown[]) => Promise<unknown>)(...given);
        await this.pass('store', 'after', false, luck > noise.delay / 2 && luck < noise.delay ? 1 : 0);
        if (fault < noise.storeFault) throw new SyncError('UNAVAILABLE', 'the answer of the store is lost');
        return answer;
      };
      return [method, mortalCall];
    });
    return Object.fromEntries(wrapped) as Store;
  }

  /** A page is read while others write. */
  private slowReader(read: Read): Read {
    const { sim, dice, noise } = this.ground;
    return async (snapshot) => {
      if (!noise.isHealed && dice.roll(`${this.name} reader`) < noise.delay)
        await sim.wait(dice.roll(`${this.name} time`) * STORE_MS);
      return this.isDead ? never() : read(snapshot);
    };
  }
}

type Read = (snapshot: FeedSnapshot) => Promise<unknown>;

function never(): Promise<never> {
  return new Promise(() => undefined);
}
