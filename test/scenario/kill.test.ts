import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  isRunning,
  postmasterOf,
  startGatewayProcess,
  stopGatewayProcess,
  untilGone,
  type GatewayProcess,
} from '../support/gateway-process.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { seededChance } from '../support/seeded-chance.js';
import { createSyncDevice, type Fate, type PushedEdit, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

/** Kills in a row, of one data folder; more by the environment, as is the seed of a run that failed. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 4);
const SEED = Number(process.env['SEED'] ?? 17);
const VISITS = 400;
/** Pushes that a nurse's phone has on their way at once. */
const PUSHES_AT_ONCE = 3;
/** Calls that the connector allows at once: no more can be under way at a kill. */
const CALLS_AT_ONCE = 8;
/** What the killed process had leased comes back when its lease is over, after 30 s; polls within 40 s. */
const LEASES_OVER_MS = 60_000;
const FINAL = ['APPLIED', 'MERGED', 'CONFLICT', 'REJECTED'];

const chance = seededChance(SEED);
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-kill-'));
let system: JournalSystem;
let gateway: GatewayProcess;
let nurse: SyncDevice;
/** Every change that was ever pushed, and the last that is known of it. */
const pushed = new Map<string, { readonly edit: PushedEdit; fate: Fate | null }>();
/** Changes that may have been under way at one of the kills, kill by kill. */
const unsettledAtKill: ReadonlySet<string>[] = [];
let writesUntilKill = Number.POSITIVE_INFINITY;
let kill = (): void => undefined;
let answerMs = (): number => chance() * 20;

beforeAll(async () => {
  system = await startJournalSystem({
    visits: VISITS,
    routes: 3,
    answerMs: () => {
      writesUntilKill -= 1;
      // Not at the call itself: at any of the steps before and after it that take a while.
      if (writesUntilKill === 0) setTimeout(() => kill(), chance() * 25);
      return answerMs();
    },
  });
  system.configuration(folder);
  gateway = await start();
  nurse = createSyncDevice('nurse', () => gateway.url);
  await until('the first ingest is complete', async () => {
    await nurse.pull();
    return nurse.records.size === VISITS;
  });
});

afterAll(async () => {
  await stopGatewayProcess(gateway);
  await system.stop();
  rmSync(folder, { recursive: true, force: true });
});

function start(): Promise<GatewayProcess> {
  return startGatewayProcess(['start'], { TIDEGATE_DATA: folder }, folder);
}

/** A change of a record that no other change is of; its note is found in the system's journal. */
function newEdit(): PushedEdit {
  const n = pushed.size;
  const changeId = `change-${n}`;
  const common = { changeId, collection: 'visits', changedAt: new Date().toISOString() };
  const edit: PushedEdit =
    n % 4 === 3 || n >= VISITS
      ? { ...common, id: randomUUID(), json: { note: changeId, route: 'r1' } }
      : {
          ...common,
          id: `V-${n}`,
          baseVersion: nurse.held('visits', `V-${n}`).version,
          json: { note: changeId },
        };
  pushed.set(changeId, { edit, fate: null });
  return edit;
}

async function push(edits: readonly PushedEdit[]): Promise<void> {
  for (const fate of await nurse.push(edits)) {
    const change = pushed.get(fate.changeId);
    if (change !== undefined) change.fate = fate;
  }
}

/** Pushes and pulls until the gateway does not answer any more. */
async function workUntilKilled(): Promise<void> {
  const pushing = Array.from({ length: PUSHES_AT_ONCE }, async () => {
    for (;;) await push(Array.from({ length: 1 + Math.floor(chance() * 4) }, newEdit));
  });
  const pulling = (async () => {
    for (;;) await nurse.pull(1 + Math.floor(chance() * 50));
  })();
  await Promise.allSettled([...pushing, pulling]);
}

function unsettled(): readonly PushedEdit[] {
  return [...pushed.values()].filter(({ fate }) => fate === null || fate.status === 'ACCEPTED').map(({ edit }) => edit);
}

function fateOf(changeId: string): string | undefined {
  return nurse.receipts.get(changeId)?.status ?? pushed.get(changeId)?.fate?.status;
}

function effectsOf(changeId: string): number {
  return system.journal.filter(({ note }) => note === changeId).length;
}

function changesWith(...fates: readonly string[]): readonly string[] {
  return [...pushed.keys()].filter((changeId) => fates.includes(fateOf(changeId) ?? 'none'));
}

describe(`a gateway that is killed with -9 while a nurse pushes and pulls (seed ${SEED})`, () => {
  test.each(Array.from({ length: ROUNDS }, (_, round) => [round + 1, round % 2 === 0 ? 'alone' : 'with its Postgres']))(
    'R3, R7: kill %i, %s: starts again, and the nurse repeats what was not answered and goes on from her checkpoint',
    async (_round, how) => {
      const server = postmasterOf(folder) ?? 0;
      kill = () => {
        gateway.signal('SIGKILL');
        if (how !== 'alone') process.kill(server, 'SIGKILL');
      };
      writesUntilKill = 5 + Math.floor(chance() * 25);
      await workUntilKilled();
      await gateway.ended;
      const open = unsettled();
      unsettledAtKill.push(new Set(open.map(({ changeId }) => changeId)));
      gateway = await start();
      expect(postmasterOf(folder) === server).toBe(how === 'alone');
      await push(open);
      await nurse.pull();
      expect(nurse.resets).toBe(0);
    },
  );

  test('R10: no accepted change is lost: each has its fate, by answer or by receipt', async () => {
    await until(
      'every change has a fate',
      async () => {
        await nurse.pull();
        return [...pushed.keys()].every((changeId) => [...FINAL, 'PARKED'].includes(fateOf(changeId) ?? 'none'));
      },
      LEASES_OVER_MS,
    );
    expect(changesWith('CONFLICT', 'REJECTED')).toEqual([]);
    expect(changesWith('APPLIED', 'MERGED').length + changesWith('PARKED').length).toBe(pushed.size);
  });

  test('R11: none is applied twice: the system took each applied one exactly once, a parked one at most once', () => {
    const effects = (changes: readonly string[]): readonly number[] => [...new Set(changes.map(effectsOf))];
    expect(effects(changesWith('APPLIED', 'MERGED'))).toEqual([1]);
    expect(effects(changesWith('PARKED')).every((count) => count <= 1)).toBe(true);
    expect(system.journal.every(({ note }) => note !== undefined && pushed.has(note))).toBe(true);
  });

  test('R11: only what was under way at a kill is parked', () => {
    const parked = changesWith('PARKED');
    expect(parked.filter((changeId) => !unsettledAtKill.some((open) => open.has(changeId)))).toEqual([]);
    expect(parked.length).toBeLessThanOrEqual(ROUNDS * CALLS_AT_ONCE);
  });

  test('R1, R3: the old checkpoint leads to exactly what the system holds, without a reset', async () => {
    const truth = [...system.visits.values()].map(({ id, note }) => [id, note]).toSorted();
    await until(
      'the nurse holds what the system holds',
      async () => {
        await nurse.pull();
        const held = [...nurse.records].map(([key, { json }]) => [key.replace('visits ', ''), json['note']]).toSorted();
        return JSON.stringify(held) === JSON.stringify(truth);
      },
      LEASES_OVER_MS,
    );
    expect(nurse.resets).toBe(0);
  });
});

test('SIGTERM during work ends the gateway with 0, its Postgres too, and nothing under way is parked', async () => {
  const server = postmasterOf(folder) ?? 0;
  answerMs = () => 400;
  const edits = Array.from({ length: 30 }, newEdit);
  const work = push(edits).catch(() => undefined);
  await until('calls are under way', () => Promise.resolve(system.underway > 0));
  expect(await stopGatewayProcess(gateway)).toBe(0);
  await work;
  expect(isRunning(server)).toBe(false);
  await untilGone(gateway.pid);
  answerMs = () => 0;
  gateway = await start();
  await push(edits);
  await until('every change is applied', async () => {
    await nurse.pull();
    return edits.every(({ changeId }) => fateOf(changeId) === 'APPLIED');
  });
  expect(edits.map(({ changeId }) => effectsOf(changeId))).toEqual(edits.map(() => 1));
});
