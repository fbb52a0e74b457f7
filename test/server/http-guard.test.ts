import type { IncomingMessage } from 'node:http';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { type SyncError } from '../../src/core/errors.js';
import { createHttpGuard } from '../../src/server/http-guard.js';
import { getRaw } from './raw-http.js';
import { closeClinics, serveClinic } from './serving-clinic.js';

afterEach(closeClinics);

const guard = createHttpGuard({
  host: '10.1.2.3',
  allowedHosts: ['Sync.Clinic.example'],
  allowedOrigins: ['https://App.clinic.example/', 'http://localhost:5173'],
});
const request = (headers: Readonly<Record<string, string>>): IncomingMessage =>
  ({ headers }) as unknown as IncomingMessage;

function verdict(headers: Readonly<Record<string, string>>): string {
  try {
    guard.check(request(headers));
    return 'allowed';
  } catch (thrown) {
    return (thrown as SyncError).code;
  }
}

describe('a Host', () => {
  test.each([
    'localhost',
    'localhost:4000',
    'LOCALHOST:4000',
    'tablet.localhost:4000',
    '127.0.0.1:4000',
    '127.0.0.1',
    '[::1]:4000',
    '[::1]',
    '10.1.2.3:4000',
    '192.168.0.7:4000',
    '[fe80::1]:4000',
    'sync.clinic.example',
    'SYNC.clinic.example:443',
  ])('of this machine, an address or a configured name is allowed: %s', (host) => {
    expect(verdict({ host })).toBe('allowed');
  });

  test.each([
    ['a name that was pointed at us', 'evil.example:4000'],
    ['a name below a configured one', 'evil.sync.clinic.example'],
    ['a configured name as its beginning', 'sync.clinic.example.evil.example'],
    ['localhost as its beginning', 'localhost.evil.example'],
    ['an ending without a dot', 'evillocalhost'],
    ['an address as a name of another', '127.0.0.1.evil.example'],
    ['a user before the name', 'localhost@evil.example'],
    ['two names', 'localhost, evil.example'],
    ['a path behind it', 'localhost/evil'],
    ['a port that is none', 'localhost:port'],
    ['nothing', ''],
    ['half an IPv6 address', '[::1'],
  ])('is refused that is %s: %s', (_what, host) => {
    expect(verdict({ host })).toBe('FORBIDDEN');
  });

  test('is needed', () => {
    expect(verdict({})).toBe('FORBIDDEN');
  });
});

describe('an Origin', () => {
  const host = 'localhost:4000';
  test.each([
    ['our own', 'http://localhost:4000'],
    ['our own behind TLS', 'https://localhost:4000'],
    ['a configured one', 'https://app.clinic.example'],
    ['a configured one in another case', 'HTTPS://APP.CLINIC.EXAMPLE'],
    ['a configured development server', 'http://localhost:5173'],
  ])('is allowed that is %s: %s', (_what, origin) => {
    expect(verdict({ host, origin })).toBe('allowed');
  });

  test('is not needed: only browsers send one', () => {
    expect(verdict({ host })).toBe('allowed');
  });

  test.each([
    ['foreign', 'https://evil.example'],
    ['of another port of this machine', 'http://localhost:3000'],
    ['of another name of this machine', 'http://127.0.0.1:4000'],
    ['a configured one without TLS', 'http://app.clinic.example'],
    ['a configured one as its beginning', 'https://app.clinic.example.evil.example'],
    ['of a file or a sandboxed frame', 'null'],
    ['of an extension', 'chrome-extension://localhost:4000'],
    ['nothing', ''],
  ])('is refused that is %s: %s', (_what, origin) => {
    expect(verdict({ host, origin })).toBe('FORBIDDEN');
  });
});

describe('a name that was pointed at us', () => {
  test.each(['/graphql?query={collections{name}}', '/', '/explorer', '/healthz', '/readyz', '/metrics', '/nothing'])(
    'gets nothing from any address: %s',
    async (path) => {
      const { url } = await serveClinic();
      const { port } = new URL(url);
      // What a rebinding page sends: its own name as the host, and an origin that agrees with it.
      const headers = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` };
      const { status, body, headers: answered } = await getRaw(url, path, headers);
      expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([403, 'FORBIDDEN']);
      expect(Object.keys(answered)).not.toContain('access-control-allow-origin');
    },
  );
});

describe('the headers of CORS', () => {
  const query = { query: '{ collections { name } }' };

  test('are there for a configured origin, also on a preflight and on a fault', async () => {
    const origin = 'https://app.clinic.example';
    const clinic = await serveClinic({ allowedOrigins: [origin], maxBodyBytes: 1_000 });
    const preflight = await fetch(`${clinic.url}/graphql`, { method: 'OPTIONS', headers: { origin } });
    const answered = await clinic.post(query, { origin });
    const refused = await clinic.post({ query: 'x'.repeat(2_000) }, { origin });
    expect([preflight.status, answered.status, refused.status]).toEqual([204, 200, 413]);
    for (const response of [preflight, answered, refused]) {
      expect(response.headers.get('access-control-allow-origin')).toBe(origin);
      expect(response.headers.get('vary')).toContain('origin');
    }
    expect(preflight.headers.get('access-control-allow-headers')).toContain('tidegate-device');
  });

  test('are not there for our own pages, for none, and for foreign ones', async () => {
    const clinic = await serveClinic({ allowedOrigins: ['https://app.clinic.example'] });
    const own = await clinic.post(query, { origin: clinic.url });
    const none = await clinic.post(query);
    const foreign = await clinic.post(query, { origin: 'https://evil.example' });
    expect([own.status, none.status, foreign.status]).toEqual([200, 200, 403]);
    for (const response of [own, none, foreign]) {
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
    }
  });
});

describe('a WebSocket', () => {
  async function connect(url: string, headers: Readonly<Record<string, string>>): Promise<string> {
    const socket = new WebSocket(url, 'graphql-transport-ws', { headers });
    return new Promise((resolve) => {
      socket.on('open', () => {
        resolve('open');
        socket.terminate();
      });
      socket.on('unexpected-response', (_request, response) => {
        resolve(`${response.statusCode}`);
        socket.terminate();
      });
      socket.on('error', () => undefined);
    });
  }

  test('is refused from a foreign origin, and for a name that was pointed at us', async () => {
    const { webSocketUrl, url, sockets } = await serveClinic();
    const { port } = new URL(url);
    expect(await connect(webSocketUrl, { origin: 'https://evil.example' })).toBe('403');
    expect(await connect(webSocketUrl, { origin: 'null' })).toBe('403');
    expect(await connect(webSocketUrl, { host: `evil.example:${port}`, origin: `http://evil.example:${port}` })).toBe(
      '403',
    );
    expect(sockets.count()).toBe(0);
  });

  test('opens for our own page, a configured origin and for none', async () => {
    const { webSocketUrl, url } = await serveClinic({ allowedOrigins: ['https://app.clinic.example'] });
    expect(await connect(webSocketUrl, { origin: url })).toBe('open');
    expect(await connect(webSocketUrl, { origin: 'https://app.clinic.example' })).toBe('open');
    expect(await connect(webSocketUrl, {})).toBe('open');
  });

  test('opens on /graphql only', async () => {
    const { url } = await serveClinic();
    expect(await connect(`${url.replace('http', 'ws')}/`, {})).toBe('404');
    expect(await connect(`${url.replace('http', 'ws')}/webhooks/clinic`, {})).toBe('404');
  });

  test('of IPv6 loopback works from end to end', async () => {
    const { webSocketUrl } = await serveClinic({ host: '::1' });
    expect(webSocketUrl).toMatch(/^ws:\/\/\[::1\]:/);
    const client = createClient({ url: webSocketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
    const [first] = await Promise.all([
      client.iterate({ query: '{ collections { name } }' }).next() as Promise<{ value: unknown }>,
    ]);
    await client.dispose();
    expect(first.value).toEqual({ data: { collections: [] } });
  });
});
