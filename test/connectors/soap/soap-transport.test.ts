import { gzipSync } from 'node:zlib';
import { absent, notProcessed, unknownOutcome } from '../../../src/connectors/define.js';
import { SyncError } from '../../../src/core/errors.js';
import type { Observation, SourceCollection } from '../../../src/core/source-port.js';
import type { SourceKey } from '../../../src/core/change.js';
import { answered, faulted, RETITLED, startNotes, type NotesSource, type Reply } from './notes-source.js';

const signal = new AbortController().signal;
const NOTE =
  '<id>7</id><version>3</version><title>Old</title><text>words</text><tag>a</tag><tag>b</tag><pinned>1</pinned>';
const found: Reply = { body: answered('GetNote', `<note>${NOTE}</note>`) };

let notes: NotesSource;
beforeEach(async () => {
  notes = await startNotes();
});
afterEach(() => notes.close());

/** Answers single reads as they should be, and saves with this. */
function saves(reply: Reply): void {
  notes.answer = ({ body }) => (body.includes('GetNote') ? found : reply);
}

async function messageOfRead(collection: SourceCollection): Promise<string> {
  try {
    await collection.readOne('7' as SourceKey, signal);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SyncError);
    expect((thrown as SyncError).code).toBe('SOURCE_UNAVAILABLE');
    return (thrown as SyncError).message;
  }
  throw new Error('expected the read to fail');
}

async function scan(collection: SourceCollection): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  for await (const batch of collection.scan(signal)) observations.push(...batch.observations);
  return observations;
}

describe('a request', () => {
  test('has its elements in the order of the schema, in its namespaces, with action and media type', async () => {
    notes.answer = () => found;
    await notes.open().write(RETITLED, signal);
    const save = notes.asked.at(-1);
    expect(save?.path).toBe('/notes');
    expect(save?.headers).toMatchObject({ soapaction: '"urn:do/SaveNote"', 'content-type': 'text/xml; charset=utf-8' });
    const body = /<s:Body>(.*)<\/s:Body>/.exec(save?.body ?? '')?.[1];
    expect(body).toBe(
      '<n1:SaveNote><n1:reason>sync</n1:reason><n1:note><n1:id>7</n1:id><n1:version>3</n1:version><n1:title>New</n1:title>' +
        '<n1:text>words</n1:text><n1:tag>a</n1:tag><n1:tag>b</n1:tag><n1:pinned>1</n1:pinned></n1:note></n1:SaveNote>',
    );
    expect(save?.body).toContain(' xmlns:n1="urn:notes"');
  });

  test('says "no value" by xsi:nil where the schema knows it, and leaves the element out elsewhere', async () => {
    notes.answer = () => found;
    await notes.open().write({ ...RETITLED, fields: { title: null, text: null } }, signal);
    const body = notes.asked.at(-1)?.body;
    expect(body).toMatch(/<n1:text n2:nil="true"\/>/);
    expect(body).toContain(' xmlns:n2="http://www.w3.org/2001/XMLSchema-instance"');
    expect(body).not.toContain('title');
  });

  test('of what changed only empties an element by sending it empty', async () => {
    saves(found);
    await notes.open({ update: { sends: 'changed' } }).write({ ...RETITLED, fields: { title: null } }, signal);
    expect(notes.asked).toHaveLength(2);
    expect(notes.asked.at(-1)?.body).toContain('<n1:title/></n1:note>');
  });

  test('of all mapped fields sends what is current, without a read before', async () => {
    saves(found);
    await notes.open({ update: { sends: 'mapped' } }).write(RETITLED, signal);
    expect(notes.asked).toHaveLength(2);
    expect(notes.asked.at(-1)?.body).toContain(
      '<n1:title>New</n1:title><n1:text>words</n1:text><n1:tag>a</n1:tag><n1:tag>b</n1:tag><n1:pinned>true</n1:pinned>',
    );
  });

  test('carries the headers of the source and its credentials', async () => {
    notes.answer = () => found;
    const transport = { auth: { header: 'authorization', value: 'Bearer t' }, headers: { 'x-client': '9' } };
    await notes.open({ transport }).readOne('7' as SourceKey, signal);
    for (const { headers } of notes.asked)
      expect(headers).toMatchObject({ authorization: 'Bearer t', 'x-client': '9' });
  });
});

describe('a list', () => {
  test('R14: is read page by page with overlap, and complete only if its total is', async () => {
    const ids = ['1', '2', '3', '4', '5'];
    notes.answer = ({ body }) => {
      const from = Number(/from>(\d+)</.exec(body)?.[1]);
      const rows = ids.slice(from, from + 3).map((id) => `<note><id>${id}</id></note>`);
      const more = from + 3 < ids.length;
      return { body: answered('ListNotes', `<notes>${rows.join('')}</notes><total>5</total><more>${more}</more>`) };
    };
    expect((await scan(notes.open())).map((one) => one.sourceKey)).toEqual(ids);
    ids.pop();
    notes.answer = () => ({
      body: answered('ListNotes', '<notes><note><id>1</id></note></notes><total>5</total><more>0</more>'),
    });
    await expect(scan(notes.open())).rejects.toThrow('the list ended after 1 of 5 rows');
  });

  test('R14: whose rows are declared where the WSDL has none is an error, not an empty list', async () => {
    notes.answer = () => ({ body: answered('ListNotes', '<notes><note><id>1</id></note></notes>') });
    await expect(scan(notes.open({ list: { rows: 'notes.notes' } }))).rejects.toThrow(
      'ListNotes: rows: expected one of note in notes, got notes',
    );
  });

  test('R14: that is answered with "not there" is an error, not an empty list', async () => {
    notes.answer = () => ({ status: 500, body: faulted('S:Client', 'nothing found') });
    await expect(scan(notes.open({ classify: () => absent() }))).rejects.toThrow('expected a list from ListNotes');
  });

  test('compressed is read like any other', async () => {
    const body = gzipSync(answered('ListNotes', '<notes><note><id>1</id></note></notes><more>false</more>'));
    notes.answer = () => ({ headers: { 'content-encoding': 'gzip' }, body });
    expect(await scan(notes.open())).toHaveLength(1);
  });
});

describe('a single read', () => {
  test('of an empty answer is an error; absence only where the connector says so', async () => {
    notes.answer = () => ({ body: answered('GetNote', '') });
    expect(await messageOfRead(notes.open())).toContain('expected a record');
    expect(await notes.open({ one: { emptyIsAbsent: true } }).readOne('7' as SourceKey, signal)).toBe('absent');
  });

  test('of an HTTP 404 says nothing about the record: the endpoint is not there', async () => {
    notes.answer = () => ({ status: 404, headers: { 'content-type': 'text/html' }, body: '<h1>Not found</h1>' });
    expect(await messageOfRead(notes.open())).toContain('expected XML in UTF-8, got text/html (status 404)');
  });

  test('with a fault is absent where the connector says so, else an error', async () => {
    notes.answer = () => ({
      status: 500,
      body: faulted('S:Client', 'no such note', '<detail><E><code>404</code></E></detail>'),
    });
    const classify = ({ body }: { readonly body: unknown }) =>
      (body as { readonly E?: { readonly code?: string } } | null)?.E?.code === '404' ? absent() : undefined;
    expect(await notes.open({ classify }).readOne('7' as SourceKey, signal)).toBe('absent');
    expect(await messageOfRead(notes.open())).toContain('it says Client: no such note');
  });

  test('with a fault of the client is not asked for again, with one of the server three times', async () => {
    notes.answer = () => ({ status: 500, body: faulted('S:Client', 'no') });
    await messageOfRead(notes.open());
    expect(notes.asked.filter(({ body }) => body !== '')).toHaveLength(1);
    notes.asked.length = 0;
    notes.answer = () => ({ status: 500, body: faulted('S:Server', 'later') });
    await messageOfRead(notes.open());
    expect(notes.asked.filter(({ body }) => body !== '')).toHaveLength(3);
  });

  test.each<readonly [string, Reply, RegExp]>([
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>Log in</html>' }, /got text\/html/],
    ['nothing', { body: '' }, /well-formed XML/],
    ['a DOCTYPE', { body: `<!DOCTYPE a>${answered('GetNote', '').slice(21)}` }, /no DOCTYPE/],
    ['half an envelope', { body: found.body?.slice(0, 120) ?? '' }, /well-formed XML/],
    ['half an envelope, then the end of the connection', { ...found, cutAt: 120 }, /broke off/],
    ['a good envelope with the status of a failure', { ...found, status: 502 }, /unexpected status 502/],
  ])('that is answered with %s has shown nothing', async (_what, reply, message) => {
    const collection = notes.open();
    notes.answer = () => found;
    expect(await collection.readOne('7' as SourceKey, signal)).toMatchObject({ sourceVersion: '3' });
    notes.answer = () => reply;
    expect(await messageOfRead(collection)).toMatch(message);
  });

  test.each([
    ['as it comes', {}, (text: string) => text],
    ['decompressed', { 'content-encoding': 'gzip' }, (text: string) => gzipSync(text)],
  ])('that brings more bytes than are allowed, %s, is broken off', async (_how, headers, sent) => {
    notes.answer = () => ({ headers, body: sent(answered('GetNote', `<note>${'x'.repeat(30_000)}</note>`)) });
    const message = await messageOfRead(notes.open({ transport: { maxAnswerBytes: 20_000 } }));
    expect(message).toContain('at most 20000 bytes');
  });
});

describe('a write', () => {
  test.each<readonly [string, Reply]>([
    ['HTML', { headers: { 'content-type': 'text/html' }, body: '<html>Log in</html>' }],
    ['nothing', { body: '' }],
    ['half an envelope', { body: answered('SaveNote', `<note>${NOTE}</note>`).slice(0, 200) }],
    ['half an envelope, then the end of the connection', { body: answered('SaveNote', ''), cutAt: 100 }],
    ['the end of the connection', { body: answered('SaveNote', ''), cutAt: 0 }],
    ["another operation's answer", { body: answered('GetNote', `<note>${NOTE}</note>`) }],
    ['a fault of the server', { status: 500, body: faulted('S:Server', 'the database is full') }],
    ['a fault without a code', { status: 500, body: faulted('', 'hm') }],
    ['an HTTP failure', { status: 502, headers: { 'content-type': 'text/html' }, body: 'Bad gateway' }],
    ['a promise to do it later', { status: 202, headers: { 'content-type': 'text/plain' } }],
    ['another record', { body: answered('SaveNote', '<note><id>8</id><version>1</version></note>') }],
  ])('R11: that is answered with %s is in doubt, and made once', async (_what, reply) => {
    saves(reply);
    expect(await notes.open().write(RETITLED, signal)).toMatchObject({ kind: 'unknown' });
    expect(notes.asked.filter(({ body }) => body.includes('SaveNote'))).toHaveLength(1);
  });

  test.each<readonly [string, Reply]>([
    ['401', { status: 401, headers: { 'content-type': 'text/html' } }],
    ['429', { status: 429, headers: { 'retry-after': '7' } }],
    ['a fault that tells that a header was not understood', { status: 500, body: faulted('S:MustUnderstand', 'x') }],
    ['a fault that refuses our credentials', { status: 500, body: faulted('S:Client.Authentication', 'who?') }],
  ])('R11: that is answered with %s has done nothing', async (_what, reply) => {
    saves(reply);
    expect(await notes.open().write(RETITLED, signal)).toMatchObject({ kind: 'notSent' });
  });

  test.each([200, 400, 500])('with a fault of the client is refused with its message (status %i)', async (status) => {
    saves({ status, body: faulted('S:Client', 'The title is\ntaken') });
    const outcome = await notes.open().write(RETITLED, signal);
    expect(outcome).toEqual({ kind: 'refused', message: 'The title is taken', field: null });
  });

  test('means what the connector says of its code and detail', async () => {
    saves({ status: 500, body: faulted('S:Server', 'locked', '<detail><lock>7</lock></detail>') });
    const classify = ({ code, body }: { readonly code: string | null; readonly body: unknown }) =>
      code === 'Server' && (body as { readonly lock?: string }).lock === '7' ? notProcessed('locked', 500) : undefined;
    expect(await notes.open({ classify }).write(RETITLED, signal)).toEqual({
      kind: 'notSent',
      reason: 'office.notes write.update: locked',
      retryAfterMs: 500,
    });
  });

  test('that answers 200 with a message of failure means what the connector says of it', async () => {
    saves({ body: answered('SaveNote', '<note><id>ERROR</id></note>') });
    const classify = ({ body }: { readonly body: unknown }) =>
      (body as { readonly note?: { readonly id?: string } }).note?.id === 'ERROR' ? unknownOutcome('?') : undefined;
    expect(await notes.open({ classify }).write(RETITLED, signal)).toEqual({
      kind: 'unknown',
      reason: 'office.notes write.update: ?',
    });
  });

  test('R11: to a source that is not there is not sent', async () => {
    const collection = notes.open({ transport: { endpoint: 'http://127.0.0.1:1/notes' }, update: { sends: 'mapped' } });
    expect(await collection.write(RETITLED, signal)).toMatchObject({ kind: 'notSent' });
  });
});
