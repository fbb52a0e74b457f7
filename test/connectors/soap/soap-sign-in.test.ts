import { clientCredentials, sessionLogin, type SessionLoginOptions } from '../../../src/connectors/soap.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import type { SourceKey } from '../../../src/core/change.js';
import {
  answered,
  faulted,
  notesWsdl,
  RETITLED,
  startNotes,
  type Asked,
  type NotesSource,
  type Reply,
} from './notes-source.js';

const NEVER = new AbortController().signal;
const NOTE = '<note><id>7</id><version>3</version><title>Old</title><text>words</text><pinned>1</pinned></note>';

let notes: NotesSource;
/** What the source says to a call with the token that it was shown. */
let call: (asked: Asked) => Reply;
beforeEach(async () => {
  notes = await startNotes();
  call = well;
  notes.answer = (asked) => (asked.path === '/token' ? issued() : call(asked));
});
afterEach(() => notes.close());

const JSON_HEAD = { headers: { 'content-type': 'application/json' } } as const;
const tokenOf = (number: number): string => `token-number-${number}`;
const tokensAsked = (): readonly Asked[] => notes.asked.filter(({ path }) => path === '/token');
/** Of all other requests: what was asked for, and with which token. */
const shown = (): readonly string[] =>
  notes.asked
    .filter(({ path }) => path !== '/token')
    .map(({ path, headers }) => `${path} ${headers.authorization ?? 'nobody'}`);

function issued(): Reply {
  return { ...JSON_HEAD, body: JSON.stringify({ access_token: tokenOf(tokensAsked().length), token_type: 'Bearer' }) };
}

function well({ body }: Asked): Reply {
  return { body: answered(body.includes('GetNote') ? 'GetNote' : 'SaveNote', NOTE) };
}

function knows(number: number, saysOver: Reply): void {
  call = (asked) => (asked.headers.authorization === `Bearer ${tokenOf(number)}` ? well(asked) : saysOver);
}

function open(more: Partial<SessionLoginOptions> | null = null): SourceCollection {
  const url = `${notes.url}/token`;
  const auth =
    more === null
      ? clientCredentials({ tokenUrl: url, clientId: 'tidegate', clientSecret: 'hush-hush' })
      : sessionLogin({ login: { url, json: { password: 'hush-hush' } }, token: { member: 'access_token' }, ...more });
  return notes.open({ transport: { auth }, update: { sends: 'mapped' } });
}

const read = (collection: SourceCollection) => collection.readOne('7' as SourceKey, NEVER);

test('the WSDL and all calls are asked for with one token', async () => {
  const collection = open();
  await read(collection);
  expect((await collection.write(RETITLED, NEVER)).kind).toBe('applied');
  expect(shown()).toEqual(['/notes?wsdl', '/notes', '/notes'].map((path) => `${path} Bearer ${tokenOf(1)}`));
  expect(tokensAsked()).toHaveLength(1);
});

test('a WSDL that is refused with one token is asked for with another', async () => {
  notes.wsdl = ({ headers }) =>
    headers.authorization === `Bearer ${tokenOf(2)}` ? { body: notesWsdl() } : { status: 401 };
  await read(open());
  expect(shown()).toEqual([
    `/notes?wsdl Bearer ${tokenOf(1)}`,
    `/notes?wsdl Bearer ${tokenOf(2)}`,
    `/notes Bearer ${tokenOf(2)}`,
  ]);
});

test.each<readonly [string, Reply, Partial<SessionLoginOptions> | null]>([
  ['401', { status: 401, body: '' }, null],
  ['the fault that SOAP has for it', { status: 500, body: faulted('S:Client.Authentication', 'who are you?') }, null],
  [
    'a fault of its own',
    { status: 500, body: faulted('S:Server', 'INVALID_SESSION_ID: session expired') },
    { isExpired: ({ message, code }) => code === 'Server' && message.startsWith('INVALID_SESSION_ID') },
  ],
])('R11: a token that is refused by %s is replaced, and the call is made once more', async (_how, over, more) => {
  const collection = open(more);
  knows(2, over);
  expect(await read(collection)).toMatchObject({ sourceKey: '7' });
  knows(3, over);
  expect((await collection.write(RETITLED, NEVER)).kind).toBe('applied');
  expect(shown().slice(1)).toEqual([1, 2, 2, 3].map((number) => `/notes Bearer ${tokenOf(number)}`));
  const [first, second] = notes.asked.filter(({ body }) => body.includes('SaveNote'));
  expect(second?.body).toBe(first?.body);
});

test('R11: a write is made twice at most, and was not made then', async () => {
  const collection = open();
  knows(0, { status: 500, body: faulted('S:Client.Authentication', 'who are you?') });
  expect(await collection.write(RETITLED, NEVER)).toMatchObject({
    kind: 'notSent',
    reason: 'office.notes write.update: it refuses our credentials (Client.Authentication)',
  });
  expect(notes.asked.filter(({ body }) => body.includes('SaveNote'))).toHaveLength(2);
});

test('R11: without a token nothing is sent, and everybody knows why', async () => {
  notes.answer = () => ({ status: 503 });
  const collection = open();
  const reason = `cannot sign in to office at ${notes.url}/token: it says 503`;
  await expect(read(collection)).rejects.toThrow(reason);
  expect(await collection.write(RETITLED, NEVER)).toMatchObject({ kind: 'notSent' });
  expect(shown()).toEqual([]);
});
