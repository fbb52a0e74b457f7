import { randomUUID } from 'node:crypto';
import { collection, field } from '../../src/connectors/define.js';
import { basic, bearer, del, get, header, patch, post, type Auth } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import type { SourceCollection, SourceWrite } from '../../src/core/source-port.js';
import { brokenRead, scanned, startScripted, type Reply, type ScriptedSource } from './scripted-source.js';

let source: ScriptedSource;
beforeEach(async () => {
  source = await startScripted();
});
afterEach(() => source.close());

const NEVER = new AbortController().signal;
const SECRET = 'pa55:wörd-of-the-clinic';
const TOKEN = 'tok-7f3a-of-the-clinic';
const BASIC = Buffer.from(`tidegate:${SECRET}`).toString('base64');

const VISITS = collection({
  type: 'Visit',
  key: 'id',
  fields: { note: field.string() },
  read: { list: get('/visits', { headers: { 'x-list': 'yes' } }), one: get('/visits/{key}') },
  write: { create: post('/visits', { keyIn: 'id' }), update: patch('/visits/{key}'), remove: del('/visits/{key}') },
});

const kinds: readonly (readonly [string, Auth, string, string, readonly string[]])[] = [
  ['basic', basic('tidegate', SECRET), 'authorization', `Basic ${BASIC}`, [SECRET, BASIC]],
  ['bearer', bearer(TOKEN), 'authorization', `Bearer ${TOKEN}`, [TOKEN]],
  ['a header of its own', header('X-Api-Key', TOKEN), 'x-api-key', TOKEN, [TOKEN]],
];

function write(kind: SourceWrite['kind']): SourceWrite {
  const fields = { note: 'ring twice' };
  return { kind, sourceKey: 'V-1' as SourceKey, fields, current: fields, guard: null, idempotencyKey: randomUUID() };
}

/** Everything that a gateway ever asks for; what it throws, and what the writes came to, as text. */
async function askEverything(visits: SourceCollection): Promise<readonly string[]> {
  const told: string[] = [];
  const tell = (what: unknown): void => void told.push(whole(what));
  await scanned(visits).catch(tell);
  await visits.readOne('V-1' as SourceKey, NEVER).catch(tell);
  for (const kind of ['create', 'update', 'delete'] as const) {
    await visits.write(write(kind), NEVER).then(tell, tell);
  }
  return told;
}

/** An outcome, or an error with all its causes, as a log might show it. */
function whole(what: unknown): string {
  if (!(what instanceof Error)) return JSON.stringify(what);
  return `${what.stack} ${JSON.stringify(what)} ${what.cause === undefined ? '' : whole(what.cause)}`;
}

test.each(kinds)('%s credentials go with every call, whatever it is', async (_kind, auth, name, value) => {
  const row = { id: 'V-1', note: 'ring twice' };
  source.answer = ({ path, method }) => ({ rows: method === 'GET' && path === '/api/visits' ? [row] : row });
  await askEverything(source.open({ visits: VISITS }, { auth })[0] as SourceCollection);
  expect(new Set(source.asked.map(({ method }) => method))).toEqual(new Set(['GET', 'POST', 'PATCH', 'DELETE']));
  expect(source.asked.map(({ headers }) => headers[name])).toEqual(source.asked.map(() => value));
});

test('credentials go with every try of a read', async () => {
  source.answer = () => ({ status: 503 });
  const [visits] = source.open({ visits: VISITS }, { auth: bearer(TOKEN) });
  await brokenRead((visits as SourceCollection).scan(NEVER));
  expect(source.asked.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill(`Bearer ${TOKEN}`));
});

const troubles: readonly (readonly [string, Reply])[] = [
  ['refuses the credentials', { status: 401, rows: { message: 'who are you?' } }],
  ['forbids it', { status: 403, rows: { message: 'not yours' } }],
  ['is broken', { status: 500, body: '<h1>Oops</h1>', headers: { 'content-type': 'text/html' } }],
  ['answers with something else', { rows: 'welcome' }],
  ['shows a login page', { body: '<h1>Log in</h1>', headers: { 'content-type': 'text/html' } }],
  ['breaks off', { body: '[{"id":"V-1"}]', cutAt: 5 }],
  ['asks for a pause', { status: 429, headers: { 'retry-after': '60' } }],
];

const leaks = kinds.flatMap(([kind, auth, , , secrets]) =>
  troubles.map(([what, reply]) => ({ kind, what, auth, reply, secrets })),
);

test.each(leaks)(
  'attack 34: $kind credentials are told to nobody when the source $what',
  async ({ auth, reply, secrets }) => {
    source.answer = () => reply;
    const told = await askEverything(source.open({ visits: VISITS }, { auth })[0] as SourceCollection);
    expect(told.length).toBeGreaterThan(2);
    for (const text of [...told, ...source.logged]) for (const secret of secrets) expect(text).not.toContain(secret);
  },
);

test('attack 31: a credential that no header can carry is not sent, and not told either', async () => {
  const [visits] = source.open({ visits: VISITS }, { auth: bearer(`${TOKEN}\n`) });
  const told = await askEverything(visits as SourceCollection);
  expect(source.asked).toEqual([]);
  expect(told.join(' ')).toContain('expected the header authorization without control characters');
  for (const text of [...told, ...source.logged]) expect(text).not.toContain(TOKEN);
});

test.each(kinds)(
  '%s credentials that a source repeats are not handed on',
  async (_kind, auth, _name, value, secrets) => {
    const said = `bad credentials: ${[value, ...secrets].join(' and ')}`;
    for (const status of [400, 409, 422]) {
      source.answer = () => ({ status, body: JSON.stringify({ message: said }) });
      const told = await askEverything(source.open({ visits: VISITS }, { auth })[0] as SourceCollection);
      expect(told.some((text) => text.includes('[hidden]'))).toBe(true);
      for (const text of [...told, ...source.logged]) for (const secret of secrets) expect(text).not.toContain(secret);
    }
  },
);
