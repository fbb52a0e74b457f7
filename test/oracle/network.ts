import { fullShape } from '../../src/core/shape.js';
import type { PushResult } from '../../src/push/pushed-change.js';
import { Device, MOST_PAGES, type WatchedDevice } from './device.js';
import type { Dice } from './dice.js';
import type { GatewayNode } from './gateway-node.js';
import type { LocalChange } from './local-change.js';
import { SdkDevice } from './sdk-device.js';
import type { Simulation } from './simulation.js';

const SHAPE = fullShape(['patients', 'visits']);
/** A device waits so long for an answer, then it takes the request for lost. */
const TIMEOUT_MS = 6_000;
/** The longest way of a request that is not lost, and of one that is late. */
const WAY_MS = 60;
const LATE_MS = 5_000;

/** What a device was told by a node, in the turn in which it was. */
export type Told = (
  device: WatchedDevice,
  batch: readonly LocalChange[],
  results: readonly PushResult[],
  epoch: string | null,
) => void;

/** The way between devices and nodes: loses requests and answers, delivers some twice and some late. */
export class Network {
  /** Parts of requests that meet a fault; 0 while all is well. */
  loss = 0;
  private readonly pushing = new Set<WatchedDevice>();
  private readonly pulling = new Set<WatchedDevice>();
  private readonly cutUntilMs = new Map<WatchedDevice, number>();
  /** Moves when everything under way is lost: nodes and devices that start anew. */
  private readonly generations = new Map<WatchedDevice, number>();
  private readonly sim: Simulation;
  private readonly dice: Dice;
  private readonly nodes: () => readonly GatewayNode[];
  private readonly told: Told;

  constructor(parts: {
    readonly sim: Simulation;
    readonly dice: Dice;
    /** Those that are alive. */
    readonly nodes: () => readonly GatewayNode[];
    readonly told: Told;
  }) {
    this.sim = parts.sim;
    this.dice = parts.dice;
    this.nodes = parts.nodes;
    this.told = parts.told;
  }

  cut(device: WatchedDevice, ms: number): void {
    this.cutUntilMs.set(device, this.sim.nowMs() + ms);
  }

  /** The app or its device starts anew: nobody there waits for an answer any more. */
  hangUp(device: WatchedDevice): void {
    this.generations.set(device, this.generation(device) + 1);
    this.pushing.delete(device);
    this.pulling.delete(device);
    if (device instanceof SdkDevice) device.restart();
  }

  isBusy(device: WatchedDevice): boolean {
    return this.pushing.has(device) || this.pulling.has(device);
  }

  /** Sends what waits, one request at a time. */
  async push(device: WatchedDevice): Promise<void> {
    if (device instanceof Device) await this.pushFor(device);
    else if (device instanceof SdkDevice) await this.alone(this.pushing, device, () => device.push());
  }

  /** One round of pages. @throws Error when it does not end */
  async pull(device: WatchedDevice, limit: number): Promise<void> {
    if (device instanceof Device) await this.pullFor(device, limit);
    else if (device instanceof SdkDevice) await this.alone(this.pulling, device, () => device.pull(limit));
  }

  /** A request of a client's: nobody waits for its answer any more when the app starts anew. */
  async request<T>(
    device: WatchedDevice,
    what: string,
    call: (node: GatewayNode) => Promise<T>,
    onLate: (answer: T) => unknown,
  ): Promise<T | null> {
    const generation = this.generation(device);
    const isOver = (): boolean => generation !== this.generation(device);
    const answer = await this.ask(device, what, call, (late) => isOver() || onLate(late));
    return isOver() ? new Promise(() => undefined) : answer;
  }

  private async alone(busy: Set<WatchedDevice>, device: WatchedDevice, work: () => Promise<void>): Promise<void> {
    if (busy.has(device)) return;
    busy.add(device);
    await work();
    busy.delete(device);
  }

  private async pushFor(device: Device): Promise<void> {
    const batch = device.batch();
    if (this.pushing.has(device) || batch.length === 0) return;
    this.pushing.add(device);
    const generation = this.generation(device);
    const changes = device.sending(batch);
    const session = device.session();
    const sentAtMs = this.sim.nowMs();
    const { epoch } = device;
    const results = await this.ask(device, 'push', async (node) => {
      const answered = await node.push.push(session, changes, sentAtMs, epoch);
      this.told(device, batch, answered, epoch);
      return answered;
    }).catch((thrown: unknown) => {
      if (!isNewEpoch(thrown)) throw thrown;
      return 'not taken' as const;
    });
    if (generation !== this.generation(device)) return;
    this.pushing.delete(device);
    if (results === 'not taken') device.notTaken(batch, changes);
    else if (results !== null) device.answered(batch, results);
  }

  private async pullFor(device: Device, limit: number): Promise<void> {
    if (this.pulling.has(device)) return;
    this.pulling.add(device);
    const generation = this.generation(device);
    const asked = device.ask();
    for (let pages = 0; ; pages++) {
      if (pages > MOST_PAGES) throw new Error(`(i) a round of ${device.name} does not end`);
      const since = device.checkpoint;
      const session = device.session();
      const page = await this.ask(
        device,
        'pull',
        (node) => node.pull(session, { since, collections: null, limit, shape: SHAPE }),
        // What comes after its device gave it up is looked at all the same.
        (late) => generation === this.generation(device) && device.apply(since, late, asked),
      );
      if (generation !== this.generation(device)) return;
      if (page === null || !device.apply(since, page, asked) || !page.hasMore) break;
    }
    this.pulling.delete(device);
  }

  /** @returns null when no answer came, or an error */
  private async ask<T>(
    device: WatchedDevice,
    what: string,
    call: (node: GatewayNode) => Promise<T>,
    onLate: (answer: T) => unknown = () => undefined,
  ): Promise<T | null> {
    const { sim, dice } = this;
    const roll = (occasion: string): number => dice.roll(`${device.name} ${what} ${occasion}`);
    const nodes = this.nodes();
    const node = nodes[Math.floor(roll('node') * nodes.length)];
    const isCut = sim.nowMs() < (this.cutUntilMs.get(device) ?? 0);
    const luck = roll('luck');
    const { loss } = this;
    if (node === undefined || isCut || luck < loss * 0.25) {
      await sim.wait(TIMEOUT_MS / 4);
      return null;
    }
    if (luck < loss * 0.4) {
      // It arrives twice: once more, somewhat later.
      sim.after(roll('twice') * LATE_MS, () => void call(node).catch(() => undefined));
    }
    const wayMs = luck > 1 - loss * 0.15 ? roll('late') * LATE_MS * 1.5 : roll('way') * WAY_MS;
    const isAnswerLost = luck >= loss * 0.4 && luck < loss * 0.65;
    return new Promise((resolve, reject) => {
      let isOver = false;
      const takeBack = sim.after(TIMEOUT_MS, () => {
        isOver = true;
        resolve(null);
      });
      const end = (answer: T | null): void => {
        if (isOver) {
          if (answer !== null) onLate(answer);
          return;
        }
        isOver = true;
        takeBack();
        resolve(answer);
      };
      sim.after(wayMs, () => {
        call(node).then(
          (answer) => {
            if (isAnswerLost) {
              // The answer of an unlucky request comes when nobody waits for it.
              if (roll('stray') < 0.8) sim.after(TIMEOUT_MS + roll('way back') * LATE_MS, () => onLate(answer));
            } else sim.after(roll('way back') * WAY_MS, () => end(answer));
          },
          (thrown: unknown) => {
            if (isExpected(thrown)) sim.after(roll('way back') * WAY_MS, () => end(null));
            else reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
          },
        );
      });
    });
  }

  private generation(device: WatchedDevice): number {
    return this.generations.get(device) ?? 0;
  }
}

/** The gateway was restored since the device last pulled, and says so (F5). */
export function isNewEpoch(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'NEW_EPOCH';
}

/** The gateway says that its store is away: the only fault that these requests may meet. */
function isExpected(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'UNAVAILABLE';
}
