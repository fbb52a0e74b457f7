import {
  changeNumber,
  collection,
  createSource,
  defineConnector,
  deletesByLog,
  expired,
  field,
  type AnyCollectionDefinition,
  type CollectionDefinition,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import type { DeletionLogFacts } from '../../src/connectors/deletion-log.js';
import { changedSince, entitySet } from '../../src/connectors/odata.js';
import { get } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';
import type { ObservedBatch, SourceCollection } from '../../src/core/source-port.js';
import { startCare, VISITS as CARE_VISITS } from './odata/care-under-test.js';
import { startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';
import { eagerDeps } from './soap/eager-deps.js';
import { answered, startNotes } from './soap/notes-source.js';

const NEVER = new AbortController().signal;
const START_MS = Date.UTC(2026, 10, 2, 8);
const TIMED: DeletionLogFacts = deletesByLog({
  list: get('/deleted'),
  key: 'visit',
  since: { param: 'since', stamp: 'at', precision: '1s', inclusive: true, maxTransaction: '10s' },
  keepsFor: '30d',
});
const NUMBERED: DeletionLogFacts = deletesByLog({
  list: get('/deleted'),
  since: changeNumber({ param: 'after', member: 'seq', inclusive: false, gap: 2 }),
  keepsFor: '30d',
});

let source: ScriptedSource;
let rows: readonly object[] = [];
let log: readonly unknown[] = [];
let instead: (asked: Asked) => Reply | null = () => null;
beforeEach(async () => {
  source = await startScripted(START_MS);
  [rows, log, instead] = [[], [], () => null];
  source.answer = (asked) => {
    const headers = { date: new Date(START_MS).toUTCString() };
    return instead(asked) ?? { headers, rows: asked.path === '/api/deleted' ? log : rows };
  };
});
afterEach(() => source.close());

function visits(deletes: DeletionLogFacts, more: Partial<ConnectorDefinition> = {}): SourceCollection {
  const one = collection({
    type: 'Visit',
    key: 'id',
    fields: { note: field.string() },
    read: {
      list: get('/visits'),
      one: get('/visits/{key}'),
      changes: { param: 'since', stamp: 'at', precision: '1s', inclusive: true, ordered: false, maxTransaction: '0s' },
      deletes,
    },
  });
  return source.open({ visits: one }, {}, more)[0] as SourceCollection;
}

/** Keys as a poll shows them, those that the log names with a minus, and where it ends. */
async function poll(one: SourceCollection, cursor: string | null) {
  const batches: ObservedBatch[] = [];
  for await (const batch of one.readChanges(cursor, NEVER)) batches.push(batch);
  return {
    shown: batches.flatMap(({ observations }) =>
      observations.map(({ sourceKey, fields }) => (fields === null ? `-${sourceKey}` : sourceKey)),
    ),
    cursor: batches.findLast((batch) => batch.cursor !== undefined)?.cursor ?? cursor,
    needsScan: batches.some((batch) => batch.needsScan === true),
  };
}

/** What the log was asked with since the last look. */
function asked(): readonly string[] {
  return source.asked
    .splice(0)
    .filter(({ path }) => path === '/api/deleted')
    .map(({ query }) => query.toString().replaceAll('%3A', ':'));
}

const entry = (visit: string, at: string) => ({ visit, at: `2026-11-02T${at}Z` });

describe('a log by time', () => {
  test('R14: begins a day before a clock that was not heard of, and goes on behind its newest entry, minus what may come late', async () => {
    const one = visits(TIMED);
    rows = [{ id: 'V-1', note: 'a', at: '2026-11-02T07:00:00Z' }];
    const first = await poll(one, null);
    expect(first).toMatchObject({ shown: ['V-1'], needsScan: false });
    log = [entry('V-1', '07:30:00'), entry('V-9', '07:40:00')];
    const second = await poll(one, first.cursor);
    expect(second.shown).toEqual(['V-1', '-V-1', '-V-9']);
    await poll(one, second.cursor);
    expect(asked()).toEqual([
      'since=2026-11-01T07:59:49.000Z',
      'since=2026-11-01T07:59:49.000Z',
      'since=2026-11-02T07:29:49.000Z',
    ]);
    expect(one.facts).toMatchObject({ deletions: 'feed', deletionLogKeepsMs: 30 * 86_400_000 });
  });

  test('R16: the places in changes and in the log are one cursor; a log that is down leaves its own where it was', async () => {
    const one = visits(TIMED);
    const first = await poll(one, null);
    rows = [{ id: 'V-1', note: 'a', at: '2026-11-02T07:00:00Z' }];
    instead = ({ path }) => (path === '/api/deleted' ? { status: 503 } : null);
    const cursors: string[] = [];
    const broken = (async () => {
      for await (const { cursor } of one.readChanges(first.cursor, NEVER))
        if (cursor !== undefined) cursors.push(cursor);
    })();
    await expect(broken).rejects.toThrow('clinic.visits read.changes: it says 503');
    instead = () => null;
    log = [entry('V-1', '07:30:00')];
    expect(cursors).toHaveLength(1);
    const places = [first.cursor, cursors[0]].map((text) => JSON.parse(text ?? '') as Record<string, unknown>);
    expect(places[0]?.['log']).toEqual(places[1]?.['log']);
    expect(places[0]?.['changes']).not.toEqual(places[1]?.['changes']);
    expect((await poll(visits(TIMED), cursors[0] ?? null)).shown).toEqual(['V-1', '-V-1']);
  });

  test('R14: a first load that is broken off leaves the log where it was before', async () => {
    const one = visits(TIMED);
    instead = ({ path }) => (path === '/api/visits' ? { status: 503 } : null);
    const cursors: string[] = [];
    const broken = (async () => {
      for await (const { cursor } of one.readChanges(null, NEVER)) cursors.push(cursor ?? '');
    })();
    await expect(broken).rejects.toThrow('503');
    instead = () => null;
    source.advance(3_600_000);
    await poll(visits(TIMED), cursors.at(-1) ?? null);
    expect(asked()).toEqual(['since=2026-11-01T07:59:49.000Z']);
  });

  test.each<readonly [string, (first: { cursor: string | null }) => void, string]>([
    ['we were away for longer than it keeps entries', () => source.advance(31 * 86_400_000), 'may have forgotten'],
    ['it lost what it had', () => void (log = [entry('V-3', '07:50:00')]), 'lost what it had'],
    [
      'it no longer knows so far back',
      () => void (instead = ({ path }) => (path === '/api/deleted' ? { status: 410, rows: {} } : null)),
      'no longer knows where we were',
    ],
    [
      'its connector says so',
      () => void (instead = ({ path }) => (path === '/api/deleted' ? { status: 400, rows: {} } : null)),
      'no longer knows where we were',
    ],
    [
      'the clock of its source went back',
      () => {
        const headers = { date: new Date(START_MS - 86_400_000).toUTCString() };
        instead = ({ path }) => (path === '/api/deleted' ? { headers, rows: log } : null);
      },
      'the clock of the source went back',
    ],
  ])('R14: asks for a scan when %s', async (_what, happen, told) => {
    const classify: ConnectorDefinition['classify'] = ({ status }) => (status === 400 ? expired() : undefined);
    const one = visits(TIMED, { classify });
    log = [entry('V-2', '07:59:50')];
    const first = await poll(one, (await poll(one, null)).cursor);
    expect((await poll(one, first.cursor)).needsScan).toBe(false);
    happen(first);
    const lost = await poll(one, first.cursor);
    expect(lost.needsScan).toBe(true);
    expect(source.logged.join('\n')).toContain(told);
    instead = () => null;
    expect((await poll(one, lost.cursor)).needsScan).toBe(false);
  });

  test('an entry that goes in its own time is no loss', async () => {
    const one = visits(TIMED);
    log = [entry('V-2', '07:59:50')];
    let { cursor } = await poll(one, null);
    for (let day = 0; day < 30; day += 1) {
      source.advance(86_400_000);
      ({ cursor } = await poll(one, cursor));
    }
    log = [];
    expect((await poll(one, cursor)).needsScan).toBe(false);
  });

  test('R14: an entry is told again as long as another one of its key may look the same', async () => {
    const one = visits(TIMED);
    log = [entry('V-2', '07:59:50')];
    let { cursor } = await poll(one, null);
    const told: string[] = [];
    for (const ms of [0, 10_999, 1, 0]) {
      source.advance(ms);
      const next = await poll(one, cursor);
      told.push(next.shown.join());
      ({ cursor } = next);
    }
    expect(told).toEqual(['-V-2', '-V-2', '-V-2', '']);
  });

  test('a log that is declared later goes on with the changes, and asks for the deletions before it', async () => {
    const changes = JSON.stringify({ v: 1, at: '2026-11-02T07:00:00.000Z' });
    const added = await poll(visits(TIMED), changes);
    expect(added.needsScan).toBe(true);
    expect(source.asked[0]?.query.get('since')).toBe('2026-11-02T06:59:59.000Z');
    const other = { ...TIMED, list: get('/removals') };
    expect((await poll(visits(other), added.cursor)).needsScan).toBe(true);
  });

  test('entries that show no time, or are bare keys, are followed by the clock of the source', async () => {
    const since = { param: 'since', precision: '1s', inclusive: true, maxTransaction: '10s' } as const;
    const one = visits(deletesByLog({ list: get('/deleted'), since, keepsFor: '30d' }));
    const { cursor } = await poll(one, null);
    log = ['V-1', 7];
    expect((await poll(one, cursor)).shown).toEqual(['-V-1', '-7']);
    expect(asked().at(-1)).toBe('since=2026-11-02T07:59:49.000Z');
    instead = ({ path }) => (path === '/api/deleted' ? { headers: { date: '' }, rows: [] } : null);
    await expect(poll(one, cursor)).rejects.toThrow('expected a Date header');
  });
});

describe('a log by number', () => {
  test('R14: is read whole first; entries that were read are not told again, unless they are the newest', async () => {
    const one = visits(NUMBERED);
    log = [3, 4, 9].map((seq) => ({ id: `V-${seq}`, seq }));
    const first = await poll(one, null);
    expect(first.shown).toEqual(['-V-3', '-V-4', '-V-9']);
    const second = await poll(one, first.cursor);
    const third = await poll(one, second.cursor);
    expect(third).toEqual({ shown: [], cursor: second.cursor, needsScan: false });
    // Another process knows nothing of what was told.
    expect((await poll(visits(NUMBERED), second.cursor)).shown).toEqual(['-V-3', '-V-4', '-V-9']);
    log = [...log, { id: 'V-4', seq: 10 }];
    const fourth = await poll(one, second.cursor);
    expect(fourth.shown).toEqual(['-V-4']);
    // Nor does one that finds a place other than its own last one, as of a backup.
    expect((await poll(one, first.cursor)).shown).toEqual(['-V-3', '-V-4', '-V-9']);
    expect(asked().slice(0, 2)).toEqual(['after=0', 'after=2']);
  });

  test('R14: a log that lost what it had may number its entries anew', async () => {
    const one = visits(NUMBERED);
    log = [7, 8, 9].map((seq) => ({ id: `V-${seq}`, seq }));
    const first = await poll(one, (await poll(one, null)).cursor);
    log = [];
    const lost = await poll(one, first.cursor);
    expect(lost.needsScan).toBe(true);
    log = [{ id: 'V-2', seq: 1 }];
    expect(await poll(one, lost.cursor)).toMatchObject({ shown: ['-V-2'], needsScan: false });
    expect(asked().at(-1)).toBe('after=0');
  });

  test('R14: an entry without a key, or without its number, is no answer', async () => {
    log = [{ id: 'V-1' }];
    await expect(poll(visits(NUMBERED), null)).rejects.toThrow('number of change in seq');
    log = [{ seq: 4 }];
    await expect(poll(visits(NUMBERED), null)).rejects.toThrow('expected a log of deletions of visits to have a key');
  });
});

describe('OData', () => {
  const LOGGED = (list: ReturnType<typeof entitySet>, key = 'VisitID'): AnyCollectionDefinition => {
    const { read, ...rest } = CARE_VISITS as CollectionDefinition;
    const since = changedSince('LastModified', { precision: '1ms', maxTransaction: '1s' });
    return { ...rest, read: { ...read, deletes: deletesByLog({ list, key, since, keepsFor: '30d' }) } };
  };

  test('R14: a set of tombstones is a log, asked by its own properties', async () => {
    const care = await startCare();
    try {
      const one = care.openOne(LOGGED(entitySet('Lines', { filter: "Sku eq 'deleted'" })));
      const { cursor } = await poll(one, null);
      for (const [Number, Sku] of [
        [1, 'deleted'],
        [2, 'other'],
      ] as const)
        care.service.store.put('Lines', [`V-${Number}`, Number], { Sku }, true);
      expect((await poll(one, cursor)).shown).toEqual(['-V-1']);
      const query = care.service.asked.findLast(({ path }) => path === '/Lines')?.query;
      expect(query?.get('$select')).toBe('VisitID,LastModified');
      expect(query?.get('$filter')).toMatch(/^\(Sku eq 'deleted'\) and \(LastModified ge 20/);
    } finally {
      await care.close();
    }
  });

  test('a set that does not have what is declared of its entries is told', async () => {
    const care = await startCare();
    try {
      await expect(poll(care.openOne(LOGGED(entitySet('Lines'), 'Visit')), null)).rejects.toThrow(
        'read.deletes.key: expected one of the properties',
      );
    } finally {
      await care.close();
    }
  });
});

test('R14: a SOAP operation that lists what was deleted is a log', async () => {
  const notes = await startNotes();
  const deps = eagerDeps();
  const one = collection({
    type: 'Note',
    key: 'id',
    fields: { title: field.string() },
    read: {
      list: call('ListNotes', { rows: 'notes.note' }),
      one: call('GetNote', { keyIn: 'id', rows: 'note' }),
      changes: changeNumber({ param: 'page.from', member: 'version', inclusive: true, gap: 0 }),
      deletes: deletesByLog({
        list: call('FindNotes', { rows: 'notes.note' }),
        since: changeNumber({ param: 'ref', member: 'version', inclusive: true, gap: 0 }),
        keepsFor: '30d',
      }),
    },
  });
  const transport = soap({ wsdl: `${notes.url}/notes?wsdl`, endpoint: `${notes.url}/notes` });
  const opened = createSource(defineConnector({ source: 'office', transport, collections: { notes: one } }), deps);
  try {
    const note = '<note><id>7</id><version>3</version><text>gone</text></note>';
    notes.answer = ({ body }) => ({
      body: body.includes('FindNotes')
        ? answered('FindNotes', `<notes>${note}</notes>`)
        : answered('ListNotes', '<notes/>'),
    });
    expect((await poll(opened.collections[0] as SourceCollection, null)).shown).toEqual(['-7']);
    expect(notes.asked.at(-1)?.body).toContain('<n1:ref>0</n1:ref>');
  } finally {
    await opened.close();
    await notes.close();
  }
});
