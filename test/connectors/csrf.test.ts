import { callRate } from '../../src/connectors/call-rate.js';
import { refused } from '../../src/connectors/define.js';
import { sessionLogin, type RestOptions } from '../../src/connectors/rest.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { startCare, VISITS as CARE_VISITS } from './odata/care-under-test.js';
import { createGate, startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';
import { readOne, ROW, VISITS, whole, write } from './token-source.js';

// A source that takes no write without the token that a read was answered with, as SAP Gateway does.

const REQUIRED: Reply = { status: 403, body: 'CSRF token validation failed', headers: { 'x-csrf-token': 'Required' } };
const tokenOf = (number: number): string => `csrf-token-number-${number}==`;

let clock: ManualClock;
let source: ScriptedSource;
/** The number of the token that the source takes, and what it answers to one who asks for it. */
let current: number;
let given: (asked: Asked) => Reply;
let api: (asked: Asked) => Reply | Promise<Reply>;

beforeEach(async () => {
  clock = createManualClock();
  source = await startScripted(clock.nowMs(), clock);
  current = 1;
  given = () => ({
    rows: {},
    headers: { 'x-csrf-token': tokenOf(current), 'set-cookie': `sap-session=s${current}; Path=/; HttpOnly` },
  });
  api = () => ({ rows: ROW });
  source.answer = (asked) => {
    if (asked.headers['x-csrf-token'] === 'Fetch') return given(asked);
    const isKnown =
      asked.headers['x-csrf-token'] === tokenOf(current) &&
      (asked.headers.cookie ?? '').split('; ').includes(`sap-session=s${current}`);
    return asked.method === 'GET' || isKnown ? api(asked) : REQUIRED;
  };
});
afterEach(() => source.close());

function open(options: Partial<RestOptions> = {}, more = {}): SourceCollection {
  return source.open({ visits: VISITS }, { csrf: true, ...options }, more)[0] as SourceCollection;
}
const shown = (): readonly string[] =>
  source.asked.map(({ method, path, headers }) => `${method} ${path} ${headers['x-csrf-token'] ?? '-'}`);

test('a token is got with the first write, goes with its cookies, and serves the next one; reads need none', async () => {
  const visits = open();
  await readOne(visits);
  expect(await write(visits)).toMatchObject({ kind: 'applied' });
  expect(await write(visits, 'create')).toMatchObject({ kind: 'applied' });
  expect(shown()).toEqual([
    'GET /api/visits/V-1 -',
    'GET /api/ Fetch',
    `PATCH /api/visits/V-1 ${tokenOf(1)}`,
    `POST /api/visits ${tokenOf(1)}`,
  ]);
});

test('R11: a write that is refused for want of a token was not done: it is made once more with a new one', async () => {
  const visits = open({ csrf: { path: '/token' } });
  await write(visits);
  current = 2;
  expect(await write(visits)).toMatchObject({ kind: 'applied' });
  expect(shown().slice(2)).toEqual([
    `PATCH /api/visits/V-1 ${tokenOf(1)}`,
    'GET /api/token Fetch',
    `PATCH /api/visits/V-1 ${tokenOf(2)}`,
  ]);
});

test('R11: what the second answer says counts: a lost one is in doubt, a refusal is one', async () => {
  const visits = open();
  api = () => ({ resets: true });
  expect(await write(visits)).toMatchObject({ kind: 'unknown' });
  api = () => ({ status: 403, rows: { message: 'not your visit' } });
  expect(await write(visits)).toMatchObject({ kind: 'refused', message: 'not your visit' });
});

test('R11: a write is not sent while there is no token to be had, and says why', async () => {
  const cases: readonly (readonly [Reply, RegExp])[] = [
    [{ rows: {} }, /no CSRF token by GET \/: expected the header x-csrf-token in its answer, got none/],
    [{ status: 403, headers: { 'x-csrf-token': 'Required' } }, /it says 403/],
    [{ rows: {}, headers: { 'x-csrf-token': 'Required' } }, /expected the header x-csrf-token/],
    [{ resets: true }, /no CSRF token by GET \/: the connection broke off/],
  ];
  for (const [reply, reason] of cases) {
    given = () => reply;
    const outcome = await write(open());
    expect(outcome).toMatchObject({ kind: 'notSent', reason: expect.stringMatching(reason) as unknown });
  }
  expect(source.asked.filter(({ method }) => method !== 'GET')).toEqual([]);
});

test('R11: a write whose token does not come in time was not made', async () => {
  const gate = createGate();
  const plain = source.answer;
  source.answer = async (asked) => {
    if (asked.headers['x-csrf-token'] === 'Fetch') await gate.opened;
    return plain(asked);
  };
  const written = write(open({ timeout: '5s' }));
  await until('the token is asked for', async () => source.asked.length === 1);
  source.advance(5_001);
  expect(await written).toMatchObject({ kind: 'notSent' });
  gate.open();
});

test('a source that takes no token, however new, is not asked for ever', async () => {
  const visits = open();
  source.answer = (asked) => (asked.headers['x-csrf-token'] === 'Fetch' ? given(asked) : REQUIRED);
  expect(await write(visits)).toEqual({
    kind: 'notSent',
    reason: 'clinic.visits write.update: it refuses our CSRF token, and a new one too',
    retryAfterMs: null,
  });
  expect(source.asked).toHaveLength(4);
});

test('one token is got for all writes that wait for it', async () => {
  const visits = open();
  const outcomes = await Promise.all([1, 2, 3].map(() => write(visits)));
  expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'applied', 'applied']);
  current = 2;
  await Promise.all([1, 2, 3].map(() => write(visits)));
  expect(source.asked.filter(({ headers }) => headers['x-csrf-token'] === 'Fetch')).toHaveLength(2);
});

test('a session that is over is opened anew for the token as well, and its cookies go along', async () => {
  let session = 0;
  const plain = source.answer;
  source.answer = (asked) => {
    if (asked.path === '/login') {
      session += 1;
      return { rows: {}, headers: { 'set-cookie': `sid=${session}; Path=/` } };
    }
    const isIn = (asked.headers.cookie ?? '').split('; ').includes(`sid=${session}`);
    return isIn ? plain(asked) : { status: 401 };
  };
  const auth = sessionLogin({ login: { url: `${source.url}/login`, json: {} }, token: 'cookie', expiredOn: [403] });
  const visits = open({ auth });
  expect(await write(visits)).toMatchObject({ kind: 'applied' });
  expect(source.asked.at(-1)?.headers.cookie).toBe('sid=1; sap-session=s1');
  // The source was restarted: neither is known any more.
  session = 7;
  current = 2;
  expect(await write(visits)).toMatchObject({ kind: 'applied' });
  expect(source.asked.at(-1)?.headers.cookie).toBe('sid=8; sap-session=s2');
  // A 403 for want of a token is no end of the session.
  current = 3;
  expect(await write(visits)).toMatchObject({ kind: 'applied' });
  expect(session).toBe(8);
});

test('what its connector says of that answer goes before, unless it says that nothing was done', async () => {
  const classify = ({ status }: { readonly status: number }) => (status === 403 ? refused('no') : undefined);
  expect(await write(open({}, { classify }))).toMatchObject({ kind: 'applied' });
  current = 9;
  given = () => ({ rows: {}, headers: { 'x-csrf-token': tokenOf(1) } });
  expect(await write(open({}, { classify }))).toMatchObject({ kind: 'notSent' });
});

test('tokens and cookies are in no outcome and no log, even if the source repeats them', async () => {
  api = ({ headers }) => ({ status: 400, rows: { message: `bad ${headers['x-csrf-token']} ${headers.cookie}` } });
  const outcome = await write(open());
  expect(outcome).toMatchObject({ kind: 'refused', message: 'bad [hidden] [hidden]' });
  expect(whole(outcome) + source.logged.join('\n')).not.toContain(tokenOf(1));
});

test('each request takes a turn of the limit: the token, and the write that is made once more', async () => {
  const visits = open({ limit: { perSecond: 1 } });
  const written = write(visits);
  // The write has taken the turn of this second: the token waits for the next one.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(source.asked).toEqual([]);
  source.advance(callRate(1).windowMs);
  expect(await written).toMatchObject({ kind: 'applied' });
});

test('OData: the token is read at the service itself', async () => {
  const care = await startCare();
  try {
    care.service.instead = ({ method, headers }) => {
      if (headers['x-csrf-token'] === 'Fetch') return { status: 200, headers: { 'x-csrf-token': 'abc==' }, body: {} };
      if (method === 'GET' || headers['x-csrf-token'] === 'abc==') return null;
      return { status: 403, headers: { 'x-csrf-token': 'Required' }, text: 'CSRF token validation failed' };
    };
    const visits = care.openOne(CARE_VISITS, { csrf: true });
    expect(await write(visits, 'create')).toMatchObject({ kind: 'refused' });
    const asked = care.service.asked.map(({ method, path }) => `${method} ${path}`);
    expect(asked).toEqual(['GET /$metadata', 'GET /', 'POST /Visits']);
  } finally {
    await care.close();
  }
});
