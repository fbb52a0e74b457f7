import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createClient, type Client } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Session } from '../../src/core/session.js';
import { SyncError } from '../../src/core/errors.js';
import type { UseCases } from '../../src/graphql/context.js';
import { createRequestRate } from '../../src/server/request-rate.js';
import type { SessionResolver } from '../../src/server/session.js';
import { closeSpreadMs } from '../../src/server/socket-closing.js';
import { createManualClock } from '../support/manual-clock.js';
import { closeClinics, serveClinic, type ServingClinic } from './serving-clinic.js';

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
  await closeClinics();
});

const HINTS = 'subscription { hints { collections at } }';

/** A client as apps have it, which does not come back by itself. */
function clientOf({ webSocketUrl }: ServingClinic, connectionParams: Record<string, unknown> = {}): Client {
  const client = createClient({ url: webSocketUrl, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams });
  clients.push(client);
  return client;
}

interface RawSocket {
  readonly socket: WebSocket;
  send(message: unknown): void;
  next(): Promise<Record<string, unknown>>;
  readonly closed: Promise<string>;
}

/** A socket that says exactly what the test says. */
async function rawSocket({ webSocketUrl }: ServingClinic, protocol = 'graphql-transport-ws'): Promise<RawSocket> {
  const socket = new WebSocket(webSocketUrl, protocol);
  const messages: Record<string, unknown>[] = [];
  let arrived: () => void = () => undefined;
  socket.on('message', (text: Buffer) => {
    messages.push(JSON.parse(text.toString('utf8')));
    arrived();
  });
  const closed = new Promise<string>((resolve) =>
    socket.on('close', (code, reason) => resolve(`${code} ${reason.toString('utf8')}`)),
  );
  await once(socket, 'open');
  return {
    socket,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next() {
      while (messages.length === 0) await new Promise<void>((resolve) => (arrived = resolve));
      return messages.shift() as Record<string, unknown>;
    },
    closed,
  };
}

async function ready(clinic: ServingClinic): Promise<RawSocket> {
  const raw = await rawSocket(clinic);
  raw.send({ type: 'connection_init' });
  expect(await raw.next()).toEqual({ type: 'connection_ack' });
  return raw;
}

/** The sessions that a clinic's sockets got. */
function recordingSessions() {
  const given: Session[] = [];
  return {
    given,
    session: async ({ device, authorization }: { device: string | null; authorization: string | null }) => {
      const session: Session = { tenant: 't', user: authorization ?? 'nobody', device, grant: { kind: 'every' } };
      given.push(session);
      return session;
    },
  };
}

describe('hints', () => {
  test('R18: a change in the store reaches a listening device, and holds names and a time only', async () => {
    const clinic = await serveClinic();
    const listening = clientOf(clinic).iterate({ query: HINTS });
    const first = listening.next();
    while (clinic.hub.listening() === 0) await new Promise((resolve) => setImmediate(resolve));
    await clinic.show('visit-1', { notes: 'secret diagnosis' });
    const { value } = (await first) as { value: { data: { hints: Record<string, unknown> } } };
    expect(value.data.hints).toEqual({ collections: ['visits'], at: expect.stringMatching(/^20.*Z$/) });
    await listening.return?.();
    while (clinic.hub.listening() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('R18: reach every device of two hundred that came at the same moment, as 5,000 do in the benchmark', async () => {
    const clinic = await serveClinic({ initTimeoutMs: 60_000, limits: { maxSockets: 200, maxSocketsPerUser: 200 } });
    const devices = await Promise.all(Array.from({ length: 200 }, () => ready(clinic)));
    for (const raw of devices) raw.send({ id: '1', type: 'subscribe', payload: { query: HINTS } });
    while (clinic.hub.listening() < devices.length) await new Promise((resolve) => setImmediate(resolve));
    await clinic.show('visit-1', { notes: null });
    const told = await Promise.all(devices.map((raw) => raw.next()));
    expect(told).toEqual(devices.map(() => expect.objectContaining({ id: '1', type: 'next' })));
    expect(told[0]).toMatchObject({ payload: { data: { hints: { collections: ['visits'] } } } });
    expect(clinic.faults).toEqual([]);
    for (const raw of devices) raw.socket.terminate();
  });

  test('end in the hub when their socket goes away without a word', async () => {
    const clinic = await serveClinic();
    const raw = await ready(clinic);
    raw.send({ id: '1', type: 'subscribe', payload: { query: HINTS } });
    while (clinic.hub.listening() === 0) await new Promise((resolve) => setImmediate(resolve));
    raw.socket.terminate();
    while (clinic.hub.listening() > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(clinic.hub.listening()).toBe(0);
  });
});

describe('a socket', () => {
  test('brings device and authorization in its connection parameters', async () => {
    const { given, session } = recordingSessions();
    const clinic = await serveClinic({ session });
    const client = clientOf(clinic, { device: 'tablet-7', authorization: 'Bearer nurse' });
    await client.iterate({ query: '{ collections { name } }' }).next();
    expect(given).toEqual([expect.objectContaining({ device: 'tablet-7', user: 'Bearer nurse' })]);
  });

  test('without parameters is a session without a device', async () => {
    const { given, session } = recordingSessions();
    const clinic = await serveClinic({ session });
    await clientOf(clinic).iterate({ query: '{ collections { name } }' }).next();
    expect(given).toEqual([expect.objectContaining({ device: null, user: 'nobody' })]);
  });

  test('whose device id is none is closed with 4400 and the reason, in full at any length', async () => {
    const clinic = await serveClinic();
    for (const device of ['a b', 'ä'.repeat(500), '']) {
      const raw = await rawSocket(clinic);
      raw.send({ type: 'connection_init', payload: { device } });
      expect(await raw.closed).toMatch(/^4400 BAD_REQUEST: Tidegate-Device: expected 1 to 128 characters/);
    }
  });

  test('with refused credentials is closed with 4401, after which clients do not come back', async () => {
    const clinic = await serveClinic({
      session: () => Promise.reject(new SyncError('UNAUTHENTICATED', 'expected a bearer token, got none')),
    });
    const raw = await rawSocket(clinic);
    raw.send({ type: 'connection_init' });
    expect(await raw.closed).toBe('4401 UNAUTHENTICATED: expected a bearer token, got none');
    const stubborn = createClient({ url: clinic.webSocketUrl, webSocketImpl: WebSocket, retryAttempts: 5 });
    clients.push(stubborn);
    await expect(stubborn.iterate({ query: HINTS }).next()).rejects.toMatchObject({ code: 4401 });
  });

  test('whose session fails inside says nothing of the reason; the log does', async () => {
    const clinic = await serveClinic({ session: () => Promise.reject(new Error('password=hunter2')) });
    const raw = await rawSocket(clinic);
    raw.send({ type: 'connection_init' });
    expect(await raw.closed).not.toContain('hunter2');
    expect(clinic.faults.join()).toContain('hunter2');
  });

  test('attack 9: that does not say who it is in time is closed with 4408', async () => {
    const clinic = await serveClinic({ initTimeoutMs: 20 });
    const raw = await rawSocket(clinic);
    expect(await raw.closed).toMatch(/^4408 /);
  });

  test.each([
    ['init twice', 4429, [{ type: 'connection_init' }, { type: 'connection_init' }]],
    ['a subscription first', 4401, [{ id: '1', type: 'subscribe', payload: { query: HINTS } }]],
    ['no JSON', 4400, ['hello']],
    ['a type that there is not', 4400, [{ type: 'start' }]],
    ['parameters that are no object', 4400, [{ type: 'connection_init', payload: 'device' }]],
    [
      'one id twice',
      4409,
      [
        { type: 'connection_init' },
        { id: '1', type: 'subscribe', payload: { query: HINTS } },
        { id: '1', type: 'subscribe', payload: { query: HINTS } },
      ],
    ],
    ['a message of more than 64 KB', 1009, [{ type: 'connection_init', payload: { device: 'x'.repeat(70_000) } }]],
  ])('that says %s is closed with %i', async (_what, code, messages) => {
    const raw = await rawSocket(await serveClinic());
    for (const [at, message] of messages.entries()) {
      raw.send(message);
      if (at === 0 && messages.length === 3) await raw.next();
    }
    expect(await raw.closed).toMatch(new RegExp(`^${code}\\b`));
  });

  test('that sends a binary message is closed with 1003', async () => {
    const raw = await ready(await serveClinic());
    raw.socket.send(Buffer.from(JSON.stringify({ type: 'ping' })), { binary: true });
    expect(await raw.closed).toBe('1003 expected text messages, got a binary one');
  });

  test.each([['graphql-ws'], []])('of another protocol learns which one is expected: %s', async (...protocols) => {
    const clinic = await serveClinic();
    const socket = new WebSocket(clinic.webSocketUrl, protocols);
    socket.on('error', () => undefined);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    const body = Buffer.concat(await response.toArray()).toString('utf8');
    expect([response.statusCode, JSON.parse(body).errors[0].message]).toEqual([
      400,
      `Sec-WebSocket-Protocol: expected graphql-transport-ws, got ${protocols.length === 0 ? 'none' : '"graphql-ws"'}`,
    ]);
  });

  test('is asked whether it lives, and cut off when it does not answer', async () => {
    const clinic = await serveClinic({ keepAliveMs: 20 });
    const alive = await ready(clinic);
    await once(alive.socket, 'ping');
    await once(alive.socket, 'ping');
    expect(alive.socket.readyState).toBe(WebSocket.OPEN);
    // A device in a tunnel: its end hears nothing any more.
    (alive.socket as unknown as { _socket: { pause(): void } })._socket.pause();
    while (clinic.sockets.count() > 0) await new Promise((resolve) => setImmediate(resolve));
    alive.socket.terminate();
  });
});

describe('a socket that keeps to no protocol', () => {
  test('attack 9: that says twice who it is is closed with 4429', async () => {
    const raw = await ready(await serveClinic());
    raw.send({ type: 'connection_init' });
    expect(await raw.closed).toMatch(/^4429 /);
  });

  test('attack 9: that subscribes before it says who it is is closed with 4401', async () => {
    const raw = await rawSocket(await serveClinic());
    raw.send({ id: '1', type: 'subscribe', payload: { query: HINTS } });
    expect(await raw.closed).toMatch(/^4401 /);
  });

  test('attack 10: that sends a frame of a megabyte is closed with 1009, others live on', async () => {
    const clinic = await serveClinic();
    const other = await ready(clinic);
    const raw = await ready(clinic);
    raw.socket.on('error', () => undefined);
    raw.send({ id: '1', type: 'subscribe', payload: { query: HINTS, variables: { text: 'x'.repeat(1_000_000) } } });
    expect(await raw.closed).toMatch(/^1009 /);
    other.send({ type: 'ping' });
    expect(await other.next()).toEqual({ type: 'pong' });
  });
});

describe('a socket whose client does not read', () => {
  test('is read no further, and closed with 4411 after ten seconds; others live on', async () => {
    const clock = createManualClock();
    const clinic = await serveClinic({ clock });
    const other = await ready(clinic);
    const raw = await ready(clinic);
    const ends = (raw.socket as unknown as { _socket: { pause(): void; resume(): void } })._socket;
    ends.pause();
    // Each is answered by as much.
    for (let n = 0; n < 400; n++) raw.send({ type: 'ping', payload: { text: 'x'.repeat(60_000) } });
    const passSecond = async (): Promise<void> => {
      clock.advance(1_000);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    while (clinic.sockets.droppedSlow() === 0) await passSecond();
    expect(raw.socket.bufferedAmount).toBeGreaterThan(1_000_000);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(10_000);
    ends.resume();
    expect(await raw.closed).toMatch(/^4411 .*connect again, and pull$/);
    other.send({ type: 'ping' });
    expect(await other.next()).toEqual({ type: 'pong' });
    other.socket.close();
    while (clinic.sockets.count() > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});

describe('sockets', () => {
  const sessionOf: SessionResolver = async ({ authorization, device }) => ({
    tenant: 't',
    user: authorization ?? 'nobody',
    device,
    grant: { kind: 'every' },
  });

  test('attack 10: of one user past its limit are closed with 1013, and taken again when one has gone', async () => {
    const clinic = await serveClinic({ session: sessionOf, limits: { maxSocketsPerUser: 2 } });
    const open = async (authorization: string): Promise<RawSocket> => {
      const raw = await rawSocket(clinic);
      raw.send({ type: 'connection_init', payload: { authorization } });
      return raw;
    };
    const first = await open('nurse');
    await first.next();
    await (await open('nurse')).next();
    expect(await (await open('nurse')).closed).toBe(
      '1013 RATE_LIMITED: expected at most 2 sockets of one user at once',
    );
    expect(await (await open('doctor')).next()).toEqual({ type: 'connection_ack' });
    first.socket.close();
    await first.closed;
    while (clinic.sockets.count() > 2) await new Promise((resolve) => setImmediate(resolve));
    expect(await (await open('nurse')).next()).toEqual({ type: 'connection_ack' });
  });

  test('attack 10: past the limit of the process are refused at the upgrade with 429 and a time to wait', async () => {
    const clinic = await serveClinic({ limits: { maxSockets: 1 } });
    await ready(clinic);
    const refused = new WebSocket(clinic.webSocketUrl, 'graphql-transport-ws');
    refused.on('error', () => undefined);
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect([response.statusCode, response.headers['retry-after']]).toEqual([429, '5']);
    response.destroy();
  });

  test('attack 10: from a foreign page are refused at the upgrade with 403', async () => {
    const clinic = await serveClinic();
    const foreign = new WebSocket(clinic.webSocketUrl, 'graphql-transport-ws', { origin: 'https://evil.example' });
    foreign.on('error', () => undefined);
    const [, response] = (await once(foreign, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(403);
    response.destroy();
  });

  test('attack 27: count against the rate of their user, each operation as well', async () => {
    const rate = createRequestRate({ perSecond: 1, burst: 2 }, createManualClock());
    const raw = await ready(await serveClinic({ rate }));
    raw.send({ id: '1', type: 'subscribe', payload: { query: HINTS } });
    raw.send({ id: '2', type: 'subscribe', payload: { query: HINTS } });
    expect(await raw.next()).toMatchObject({
      id: '2',
      type: 'error',
      payload: [{ extensions: { code: 'RATE_LIMITED', retryable: true, retryAfterMs: 1_000 } }],
    });
  });
});

describe('operations on one socket', () => {
  test('attack 27: eight queries of a user are worked on at once, and more than its burst may not wait', async () => {
    const held: (() => void)[] = [];
    let isOpen = false;
    const collections: UseCases['collections'] = () =>
      new Promise((resolve) => (isOpen ? resolve([]) : held.push(() => resolve([]))));
    const rate = createRequestRate({ perSecond: 1, burst: 1 }, createManualClock());
    // Of a rate only the turns are looked at here.
    const clinic = await serveClinic({ rate: { ...rate, take: () => undefined }, useCases: { collections } });
    const raw = await ready(clinic);
    const told: Record<string, unknown>[] = [];
    const until = async (isLast: () => boolean): Promise<void> => {
      while (!isLast()) told.push(await raw.next());
    };
    const count = (type: string): number => told.filter((one) => one['type'] === type).length;
    for (let id = 1; id <= 10; id++)
      raw.send({ id: `${id}`, type: 'subscribe', payload: { query: '{ collections { name } }' } });
    // What came before a pong has been looked at, with the second one to its end.
    for (let pongs = 1; pongs <= 2; pongs++) {
      raw.send({ type: 'ping' });
      await until(() => count('pong') === pongs);
    }
    const working = held.length;
    isOpen = true;
    for (const end of held) end();
    await until(() => count('complete') === 10);
    expect(working).toBe(8);
    expect(told.filter(({ payload }) => (payload as { data?: unknown } | undefined)?.data === null)).toMatchObject([
      { id: '10', type: 'next', payload: { errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterMs: 1_000 } }] } },
    ]);
  });

  test('attack 10: are refused past twenty with LIMIT_EXCEEDED; the socket and the twenty live on', async () => {
    const clinic = await serveClinic();
    const raw = await ready(clinic);
    for (let id = 1; id <= 21; id++) raw.send({ id: `${id}`, type: 'subscribe', payload: { query: HINTS } });
    expect(await raw.next()).toMatchObject({
      id: '21',
      type: 'error',
      payload: [{ extensions: { code: 'LIMIT_EXCEEDED', retryable: false } }],
    });
    expect(clinic.hub.listening()).toBe(20);
    raw.send({ id: '1', type: 'complete' });
    while (clinic.hub.listening() > 19) await new Promise((resolve) => setImmediate(resolve));
    raw.send({ id: '22', type: 'subscribe', payload: { query: HINTS } });
    while (clinic.hub.listening() < 20) await new Promise((resolve) => setImmediate(resolve));
  });

  test('stand under the limits of documents, and errors have our codes', async () => {
    const raw = await ready(await serveClinic());
    const payloads = ['{ nothing }', '{', `{ ${'collections { name } '.repeat(400)} }`];
    for (const query of payloads) {
      raw.send({ id: '1', type: 'subscribe', payload: { query } });
      expect(await raw.next()).toMatchObject({
        type: 'error',
        payload: [{ message: expect.any(String), extensions: { code: 'BAD_REQUEST', advice: expect.any(String) } }],
      });
    }
  });

  test('answer queries with the same errors as HTTP', async () => {
    const clinic = await serveClinic();
    const raw = await ready(clinic);
    raw.send({ id: '1', type: 'subscribe', payload: { query: 'subscription { hints(collections: ["x"]) { at } }' } });
    expect(await raw.next()).toMatchObject({ payload: { errors: [{ extensions: { code: 'BAD_REQUEST' } }] } });
    expect(await raw.next()).toEqual({ id: '1', type: 'complete' });
    const query = '{ pull(since: "forged") { checkpoint } }';
    raw.send({ id: '1', type: 'subscribe', payload: { query } });
    const { payload } = (await raw.next()) as { payload: { errors: readonly { extensions: unknown }[] } };
    const { errors } = (await (await clinic.post({ query })).json()) as typeof payload;
    expect(payload.errors[0]?.extensions).toEqual(errors[0]?.extensions);
    expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_CHECKPOINT' });
  });
});

describe('a stop', () => {
  test('sends every client away with 1001, spread over a second, and waits until all are gone', async () => {
    const clock = createManualClock();
    const clinic = await serveClinic({ clock });
    const sockets = await Promise.all([ready(clinic), ready(clinic), ready(clinic)]);
    const stopped = clinic.http.close();
    const goneByTime: number[] = [];
    for (const raw of sockets) void raw.closed.then(() => goneByTime.push(clock.monotonicMs()));
    const over = stopped.then(() => true);
    while (!(await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 5))]))) clock.advance(50);
    expect(await Promise.all(sockets.map((raw) => raw.closed))).toEqual(
      sockets.map(() => '1001 the gateway stops: connect again'),
    );
    expect(new Set(goneByTime).size).toBeGreaterThan(1);
    expect(clinic.sockets.count()).toBe(0);
  });

  test.each([
    [1, 1_000],
    [1_000, 1_000],
    [5_000, 5_000],
    [20_000, 8_000],
  ])('of a gateway with %i sockets sends them away over %i ms', (sockets, ms) => {
    expect(closeSpreadMs(sockets)).toBe(ms);
  });

  test('cuts off a client that does not hear it', async () => {
    const clock = createManualClock();
    const clinic = await serveClinic({ clock });
    const raw = await ready(clinic);
    (raw.socket as unknown as { _socket: { pause(): void } })._socket.pause();
    const stopped = clinic.http.close().then(() => true);
    while (!(await Promise.race([stopped, new Promise((resolve) => setTimeout(resolve, 5))]))) clock.advance(50);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(1_000);
    expect(clinic.sockets.count()).toBe(0);
    raw.socket.terminate();
  });
});

describe('R4: an open socket of a user', () => {
  /** A socket that is ready, and a session behind it that tests take away or change. */
  async function stay(first: Partial<Session> = {}) {
    const clock = createManualClock();
    const session: Session = {
      tenant: 't',
      user: 'nurse',
      device: null,
      grant: { kind: 'listed', scopes: ['a'] },
      ...first,
    };
    let now = async (): Promise<Session> => session;
    const clinic = await serveClinic({ clock, session: () => now() });
    const raw = await ready(clinic);
    const settle = async (): Promise<void> => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    return {
      raw,
      session,
      become: (next: () => Promise<Session>) => void (now = next),
      pass: async (ms: number): Promise<void> => {
        clock.advance(ms);
        await settle();
      },
      now: () => clock.nowMs(),
    };
  }
  const expired = new SyncError('UNAUTHENTICATED', 'Authorization: expected a bearer token, one that has not expired');

  test('attack 11: is closed with 4403 when its token ends, after which clients come back with another one', async () => {
    const expiresAtMs = createManualClock().nowMs() + 12_345;
    const { raw, become, pass } = await stay({ expiresAtMs });
    become(() => Promise.reject(expired));
    await pass(12_344);
    expect(raw.socket.readyState).toBe(WebSocket.OPEN);
    await pass(1);
    expect(await raw.closed).toMatch(/^4403 UNAUTHENTICATED: .*not expired$/);
  });

  test('attack 11: who is not one of ours any more is closed 30 s later', async () => {
    const { raw, become, pass } = await stay();
    await pass(29_999);
    become(() => Promise.reject(expired));
    await pass(1);
    expect(await raw.closed).toMatch(/^4403 /);
  });

  test('who may see something else is closed so that it comes back for that', async () => {
    const { raw, session, become, pass } = await stay();
    become(async () => ({ ...session, grant: { kind: 'listed', scopes: ['b'] } }));
    await pass(30_000);
    expect(await raw.closed).toBe('1001 what you may see has changed: connect again');
  });

  test('stays while nobody can be asked, and while nothing has changed', async () => {
    const { raw, session, become, pass } = await stay();
    become(() => Promise.reject(new SyncError('UNAVAILABLE', 'away')));
    await pass(30_000);
    become(async () => ({ ...session }));
    await pass(30_000);
    expect(raw.socket.readyState).toBe(WebSocket.OPEN);
    become(() => Promise.reject(expired));
    await pass(30_000);
    expect(await raw.closed).toMatch(/^4403 /);
  });
});
