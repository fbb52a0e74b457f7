import { createHmac } from 'node:crypto';
import { hmac, sharedSecret, type HmacOptions } from '../../src/connectors/webhook.js';
import { createProofCheck, type CheckProof, type WebhookHeaders } from '../../src/connectors/webhook-proof.js';
import fc from '../support/properties.js';

const NOW_MS = Date.UTC(2026, 0, 5, 8);
const NOW_S = NOW_MS / 1_000;
const SECRET = 'a secret of sixteen bytes or more';

let nowMs = NOW_MS;
beforeEach(() => {
  nowMs = NOW_MS;
});

const checkOf = (options: Partial<HmacOptions> & Pick<HmacOptions, 'header'>): CheckProof =>
  createProofCheck(hmac({ secret: SECRET, ...options }), () => nowMs);
const sign = (text: string | Buffer, secret: string | Buffer = SECRET, encoding: 'hex' | 'base64' = 'hex'): string =>
  createHmac('sha256', secret).update(text).digest(encoding);
const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');

/** Stripe's: the time and one or more signatures in one header. */
const listed = (body: string, atS: number, ...secrets: readonly string[]): WebhookHeaders => ({
  'stripe-signature': [`t=${atS}`, ...secrets.map((secret) => `v1=${sign(`${atS}.${body}`, secret)}`)].join(','),
});
const LISTED = { header: 'Stripe-Signature', member: 'v1', timestamp: { member: 't' } } as const;

describe('a signature that its sender publishes as an example', () => {
  test('GitHub', () => {
    const check = checkOf({
      secret: "It's a Secret to Everybody",
      header: 'X-Hub-Signature-256',
      prefix: 'sha256=',
    });
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17';
    expect(check({ 'x-hub-signature-256': signature }, bytes('Hello, World!'))).toBe('good');
    expect(check({ 'x-hub-signature-256': signature }, bytes('Hello, World?'))).toBe('forged');
  });

  test('Slack', () => {
    nowMs = 1_531_420_618_000;
    const check = checkOf({
      secret: '8f742231b10e8888abcd99yyyzzz85a5',
      header: 'X-Slack-Signature',
      prefix: 'v0=',
      timestamp: { header: 'X-Slack-Request-Timestamp' },
      signs: 'v0:{timestamp}:{body}',
    });
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&' +
      'user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F' +
      '96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
    const headers = {
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
      'x-slack-request-timestamp': '1531420618',
    };
    expect(check({ ...headers, 'x-slack-request-timestamp': '1531420619' }, bytes(body))).toBe('forged');
    expect(check(headers, bytes(body))).toBe('good');
  });

  test('Standard Webhooks', () => {
    nowMs = 1_614_265_330_000;
    const check = checkOf({
      secret: Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'),
      header: 'webhook-signature',
      prefix: 'v1,',
      encoding: 'base64',
      timestamp: { header: 'webhook-timestamp' },
      id: 'webhook-id',
      signs: '{id}.{timestamp}.{body}',
    });
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v2,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    };
    const body = bytes('{"test": 2432232314}');
    expect(check({ ...headers, 'webhook-id': 'msg_another' }, body)).toBe('forged');
    expect(check({ ...headers, 'webhook-id': '' }, body)).toBe('forged');
    expect(check(headers, body)).toBe('good');
    expect(check(headers, body)).toBe('repeated');
  });
});

describe('a signature in base64 (Shopify)', () => {
  const check = checkOf({ header: 'X-Shopify-Hmac-Sha256', encoding: 'base64' });
  const body = Buffer.from([0, 255, 10, 13, 0xc3]);
  const good = sign(body, SECRET, 'base64');

  test('is of the very bytes, also where they are no text', () => {
    expect(check({ 'x-shopify-hmac-sha256': good }, body)).toBe('good');
    expect(check({ 'x-shopify-hmac-sha256': good }, Buffer.from(body.toString('utf8')))).toBe('forged');
  });

  test.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['that of another secret', sign(body, 'another secret, as long as it', 'base64')],
    ['its hex form', sign(body)],
    ['a part of it', good.slice(0, 20)],
    ['it and more', `${good}AAAA`],
    ['it with something that decoders pass over', `${good.slice(0, 10)}!${good.slice(10)}`],
    ['that of no body', sign('', SECRET, 'base64')],
  ])('is not good: %s', (_what, value) => {
    expect(check(value === undefined ? {} : { 'x-shopify-hmac-sha256': value }, body)).toBe('forged');
  });

  test('counts each time it comes, since nothing in it says when it was made', () => {
    expect(check({ 'x-shopify-hmac-sha256': good }, body)).toBe('good');
    expect(check({ 'x-shopify-hmac-sha256': good }, body)).toBe('good');
  });
});

test('attack 29: a good signature of a body is that of no other body', () => {
  const check = checkOf({ header: 'X-Sig' });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (one, other) => {
      const headers = { 'x-sig': sign(Buffer.from(one)) };
      expect(check(headers, Buffer.from(one))).toBe('good');
      if (!Buffer.from(one).equals(Buffer.from(other))) expect(check(headers, Buffer.from(other))).toBe('forged');
    }),
  );
});

describe('while secrets change', () => {
  const check = checkOf({ header: 'X-Sig', secret: ['the new secret of the source', 'the old secret of the source'] });
  const body = bytes('{}');

  test.each([
    ['the new one', 'the new secret of the source', 'good'],
    ['the old one', 'the old secret of the source', 'good'],
    ['one before', 'the oldest secret of the source', 'forged'],
  ] as const)('a signature by %s', (_what, secret, verdict) => {
    expect(check({ 'x-sig': sign(body, secret) }, body)).toBe(verdict);
  });

  test('a source that signs with both is known by either, and counts once', () => {
    const both = checkOf({ ...LISTED, secret: ['the new secret of the source', 'the old secret of the source'] });
    expect(both(listed('{}', NOW_S, 'the oldest secret', 'the old secret of the source'), body)).toBe('good');
    expect(both(listed('{}', NOW_S, 'the new secret of the source'), body)).toBe('repeated');
  });
});

describe('a signature with its time (Stripe)', () => {
  const body = bytes('{"id":1}');
  const at = (atS: number): WebhookHeaders => listed('{"id":1}', atS, SECRET);

  test.each([
    ['now', NOW_S, 'good'],
    ['five minutes ago', NOW_S - 300, 'good'],
    ['longer ago', NOW_S - 301, 'stale'],
    ['five minutes ahead', NOW_S + 300, 'good'],
    ['further ahead', NOW_S + 301, 'stale'],
  ] as const)('attack 29: made %s', (_what, atS, verdict) => {
    expect(checkOf(LISTED)(at(atS), body)).toBe(verdict);
  });

  test('has the tolerance and the unit that are declared', () => {
    const timestamp = { header: 'X-At', unit: 'ms', tolerance: '10s' } as const;
    const check = checkOf({ header: 'X-Sig', timestamp });
    const made = (atMs: number): WebhookHeaders => ({ 'x-at': `${atMs}`, 'x-sig': sign(`${atMs}.{"id":1}`) });
    expect(check(made(NOW_MS - 10_000), body)).toBe('good');
    expect(check(made(NOW_MS - 10_001), body)).toBe('stale');
  });

  test('attack 29: is not good with another time than was signed, with none, or with one that is no number', () => {
    const check = checkOf(LISTED);
    const { 'stripe-signature': value = '' } = at(NOW_S);
    for (const text of [
      value.replace(`t=${NOW_S}`, `t=${NOW_S - 1}`),
      value.replace(`t=${NOW_S},`, ''),
      value.replace(`t=${NOW_S}`, 't=now'),
      value.replace('v1=', 'v0='),
    ])
      expect(check({ 'stripe-signature': text }, body)).toBe('forged');
    expect(check({ 'stripe-signature': value }, body)).toBe('good');
  });

  test('attack 29: counts once, until its time is over', () => {
    const check = checkOf(LISTED);
    expect(check(at(NOW_S), body)).toBe('good');
    expect(check(at(NOW_S), body)).toBe('repeated');
    nowMs = NOW_MS + 300_000;
    expect(check(at(NOW_S), body)).toBe('repeated');
    nowMs += 1_000;
    expect(check(at(NOW_S), body)).toBe('stale');
  });

  test('a forged one is not remembered: it keeps no good one out', () => {
    const check = checkOf(LISTED);
    const { 'stripe-signature': value = '' } = at(NOW_S);
    expect(check({ 'stripe-signature': `${value}0` }, body)).toBe('forged');
    expect(check(at(NOW_S), body)).toBe('good');
  });

  test('no more than ten thousand are remembered: past them the oldest count again', () => {
    const check = checkOf({ ...LISTED, secret: SECRET });
    const one = (n: number): [WebhookHeaders, Buffer] => [listed(`${n}`, NOW_S, SECRET), bytes(`${n}`)];
    for (let n = 0; n < 10_000; n++) check(...one(n));
    expect(check(...one(0))).toBe('repeated');
    expect(check(...one(10_000))).toBe('good');
    expect(check(...one(9_999))).toBe('repeated');
    expect(check(...one(0))).toBe('good');
  });

  test('a time or an id cannot bring a place for the other', () => {
    const check = checkOf({
      header: 'X-Sig',
      id: 'X-Id',
      timestamp: { header: 'X-At' },
      signs: '{id}.{timestamp}.{body}',
    });
    const headers = { 'x-id': '{timestamp}', 'x-at': `${NOW_S}`, 'x-sig': sign(`{timestamp}.${NOW_S}.`) };
    expect(check(headers, bytes(''))).toBe('good');
    expect(check({ ...headers, 'x-sig': sign(`${NOW_S}.${NOW_S}.`) }, bytes(''))).toBe('forged');
  });

  test('of more than ten signatures the others are not looked at', () => {
    const many = (before: number): WebhookHeaders =>
      listed('{"id":1}', NOW_S, ...Array.from({ length: before }, (_, n) => `secret ${n}`), SECRET);
    expect(checkOf(LISTED)(many(8), body)).toBe('good');
    expect(checkOf(LISTED)(many(20), body)).toBe('forged');
  });
});

describe('a shared secret', () => {
  const check = createProofCheck(
    sharedSecret({ header: 'Authorization', prefix: 'Bearer ', secret: [SECRET, 'the old secret of the source'] }),
    () => nowMs,
  );

  test.each([
    [`Bearer ${SECRET}`, 'good'],
    ['Bearer the old secret of the source', 'good'],
    [SECRET, 'forged'],
    [`Bearer ${SECRET} `, 'forged'],
    [`Bearer ${SECRET.slice(1)}`, 'forged'],
    ['Bearer ', 'forged'],
    ['', 'forged'],
  ] as const)('%s is %s', (value, verdict) => {
    expect(check({ authorization: value }, bytes('whatever'))).toBe(verdict);
  });

  test('that is missing is no proof', () => {
    expect(check({}, bytes(''))).toBe('forged');
  });
});
