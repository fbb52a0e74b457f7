import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { StartupError } from '../../src/core/errors.js';
import { until } from '../support/until.js';
import { closeClinics, serveClinic } from './serving-clinic.js';
import { getRaw, sendRaw } from './raw-http.js';

afterEach(closeClinics);

async function errorOf(response: Response): Promise<{ code: string; message: string }> {
  const { errors } = (await response.json()) as { errors: { message: string; extensions: { code: string } }[] };
  return { code: errors[0]?.extensions.code ?? '', message: errors[0]?.message ?? '' };
}

describe('the port', () => {
  test('that is taken is said in one sentence with host, port and what to do', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const fault = await serveClinic({ port }).catch((thrown: unknown) => thrown as StartupError);
    other.close();
    expect(fault).toBeInstanceOf(StartupError);
    expect(fault).toMatchObject({ reason: 'port', exitCode: 3 });
    expect((fault as StartupError).message).toBe(
      `port ${port} on 127.0.0.1 is taken by another program: expected a free one. Stop that program, or set PORT to another number (0 takes any)`,
    );
  });

  test('of a host that is not of this machine is said so', async () => {
    // TEST-NET-1: no machine has it.
    const fault = await serveClinic({ host: '192.0.2.1' }).catch((thrown: unknown) => thrown);
    expect(fault).toMatchObject({ reason: 'port', message: expect.stringContaining('192.0.2.1') });
  });

  test('0 takes any, and the url says which', async () => {
    const { url } = await serveClinic({ port: 0 });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9][0-9]+$/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('of every address gives a url that this machine reaches', async () => {
    const { url } = await serveClinic({ host: '0.0.0.0' });
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('the probes', () => {
  test('health is the process alone, readiness whether pulls can be answered', async () => {
    let ready = false;
    const { url } = await serveClinic({ isReady: async () => ready });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const before = await fetch(`${url}/readyz`);
    expect([before.status, await before.json()]).toEqual([503, { status: 'not ready' }]);
    ready = true;
    const after = await fetch(`${url}/readyz`);
    expect([after.status, await after.json()]).toEqual([200, { status: 'ready' }]);
  });

  test('a readiness that fails is a fault of the gateway, and nothing internal leaves', async () => {
    const clinic = await serveClinic({ isReady: () => Promise.reject(new Error('password=hunter2')) });
    const response = await fetch(`${clinic.url}/readyz`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('hunter2');
    expect(clinic.faults.join()).toContain('hunter2');
  });

  test('metrics are text for Prometheus', async () => {
    const { url } = await serveClinic();
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('tidegate_sockets 0\n');
  });
});

describe('every other address', () => {
  test.each([
    ['GET', '/nothing'],
    ['POST', '/healthz'],
    ['DELETE', '/webhooks/clinic'],
    ['GET', '/graphql/'],
    ['GET', '/graphqlx'],
  ])('is a coded 404 in JSON: %s %s', async (method, path) => {
    const { url } = await serveClinic();
    const response = await fetch(`${url}${path}?secret=1`, { method });
    expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/json; charset=utf-8']);
    const { code, message } = await errorOf(response);
    expect(code).toBe('NOT_FOUND');
    expect(message).toMatch(new RegExp(`got ${method} ${path}$`));
  });

  test('that is no text is a coded 400', async () => {
    const { url } = await serveClinic();
    const { status, body } = await getRaw(url, '/%ff%zz', { host: 'localhost' });
    expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
  });
});

describe('what is no HTTP request', () => {
  test('gets a coded 400', async () => {
    const { url } = await serveClinic();
    const { status, body } = await sendRaw(url, ['Hello, is there anybody?\r\n\r\n']);
    expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
  });

  test('or has 16 KB of headers gets a coded 400 with the limit', async () => {
    const { url } = await serveClinic();
    const { status, body } = await getRaw(url, '/healthz', { host: 'localhost', long: 'x'.repeat(20_000) });
    expect([status, JSON.parse(body).errors[0].message]).toEqual([
      400,
      'headers: expected at most 16384 bytes, got more',
    ]);
  });
});

describe('a page', () => {
  test.each(['/', '/explorer'])('runs only what carries the nonce of its answer: %s', async (path) => {
    const { url } = await serveClinic();
    const [first, second] = await Promise.all([fetch(`${url}${path}`), fetch(`${url}${path}`)]);
    const nonceOf = (response: Response): string =>
      /script-src[^;]*'nonce-([0-9a-f]+)'/.exec(response.headers.get('content-security-policy') ?? '')?.[1] ?? '';
    expect(nonceOf(first)).toMatch(/^[0-9a-f]{32}$/);
    expect(nonceOf(first)).not.toBe(nonceOf(second));
    const html = await first.text();
    const scripts = html.match(/<script[^>]*>/g) ?? [];
    expect(scripts).toEqual([`<script nonce="${nonceOf(first)}">`]);
    expect(html).not.toMatch(/\son[a-z]+=/i);
    expect(html).not.toMatch(/\sstyle=/i);
    const policy = first.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(first.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test.each<readonly [string, string, RequestInit]>([
    ['a pull', '/graphql', { method: 'POST', body: '{"query":"{ pull { epoch } }"}' }],
    ['a fault of GraphQL', '/graphql', { method: 'POST', body: '{"query":"{"}' }],
    ['a body that is too large', '/graphql', { method: 'POST', body: 'x'.repeat(200_000) }],
    ['a way to the pages', '/graphql', { redirect: 'manual', headers: { accept: 'text/html' } }],
    ['a question before a request', '/graphql', { method: 'OPTIONS' }],
    ['health', '/healthz', {}],
    ['readiness', '/readyz', {}],
    ['metrics', '/metrics', {}],
    ['no page', '/nothing', {}],
    ['a page', '/', {}],
    ['the explorer', '/explorer', {}],
    ['a webhook to nobody', '/webhooks/nobody', { method: 'POST' }],
  ])('may be kept, guessed at and framed by nobody: %s', async (_what, path, { headers, ...request }) => {
    const { url } = await serveClinic();
    const answer = await fetch(`${url}${path}`, {
      ...request,
      headers: { 'content-type': 'application/json', ...headers },
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('the explorer may load nothing from elsewhere', async () => {
    const { url } = await serveClinic();
    const policy = (await fetch(`${url}/explorer`)).headers.get('content-security-policy') ?? '';
    const { host } = new URL(url);
    expect(policy.replaceAll(`ws://${host}`, '').replaceAll(`wss://${host}`, '')).not.toMatch(/\/\/|\*/);
  });

  test('the landing page names the collections and shows a push of a field that can be written', async () => {
    const { url } = await serveClinic();
    const html = await (await fetch(url)).text();
    for (const text of ['<code>visits</code>', '<code>Patient</code>', `${url}/graphql`, '/explorer']) {
      expect(html).toContain(text);
    }
    expect(html).toContain('&#34;notes&#34;: &#34;changed on my phone&#34;');
  });
});

describe('a stop', () => {
  /** A gateway that answers which collections there are once it is told to go on. */
  async function serveSlowly() {
    let begun = (): void => undefined;
    let goOn = (): void => undefined;
    const started = new Promise<void>((resolve) => (begun = resolve));
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const clinic = await serveClinic({
      useCases: {
        collections: async () => {
          begun();
          await held;
          return [];
        },
      },
    });
    return { clinic, started, goOn: () => goOn() };
  }

  test('lets a request under way finish, and takes no further one', async () => {
    const { clinic, started, goOn } = await serveSlowly();
    const asked = clinic.post({ query: '{ collections { name } }' });
    await started;
    const closed = clinic.http.close();
    await expect(fetch(`${clinic.url}/healthz`)).rejects.toThrow();
    goOn();
    const answer = await asked;
    expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
    expect(await answer.json()).toEqual({ data: { collections: [] } });
    await closed;
  });

  test('waits for what a client asked that has hung up since: it still uses what is stopped next', async () => {
    const { clinic, started, goOn } = await serveSlowly();
    const hangUp = new AbortController();
    const asked = fetch(`${clinic.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ collections { name } }' }),
      signal: hangUp.signal,
    }).catch(() => 'gone');
    await started;
    hangUp.abort();
    expect(await asked).toBe('gone');
    let isClosed = false;
    const closed = clinic.http.close().then(() => (isClosed = true));
    // Long enough for the end of the connection to be seen.
    await until('nobody listens any more', async () => !(await fetch(`${clinic.url}/healthz`).catch(() => false)));
    expect(isClosed).toBe(false);
    goOn();
    await closed;
  });

  test('is over although a client keeps its idle connection, and can be asked for twice', async () => {
    const clinic = await serveClinic();
    await (await fetch(`${clinic.url}/healthz`)).text();
    await Promise.all([clinic.http.close(), clinic.http.close()]);
    await expect(fetch(`${clinic.url}/healthz`)).rejects.toThrow();
  });
});
