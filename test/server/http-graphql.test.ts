import { Agent, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { SyncError } from '../../src/core/errors.js';
import type { UseCases } from '../../src/graphql/context.js';
import { createRequestRate, type RequestRate } from '../../src/server/request-rate.js';
import type { SessionResolver } from '../../src/server/session.js';
import { createManualClock } from '../support/manual-clock.js';
import { getRaw, sendRaw } from './raw-http.js';
import { closeClinics, serveClinic, WEBHOOK_SECRET } from './serving-clinic.js';

afterEach(closeClinics);

const QUERY = '{ collections { name } }';

async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
  return errors[0]?.extensions.code ?? '';
}

/** `passed` is resolved when it is opened. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}

describe('POST /graphql', () => {
  test('answers a pull from the store with its data, uncached and not to be sniffed', async () => {
    const clinic = await serveClinic();
    await clinic.show('visit-1', { notes: 'first' });
    const response = await clinic.post({ query: '{ pull { changes { id } hasMore } }' });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ data: { pull: { changes: [{ id: 'visit-1' }], hasMore: false } } });
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('gives the session both headers, and asks for it once', async () => {
    const asked: unknown[] = [];
    const session: SessionResolver = async (credentials) => {
      asked.push(credentials);
      return { tenant: 't', user: 'nurse', device: credentials.device, grant: { kind: 'every' } };
    };
    const clinic = await serveClinic({ session });
    await clinic.post(
      { query: '{ a: collections { name } b: collections { name } }' },
      { authorization: 'Bearer nurse', 'tidegate-device': 'tablet-7' },
    );
    await clinic.post({ query: QUERY });
    expect(asked).toEqual([
      { authorization: 'Bearer nurse', device: 'tablet-7' },
      { authorization: null, device: null },
    ]);
  });

  test.each([
    ['a bad device id', 400, 'BAD_REQUEST', { 'tidegate-device': 'no device' }],
    ['an empty device id', 400, 'BAD_REQUEST', { 'tidegate-device': '' }],
  ])('refuses the whole request for %s', async (_what, status, code, headers) => {
    const response = await (await serveClinic()).post({ query: QUERY }, headers);
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
  });

  test('attack 27: a user who floods is told to wait, before the body is read, while others are answered', async () => {
    const clock = createManualClock();
    const session: SessionResolver = async ({ authorization }) => ({
      tenant: 't',
      user: authorization ?? 'nobody',
      device: null,
      grant: { kind: 'every' },
    });
    const clinic = await serveClinic({ session, rate: createRequestRate({ perSecond: 2, burst: 3 }, clock) });
    const ask = (authorization: string, body: unknown = { query: QUERY }) => clinic.post(body, { authorization });
    for (let sent = 0; sent < 3; sent++) expect((await ask('flooder')).status).toBe(200);
    const limited = await ask('flooder', 'x'.repeat(200_000));
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await limited.json()).toMatchObject({
      errors: [{ extensions: { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 500 } }],
    });
    expect((await ask('nurse')).status).toBe(200);
    clock.advance(500);
    expect([(await ask('flooder')).status, (await ask('flooder')).status]).toEqual([200, 429]);
  });

  test('attack 27: a refused request costs no new connection, and the next one on it is answered', async () => {
    const rate = createRequestRate({ perSecond: 1, burst: 1 }, createManualClock());
    const { url } = await serveClinic({ rate });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (const expected of [200, 429, 429]) {
      const status = await new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/json' };
        const sent = httpRequest(`${url}/graphql`, { method: 'POST', agent, headers }, (answer) => {
          ports.add(answer.socket.localPort);
          answer.on('end', () => resolve(answer.statusCode)).resume();
        });
        sent.on('error', reject).end(JSON.stringify({ query: QUERY }));
      });
      expect(status).toBe(expected);
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  test('attack 27: work keeps its turn though its client went away, and gives it back at its end', async () => {
    const [begun, released, over] = [gate(), gate(), gate()];
    let isOver = false;
    const leave = (): void => {
      isOver = true;
      over.open();
    };
    const rate: RequestRate = { take: () => undefined, enter: async () => leave };
    const collections: UseCases['collections'] = async () => {
      begun.open();
      await released.passed;
      return [];
    };
    const { url } = await serveClinic({ rate, useCases: { collections } });
    const client = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    const body = JSON.stringify({ query: QUERY });
    client.write(
      `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await begun.passed;
    client.resetAndDestroy();
    // By its answer the reset is known there, too.
    await getRaw(url, '/healthz', { host: '127.0.0.1' });
    expect(isOver).toBe(false);
    released.open();
    await over.passed;
  });

  test('a stranger is refused before the body is read', async () => {
    const session = () => Promise.reject(new SyncError('UNAUTHENTICATED', 'expected a bearer token, got none'));
    const refused = await (await serveClinic({ session })).post('no JSON at all');
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
  });

  test('refuses credentials with 401, and says nothing of an inner fault', async () => {
    const closed = await serveClinic({
      session: () => Promise.reject(new SyncError('UNAUTHENTICATED', 'expected a bearer token, got none')),
    });
    const refused = await closed.post({ query: QUERY });
    expect([refused.status, await codeOf(refused)]).toEqual([401, 'UNAUTHENTICATED']);
    const broken = await serveClinic({ session: () => Promise.reject(new Error('password=hunter2')) });
    const failed = await broken.post({ query: QUERY });
    const text = await failed.text();
    expect([failed.status, JSON.parse(text).errors[0].extensions.code]).toEqual([500, 'INTERNAL']);
    expect(text).not.toContain('hunter2');
    expect(broken.faults.join()).toContain('hunter2');
  });

  test.each([
    ['no JSON', '{"query":'],
    ['nothing', ''],
    ['a list: batches are off', [{ query: QUERY }, { query: QUERY }]],
    ['no query', {}],
    ['a query that is a number', { query: 7 }],
    ['variables that are a text', { query: QUERY, variables: 'x' }],
  ])('refuses %s with a coded 400', async (_what, body) => {
    const response = await (await serveClinic()).post(body);
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe('BAD_REQUEST');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
  ])('attack 8: refuses what a form of a foreign page can send: %s', async (type) => {
    const response = await (await serveClinic()).post({ query: QUERY }, { 'content-type': type });
    expect([response.status, await codeOf(response)]).toEqual([400, 'BAD_REQUEST']);
  });

  test('takes JSON with a character set', async () => {
    const clinic = await serveClinic();
    const response = await clinic.post({ query: QUERY }, { 'content-type': 'Application/JSON; charset=UTF-8' });
    expect(response.status).toBe(200);
  });

  test('refuses a body beyond the limit before it is parsed', async () => {
    const clinic = await serveClinic({ maxBodyBytes: 1_000 });
    const response = await clinic.post(`{"query":"${'x'.repeat(1_000)}`);
    expect([response.status, await codeOf(response)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });
});

describe('GET /graphql', () => {
  const headers = { host: 'localhost' };

  test('needs a header that a foreign page cannot send', async () => {
    const { url } = await serveClinic();
    const path = `/graphql?query=${encodeURIComponent(QUERY)}`;
    expect((await getRaw(url, path, headers)).status).toBe(400);
    const allowed = await getRaw(url, path, { ...headers, 'apollo-require-preflight': 'yes' });
    expect([allowed.status, JSON.parse(allowed.body)]).toEqual([200, { data: { collections: [] } }]);
  });

  test('does no mutation', async () => {
    const { url } = await serveClinic();
    const path = `/graphql?query=${encodeURIComponent('mutation { unregisterDevice }')}`;
    expect((await getRaw(url, path, { ...headers, 'apollo-require-preflight': 'yes' })).status).toBe(405);
  });

  test('leads a person with a browser to the landing page', async () => {
    const { url } = await serveClinic();
    const answer = await getRaw(url, '/graphql', { ...headers, accept: 'text/html,*/*;q=0.8' });
    expect([answer.status, answer.headers['location']]).toEqual([302, '/']);
  });

  test.each(['PUT', 'DELETE', 'PATCH'])('and %s is 405', async (method) => {
    const { url } = await serveClinic();
    const response = await fetch(`${url}/graphql`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: QUERY }),
    });
    expect(response.status).toBe(405);
  });
});

describe('a connection', () => {
  test('serves the next request after a refused one', async () => {
    const clinic = await serveClinic();
    for (let turn = 0; turn < 3; turn++) {
      expect((await clinic.post('{')).status).toBe(400);
      expect((await clinic.post({ query: QUERY })).status).toBe(200);
    }
  });

  test.each([
    ['in one piece', (text: string) => [text]],
    ['byte by byte', (text: string) => text.split('')],
    ['with its body later', (text: string) => [text.slice(0, -5), text.slice(-5)]],
  ])('that asks for HTTP/2, as Java does, is served in HTTP/1.1: %s', async (_how, pieces) => {
    const clinic = await serveClinic();
    const body = JSON.stringify({ query: QUERY });
    const wish = `x-token: ${WEBHOOK_SECRET}\r\nconnection: close, Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAA\r\n`;
    const head = `host: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${wish}\r\n`;
    const asked = await sendRaw(clinic.url, pieces(`POST /graphql HTTP/1.1\r\n${head}${body}`));
    expect([asked.status, asked.body]).toEqual([200, '{"data":{"collections":[]}}\n']);
    const woken = await sendRaw(clinic.url, pieces(`POST /webhooks/clinic HTTP/1.1\r\n${head}${body}`));
    expect([woken.status, clinic.woken]).toEqual([202, ['visits']]);
  });

  test('that asks for HTTP/2 with each request serves one after the other', async () => {
    const clinic = await serveClinic();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const sockets = new Set<unknown>();
    for (let turn = 0; turn < 3; turn++) {
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const upgrade = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAA' };
        const headers = { ...upgrade, 'x-token': WEBHOOK_SECRET };
        const request = httpRequest(`${clinic.url}/webhooks/clinic`, { method: 'POST', agent, headers }, (response) => {
          response.resume().once('end', () => resolve(response.statusCode));
        });
        request.once('socket', (socket) => sockets.add(socket)).once('error', reject);
        request.end('{"any":"thing"}');
      });
      expect(status).toBe(202);
    }
    agent.destroy();
    expect([clinic.woken.length, sockets.size]).toEqual([3, 1]);
  });

  test('that asks for HTTP/2 before its last answer came is closed', async () => {
    const { url } = await serveClinic({ isReady: () => new Promise(() => undefined) });
    const wish = 'GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n';
    expect((await sendRaw(url, [wish.replaceAll(/connection.*h2c\r\n/gs, ''), wish])).status).toBeNaN();
  });

  test('that asks for HTTP/2 is guarded like any other', async () => {
    const { url } = await serveClinic();
    const answer = await getRaw(url, '/healthz', {
      host: 'evil.example',
      connection: 'close, Upgrade',
      upgrade: 'h2c',
    });
    expect(answer.status).toBe(403);
  });
});
