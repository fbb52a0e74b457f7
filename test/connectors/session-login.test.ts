import { fine, refused } from '../../src/connectors/define.js';
import { sessionLogin, type LoginRequest, type SessionLoginOptions } from '../../src/connectors/rest.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';
import { startScripted, type Asked, type Reply, type ScriptedSource } from './scripted-source.js';
import { messageOf, readOne, ROW, VISITS, whole, write } from './token-source.js';

const PASSWORD = 'pa55:wörd of+the&clinic';
const USER = 'tide & gate';
const LOGIN_PAGE: Reply = { body: '<h1>Log in</h1>', headers: { 'content-type': 'text/html' } };

let clock: ManualClock;
let source: ScriptedSource;
/** What the login of this number is answered with, and a call in a session. */
let login: (number: number) => Reply;
let api: (asked: Asked) => Reply;

beforeEach(async () => {
  clock = createManualClock();
  source = await startScripted(clock.nowMs(), clock);
  login = (number) => ({ rows: { token: sessionOf(number) } });
  api = () => ({ rows: ROW });
  source.answer = (asked) => (asked.path === '/login' ? login(logins().length) : api(asked));
});
afterEach(() => source.close());

const sessionOf = (number: number): string => `session-number-${number}`;
const logins = (): readonly Asked[] => source.asked.filter(({ path }) => path === '/login');
const calls = (): readonly Asked[] => source.asked.filter(({ path }) => path !== '/login');
const shown = (): readonly (string | undefined)[] => calls().map(({ headers }) => headers.authorization);

function open(
  more: Partial<SessionLoginOptions> = {},
  request: Partial<LoginRequest> = {},
  facts = {},
): SourceCollection {
  const body = request.form === undefined ? { json: { user: USER, password: PASSWORD } } : {};
  const auth = sessionLogin({
    login: { url: `${source.url}/login`, ...body, ...request },
    token: { member: 'token' },
    ...more,
  });
  return source.open({ visits: VISITS }, { auth }, facts)[0] as SourceCollection;
}

/** The source knows these sessions only, and says so. */
function knows(saysOver: Reply, ...numbers: readonly number[]): void {
  const known = numbers.map((number) => `Bearer ${sessionOf(number)}`);
  api = ({ headers }) => (known.includes(headers.authorization ?? '') ? { rows: ROW } : saysOver);
}

const COOKIES = [
  'SAP_SESSIONID=session-number-1; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT; HttpOnly',
  'context=client=100',
  'old=; Path=/',
  'older=x; Max-Age=0',
  'oldest=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
  'context=client=200; Secure',
];

describe('a session', () => {
  test.each<readonly [string, Partial<SessionLoginOptions>, Reply, Readonly<Record<string, string>>]>([
    ['a member', {}, { rows: { token: 'abc-def' } }, { authorization: 'Bearer abc-def' }],
    [
      'a deep member, that is a number',
      { token: { member: 'd.context.id' }, send: { header: 'X-Session', prefix: 'Token ' } },
      { status: 201, rows: { d: { context: { id: 17 } } } },
      { 'x-session': 'Token 17' },
    ],
    [
      'a header',
      { token: { header: 'X-Session' }, send: { header: 'X-Session' } },
      { status: 204, body: '', headers: { 'x-session': 'abc' } },
      { 'x-session': 'abc' },
    ],
    [
      'a member that goes back as a cookie',
      { send: { cookie: 'sid' } },
      { rows: { token: 'abc' } },
      { cookie: 'sid=abc' },
    ],
    [
      'cookies, of which those that are taken back are none',
      { token: 'cookie' },
      { headers: { 'set-cookie': COOKIES as unknown as string } },
      { cookie: 'SAP_SESSIONID=session-number-1; context=client=200' },
    ],
  ])('is found in %s, and goes with every call', async (_what, options, reply, headers) => {
    login = () => reply;
    const visits = open(options);
    await readOne(visits);
    expect((await write(visits)).kind).toBe('applied');
    expect(logins()).toHaveLength(1);
    for (const call of calls()) expect(call.headers).toMatchObject(headers);
  });

  test('is opened by JSON, or by a form, with the headers that it wants', async () => {
    await readOne(open({}, { headers: { 'X-Company': '100' } }));
    expect(logins()[0]).toMatchObject({ method: 'POST', headers: { 'x-company': '100' } });
    expect(logins()[0]?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(logins()[0]?.body ?? '')).toEqual({ user: USER, password: PASSWORD });
    await readOne(open({}, { form: { user: USER, password: PASSWORD } }));
    expect(logins()[1]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect(Object.fromEntries(new URLSearchParams(logins()[1]?.body))).toEqual({ user: USER, password: PASSWORD });
  });

  test('is opened anew before it is over, where that is known', async () => {
    const visits = open({ expiresAfter: '30m' });
    await readOne(visits);
    clock.advance(28 * 60_000);
    await readOne(visits);
    expect(logins()).toHaveLength(1);
    clock.advance(2 * 60_000 - 59_000);
    await readOne(visits);
    await until('a new session is opened', async () => logins().length === 2);
  });
});

describe('a session that is over', () => {
  test.each<readonly [string, Reply, Partial<SessionLoginOptions>]>([
    ['401', { status: 401 }, {}],
    ['403 where that is declared', { status: 403, rows: {} }, { expiredOn: [403] }],
    ['401 where 403 is declared, too', { status: 401 }, { expiredOn: [403] }],
    [
      'a redirect to the login page',
      { status: 302, headers: { location: '/login?again' } },
      { isExpired: ({ status, headers }) => status === 302 && headers.get('location')?.startsWith('/login') === true },
    ],
    ['the login page', LOGIN_PAGE, { isExpired: ({ headers }) => headers.get('content-type') === 'text/html' }],
    [
      'a word of its own in a success',
      { rows: { error: 'SESSION_TIMEOUT' } },
      { isExpired: ({ body }) => (body as { readonly error?: unknown } | null)?.error === 'SESSION_TIMEOUT' },
    ],
  ])('R11: by %s is opened anew, and the call is made once more', async (_how, over, options) => {
    const visits = open(options);
    await readOne(visits);
    knows(over, 2);
    expect(await readOne(visits)).toMatchObject({ sourceKey: 'V-1' });
    knows(over, 3);
    expect((await write(visits, 'create')).kind).toBe('applied');
    expect(shown().slice(1)).toEqual([1, 2, 2, 3].map((number) => `Bearer ${sessionOf(number)}`));
    expect(logins()).toHaveLength(3);
  });

  test('R11: right after a login is told as it is: 403 is the refusal that it says, the rest certainly did nothing', async () => {
    knows({ status: 403, rows: { message: 'not your route' } });
    const refusal = { kind: 'refused', message: 'not your route', field: null };
    expect(await write(open({ expiredOn: [403] }))).toEqual(refusal);
    expect(calls()).toHaveLength(2);
    knows(LOGIN_PAGE);
    const isExpired: SessionLoginOptions['isExpired'] = ({ headers }) => headers.get('content-type') === 'text/html';
    expect(await write(open({ isExpired }))).toMatchObject({ kind: 'notSent' });
    expect(calls()).toHaveLength(4);
  });

  test('R11: is not thought of by 403 where nobody declares it, nor where classify knows better', async () => {
    const visits = open();
    api = () => ({ status: 403, rows: { message: 'not your route' } });
    expect(await write(visits)).toMatchObject({ kind: 'refused' });
    api = () => ({ status: 403, rows: ROW });
    const done = open({ expiredOn: [403] }, {}, { classify: () => fine() });
    expect(await write(done)).toMatchObject({ kind: 'applied' });
    expect(logins()).toHaveLength(2);
    expect(calls()).toHaveLength(2);
  });

  test('R11: while new ones are refused is no refusal of the change', async () => {
    knows({ status: 403, rows: { message: 'not your route' } });
    const visits = open({ expiredOn: [403] }, {}, { classify: () => refused('not your route') });
    expect(await write(visits)).toMatchObject({ kind: 'refused' });
    expect(await write(visits)).toMatchObject({
      kind: 'notSent',
      reason: 'clinic.visits write.update: it refuses our credentials (403), and new ones too',
    });
    expect(logins()).toHaveLength(2);
  });
});

describe('R11: without a session nothing is sent, and everybody knows why: the login', () => {
  test.each<readonly [string, Reply, string, Partial<SessionLoginOptions>]>([
    ['refuses the password', { status: 403, rows: { message: `no ${PASSWORD}` } }, 'it says 403: no [hidden]', {}],
    ['is out of order', { status: 500 }, 'it says 500', {}],
    ['shows its page again', LOGIN_PAGE, 'expected a session, got a page', { token: 'cookie' }],
    [
      'leads elsewhere',
      { status: 302, headers: { location: '/home' } },
      'expected status 200 or 201 or 204, got 302',
      {},
    ],
    ['gives no session', { rows: {} }, 'expected the session at token of its answer', {}],
    ['gives no header', { rows: {} }, 'expected the session at the header X-Sid', { token: { header: 'X-Sid' } }],
    ['gives no cookie', { rows: {} }, 'expected a cookie in its answer', { token: 'cookie' }],
    ['answers in text', { body: 'OK', headers: { 'content-type': 'text/plain' } }, 'expected JSON, got text/plain', {}],
  ])('%s', async (_what, reply, says, options) => {
    login = () => ({
      ...reply,
      headers: { ...reply.headers, ...(reply === LOGIN_PAGE ? { 'set-cookie': 'visitor=1' } : {}) },
    });
    const outcome = await write(open(options));
    expect(outcome).toMatchObject({ kind: 'notSent' });
    expect((outcome as { readonly reason: string }).reason).toContain(
      `cannot sign in to clinic at ${source.url}/login: ${says}`,
    );
    expect(calls()).toEqual([]);
    for (const text of [whole(outcome), ...source.logged]) expect(text).not.toContain(PASSWORD);
  });

  test('leads elsewhere, which is fine where that is declared; it is not followed', async () => {
    login = () => ({
      status: 302,
      headers: { location: `${source.url}/home`, 'set-cookie': 'JSESSIONID=abc; Path=/' },
    });
    await readOne(open({ token: 'cookie' }, { form: { j_username: 'a', j_password: 'b' }, statuses: [302] }));
    expect(source.asked.map(({ path }) => path)).toEqual(['/login', '/api/visits/V-1']);
    expect(calls()[0]?.headers['cookie']).toBe('JSESSIONID=abc');
  });
});

test('neither session nor password is told when a source repeats them', async () => {
  login = () => ({ headers: { 'set-cookie': 'sid=the-session-of-us; Path=/' } });
  const visits = open({ token: 'cookie' }, { form: { user: USER, password: PASSWORD } });
  api = ({ headers }) => ({
    status: 422,
    rows: { message: `bad ${headers['cookie']}, ${encodeURIComponent(PASSWORD)}, ${PASSWORD}` },
  });
  const told = [whole(await write(visits)), await messageOf(readOne(visits))];
  expect(told[0]).toContain('bad [hidden], [hidden], [hidden]');
  for (const text of [...told, ...source.logged]) {
    for (const secret of ['the-session-of-us', PASSWORD, encodeURIComponent(PASSWORD)]) {
      expect(text).not.toContain(secret);
    }
  }
});
