import {
  collection,
  createSource,
  defineConnector,
  field,
  type ConnectorDefinition,
  type RowFilter,
} from '../../src/connectors/define.js';
import { get, patch, post, rest } from '../../src/connectors/rest.js';
import { compileFilter } from '../../src/connectors/row-filter.js';
import { formatVersion, type Fields, type SourceKey } from '../../src/core/change.js';
import { createPush } from '../../src/push/push.js';
import { planOf } from '../../src/server/plan.js';
import { hashText } from '../../src/server/telemetry.js';
import { createIngestingClinic, type IngestingClinic } from '../ingest/ingesting-clinic.js';
import { edit, turns } from '../push/pushing-clinic.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import fc from '../support/properties.js';
import { eagerDeps } from './soap/eager-deps.js';
import { odataWard, restWard, soapWard, type FilteredWard } from './filtered-ward.js';

// A collection with a filter: what its source shows outside of it leaves, in whichever read it shows itself, and does not come back by its key.

const HOUR_MS = 3_600_000;
const NEVER = new AbortController().signal;

let ward: FilteredWard;
let opened: readonly FilteredWard[] = [];
let clinic: IngestingClinic;
afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});

function use(one: FilteredWard): FilteredWard {
  opened = [...opened, one];
  return one;
}

async function openClinic(one: FilteredWard): Promise<void> {
  ward = use(one);
  ward.put('V-1', { note: 'first', done: false });
  ward.put('V-2', { note: 'second', done: false });
  ward.put('V-9', { note: 'was done before', done: true });
  clinic = await createIngestingClinic([ward.visits]);
  await clinic.poller.round('visits');
}

/** So many scans, with what they ask to be read again. */
async function rounds(count = 3): Promise<void> {
  for (let round = 0; round < count; round += 1) {
    clinic.clock.advance(7 * HOUR_MS);
    await clinic.poller.round('visits');
  }
}

const live = async (): Promise<readonly string[]> => Object.keys(await clinic.live()).sort();

/** A device pushes an edit of what it has, and time goes on until that is settled. @returns its status */
async function push(key: string, fields: Fields): Promise<string> {
  const { store, clock, world } = clinic;
  const tools = { store, clock, chance: seededChance(3), hash: hashText, log: silentLog };
  const pushing = createPush(tools, {
    tenant: world.tenant,
    sources: [ward.visits],
    holder: 'node',
    patienceMs: 2_000,
  });
  pushing.start();
  const device = { tenant: world.tenant, user: 'nurse', device: 'phone' };
  const { epoch } = await store.readHead(world.tenant);
  const change = edit(key, formatVersion(epoch, (await clinic.record(key)).seq), fields);
  const answer = pushing.push({ ...device, grant: { kind: 'every' } }, [change], null);
  answer.catch(() => undefined);
  const fate = async (): Promise<string | undefined> =>
    (await store.readChanges(device, [change.changeId])).known[0]?.status;
  for (let status = await fate(), step = 0; step < 3_000; step += 1, status = await fate()) {
    if (status !== undefined && status !== 'ACCEPTED') break;
    await turns(40);
    clock.advance(50);
  }
  await pushing.stop();
  return (await fate()) ?? 'never accepted';
}

describe.each<readonly [string, () => Promise<FilteredWard>]>([
  ['REST', () => restWard()],
  ['REST, of which the list shows all', () => restWard({ done: [false, null] }, 'all')],
  ['REST, by a function of the row', () => restWard((row: { readonly done: boolean }) => !row.done, 'all')],
  ['OData, by its time of change', () => odataWard('changes')],
  ['OData, by its delta links', () => odataWard('delta')],
  ['SOAP', () => soapWard()],
])('a filter over %s', (_kind, open) => {
  beforeEach(async () => openClinic(await open()));

  test('R14: a record that leaves it is gone, and does not come back although its key still shows it', async () => {
    expect(await live()).toEqual(['V-1', 'V-2']);
    ward.put('V-1', { note: 'first', done: true });
    await rounds();
    expect(await live()).toEqual(['V-2']);
    expect(await ward.visits.readOne('V-1' as SourceKey, NEVER)).toMatchObject({
      fields: null,
      outside: { done: true },
    });
    await rounds();
    expect(await live()).toEqual(['V-2']);
    expect((await clinic.rechecks()).length).toBe(0);
  });

  test('a record that comes into it, or back, is there', async () => {
    ward.put('V-9', { note: 'to do again', done: false });
    await rounds();
    expect(await live()).toEqual(['V-1', 'V-2', 'V-9']);
    ward.put('V-9', { note: 'to do again', done: true });
    await rounds();
    ward.put('V-9', { note: 'and again', done: false });
    await rounds();
    const notes = Object.values(await clinic.live()).map(({ note }) => note);
    expect(notes.sort()).toEqual(['and again', 'first', 'second']);
  });

  test('R11: a push that moves its record out was applied: the record leaves with it, and stays away', async () => {
    expect(await push('V-1', { done: true, note: 'seen to' })).toBe('APPLIED');
    expect(ward.get('V-1')).toMatchObject({ done: true, note: 'seen to' });
    expect(await live()).toEqual(['V-2']);
    expect((await clinic.record('V-1')).deleted).toBe(true);
    await rounds();
    expect(await live()).toEqual(['V-2']);
    expect(ward.writes()).toBe(1);
  });
});

describe('a filter', () => {
  test('R11: a push that moves its record out and whose answer is lost is found applied by its key, once', async () => {
    await openClinic(await restWard());
    ward.loseNextAnswer();
    expect(await push('V-1', { done: true })).toBe('APPLIED');
    expect(ward.writes()).toBe(1);
    expect(await live()).toEqual(['V-2']);
    await rounds();
    expect(await live()).toEqual(['V-2']);
  });

  test('an edit of a record that others moved out meanwhile is a conflict with one that is gone, and nothing is written', async () => {
    await openClinic(await restWard());
    ward.put('V-1', { note: 'done by others', done: true });
    expect(await push('V-1', { note: 'mine' })).toBe('CONFLICT');
    expect(ward.writes()).toBe(0);
    expect(ward.get('V-1')).toMatchObject({ note: 'done by others' });
    await rounds();
    expect(await live()).toEqual(['V-2']);
  });

  test('R14: what leaves it counts towards the limit of deletions', async () => {
    const many = await restWard();
    for (let n = 100; n < 160; n += 1) many.put(`V-${n}`, { note: 'many', done: false });
    await openClinic(many);
    for (let n = 100; n < 160; n += 1) ward.put(`V-${n}`, { note: 'many', done: true });
    await rounds();
    expect((await live()).length).toBe(62);
    expect((await clinic.store.readCollection(clinic.world.tenant, 'visits')).state).toBe('HELD');
  });

  test('R14: a row that does not show the member proves nothing: it is set aside, and what was known stays', async () => {
    await openClinic(await restWard({ done: false, ward: 'north' }));
    expect(await live()).toEqual([]);
    const misfits = await clinic.store.readQuarantine(clinic.world.tenant, 'visits');
    expect(misfits.map(({ sourceKey, reason }) => [sourceKey, reason])).toEqual([
      ['V-1', 'expected ward, by which read.filter decides, got nothing'],
      ['V-2', 'expected ward, by which read.filter decides, got nothing'],
    ]);
  });
});

describe('what a row is, by its members', () => {
  const place = (filter: RowFilter, row: object) => compileFilter(filter)?.(row);

  test.each<readonly [string, RowFilter, object, unknown]>([
    ['a text for a number', { clinic: 7 }, { clinic: '07' }, 'inside'],
    ['an empty text for a number', { clinic: 0 }, { clinic: '' }, 'outside'],
    ['a digit for a truth', { active: true }, { active: '1' }, 'inside'],
    ['another word for a truth', { active: true }, { active: 'yes' }, 'outside'],
    ['one of several', { state: ['new', 'open'] }, { state: 'open' }, 'inside'],
    ['none of several', { state: ['new', 'open'] }, { state: 'done' }, 'outside'],
    ['nothing where null is one', { end: null }, {}, 'inside'],
    ['null where it is none', { end: 'x' }, { end: null }, 'outside'],
    [
      'nothing where null is none',
      { end: 'x' },
      {},
      { misfit: 'expected end, by which read.filter decides, got nothing' },
    ],
    ['nothing beside what is outside already', { end: 'x', clinic: 7 }, { clinic: 8 }, 'outside'],
    [
      'a function that throws',
      () => JSON.parse('{') as boolean,
      {},
      { misfit: 'expected read.filter to say true or false, it threw' },
    ],
    [
      'a function that does not say',
      () => 'yes' as unknown as boolean,
      {},
      { misfit: 'expected read.filter to say true or false, it said something else' },
    ],
  ])('%s', (_what, filter, row, expected) => {
    expect(place(filter, row)).toEqual(expected);
  });

  test('for all rows: inside by members means each of them has one of its values, however it is written', () => {
    const value = fc.oneof(
      fc.integer(),
      fc.boolean(),
      fc.string({ minLength: 1 }).map((text) => `t${text.trim()}`),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), value, { minKeys: 1 }),
        value,
        fc.boolean(),
        (filter, other, isText) => {
          const written = (shown: unknown) => (isText ? ` ${String(shown)} ` : shown);
          const row = Object.fromEntries(Object.entries(filter).map(([name, shown]) => [name, written(shown)]));
          const [first = ''] = Object.keys(filter);
          expect(place(filter, row)).toBe('inside');
          const differs = String(other) !== String(filter[first]) && Number(other) !== Number(filter[first]);
          if (differs && typeof filter[first] !== 'boolean')
            expect(place(filter, { ...row, [first]: written(other) })).toBe('outside');
        },
      ),
    );
  });
});

describe('at definition', () => {
  const defined =
    (read: object, more: object = {}) =>
    (): ConnectorDefinition =>
      defineConnector({
        source: 'clinic',
        transport: rest({ baseUrl: 'http://a.example' }),
        collections: {
          visits: collection({
            type: 'Visit',
            key: 'id',
            fields: { note: field.string() },
            read: { list: get('/visits'), one: get('/visits/{key}'), ...read },
            write: { create: post('/visits'), update: patch('/visits/{key}') },
            ...more,
          }),
        },
      });

  test('a filter of nothing, of objects, and one whose records could be made again are refused', () => {
    expect(defined({ filter: {} })).toThrow('read.filter: expected members with their values');
    expect(defined({ filter: { clinic: { id: 7 } } })).toThrow('read.filter: expected members with their values');
    expect(defined({ filter: { clinic: 7 } }, { deletedRecord: 'editWins' })).toThrow(
      'expected "deleteWins" beside read.filter',
    );
    expect(defined({ filter: { clinic: [7, 8] } })).not.toThrow();
  });

  test('R14: it is part of the set whose absences are compared: with another one, what is missing is held', async () => {
    const markOf = async (filter?: RowFilter): Promise<string | undefined> => {
      const source = createSource(defined(filter === undefined ? {} : { filter })(), eagerDeps());
      await source.close();
      return source.collections[0]?.reading?.mark('set', 'salt:');
    };
    const [none, seven, again, eight] = await Promise.all([
      markOf(),
      markOf({ clinic: 7 }),
      markOf({ clinic: 7 }),
      markOf({ clinic: 8 }),
    ]);
    expect(again).toBe(seven);
    expect(new Set([none, seven, eight]).size).toBe(3);
  });

  test('the plan says so', async () => {
    ward = use(await restWard());
    expect(planOf(ward.visits)).toContain('what is outside of its filter leaves');
  });
});
