import { createHmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { hmac, sharedSecret, type WebhookFacts } from '../../src/connectors/webhook.js';
import { SLOWEST_BODY_MS } from '../../src/server/webhooks.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import fc from '../support/properties.js';
import { until } from '../support/until.js';
import { closeClinics, serveClinic, WEBHOOK_SECRET, type ServingClinic } from './serving-clinic.js';

afterEach(closeClinics);

const TOKEN = { 'x-token': WEBHOOK_SECRET };

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | URLSearchParams;
}

function send({ url }: ServingClinic, { headers = {}, body }: Sent = {}, to = 'clinic'): Promise<Response> {
  return fetch(`${url}/webhooks/${to}`, { method: 'POST', headers, ...(body === undefined ? {} : { body }) });
}

async function errorOf(response: Response): Promise<{ code: string; message: string }> {
  const { errors } = (await response.json()) as { errors: { message: string; extensions: { code: string } }[] };
  return { code: errors[0]?.extensions.code ?? '', message: errors[0]?.message ?? '' };
}

const countsOf = ({ webhooks }: ServingClinic): Readonly<Record<string, number>> =>
  Object.fromEntries(webhooks.counts().map(({ outcome, count }) => [outcome, count]));
/** An answer leaves before its place is free. */
const counted = (clinic: ServingClinic, counts: Readonly<Record<string, number>>): Promise<void> =>
  until('all are counted', async () => JSON.stringify(countsOf(clinic)) === JSON.stringify(counts));

describe('a webhook with a good proof', () => {
  test.each<readonly [string, Sent]>([
    ['no body', {}],
    ['JSON', { body: '{"any":"thing"}', headers: { 'content-type': 'application/json' } }],
    ['what only claims to be JSON', { body: '{', headers: { 'content-type': 'application/json' } }],
    ['a form', { body: new URLSearchParams({ a: 'b' }) }],
    ['bytes without a type', { body: new Uint8Array([0, 255, 1]) }],
    ['a type that nobody knows', { body: '1', headers: { 'content-type': 'application/vnd.clinic+thing' } }],
  ])('asks for a poll: %s', async (_what, { headers, ...sent }) => {
    const clinic = await serveClinic();
    const response = await send(clinic, { headers: { ...headers, ...TOKEN }, ...sent });
    expect([response.status, await response.json(), clinic.woken]).toEqual([202, { status: 'accepted' }, ['visits']]);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    await counted(clinic, { accepted: 1 });
  });

  test('asks for the records that it names, and for nothing if it names none', async () => {
    const webhook: WebhookFacts = {
      proof: sharedSecret({ header: 'X-Token', secret: WEBHOOK_SECRET }),
      names: ({ body }) => (body as { ids: string[] }).ids.map((key) => ({ collection: 'visits', key })),
    };
    const clinic = await serveClinic({ webhook });
    expect((await send(clinic, { headers: TOKEN, body: '{"ids":["v1","v 2"],"note":"never read"}' })).status).toBe(202);
    expect((await send(clinic, { headers: TOKEN, body: '{"ids":[]}' })).status).toBe(202);
    expect(clinic.woken).toEqual(['visits v1 v%202']);
    await counted(clinic, { accepted: 1, ignored: 1 });
  });

  test('attack 29: is signed over the bytes that came, also compressed ones and those that are no text', async () => {
    const webhook: WebhookFacts = {
      proof: hmac({ header: 'X-Sig', prefix: 'sha256=', secret: WEBHOOK_SECRET }),
      names: 'visits',
    };
    const clinic = await serveClinic({ webhook });
    const sign = (bytes: Uint8Array): string =>
      `sha256=${createHmac('sha256', WEBHOOK_SECRET).update(bytes).digest('hex')}`;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.nat(), async (body, at) => {
        const headers = { 'x-sig': sign(body), 'content-type': 'application/json', 'content-encoding': 'gzip' };
        const before = clinic.woken.length;
        expect((await send(clinic, { headers, body })).status).toBe(202);
        expect(clinic.woken).toHaveLength(before + 1);
        if (body.length === 0) return;
        const tampered = body.map((byte, n) => (n === at % body.length ? byte ^ 1 : byte));
        expect((await send(clinic, { headers, body: tampered })).status).toBe(401);
        expect(clinic.woken).toHaveLength(before + 1);
      }),
      { numRuns: 20 },
    );
  });
});

describe('a webhook without a good proof', () => {
  const proof = hmac({
    header: 'Stripe-Signature',
    member: 'v1',
    timestamp: { member: 't' },
    secret: [WEBHOOK_SECRET, 'the old secret of the source'],
  });
  const signed = (clock: ManualClock, body: string, agoS = 0, secret = WEBHOOK_SECRET): Sent => {
    const atS = clock.nowMs() / 1_000 - agoS;
    const signature = createHmac('sha256', secret).update(`${atS}.${body}`).digest('hex');
    return { body, headers: { 'stripe-signature': `t=${atS},v1=${signature}` } };
  };

  test.each<readonly [string, (clock: ManualClock) => Sent, string]>([
    ['none at all', () => ({ body: '{}' }), 'forged'],
    ['by another secret', (clock) => signed(clock, '{}', 0, 'another secret of whomever'), 'forged'],
    ['of another body', (clock) => ({ ...signed(clock, '{}'), body: '{ }' }), 'forged'],
    ['of long ago', (clock) => signed(clock, '{}', 301), 'stale'],
  ])('is refused with the same words: %s', async (_what, sent, outcome) => {
    const clock = createManualClock();
    const clinic = await serveClinic({ webhook: { proof }, clock });
    const response = await send(clinic, sent(clock));
    expect(response.status).toBe(401);
    expect(await errorOf(response)).toEqual({
      code: 'UNAUTHENTICATED',
      message: 'webhook: expected the proof that its source is known by',
    });
    expect([clinic.woken, clinic.faults]).toEqual([[], []]);
    await counted(clinic, { [outcome]: 1 });
  });

  test('that came before is answered as the first one was, and asks for nothing', async () => {
    const clock = createManualClock();
    const clinic = await serveClinic({ webhook: { proof, names: 'visits' }, clock });
    const sent = signed(clock, '{}');
    const [first, second] = [await send(clinic, sent), await send(clinic, sent)];
    expect([second.status, await second.text()]).toEqual([202, await first.text()]);
    expect(clinic.woken).toEqual(['visits']);
    await counted(clinic, { accepted: 1, repeated: 1 });
  });

  test('by the old secret is good while both are declared', async () => {
    const clock = createManualClock();
    const clinic = await serveClinic({ webhook: { proof, names: 'visits' }, clock });
    expect((await send(clinic, signed(clock, '1'))).status).toBe(202);
    expect((await send(clinic, signed(clock, '2', 0, 'the old secret of the source'))).status).toBe(202);
    expect(clinic.woken).toEqual(['visits', 'visits']);
  });
});

describe('what is no webhook', () => {
  test.each(['clinc', 'supplies', 'clinic%2F', '__proto__'])('of an unknown source is not found: %s', async (name) => {
    const clinic = await serveClinic();
    const response = await send(clinic, { headers: TOKEN, body: 'x'.repeat(2_000_000) }, name);
    expect(response.status).toBe(404);
    expect((await errorOf(response)).code).toBe('NOT_FOUND');
    expect([clinic.woken, countsOf(clinic)]).toEqual([[], {}]);
  });

  test.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('of another method is not found: %s', async (method) => {
    const clinic = await serveClinic();
    const response = await fetch(`${clinic.url}/webhooks/clinic`, { method, headers: TOKEN });
    expect([response.status, (await errorOf(response)).code]).toEqual([404, 'NOT_FOUND']);
    expect(clinic.woken).toEqual([]);
  });

  test('of more than a megabyte is refused, good or not; a megabyte is taken', async () => {
    const clinic = await serveClinic();
    const response = await send(clinic, { headers: TOKEN, body: 'x'.repeat(1_048_577) });
    expect([response.status, (await errorOf(response)).code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(clinic.woken).toEqual([]);
    expect((await send(clinic, { headers: TOKEN, body: 'x'.repeat(1_048_576) })).status).toBe(202);
    await counted(clinic, { unread: 1, accepted: 1 });
  });

  test('from a foreign page is refused', async () => {
    const clinic = await serveClinic();
    const response = await send(clinic, { headers: { ...TOKEN, origin: 'https://evil.example' } });
    expect([response.status, clinic.woken]).toEqual([403, []]);
  });
});

describe('webhooks that come too fast', () => {
  test('are refused past five seconds’ worth of them, forged ones, too, and taken again in time', async () => {
    const clock = createManualClock();
    const webhook = {
      proof: sharedSecret({ header: 'X-Token', secret: WEBHOOK_SECRET }),
      names: 'visits',
      perSecond: 2,
    };
    const clinic = await serveClinic({ webhook, clock });
    for (let n = 0; n < 5; n++) {
      expect((await send(clinic, { headers: TOKEN })).status).toBe(202);
      expect((await send(clinic)).status).toBe(401);
    }
    const response = await send(clinic, { headers: TOKEN, body: 'x'.repeat(2_000_000) });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await errorOf(response)).code).toBe('RATE_LIMITED');
    clock.advance(500);
    expect((await send(clinic, { headers: TOKEN })).status).toBe(202);
    expect((await send(clinic, { headers: TOKEN })).status).toBe(429);
    await counted(clinic, { accepted: 6, forged: 5, limited: 2 });
  });

  test('past sixteen of which the body does not come are refused, and those are broken off after ten seconds', async () => {
    const clock = createManualClock();
    const clinic = await serveClinic({ clock });
    const slow = await Promise.all(Array.from({ length: 16 }, () => openSlow(clinic)));
    await until('all of them are in', async () => {
      const { status } = await send(clinic, { headers: TOKEN });
      return status === 429;
    });
    const { accepted: before = 0 } = countsOf(clinic);
    clock.advance(SLOWEST_BODY_MS - 1);
    expect((await send(clinic, { headers: TOKEN })).status).toBe(429);
    clock.advance(1);
    await Promise.all(slow.map(({ closed }) => closed));
    await until('their places are free', async () => (await send(clinic, { headers: TOKEN })).status === 202);
    expect(countsOf(clinic)).toMatchObject({ unread: 16 });
    expect(clinic.woken).toHaveLength(before + 1);
  });

  test('a body that breaks off asks for nothing', async () => {
    const clinic = await serveClinic();
    const { socket, closed } = await openSlow(clinic);
    socket.destroy();
    await closed;
    await counted(clinic, { unread: 1 });
    expect([clinic.woken, clinic.faults]).toEqual([[], []]);
  });
});

/** A webhook with a good proof of whose body a part comes. */
async function openSlow({ url }: ServingClinic): Promise<{ readonly socket: Socket; readonly closed: Promise<void> }> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const head = ['POST /webhooks/clinic HTTP/1.1', 'host: localhost', `x-token: ${WEBHOOK_SECRET}`, 'content-length: 9'];
  await new Promise((resolve) => socket.write(`${head.join('\r\n')}\r\n\r\n{"i`, resolve));
  return { socket, closed };
}
