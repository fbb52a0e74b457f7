import { absent } from '../../../src/connectors/define.js';
import { call } from '../../../src/connectors/soap.js';
import type { SourceCollection, SourceWrite } from '../../../src/core/source-port.js';
import {
  answered,
  faulted,
  RETITLED,
  startNotes,
  type NotesSource,
  type OpenSettings,
  type Reply,
} from './notes-source.js';

const signal = new AbortController().signal;
const NOTE = '<id>7</id><version>3</version><title>New</title><text>words</text><ref>aa11</ref>';
const CREATE: SourceWrite = { ...RETITLED, kind: 'create', current: null, guard: null, idempotencyKey: 'aa11' };

let notes: NotesSource;
beforeEach(async () => {
  notes = await startNotes();
});
afterEach(() => notes.close());

function open(write: NonNullable<OpenSettings['write']>, more: OpenSettings = {}): SourceCollection {
  return notes.open({ ...more, update: { sends: 'changed' }, write });
}

const bodies = (): readonly string[] => notes.asked.map(({ body }) => body).filter((body) => body !== '');

describe('an idempotency key', () => {
  test('R11: goes as an argument with every write, the same for a repeat', async () => {
    const collection = open({ idempotencyKey: { argument: 'requestKey', lifetime: '1h' } });
    expect(collection.facts.idempotencyKeyLifetimeMs).toBe(3_600_000);
    notes.answer = () => ({ status: 500, body: faulted('S:Server', 'busy') });
    expect(await collection.write(RETITLED, signal)).toMatchObject({ kind: 'unknown' });
    notes.answer = () => ({ body: answered('SaveNote', `<note>${NOTE}</note>`) });
    expect(await collection.write(RETITLED, signal)).toMatchObject({ kind: 'applied' });
    const [first, again] = bodies();
    expect(first).toContain('<n1:requestKey>i</n1:requestKey></n1:SaveNote>');
    expect(again).toBe(first);
  });

  test('R11: goes as a header where the source takes it so', async () => {
    const collection = open({ idempotencyKey: { header: 'X-Request-Key', lifetime: '1h' } });
    notes.answer = () => ({ body: answered('SaveNote', `<note>${NOTE}</note>`) });
    await collection.write(RETITLED, signal);
    expect(notes.asked.at(-1)?.headers['x-request-key']).toBe('i');
    expect(bodies().at(-1)).not.toContain('requestKey');
  });

  test('R11: under an argument that the WSDL does not have, nothing is sent', async () => {
    const collection = open({ idempotencyKey: { argument: 'key', lifetime: '1h' } });
    const outcome = await collection.write(RETITLED, signal);
    expect(outcome).toMatchObject({ kind: 'notSent', reason: expect.stringContaining('got key') as string });
    expect(bodies()).toEqual([]);
  });
});

describe('a look-up', () => {
  const reference = { field: 'ref', lookUp: call('FindNotes', { referenceIn: 'ref', rows: 'notes.note' }) };

  async function lookUp(reply: Reply, more: OpenSettings = {}) {
    notes.answer = () => reply;
    return await open({ reference }, more).lookUp?.('aa11', signal);
  }

  test('R11: finds the record of a create, which carried the reference', async () => {
    notes.answer = ({ body }) => ({
      body: body.includes('FindNotes')
        ? answered('FindNotes', `<notes><note>${NOTE}</note></notes>`)
        : answered('SaveNote', `<note>${NOTE}</note>`),
    });
    const collection = open({ reference });
    expect(await collection.write(CREATE, signal)).toMatchObject({ kind: 'applied' });
    expect(await collection.lookUp?.('aa11', signal)).toMatchObject({ sourceKey: '7', fields: { title: 'New' } });
    const [save, find] = bodies();
    expect(save).toContain('<n1:ref>aa11</n1:ref>');
    expect(find).toContain('<n1:FindNotes><n1:ref>aa11</n1:ref></n1:FindNotes>');
  });

  test.each<readonly [string, Reply, OpenSettings]>([
    ['an empty list', { body: answered('FindNotes', '<notes/>') }, {}],
    ['no list', { body: answered('FindNotes', '') }, {}],
    [
      'a fault that the connector knows',
      { status: 500, body: faulted('S:Client', 'none') },
      { classify: () => absent() },
    ],
  ])('R11: says absent of %s', async (_what, reply, more) => {
    expect(await lookUp(reply, more)).toBe('absent');
  });

  test.each<readonly [string, Reply, RegExp]>([
    [
      'several records',
      { body: answered('FindNotes', `<notes><note>${NOTE}</note><note>${NOTE}</note></notes>`) },
      /got 2/,
    ],
    [
      'a record with another reference',
      { body: answered('FindNotes', `<notes><note>${NOTE.replace('aa11', 'bb22')}</note></notes>`) },
      /expected a record whose ref is our reference, got the record 7/,
    ],
    ['a fault with the status of a success', { body: faulted('S:Client', 'none') }, /it says Client: none/],
    ['a fault of the server', { status: 500, body: faulted('S:Server', 'none') }, /it says Server: none/],
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>' }, /expected XML/],
    ['half an envelope', { body: answered('FindNotes', '<notes/>').slice(0, 150) }, /well-formed/],
  ])('R11: does not say absent of %s', async (_what, reply, message) => {
    const looking = lookUp(reply);
    await expect(looking).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    await expect(looking).rejects.toThrow(message);
  });

  test('R11: whose rows are declared where the WSDL has none is an error, not an absence', async () => {
    const misspelt = { field: 'ref', lookUp: call('FindNotes', { referenceIn: 'ref', rows: 'notes.notes' }) };
    notes.answer = () => ({ body: answered('FindNotes', `<notes><note>${NOTE}</note></notes>`) });
    await expect(open({ reference: misspelt }).lookUp?.('aa11', signal)).rejects.toThrow('rows: expected one of note');
  });
});

describe('a write that is answered with 200', () => {
  test.each([
    ['a fault of the server', faulted('S:Server', 'the database is full')],
    ['an answer without the record', answered('SaveNote', '')],
    ['an error where the record should be', answered('SaveNote', '<note><error>locked</error></note>')],
  ])('R11: and %s is in doubt', async (_what, body) => {
    notes.answer = () => ({ body });
    expect(await open({}).write(RETITLED, signal)).toMatchObject({ kind: 'unknown' });
    expect(bodies()).toHaveLength(1);
  });

  test('R11: and nothing else is done where its connector promises no record', async () => {
    notes.answer = ({ body }) => ({
      body: body.includes('GetNote') ? answered('GetNote', `<note>${NOTE}</note>`) : answered('SaveNote', ''),
    });
    const collection = notes.open({ update: { sends: 'changed', answers: 'nothing' } });
    expect(await collection.write(RETITLED, signal)).toMatchObject({
      kind: 'applied',
      observation: { sourceKey: '7' },
    });
  });
});
