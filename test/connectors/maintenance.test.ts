import { compileMaintenance, misfitsOfMaintenance, type MaintenanceWindow } from '../../src/connectors/maintenance.js';
import { collection, field } from '../../src/connectors/define.js';
import { get, patch } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { Log } from '../../src/core/ports.js';
import type { SourceCollection, SourceWrite } from '../../src/core/source-port.js';
import { createPoller } from '../../src/ingest/poller.js';
import { createWorld } from '../contract/store/world.js';
import { hash } from '../ingest/ingesting-clinic.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';
import { until } from '../support/until.js';
import { createGate, scanned, startScripted, type ScriptedSource } from './scripted-source.js';

const MINUTE = 60_000;
const NIGHT: MaintenanceWindow = { days: ['sun'], from: '22:00', to: '02:30', zone: 'Europe/Berlin' };

/** Minutes that are left of the maintenance at a moment. */
function minutesLeft(windows: readonly MaintenanceWindow[], moment: string): number {
  return compileMaintenance(windows).leftMs(Date.parse(moment)) / MINUTE;
}

describe('a maintenance window', () => {
  test.each([
    ['before it', '2026-01-11T21:59:59.999+01:00', 0],
    ['at its begin', '2026-01-11T22:00:00.000+01:00', 270],
    ['before midnight', '2026-01-11T23:59:00.000+01:00', 151],
    ['after midnight, on the next day', '2026-01-12T00:30:00.000+01:00', 120],
    ['in its last minute', '2026-01-12T02:29:00.000+01:00', 1],
    ['at its end', '2026-01-12T02:30:00.000+01:00', 0],
    ['on another night', '2026-01-12T23:00:00.000+01:00', 0],
    ['at the same hour of the day on which it ends', '2026-01-12T22:30:00.000+01:00', 0],
    ['in summer, by the wall clock there', '2026-07-12T22:00:00.000+02:00', 270],
  ])('that goes over midnight, looked at %s', (_when, moment, left) => {
    expect(minutesLeft([NIGHT], moment)).toBe(left);
  });

  // Clocks go forward on 2026-03-29 from 02:00 to 03:00, and back on 2026-10-25 from 03:00 to 02:00.
  const change: MaintenanceWindow = { days: ['sat'], from: '22:00', to: '02:30', zone: 'Europe/Berlin' };
  test.each([
    ['ends at a time that is there twice: at the second one', '2026-10-24T22:00:00.000+02:00', 330],
    ['does not end in between', '2026-10-25T02:45:00.000+02:00', 45],
    ['is over after the second one', '2026-10-25T02:30:00.000+01:00', 0],
    [
      'ends at a time that is left out: an hour later on the clock, after as long as ever',
      '2026-03-28T22:00:00+01:00',
      270,
    ],
    ['is not over when the clock jumps past its end', '2026-03-29T03:15:00.000+02:00', 15],
  ])('over a change of the clock: %s', (_what, moment, left) => {
    expect(minutesLeft([change], moment)).toBe(left);
  });

  const within: MaintenanceWindow = { days: ['sun'], from: '02:15', to: '02:45', zone: 'Europe/Berlin' };
  test.each([
    ['twice there: from the first', '2026-10-25T02:15:00.000+02:00', 90],
    ['twice there: to the second', '2026-10-25T02:44:00.000+01:00', 1],
    ['left out: the hour before counts', '2026-03-29T01:15:00.000+01:00', 90],
    ['left out: and the hour after', '2026-03-29T03:44:00.000+02:00', 1],
    ['left out: not longer', '2026-03-29T03:45:00.000+02:00', 0],
    ['a week later, as usual', '2026-04-05T02:15:00.000+02:00', 30],
  ])('within the hour that is %s', (_what, moment, left) => {
    expect(minutesLeft([within], moment)).toBe(left);
  });

  test('is every day where no days are named, in its own zone', () => {
    const daily = { from: '01:00', to: '01:10', zone: 'America/St_Johns' };
    expect(minutesLeft([daily], '2026-01-14T04:30:00Z')).toBe(10);
    expect(minutesLeft([daily], '2026-01-15T04:39:00Z')).toBe(1);
  });

  test('goes on where another one begins', () => {
    const windows = [NIGHT, { days: ['mon' as const], from: '02:00', to: '04:00', zone: 'Europe/Berlin' }];
    expect(minutesLeft(windows, '2026-01-11T22:00:00.000+01:00')).toBe(360);
  });

  test.each<readonly [string, readonly MaintenanceWindow[], string]>([
    ['no length', [{ ...NIGHT, to: '22:00' }], '.0.to: expected another time than from, got "22:00" for both'],
    [
      'no end',
      [
        { from: '00:00', to: '12:00', zone: 'UTC' },
        { from: '12:00', to: '00:00', zone: 'UTC' },
      ],
      ': expected windows that leave time for calls, got some that never end',
    ],
  ])('of %s is a mistake', (_what, windows, misfit) => {
    expect(misfitsOfMaintenance(windows)).toEqual([misfit]);
    expect(misfitsOfMaintenance([NIGHT])).toEqual([]);
  });

  test('says what it is in words', () => {
    expect(compileMaintenance([NIGHT]).words).toEqual(['sun 22:00 to 02:30 Europe/Berlin']);
  });
});

describe('a source under maintenance', () => {
  const BEGIN = Date.parse('2026-01-11T22:00:00.000+01:00');
  const NEVER = new AbortController().signal;
  const VISITS = collection({
    type: 'Visit',
    key: 'id',
    version: 'version',
    fields: { note: field.string() },
    read: { list: get('/visits'), one: get('/visits/{key}') },
    write: { update: patch('/visits/{key}'), guard: 'ifMatch' },
  });
  const UPDATE: SourceWrite = {
    kind: 'update',
    sourceKey: 'V-1' as SourceKey,
    fields: { note: 'ring twice' },
    current: { note: 'ring once' },
    guard: '1',
    idempotencyKey: 'k',
  };

  let source: ScriptedSource;
  afterEach(() => source.close());

  async function openAt(nowMs: number): Promise<SourceCollection> {
    source = await startScripted(nowMs, createManualClock(nowMs));
    return source.open({ visits: VISITS }, {}, { maintenance: [NIGHT] })[0] as SourceCollection;
  }

  test('R11: is not called: reads fail, and writes wait until its end', async () => {
    const visits = await openAt(BEGIN);
    expect(visits.facts.maintenance).toEqual(['sun 22:00 to 02:30 Europe/Berlin']);
    expect(visits.isDown()).toBe(true);
    const reason = 'it is being maintained until 2026-01-12T01:30:00.000Z';
    await expect(scanned(visits)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      message: `clinic.visits read.list: ${reason}`,
    });
    expect(await visits.write(UPDATE, NEVER)).toEqual({
      kind: 'notSent',
      reason: `clinic.visits write.update: ${reason}`,
      retryAfterMs: 270 * MINUTE,
    });
    source.advance(269 * MINUTE);
    expect(visits.maintenanceLeftMs?.()).toBe(MINUTE);
    expect(await visits.write(UPDATE, NEVER)).toMatchObject({ kind: 'notSent', retryAfterMs: MINUTE });
    expect(source.asked).toEqual([]);
  });

  test('is called again at the end of it, as if nothing had been', async () => {
    const visits = await openAt(BEGIN);
    for (let call = 0; call < 5; call++) await scanned(visits).catch(() => undefined);
    source.advance(270 * MINUTE);
    expect(visits.isDown()).toBe(false);
    expect(visits.maintenanceLeftMs?.()).toBe(0);
    source.answer = ({ method }) => ({ rows: method === 'GET' ? [] : { id: 'V-1', note: 'ring twice' } });
    expect(await visits.write(UPDATE, NEVER)).toMatchObject({ kind: 'applied' });
    expect(await scanned(visits)).toEqual([]);
    expect(source.logged).toEqual([]);
  });

  test('does not count as broken for a call that fails after its begin', async () => {
    const visits = await openAt(BEGIN - 1_000);
    const gate = createGate();
    source.answer = () => ({ status: 503, after: gate.opened });
    const writes = [1, 2, 3].map(() => visits.write(UPDATE, NEVER));
    await until('the calls are under way', async () => source.asked.length === 3);
    source.advance(2_000);
    gate.open();
    expect(await Promise.all(writes)).toMatchObject([{ kind: 'unknown' }, { kind: 'unknown' }, { kind: 'unknown' }]);
    expect(source.logged).toEqual([]);
    source.advance(270 * MINUTE);
    expect(visits.isDown()).toBe(false);
  });

  test('R11: gets no call that waited for its turn when it began', async () => {
    const visits = await openAt(BEGIN - 1_000);
    const gate = createGate();
    source.answer = () => ({ rows: { id: 'V-1', note: 'ring twice' }, after: gate.opened });
    const writes = [1, 2, 3, 4, 5].map(() => visits.write(UPDATE, NEVER));
    await until('four calls are under way', async () => source.asked.length === 4);
    source.advance(2_000);
    gate.open();
    expect((await Promise.all(writes)).map(({ kind }) => kind)).toEqual([
      ...Array<string>(4).fill('applied'),
      'notSent',
    ]);
    expect(source.asked).toHaveLength(4);
  });

  test('is polled again at its end, and not before', async () => {
    const clock = createManualClock(BEGIN);
    source = await startScripted(BEGIN, clock);
    source.answer = () => ({ rows: [{ id: 'V-1', note: 'ring twice' }] });
    const told: string[] = [];
    const tell: Log['info'] = (what, details) => void told.push(`${what} ${JSON.stringify(details)}`);
    const log: Log = { debug: tell, info: tell, warn: tell, error: tell };
    const store = createMemoryStore({ clock, chance: seededChance(1) });
    const world = await createWorld(store);
    const poller = createPoller(
      { store, clock, hash, log, chance: seededChance(1) },
      {
        tenant: world.tenant,
        holder: 'node 1',
        sources: source.open({ visits: VISITS }, {}, { maintenance: [NIGHT] }),
      },
    );
    poller.start();
    try {
      await until('the poller rests', async () => told.some((line) => line.includes('rests while')));
      clock.advance(269 * MINUTE);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(source.asked).toEqual([]);
      clock.advance(MINUTE);
      await until('the record is polled', async () => (await world.view('V-1')).body?.includes('ring twice') === true);
      expect(told.filter((line) => line.includes('maintained'))).toHaveLength(1);
    } finally {
      await poller.stop();
    }
  });
});
