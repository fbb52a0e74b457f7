import type { Chance } from '../../src/core/ports.js';
import type { Fault, FaultMode } from '../support/fault-proxy.js';
import { CALL_TIMEOUT_MS, CAPABILITIES } from './capabilities.js';
import type { ChangeLog } from './change-log.js';
import {
  CHANGE_KINDS,
  CRASH_POINTS,
  type Armed,
  type ChangeKind,
  type CrashPoint,
  type Outcome,
} from './crash-points.js';
import type { Round } from './rounds.js';
import { createSweepEdits } from './sweep-edits.js';
import type { SweepWorld } from './sweep-world.js';

/** Runs rounds one after the other on one world: what a round leaves unsettled goes on while the next ones kill. */
export interface Sweep {
  /**
   * The gateway, armed for it, ends at the round's point; the next one is started and gets everything again.
   *
   * @param next what the next one is armed with, by whether the point was reached
   * @returns false when it did not come to the point in time, and was killed wherever it was
   */
  runNamed(round: Round, at: number, next: (isReached: boolean) => Armed | null): Promise<boolean>;
  /** Devices push and pull through bad connections, and the gateway is killed at any moment of it. */
  runUnderLoad(at: number, next: Armed | null): Promise<void>;
}

/** A process that does not come to its point is killed where it is. */
const LONGEST_ROUND_MS = 8_000;
/** What is in doubt is looked at when no late call can take effect any more (F13). */
const LONGEST_RECOVERY_MS = 60_000;
/** Pushes that are on their way at once under load, and how many changes are in one. */
const PUSHES_AT_ONCE = 3;
const MOST_AT_ONCE = 4;
const LONGEST_LIFE_MS = 600;
/** Parts of the calls, and of the devices' requests, that meet a bad connection under load; of the changes that are unwanted. */
const BAD_CALLS = 0.2;
const BAD_REQUESTS = 0.05;
const UNWANTED = 0.1;
const PASS: Fault = { kind: 'pass' };
const METHODS: { readonly [Kind in ChangeKind]: string } = { create: 'POST ', update: 'PATCH ', delete: 'DELETE ' };
/** Late enough that nobody waits for it any more, and within what the connectors declare as a request's longest life. */
const HANGS: Fault = { kind: 'latency', ms: CALL_TIMEOUT_MS + 200 };

/** What happens to a call on its way, by what its source is to make of it. */
const FAULTS: { readonly [Name in Exclude<Outcome, 'nobodyThere'>]: Fault } = {
  applies: PASS,
  refuses: PASS,
  lostRequest: { kind: 'resetBefore' },
  lostReply: { kind: 'resetAfter' },
  hangs: HANGS,
};
const BAD_CONNECTIONS: readonly Fault[] = [
  { kind: 'resetBefore' },
  { kind: 'resetAfter' },
  { kind: 'truncateRequest', bytes: 120 },
  { kind: 'truncateAnswer', bytes: 40 },
  { kind: 'blackHole', swallows: 'answer' },
  HANGS,
];

/** What a gateway has to be armed with for the round that is run as the n-th. */
export function armedFor({ point, capability, kind, pass }: Round, at: number): Armed {
  return { point, capability, kind, changes: prefixOf(at), pass };
}

export function createSweep(world: SweepWorld, log: ChangeLog, chance: Chance): Sweep {
  const { device } = world;
  const edits = createSweepEdits(device, log);

  /** The first call of the round's kind meets the round's outcome, every other call passes. */
  function modeOf({ point, kind, outcome }: Round, kill: () => void): FaultMode {
    if (outcome === 'nobodyThere') return { kind: 'refuse' };
    let isFirst = true;
    return ({ head, answered }) => {
      if (!isFirst || !head.startsWith(METHODS[kind])) return PASS;
      isFirst = false;
      if (point === 'half request') {
        kill();
        return { kind: 'truncateRequest', bytes: 80 };
      }
      if (point === 'after effect') {
        void answered.then(kill);
        return { kind: 'blackHole', swallows: 'answer' };
      }
      return FAULTS[outcome];
    };
  }

  async function setAll(mode: FaultMode): Promise<void> {
    for (const capability of CAPABILITIES) await world.proxyOf(capability).set(mode);
  }

  /** Whatever the gateway was at, it is gone; connections are as they should be. */
  async function kill(): Promise<void> {
    world.gateway.signal('SIGKILL');
    await world.gateway.ended;
    world.deviceProxy.cutAll();
    await setAll(PASS);
    await world.deviceProxy.set(PASS);
  }

  /** Reads are left alone: without them the gateway would only ever wait for the sources to be back. */
  function badly(): FaultMode {
    return ({ head }) => {
      if (head.startsWith('GET ') || chance() >= BAD_CALLS) return PASS;
      return pick(BAD_CONNECTIONS);
    };
  }

  function pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(chance() * choices.length)] as T;
  }

  return {
    async runNamed(round, at, next) {
      const { point, capability } = round;
      const { isRecovery }: CrashPoint = CRASH_POINTS[point];
      let isKilled = false;
      const killThere = (): void => {
        isKilled = true;
        world.gateway.signal('SIGKILL');
      };
      const pushed = edits.ofRound(round, prefixOf(at));
      await world.proxyOf(capability).set(modeOf(round, killThere));
      if (point === 'before push answer') {
        await world.deviceProxy.set(({ answered }) => {
          void answered.then(killThere);
          return { kind: 'blackHole', swallows: 'answer' };
        });
      }
      const push = log.push(pushed);
      await endsWithin(world.gateway.ended, isRecovery === true ? LONGEST_RECOVERY_MS : LONGEST_ROUND_MS);
      const isReached = isKilled || world.gateway.output().includes(`crash: ${point}`);
      await kill();
      await push;
      await world.start(next(isReached));
      // The device does not know what became of them: it repeats all of them, and gets what is stored.
      if (await log.push(pushed)) await device.pull().catch(() => undefined);
      return isReached;
    },
    async runUnderLoad(at, next) {
      let made = 0;
      const some = (): ReturnType<typeof edits.one>[] =>
        Array.from({ length: 1 + Math.floor(chance() * MOST_AT_ONCE) }, () => {
          const change = { capability: pick(CAPABILITIES), kind: pick(CHANGE_KINDS), isUnwanted: chance() < UNWANTED };
          return edits.one({ ...change, changeId: `${prefixOf(at)}${made++}`, label: `under load ${at}` });
        });
      await setAll(badly());
      await world.deviceProxy.set(() => (chance() < BAD_REQUESTS ? pick(BAD_CONNECTIONS) : PASS));
      let isOver = false;
      const pushing = Array.from({ length: PUSHES_AT_ONCE }, async () => {
        while (!isOver) await log.push(some());
      });
      const pulling = (async () => {
        while (!isOver) await device.pull(1 + Math.floor(chance() * 50)).catch(() => undefined);
      })();
      await endsWithin(world.gateway.ended, chance() * LONGEST_LIFE_MS);
      isOver = true;
      await kill();
      await Promise.all([...pushing, pulling]);
      await world.start(next);
      await log.push(log.unanswered());
      await device.pull().catch(() => undefined);
    },
  };
}

function prefixOf(at: number): string {
  return `r${at}-`;
}

async function endsWithin(ended: Promise<unknown>, ms: number): Promise<void> {
  const isOver = new AbortController();
  const late = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    isOver.signal.addEventListener('abort', () => clearTimeout(timer));
  });
  await Promise.race([ended, late]);
  isOver.abort();
}
