import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ERROR_CATALOGUE, type ErrorCode } from '../../src/core/errors.js';
import { startGatewayProcess, stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { startJournalSystem, type JournalSystem } from '../support/journal-system.js';
import { hasPgBouncer, pgBouncerVersion, startPgBouncer, type PgBouncer } from '../support/pgbouncer.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { createSyncDevice, type Fate, type PushedEdit, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';

const SEED = Number(process.env['SEED'] ?? 41);
const NURSES = 3;
const VISITS = 60;
/** Pushes that are answered between two steps of the roll. */
const PUSHES_BETWEEN = 8;
/** A killed process holds its leases for 30 s; the others ask for them every 10 s. */
const LEASES_OVER_MS = 60_000;
const BEHIND = hasPgBouncer() ? pgBouncerVersion() : 'no pooler, as none is installed';

interface Pushed {
  readonly edit: PushedEdit;
  readonly nurse: SyncDevice;
  fate: Fate | null;
}

const chance = seededChance(SEED);
const pick = <T>(from: readonly T[]): T => from[Math.floor(chance() * from.length)] as T;
const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-rolling-'));
const pushed = new Map<string, Pushed>();
/** Changes without an answer when a gateway was killed: what was being called for then may be parked. */
const openAtKill = new Set<string>();
let postgres: TestPostgres;
let pooler: PgBouncer | null = null;
let system: JournalSystem;
let settings: Readonly<Record<string, string>>;
let nurses: readonly SyncDevice[];
/** Those that a load balancer would send to. */
let gateways: readonly GatewayProcess[] = [];
let answered = 0;
let isWorking = true;
let work: Promise<unknown>;

beforeAll(async () => {
  postgres = await startTestPostgres();
  system = await startJournalSystem({ visits: VISITS, routes: 2, answerMs: () => chance() * 20 });
  system.configuration(folder);
  const url = await postgres.freshDatabase();
  pooler = hasPgBouncer() ? await startPgBouncer(url) : null;
  settings =
    pooler === null ? { DATABASE_URL: url } : { DATABASE_URL: pooler.urlOf(url), TIDEGATE_DIRECT_DATABASE_URL: url };
  gateways = await Promise.all([start(), start()]);
  nurses = Array.from({ length: NURSES }, (_, n) => createSyncDevice(`nurse-${n}`, () => pick(gateways).url));
  await until('the first ingest is complete', async () => {
    await Promise.all(nurses.map((nurse) => nurse.pull()));
    return nurses.every(({ records }) => records.size === VISITS);
  });
  work = Promise.all(nurses.map(workOn));
});

afterAll(async () => {
  isWorking = false;
  await work;
  await Promise.all(gateways.map(stopGatewayProcess));
  await pooler?.stop();
  await system.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

function start(): Promise<GatewayProcess> {
  return startGatewayProcess(['start'], { ...settings, TIDEGATE_DATA: folder }, folder);
}

/** Pushes and pulls, now here, now there; what was not answered is pushed again, as a phone does. */
async function workOn(nurse: SyncDevice): Promise<void> {
  while (isWorking) {
    const edits = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => newEdit(nurse));
    while (!(await push(nurse, edits)));
    await nurse.pull().catch(() => undefined);
  }
}

/** @returns false: to be pushed again, as nobody answered, or one of them was refused for now only */
async function push(nurse: SyncDevice, edits: readonly PushedEdit[]): Promise<boolean> {
  try {
    const fates = await nurse.push(edits);
    for (const fate of fates) (pushed.get(fate.changeId) as Pushed).fate = fate;
    answered += 1;
    return !fates.some(isForNow);
  } catch {
    return false;
  }
}

/** Refused, and not settled: the same change may be taken when it comes again. */
function isForNow({ status, error }: Fate): boolean {
  return status === 'REJECTED' && error !== null && ERROR_CATALOGUE[error.code as ErrorCode].retryable;
}

/** A new visit, or the edit of any. When it was made is part of it, and the same at each repeat (R7). */
function newEdit(nurse: SyncDevice): PushedEdit {
  const changeId = `change-${pushed.size}`;
  const changedAt = new Date().toISOString();
  const common = { changeId, collection: 'visits', json: { note: changeId, route: 'r1' }, changedAt };
  const held = pick([...nurse.records]);
  const edit: PushedEdit =
    chance() < 0.3
      ? { ...common, id: randomUUID() }
      : { ...common, id: held[0].replace('visits ', ''), baseVersion: held[1].version };
  pushed.set(changeId, { edit, nurse, fate: null });
  return edit;
}

/** Another gateway takes the place of one. @param end how that one leaves */
async function replace(leaving: GatewayProcess, end: (gateway: GatewayProcess) => Promise<unknown>): Promise<void> {
  const next = await start();
  gateways = [...gateways.filter((one) => one !== leaving), next];
  await end(leaving);
  const before = answered;
  await until('work goes on', async () => answered >= before + PUSHES_BETWEEN);
}

const statusOf = ({ edit, nurse, fate }: Pushed): string =>
  nurse.receipts.get(edit.changeId)?.status ?? fate?.status ?? 'none';
const changesThat = (...statuses: readonly string[]): readonly string[] =>
  [...pushed.values()].filter((one) => statuses.includes(statusOf(one))).map(({ edit }) => edit.changeId);
/** Each with what was pushed and why it was refused, as one line. */
const refusals = (): readonly string[] =>
  [...pushed.values()]
    .filter((one) => statusOf(one) === 'REJECTED')
    .map(({ edit, nurse, fate }) => JSON.stringify([nurse.name, edit, nurse.receipts.get(edit.changeId), fate]));
const effectsOf = (changeId: string): number => system.journal.filter(({ note }) => note === changeId).length;

describe(`two gateways on one Postgres behind ${BEHIND}, while ${NURSES} nurses push and pull (seed ${SEED})`, () => {
  test('R11: one is killed with -9 and replaced', async () => {
    const [victim] = gateways as [GatewayProcess];
    await until('calls are under way', async () => system.underway > 0);
    await replace(victim, async () => {
      victim.signal('SIGKILL');
      for (const [changeId, one] of pushed) if (['none', 'ACCEPTED'].includes(statusOf(one))) openAtKill.add(changeId);
      await victim.ended;
    });
  });

  test('F28: both are replaced in order, one after the other: each ends with 0', async () => {
    for (const leaving of gateways) {
      const codes: (number | null)[] = [];
      await replace(leaving, async () => codes.push(await stopGatewayProcess(leaving)));
      expect(codes).toEqual([0]);
    }
  });

  test('R8: every change has its fate, also those that the killed one held', async () => {
    isWorking = false;
    await work;
    await until(
      'no change is open any more',
      async () => {
        await Promise.all(nurses.map((nurse) => nurse.pull()));
        return changesThat('none', 'ACCEPTED').length === 0;
      },
      LEASES_OVER_MS,
    );
    expect(refusals()).toEqual([]);
    expect(changesThat('PARKED').filter((changeId) => !openAtKill.has(changeId))).toEqual([]);
  });

  test('R11: the system took each applied change exactly once, a parked one at most once, and no other', () => {
    const applied = changesThat('APPLIED', 'MERGED');
    expect(applied.length).toBeGreaterThan(2 * PUSHES_BETWEEN);
    expect(applied.filter((changeId) => effectsOf(changeId) !== 1)).toEqual([]);
    expect(changesThat('PARKED').filter((changeId) => effectsOf(changeId) > 1)).toEqual([]);
    expect(changesThat('CONFLICT').filter((changeId) => effectsOf(changeId) > 0)).toEqual([]);
  });

  test('R1: polling has been taken over, and every nurse holds what the system holds, without a reset', async () => {
    system.put('V-1', { note: 'phoned in after it all' });
    const truth = [...system.visits.values()].map(({ id, note }) => [id, note]).toSorted();
    await until(
      'every nurse holds what the system holds',
      async () => {
        await Promise.all(nurses.map((nurse) => nurse.pull()));
        return nurses.every(({ records }) => {
          const held = [...records].map(([key, { json }]) => [key.replace('visits ', ''), json['note']]).toSorted();
          return JSON.stringify(held) === JSON.stringify(truth);
        });
      },
      LEASES_OVER_MS,
    );
    expect(nurses.map(({ resets }) => resets)).toEqual(nurses.map(() => 0));
  });
});
