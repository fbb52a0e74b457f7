import { notProcessed, refused, unknownOutcome, type Classify } from '../../src/connectors/define.js';
import { clientCredentials } from '../../src/connectors/rest.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { until } from '../support/until.js';
import { createGate, scanned } from './scripted-source.js';
import {
  HOUR_MS,
  issued,
  messageOf,
  readOne,
  SECRET,
  startTokenSource,
  tokenOf,
  VISITS,
  write,
  type TokenSource,
} from './token-source.js';

let tokens: TokenSource;
beforeEach(async () => {
  tokens = await startTokenSource();
});
afterEach(() => tokens.source.close());

describe('a token', () => {
  test('is asked for with the first call and goes with every one', async () => {
    const visits = tokens.open();
    expect(tokens.source.asked).toEqual([]);
    await scanned(visits);
    await readOne(visits);
    expect((await write(visits, 'create')).kind).toBe('applied');
    expect((await write(visits)).kind).toBe('applied');
    expect(tokens.tokensAsked()).toHaveLength(1);
    expect(tokens.shown()).toEqual(Array(4).fill(`Bearer ${tokenOf(1)}`));
  });

  test('is asked for with id and secret in a header, encoded before they are joined', async () => {
    await readOne(tokens.open());
    const [asked] = tokens.tokensAsked();
    const [scheme, encoded = ''] = asked?.headers.authorization?.split(' ') ?? [];
    expect(scheme).toBe('Basic');
    expect(Buffer.from(encoded, 'base64').toString()).toBe('tide%3Agate:pa55%3Aw%C3%B6rd+of%2Bthe%26clinic');
    expect(asked).toMatchObject({ method: 'POST', body: 'grant_type=client_credentials' });
    expect(asked?.headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  test('is asked for with id and secret in the form where the endpoint wants them there, and for what it is', async () => {
    await readOne(tokens.open({ send: 'body', scope: 'visits.read visits.write', audience: 'https://clinic.example' }));
    const [asked] = tokens.tokensAsked();
    expect(asked?.headers.authorization).toBeUndefined();
    expect(Object.fromEntries(new URLSearchParams(asked?.body))).toEqual({
      grant_type: 'client_credentials',
      client_id: 'tide:gate',
      client_secret: SECRET,
      scope: 'visits.read visits.write',
      audience: 'https://clinic.example',
    });
  });

  test('is asked for once by all calls that wait for it, of all collections', async () => {
    const gate = createGate();
    tokens.endpoint = (number) => ({ ...issued(number), after: gate.opened });
    const auth = clientCredentials({
      tokenUrl: `${tokens.source.url}/token`,
      clientId: 'tidegate',
      clientSecret: SECRET,
    });
    const both = { visits: VISITS, calls: { ...VISITS, type: 'Call' } };
    const [visits, calls] = tokens.source.open(both, { auth, limit: { concurrent: 8 } }) as [
      SourceCollection,
      SourceCollection,
    ];
    const work = [readOne(visits), readOne(calls), scanned(visits), write(visits), write(calls)];
    await until('the token is asked for', async () => tokens.tokensAsked().length > 0);
    gate.open();
    await Promise.all(work);
    expect(tokens.tokensAsked()).toHaveLength(1);
    expect(tokens.shown()).toEqual(Array(5).fill(`Bearer ${tokenOf(1)}`));
  });

  test('is kept until it is refused where nobody says how long it is good for', async () => {
    tokens.endpoint = (number) => issued(number, { expires_in: undefined });
    const visits = tokens.open();
    for (let day = 0; day < 3; day++, tokens.clock.advance(24 * HOUR_MS)) await readOne(visits);
    expect(tokens.tokensAsked()).toHaveLength(1);
  });
});

describe('a token that ends', () => {
  test('is renewed 60 to 90 s before, and no call waits for it', async () => {
    const gate = createGate();
    const visits = tokens.open();
    await readOne(visits);
    tokens.clock.advance(HOUR_MS - 90_001);
    await readOne(visits);
    expect(tokens.tokensAsked()).toHaveLength(1);
    tokens.endpoint = (number) => ({ ...issued(number), after: gate.opened });
    tokens.clock.advance(30_001);
    await readOne(visits);
    await readOne(visits);
    await until('a new token is asked for', async () => tokens.tokensAsked().length === 2);
    expect(tokens.shown()).toEqual(Array(4).fill(`Bearer ${tokenOf(1)}`));
    gate.open();
    await until('the new token goes with calls', async () => {
      await readOne(visits);
      return tokens.shown().at(-1) === `Bearer ${tokenOf(2)}`;
    });
    expect(tokens.tokensAsked()).toHaveLength(2);
  });

  test('soon is renewed when a fifth of its life is left, or up to half as much more', async () => {
    tokens.endpoint = (number) => issued(number, { expires_in: '100' });
    const visits = tokens.open();
    await readOne(visits);
    tokens.clock.advance(69_999);
    await readOne(visits);
    expect(tokens.tokensAsked()).toHaveLength(1);
    tokens.clock.advance(10_001);
    await readOne(visits);
    await until('a new token is asked for', async () => tokens.tokensAsked().length === 2);
  });

  test('is used to its end when it cannot be renewed, and not after it', async () => {
    const visits = tokens.open();
    await readOne(visits);
    tokens.endpoint = () => ({ status: 503 });
    tokens.clock.advance(HOUR_MS - 59_000);
    await readOne(visits);
    await until('the renewal failed', async () =>
      tokens.source.logged.some((line) => line.startsWith('a sign-in failed')),
    );
    tokens.clock.advance(58_999);
    await readOne(visits);
    expect(tokens.shown()).toEqual(Array(3).fill(`Bearer ${tokenOf(1)}`));
    await until('another renewal failed', async () => tokens.tokensAsked().length === 3);
    tokens.clock.advance(1);
    expect(await messageOf(readOne(visits))).toContain('clinic.visits read.one: cannot sign in to clinic at');
    expect(tokens.shown()).toHaveLength(3);
    tokens.clock.advance(60_000);
    tokens.endpoint = (number) => issued(number);
    await readOne(visits);
    expect(tokens.shown().at(-1)).toBe(`Bearer ${tokenOf(tokens.tokensAsked().length)}`);
  });
});

describe('a token that the source refuses', () => {
  test('R11: is replaced, and the read or the write that met the refusal is made once more', async () => {
    const visits = tokens.open();
    await readOne(visits);
    tokens.accepts(2);
    expect(await readOne(visits)).toMatchObject({ sourceKey: 'V-1' });
    expect(tokens.shown().slice(1)).toEqual([`Bearer ${tokenOf(1)}`, `Bearer ${tokenOf(2)}`]);
    tokens.accepts(3);
    expect((await write(visits, 'create')).kind).toBe('applied');
    const posts = tokens.source.asked.filter(({ method, path }) => method === 'POST' && path === '/api/visits');
    expect(posts.map(({ headers }) => headers.authorization)).toEqual([2, 3].map((one) => `Bearer ${tokenOf(one)}`));
    expect(new Set(posts.map(({ body }) => body)).size).toBe(1);
    expect(tokens.tokensAsked()).toHaveLength(3);
  });

  test('R11: the second refusal counts, and is told as one', async () => {
    tokens.accepts();
    expect(await write(tokens.open())).toEqual({
      kind: 'notSent',
      reason: 'clinic.visits write.update: it refuses our credentials (401)',
      retryAfterMs: null,
    });
    expect(tokens.shown()).toEqual([`Bearer ${tokenOf(1)}`, `Bearer ${tokenOf(2)}`]);
    expect(await messageOf(readOne(tokens.open()))).toContain(
      'clinic.visits read.one: it refuses our credentials (401)',
    );
  });

  test('is replaced once for all calls that were under way with it', async () => {
    const visits = tokens.open({}, { limit: { concurrent: 8 } });
    await readOne(visits);
    const gate = createGate();
    tokens.accepts(2);
    const known = tokens.api;
    tokens.api = (asked) => ({ ...known(asked), after: gate.opened });
    const work = [readOne(visits), readOne(visits), write(visits)];
    await until('all are under way', async () => tokens.shown().length === 4);
    gate.open();
    expect((await Promise.all(work)).map((one) => (one === 'absent' ? one : 'ok'))).toEqual(['ok', 'ok', 'ok']);
    expect(tokens.tokensAsked()).toHaveLength(2);
    expect(tokens.shown()).toHaveLength(7);
  });

  test('is not replaced once more for a call whose refusal comes late', async () => {
    const visits = tokens.open({}, { limit: { concurrent: 8 } });
    await readOne(visits);
    const gate = createGate();
    tokens.accepts(2);
    const known = tokens.api;
    tokens.api = (asked) => ({ ...known(asked), ...(tokens.shown().length === 2 ? { after: gate.opened } : {}) });
    const late = readOne(visits);
    await until('the first is under way', async () => tokens.shown().length === 2);
    await readOne(visits);
    gate.open();
    expect(await late).toMatchObject({ sourceKey: 'V-1' });
    expect(tokens.tokensAsked()).toHaveLength(2);
  });

  test('is not replaced over and over while new ones are refused, too', async () => {
    tokens.accepts();
    const visits = tokens.open();
    await write(visits);
    expect(tokens.tokensAsked()).toHaveLength(2);
    for (let call = 0; call < 5; call++) {
      expect(await write(visits)).toMatchObject({
        kind: 'notSent',
        reason: 'clinic.visits write.update: it refuses our credentials (401), and new ones too',
      });
    }
    expect(tokens.tokensAsked()).toHaveLength(2);
    expect(tokens.shown()).toHaveLength(7);
    tokens.clock.advance(1_500);
    await write(visits);
    expect(tokens.tokensAsked()).toHaveLength(3);
    tokens.clock.advance(1_999);
    await write(visits);
    expect(tokens.tokensAsked()).toHaveLength(3);
    tokens.accepts(4);
    tokens.clock.advance(1_001);
    expect((await write(visits)).kind).toBe('applied');
    expect(tokens.tokensAsked()).toHaveLength(4);
  });

  test.each<readonly [string, Classify, number, string]>([
    ['may have taken effect', () => unknownOutcome('the proxy lost it'), 1, 'unknown'],
    ['was refused', () => refused('not your route'), 2, 'refused'],
    ['was not processed', () => notProcessed('who are you?'), 2, 'notSent'],
  ])('R11: a write of which classify says that it %s is made accordingly', async (_what, say, times, kind) => {
    tokens.accepts();
    const visits = tokens.open({}, {}, ({ status }) => (status === 401 ? say({} as never) : undefined));
    expect((await write(visits)).kind).toBe(kind);
    expect(tokens.shown()).toHaveLength(times);
  });

  test('is not replaced for other answers', async () => {
    const visits = tokens.open();
    for (const status of [400, 403, 407, 500]) {
      tokens.api = () => ({ status, rows: {} });
      await write(visits);
    }
    expect(tokens.tokensAsked()).toHaveLength(1);
    expect(tokens.shown()).toHaveLength(4);
  });
});
