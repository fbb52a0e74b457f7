import type { Fields } from '../../src/core/change.js';
import type { Collection } from '../../src/core/collection.js';
import { SyncError } from '../../src/core/errors.js';
import type {
  KnownStates,
  Observation,
  ObservedBatch,
  SourceCollection,
  SourceWrite,
  SourceWriteOutcome,
} from '../../src/core/source-port.js';
import type { Dice } from './dice.js';
import { TROUBLES, type Trouble } from './plan.js';
import type { Simulation } from './simulation.js';
import { PAGE_ROWS, type ToySystem } from './toy-system.js';

/** The weather between nodes and one collection of the system; the same for all nodes. */
export class SourceWeather {
  /** Troubles of the next writes. */
  readonly troubles: Trouble[] = [];
  downUntilMs = 0;
  blankUntilMs = 0;
  isNoticed = true;
  /** How often a write meets a trouble that no step asked for. */
  noise = 0;
  isHealed = false;
  /** Writes that may still take effect, whoever waits for them. */
  underWay = 0;

  blank(untilMs: number): void {
    this.blankUntilMs = untilMs;
  }

  heal(): void {
    this.isHealed = true;
    this.downUntilMs = 0;
    this.blankUntilMs = 0;
  }
}

const NO_LIFETIME_MS = 30_000;

/** What a node does around its calls: its death and its standing still are there. */
export interface CallGate {
  /** Resolves when the call may be made; never, when the process is dead by then. */
  before(): Promise<void> | undefined;
  /** The same for its answer. */
  after(): Promise<void> | undefined;
}

/** A collection of the system as one node reaches it: over a network that loses, delays and repeats nothing by itself. */
export function createSourceLink(
  system: ToySystem,
  collection: Collection,
  link: {
    readonly sim: Simulation;
    readonly dice: Dice;
    readonly weather: SourceWeather;
    readonly gate: CallGate;
    readonly name: string;
  },
): SourceCollection {
  const { sim, dice, weather, gate } = link;
  const { facts } = system.plan;
  const say = (occasion: string): number => dice.roll(`${link.name} ${occasion}`);
  const isDown = (): boolean => sim.nowMs() < weather.downUntilMs;
  const lagMs = (): number =>
    weather.isHealed || facts.readAfterWriteMs === undefined ? 0 : say('lag') * facts.readAfterWriteMs * 0.95;

  async function reading<T>(read: () => T, blank: T, signal: AbortSignal): Promise<T> {
    await gate.before();
    if (say('read time') < 0.3) await sim.wait(say('read latency') * 80);
    const isLost = !weather.isHealed && say('read fault') < weather.noise / 10;
    if (isDown() || isLost) throw new SyncError('SOURCE_UNAVAILABLE', `${collection.source}: no answer`);
    const answer = sim.nowMs() < weather.blankUntilMs ? blank : read();
    await gate.after();
    if (signal.aborted) throw new SyncError('SOURCE_UNAVAILABLE', `${collection.source}: given up`);
    return answer;
  }

  async function* changes(cursor: string | null, signal: AbortSignal): AsyncGenerator<ObservedBatch, void> {
    const begun = Number(cursor ?? -1);
    let since = begun;
    for (;;) {
      const from = since;
      const rows = await reading(() => system.list(lagMs()), [], signal);
      const later = rows.filter((row) => row.changed > from).sort((a, b) => a.changed - b.changed);
      const page = later.slice(0, PAGE_ROWS);
      if (page.length === 0) return;
      since = page.at(-1)?.changed ?? since;
      // What may still show itself is asked for again.
      const settled = Math.max(begun, Math.min(since, system.settledChange(facts.readAfterWriteMs ?? 0)));
      yield { observations: page.map((row) => system.shown(row)), cursor: String(settled) };
      if (later.length <= PAGE_ROWS) return;
    }
  }

  async function* pages(
    signal: AbortSignal,
    isProof = false,
    known?: KnownStates,
  ): AsyncGenerator<ObservedBatch, void> {
    const size = facts.scanPaging === 'whole' ? Infinity : PAGE_ROWS;
    let after = '';
    for (let from = 0; ; from += PAGE_ROWS) {
      const beyond = after;
      const rows = await reading(() => system.list(lagMs()), [], signal);
      const ordered = [...rows].sort((a, b) => (a.key < b.key ? -1 : 1));
      const page =
        facts.scanPaging === 'offset'
          ? rows.slice(from, from + size)
          : ordered.filter((row) => row.key > beyond).slice(0, size);
      const observations = page.map((row) => system.shown(row));
      const digest = JSON.stringify(observations);
      const unchanged = isProof ? null : ((await known?.pages(digest)) ?? null);
      if (unchanged !== null) yield { observations: [], unchanged };
      else if (page.length > 0) yield { observations, digest };
      if (page.length < size) return;
      after = page.at(-1)?.key ?? after;
    }
  }

  function troubleOfNext(): Trouble | null {
    if (weather.isHealed) return null;
    return (
      weather.troubles.shift() ?? (say('trouble') < weather.noise ? dice.pick(`${link.name} which`, TROUBLES) : null)
    );
  }

  /** The request on its way: its effect comes whether or not anybody still waits for the answer (F13). */
  function send(write: SourceWrite, trouble: Trouble | null, signal: AbortSignal): Promise<SourceWriteOutcome> {
    const lifetimeMs = facts.maxRequestLifetimeMs ?? NO_LIFETIME_MS;
    const quickMs = say('there') * 60;
    const thereMs =
      trouble === 'zombie' ? say('zombie') * lifetimeMs * 0.95 : trouble === 'slow' ? quickMs * 20 : quickMs;
    return new Promise((resolve) => {
      const unknown = (reason: string): SourceWriteOutcome => ({ kind: 'unknown', reason });
      const giveUp = (): void => resolve(unknown('no answer in time'));
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
      weather.underWay += 1;
      sim.after(thereMs, () => {
        weather.underWay -= 1;
        if (trouble === 'loseRequest') return;
        if (trouble === 'faultBefore') return resolve(unknown('status 503'));
        if (trouble === 'refuse') return resolve({ kind: 'refused', message: 'not on a Monday', field: null });
        const outcome = system.take(write);
        if (trouble === 'faultAfter') return resolve(unknown('status 500'));
        if (trouble === 'loseReply') return;
        sim.after(say('back') * 60, () => resolve(outcome));
      });
    });
  }

  const notSent = (reason: string, retryAfterMs: number | null): SourceWriteOutcome => ({
    kind: 'notSent',
    reason,
    retryAfterMs,
  });

  return {
    collection,
    facts,
    isDown: () => isDown() && weather.isNoticed,
    readChanges: changes,
    scan: pages,
    readOne: (key, signal) => reading<Observation | 'absent'>(() => system.read(key, lagMs()), 'absent', signal),
    ...(facts.lookUp === true
      ? {
          lookUp: (key: string, signal: AbortSignal) =>
            reading<Observation | 'absent'>(() => system.find(key, lagMs()), 'absent', signal),
        }
      : {}),
    ...(facts.naturalKey === undefined
      ? {}
      : {
          findAlike: (fields: Fields, signal: AbortSignal) => {
            const named = facts.naturalKey?.fields.map((name) => [name, fields[name] ?? null]) ?? [];
            const values = Object.fromEntries(named) as Fields;
            return reading<readonly Observation[]>(() => system.findAlike(values, lagMs()), [], signal);
          },
        }),
    async write(write, signal, leftMs = () => Infinity) {
      await gate.before();
      // In the tick in which the request leaves, as its port asks (F13).
      if (leftMs() <= 0) return notSent('its time was over', null);
      const trouble = troubleOfNext();
      const isGone = isDown() || sim.nowMs() < weather.blankUntilMs;
      if (isGone || trouble === 'refuseConnection') return notSent('connection refused', null);
      if (trouble === 'throttle') return notSent('status 429', 700);
      const outcome = await send(write, trouble, signal);
      await gate.after();
      return outcome;
    },
  };
}
