import { until } from '../support/until.js';
import { createGate, type Reply } from './scripted-source.js';
import {
  issued,
  messageOf,
  readOne,
  SECRET,
  startTokenSource,
  tokenOf,
  whole,
  write,
  type TokenSource,
} from './token-source.js';

let tokens: TokenSource;
beforeEach(async () => {
  tokens = await startTokenSource();
});
afterEach(() => tokens.source.close());

const faults: readonly (readonly [string, Reply, string])[] = [
  ['is out of order', { status: 503 }, 'it says 503'],
  [
    'refuses the secret',
    { status: 401, rows: { error: 'invalid_client', error_description: `the secret ${SECRET} is wrong` } },
    'it says 401: the secret [hidden] is wrong (invalid_client)',
  ],
  [
    'shows a page',
    { body: '<h1>Welcome</h1>', headers: { 'content-type': 'text/html' } },
    'expected JSON, got text/html',
  ],
  ['leads elsewhere', { status: 302, headers: { location: '/elsewhere' } }, 'expected status 200, got 302'],
  ['gives no token', { rows: { token_type: 'bearer' } }, 'expected access_token in its answer'],
  ['gives one that no header can carry', { rows: { access_token: 'a\nb' } }, 'expected access_token in its answer'],
  ['gives one of another type', { rows: { access_token: 'abc', token_type: 'mac' } }, 'expected the token_type Bearer'],
  ['breaks off', { body: '{"access_token":"abc"}', cutAt: 5 }, 'the connection broke off'],
  ['resets', { resets: true }, 'the connection broke off'],
];

describe('R11: without a token nothing is sent, and everybody knows why: the endpoint', () => {
  test.each(faults)('%s', async (_what, reply, says) => {
    tokens.endpoint = () => reply;
    const visits = tokens.open();
    const outcome = await write(visits);
    const reason = `cannot sign in to clinic at ${tokens.source.url}/token: ${says}`;
    expect(outcome).toMatchObject({ kind: 'notSent', retryAfterMs: null });
    expect((outcome as { readonly reason: string }).reason).toContain(reason);
    tokens.clock.advance(600_000);
    const thrown = await readOne(visits).catch((one: unknown) => one);
    expect((thrown as Error).message).toContain(`clinic.visits read.one: ${reason}`);
    expect(tokens.source.asked.map(({ path }) => path)).toEqual(['/token', '/token']);
    expect(visits.isDown()).toBe(false);
    expect(tokens.source.logged.filter((line) => line.includes(JSON.stringify(reason).slice(1, -1)))).toHaveLength(2);
    for (const text of [whole(outcome), whole(thrown), ...tokens.source.logged]) expect(text).not.toContain(SECRET);
  });

  test('is not there', async () => {
    const visits = tokens.open({ tokenUrl: 'http://127.0.0.1:1/token?key=hush' });
    const outcome = await write(visits);
    expect(outcome).toMatchObject({ kind: 'notSent' });
    expect(JSON.stringify(outcome)).toContain('cannot sign in to clinic at http://127.0.0.1:1/token: no connection');
    expect(tokens.source.asked).toEqual([]);
  });

  test('does not answer within half of the time of a call', async () => {
    const gate = createGate();
    tokens.endpoint = () => ({ after: gate.opened });
    const work = write(tokens.open({}, { timeout: '8s' }));
    await until('the token is asked for', async () => tokens.tokensAsked().length === 1);
    tokens.clock.advance(3_999);
    tokens.clock.advance(1);
    expect(await work).toMatchObject({
      kind: 'notSent',
      reason: `clinic.visits write.update: cannot sign in to clinic at ${tokens.source.url}/token: no answer within 4000 ms`,
    });
    gate.open();
  });
});

describe('a token endpoint in trouble', () => {
  /** How long it is left alone after each fault, ms. */
  async function waits(times: number): Promise<readonly number[]> {
    const visits = tokens.open();
    const found: number[] = [];
    for (let time = 1; time <= times; time++) {
      await messageOf(readOne(visits));
      const told = /it is asked again in (\d+) ms/.exec(await messageOf(readOne(visits)));
      const ms = Number(told?.[1]);
      tokens.clock.advance(ms - 1);
      expect(await messageOf(readOne(visits))).toContain('it is asked again in 1 ms');
      expect(tokens.tokensAsked()).toHaveLength(time);
      tokens.clock.advance(1);
      found.push(ms);
    }
    return found;
  }

  const within = (found: readonly number[], expected: readonly number[]): void => {
    expect(found).toHaveLength(expected.length);
    found.forEach((ms, at) => {
      expect(ms).toBeGreaterThanOrEqual(expected[at] as number);
      expect(ms).toBeLessThanOrEqual((expected[at] as number) * 1.5 + 1);
    });
    expect(new Set(found.map((ms, at) => ms / (expected[at] as number))).size).toBeGreaterThan(1);
  };

  test('is left alone for 1 s, then 2, 4 … 30 s, or up to half as much more', async () => {
    tokens.endpoint = () => ({ status: 500 });
    within(await waits(7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  test('is left alone for 10 s … 5 min when it refuses us: accounts get locked', async () => {
    tokens.endpoint = () => ({ status: 400, rows: { error: 'invalid_client' } });
    within(await waits(7), [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  });

  test('is left alone for as long as it asks for', async () => {
    tokens.endpoint = () => ({ status: 429, headers: { 'retry-after': '120' } });
    expect(await waits(2)).toEqual([120_000, 120_000]);
  });

  test('that is well again is forgiven', async () => {
    const visits = tokens.open();
    tokens.endpoint = () => ({ status: 500 });
    for (let time = 0; time < 4; time++, tokens.clock.advance(30_000)) await messageOf(readOne(visits));
    tokens.endpoint = (number) => issued(number, { expires_in: 60 });
    await readOne(visits);
    tokens.endpoint = () => ({ status: 500 });
    tokens.clock.advance(60_000);
    expect(await messageOf(readOne(visits))).toContain('it says 500');
    tokens.endpoint = (number) => issued(number);
    tokens.clock.advance(1_500);
    expect(await readOne(visits)).toMatchObject({ sourceKey: 'V-1' });
  });
});

describe('a sign-in under way', () => {
  test('does not hold a caller that gives up, and serves the others', async () => {
    const gate = createGate();
    tokens.endpoint = (number) => ({ ...issued(number), after: gate.opened });
    const visits = tokens.open({}, { limit: { concurrent: 8 } });
    const impatient = new AbortController();
    const given = messageOf(readOne(visits, impatient.signal));
    const waiting = readOne(visits);
    await until('the token is asked for', async () => tokens.tokensAsked().length === 1);
    impatient.abort();
    expect(await given).toContain('the caller gave up');
    gate.open();
    expect(await waiting).toMatchObject({ sourceKey: 'V-1' });
    expect(tokens.tokensAsked()).toHaveLength(1);
  });

  test('ends with the source', async () => {
    const gate = createGate();
    const other = await startTokenSource();
    try {
      other.endpoint = () => ({ after: gate.opened });
      const waiting = messageOf(readOne(tokens.open({ tokenUrl: `${other.source.url}/token` })));
      await until('the token is asked for', async () => other.tokensAsked().length === 1);
      await tokens.source.close();
      expect(await waiting).toContain('cannot sign in to clinic');
      expect(tokens.source.logged).toEqual([]);
    } finally {
      tokens = other;
    }
  });
});

test('neither token nor secret is told when a source or an endpoint repeats them', async () => {
  const visits = tokens.open();
  const told: string[] = [];
  const tell = (what: unknown): void => void told.push(whole(what));
  tokens.api = ({ headers }) => ({ status: 422, rows: { message: `bad ${headers.authorization} of ${SECRET}` } });
  await write(visits).then(tell, tell);
  await readOne(visits).then(tell, tell);
  tokens.accepts();
  await write(visits).then(tell, tell);
  expect(told.join(' ')).toContain('bad Bearer [hidden] of [hidden]');
  for (const text of [...told, ...tokens.source.logged]) {
    for (const secret of [SECRET, tokenOf(1), tokenOf(2)]) expect(text).not.toContain(secret);
  }
});
