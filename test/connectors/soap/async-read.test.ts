import { offset } from '../../../src/connectors/define.js';
import { call, soap, type CallOptions } from '../../../src/connectors/soap.js';
import type { CallPurpose } from '../../../src/connectors/fault.js';
import type { SourceKey } from '../../../src/core/change.js';
import type { Observation, SourceCollection } from '../../../src/core/source-port.js';
import { answered, faulted, notesWsdl, startNotes, type NotesSource, type Reply } from './notes-source.js';

const signal = new AbortController().signal;
const PENDING = { at: 'state', is: ['QUEUED', 'RUNNING'], done: ['DONE'] };
const POLL = { ticketIn: 'ticket', rows: 'notes.note', total: 'total' };

/** The notes' WSDL with two operations more: one that gives a ticket, and one that takes it. */
function wsdl(): string {
  const element = (name: string, type: string): string =>
    `<xsd:element name="${name}" type="xsd:${type}" minOccurs="0"/>`;
  const of = (name: string, elements: string): string =>
    `<xsd:element name="${name}"><xsd:complexType><xsd:sequence>${elements}</xsd:sequence></xsd:complexType></xsd:element>`;
  const schema = /<xsd:schema[^>]*>([^]*)<\/xsd:schema>/.exec(notesWsdl())?.[1] ?? '';
  return notesWsdl({
    operations: ['ListNotes', 'GetNote', 'SaveNote', 'FindNotes', 'Start', 'Result'],
    schema:
      schema +
      of('Start', element('id', 'string') + element('from', 'int') + element('size', 'int')) +
      of('StartResponse', element('ticket', 'string')) +
      of('Result', element('ticket', 'string')) +
      of(
        'ResultResponse',
        `${element('state', 'string')}<xsd:element name="notes" type="tns:Notes" minOccurs="0"/><xsd:element name="note" type="tns:Note" minOccurs="0"/>${element('total', 'int')}`,
      ),
  });
}

let notes: NotesSource;
/** What the source answers to each question, one after the other; the last one for ever. */
let results: Reply[];
beforeEach(async () => {
  notes = await startNotes();
  notes.wsdl = () => ({ body: wsdl() });
  notes.answer = ({ body }) => {
    if (body.includes('Start>')) return { body: answered('Start', `<ticket>t-${polls().length}</ticket>`) };
    return (results.length > 1 ? results.shift() : results[0]) ?? { status: 500 };
  };
});
afterEach(() => notes.close());

const polls = (): readonly string[] => notes.asked.map(({ body }) => body).filter((body) => body.includes('Result>'));
const starts = (): readonly string[] => notes.asked.map(({ body }) => body).filter((body) => body.includes('Start>'));
const state = (word: string): Reply => ({ body: answered('Result', `<state>${word}</state>`) });
const done = (elements: string): Reply => ({ body: answered('Result', `<state>DONE</state>${elements}`) });

function asynchronous(more: object = {}, poll: CallOptions = POLL): CallOptions {
  return {
    async: { ticket: 'ticket', poll: call('Result', poll), pending: PENDING, every: '1s', within: '10s', ...more },
  };
}

function open(one: CallOptions): SourceCollection {
  return notes.open({ oneBy: 'Start', one: { keyIn: 'id', rows: '', ...one } });
}

const ROW = asynchronous({}, { ticketIn: 'ticket', rows: 'note' });
const read = (collection: SourceCollection) => collection.readOne('7' as SourceKey, signal);

async function scan(list: CallOptions): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  const collection = notes.open({ listBy: 'Start', list: { rows: '', ...list } });
  for await (const batch of collection.scan(signal)) observations.push(...batch.observations);
  return observations;
}

describe('a read that is answered with a ticket', () => {
  test('waits for its result, and asks with its ticket', async () => {
    results = [state('QUEUED'), state('RUNNING'), done('<note><id>7</id><title>A</title></note>')];
    expect(await read(open(ROW))).toMatchObject({ sourceKey: '7', fields: { title: 'A' } });
    expect(starts()).toHaveLength(1);
    expect(starts()[0]).toContain('<n1:id>7</n1:id>');
    expect(polls()).toHaveLength(3);
    for (const body of polls()) expect(body).toContain('<n1:Result><n1:ticket>t-0</n1:ticket></n1:Result>');
  });

  test('has questions for it that are calls like others: one that met a passing fault is made again', async () => {
    results = [state('RUNNING'), { status: 503 }, done('<note><id>7</id><title>A</title></note>')];
    expect(await read(open(ROW))).toMatchObject({ sourceKey: '7' });
    expect([starts().length, polls().length]).toEqual([1, 3]);
  });

  test('R14: of a list has each page with a ticket of its own, and is complete only if its total is', async () => {
    const page = (ids: readonly number[], total: number): Reply =>
      done(`<notes>${ids.map((id) => `<note><id>${id}</id></note>`).join('')}</notes><total>${total}</total>`);
    const list = {
      ...asynchronous(),
      paging: offset({ fromIn: 'from', sizeIn: 'size', size: 2, shortPageEnds: true }),
    };
    results = [state('RUNNING'), page([1, 2], 3), state('RUNNING'), page([3], 3)];
    expect((await scan(list)).map(({ sourceKey }) => sourceKey)).toEqual(['1', '2', '3']);
    expect(starts()).toHaveLength(2);
    results = [page([1, 2], 5), page([], 5)];
    await expect(scan(list)).rejects.toThrow('the list ended after 2 of 5 rows');
  });

  test.each<readonly [string, Reply, RegExp]>([
    [
      'a state that nobody declared',
      state('FAILED'),
      /Result: expected one of QUEUED, RUNNING, DONE at state, got "FAILED"/,
    ],
    ['no state', { body: answered('Result', '') }, /QUEUED, RUNNING, DONE at state, got ""/],
    ['a fault', { status: 500, body: faulted('S:Client', 'no such ticket') }, /it says Client: no such ticket/],
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>' }, /expected XML/],
  ])('R14: whose result is %s has shown nothing', async (_what, reply, message) => {
    results = [state('RUNNING'), reply];
    await expect(scan(asynchronous())).rejects.toThrow(message);
  });

  test('R14: of a list without a ticket has shown nothing', async () => {
    notes.answer = () => ({ body: answered('Start', '') });
    await expect(scan(asynchronous())).rejects.toThrow('Start: expected a ticket at ticket, got none');
    expect(polls()).toEqual([]);
  });

  test('ends when its time is over', async () => {
    results = [state('RUNNING')];
    let seen: () => void = () => undefined;
    const polled = (): Promise<void> => new Promise((resolve) => (seen = resolve));
    const answer = notes.answer;
    notes.answer = (asked) => {
      if (asked.body.includes('Result>')) setImmediate(seen);
      // An end for a reader that would never give up.
      if (polls().length > 200) results = [done('<note><id>7</id></note>')];
      return answer(asked);
    };
    const first = polled();
    const reading = read(open(asynchronous({ within: '5s' }, { ticketIn: 'ticket', rows: 'note' })));
    const ended = reading.then(
      () => 'answered',
      (thrown: unknown) => (thrown as Error).message,
    );
    await first;
    notes.advance(5_000);
    expect(await ended).toBe('office.notes read.one: no result within 5000 ms of its ticket');
  });

  test('is asked for a last time when its time is over, however long it rests between', async () => {
    results = [state('RUNNING'), done('<note><id>7</id></note>')];
    const askedAtMs: number[] = [];
    const { answer } = notes;
    notes.answer = (asked) => {
      if (asked.body.includes('GetNote>')) return { body: answered('GetNote', '<note><id>7</id></note>') };
      if (asked.body.includes('Result>')) askedAtMs.push(notes.nowMs());
      return answer(asked);
    };
    const other = notes.open();
    const reading = read(open(asynchronous({ every: '10s', within: '12s' }, { ticketIn: 'ticket', rows: 'note' })));
    let isOver = false;
    const ended = reading.finally(() => (isOver = true));
    while (!isOver) {
      await read(other);
      notes.advance(500);
    }
    expect(await ended).toMatchObject({ sourceKey: '7' });
    const [first = 0, last = 0] = askedAtMs;
    // Not after another ten seconds; what is over is what the loop above takes.
    expect(last - first).toBeLessThan(5_000);
  });

  test('is not asked for before its time', async () => {
    results = [done('<note><id>7</id></note>')];
    const { answer } = notes;
    notes.answer = (asked) =>
      asked.body.includes('GetNote>') ? { body: answered('GetNote', '<note><id>7</id></note>') } : answer(asked);
    const reading = read(open(asynchronous({ every: '2s' }, { ticketIn: 'ticket', rows: 'note' })));
    const other = notes.open();
    while (starts().length === 0) await read(other);
    for (let reads = 0; reads < 5; reads++) await read(other);
    expect(polls()).toHaveLength(0);
    notes.advance(2_000);
    expect(await reading).toMatchObject({ sourceKey: '7' });
  });

  test('that its caller gives up is asked for no more', async () => {
    const leaver = new AbortController();
    results = [state('RUNNING')];
    const answer = notes.answer;
    notes.answer = (asked) => {
      if (polls().length === 3) leaver.abort();
      return answer(asked);
    };
    await expect(open(ROW).readOne('7' as SourceKey, leaver.signal)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
    });
    expect(polls()).toHaveLength(3);
  });

  test.each<readonly [string, CallOptions, string]>([
    ['ticket', asynchronous({ ticket: 'jobId' }), 'async.ticket: expected one of ticket in StartResponse, got jobId'],
    [
      'ticketIn',
      asynchronous({}, { ticketIn: 'job', rows: 'note' }),
      'ticketIn: expected one of ticket in Result, got job',
    ],
    [
      'state',
      asynchronous({ pending: { ...PENDING, at: 'status' } }),
      'async.pending.at: expected one of state, notes',
    ],
  ])('whose %s the WSDL does not have is told', async (_what, one, message) => {
    await expect(read(open(one))).rejects.toThrow(message);
  });
});

describe('an operation with a ticket is refused at definition', () => {
  const kit = soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example' });
  test.each<readonly [string, CallOptions, CallPurpose, string]>([
    ['for a write', asynchronous(), 'create', 'expected async.within to be shorter than the timeout of a write'],
    ['whose poll takes none', asynchronous({}, { rows: 'note' }), 'list', 'expected async.poll with ticketIn'],
    [
      'whose poll has a ticket, too',
      asynchronous({}, { ...POLL, ...asynchronous() }),
      'list',
      'without async of its own',
    ],
    [
      'whose rows are of the wrong answer',
      { ...asynchronous(), rows: 'notes' },
      'list',
      'expected rows, total and more in async.poll',
    ],
    [
      'that is never done',
      asynchronous({ pending: { ...PENDING, done: [] } }),
      'list',
      'expected at least one state each',
    ],
    [
      'that is done while it runs',
      asynchronous({ pending: { ...PENDING, done: ['RUNNING'] } }),
      'list',
      'expected other states',
    ],
    [
      'that ends before it begins',
      asynchronous({ within: '10ms' }),
      'one',
      'expected async.within as a duration like "2m"',
    ],
    [
      'of no time',
      asynchronous({ every: 'often' }),
      'one',
      'expected async.every as a duration like "2s", got "often"',
    ],
    ['as another call takes it', { ticketIn: 'ticket' }, 'one', 'expected no ticketIn, which belongs to async.poll'],
  ])('%s', (_what, options, purpose, message) => {
    expect(kit.misfitOf(call('Start', options), purpose, 1)).toContain(message);
  });

  test('and taken where it fits', () => {
    expect(kit.misfitOf(call('Start', asynchronous()), 'list', 1)).toBeNull();
  });
});
