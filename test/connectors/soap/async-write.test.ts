import { call, type CallOptions } from '../../../src/connectors/soap.js';
import type { SourceWriteOutcome } from '../../../src/core/source-port.js';
import { answered, faulted, notesWsdl, RETITLED, startNotes, type NotesSource, type Reply } from './notes-source.js';

// A write that is answered with a ticket was begun: it is done when its job says so, refused when that says so, and in doubt otherwise.

const NEVER = new AbortController().signal;
const PENDING = { at: 'state', is: ['RUNNING'], done: ['DONE'], failed: ['FAILED'], message: 'why' };
const NOTE = '<note><id>7</id><version>4</version><title>New</title><text>t</text></note>';

/** The notes' WSDL with a way to save that gives a ticket, and one that takes it. */
function wsdl(): string {
  const text = (name: string): string => `<xsd:element name="${name}" type="xsd:string" minOccurs="0"/>`;
  const note = '<xsd:element name="note" type="tns:Note" minOccurs="0"/>';
  const of = (name: string, elements: string): string =>
    `<xsd:element name="${name}"><xsd:complexType><xsd:sequence>${elements}</xsd:sequence></xsd:complexType></xsd:element>`;
  const schema = /<xsd:schema[^>]*>([^]*)<\/xsd:schema>/.exec(notesWsdl())?.[1] ?? '';
  return notesWsdl({
    operations: ['ListNotes', 'GetNote', 'SaveNote', 'FindNotes', 'Begin', 'Result'],
    schema: `${schema}${of('Begin', note)}${of('BeginResponse', text('ticket'))}${of('Result', text('ticket'))}${of('ResultResponse', text('state') + text('why') + note)}`,
  });
}

let notes: NotesSource;
let begun: Reply;
/** What the source answers to each question, one after the other; the last one for ever. */
let results: Reply[];
beforeEach(async () => {
  notes = await startNotes();
  notes.wsdl = () => ({ body: wsdl() });
  begun = { body: answered('Begin', '<ticket>t-1</ticket>') };
  notes.answer = ({ body }) => {
    if (body.includes('Begin>')) return begun;
    return (results.length > 1 ? results.shift() : results[0]) ?? { status: 500 };
  };
});
afterEach(() => notes.close());

const sent = (what: string): readonly string[] =>
  notes.asked.map(({ body }) => body).filter((body) => body.includes(`${what}>`));
const state = (word: string, more = ''): Reply => ({
  body: answered('Result', `<state>${word}</state>${more}`),
});

function optionsWith(pending: object = {}, more: object = {}): CallOptions {
  const poll = call('Result', { ticketIn: 'ticket', rows: 'note' });
  return {
    rows: '',
    sends: 'changed',
    args: {},
    async: { ticket: 'ticket', poll, pending: { ...PENDING, ...pending }, every: '1s', within: '5s', ...more },
  };
}

async function save(options = optionsWith()): Promise<SourceWriteOutcome> {
  return await notes.open({ updateBy: 'Begin', update: options }).write(RETITLED, NEVER);
}

describe('a write that is answered with a ticket', () => {
  test('R11: is done when its job is, and shows its record', async () => {
    results = [state('RUNNING'), state('RUNNING'), state('DONE', NOTE)];
    expect(await save()).toMatchObject({ kind: 'applied', observation: { sourceKey: '7', sourceVersion: '4' } });
    expect([sent('Begin').length, sent('Result').length]).toEqual([1, 3]);
    expect(sent('Result')[0]).toContain('<n1:ticket>t-1</n1:ticket>');
  });

  test('R11: is refused when its job failed as its connector says, with what the source says', async () => {
    results = [state('RUNNING'), state('FAILED', '<why>the note is closed</why>')];
    expect(await save()).toMatchObject({ kind: 'refused', message: 'the note is closed' });
    results = [state('FAILED')];
    expect(await save()).toMatchObject({ kind: 'refused', message: 'its job ended in the state FAILED' });
  });

  test.each<readonly [string, readonly Reply[]]>([
    ['is in a state that nobody declared', [state('LOST')]],
    ['is in no state', [{ body: answered('Result', '') }]],
    ['is not known any more', [{ status: 500, body: faulted('S:Client', 'no such ticket') }]],
    ['is told by an error of the server', [state('RUNNING'), { status: 500, body: faulted('S:Server', 'busy') }]],
    ['is told by half an answer', [{ ...state('DONE', NOTE), cutAt: 60 }]],
    ['is done without its record', [state('DONE')]],
  ])('R11: is in doubt, and not sent again, when its job %s', async (_what, replies) => {
    results = [...replies];
    expect(await save()).toMatchObject({ kind: 'unknown' });
    expect(sent('Begin')).toHaveLength(1);
  });

  test('R11: is in doubt when there is no ticket in its answer', async () => {
    results = [];
    begun = { body: answered('Begin', '') };
    expect(await save()).toMatchObject({ kind: 'unknown' });
    expect(sent('Result')).toEqual([]);
  });

  test('R11: is refused, stale or in doubt as others are when it is answered with a fault', async () => {
    results = [];
    begun = { status: 500, body: faulted('S:Client', 'closed') };
    expect(await save()).toMatchObject({ kind: 'refused', message: 'closed' });
    begun = { status: 500, body: faulted('S:Server', 'busy') };
    expect(await save()).toMatchObject({ kind: 'unknown' });
  });

  test('R11: is in doubt when its job does not end in time', async () => {
    results = [state('RUNNING')];
    const notEnding = notes.answer;
    notes.answer = (asked) => {
      notes.advance(1_500);
      return notEnding(asked);
    };
    expect(await save()).toMatchObject({ kind: 'unknown', reason: expect.stringContaining('in time') as string });
  });
});

test.each<readonly [string, CallOptions, string]>([
  [
    'as long as the call may take',
    optionsWith({}, { within: '10s' }),
    'expected async.within to be shorter than the timeout of a write, 10000 ms, got 10000 ms',
  ],
  ['a state twice', optionsWith({ failed: ['DONE'] }), 'expected other states in async.pending.done'],
  ['a reason of no failure', optionsWith({ failed: [] }), 'expected async.pending.failed beside message'],
])('a ticket of a write is refused with %s', (_what, options, message) => {
  expect(() => notes.open({ updateBy: 'Begin', update: options })).toThrow(message);
});
