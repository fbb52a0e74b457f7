import { webSocketHints } from '../../src/client/hints.js';
import { createManualClock } from '../support/manual-clock.js';
import { settled } from './device.js';

class ScriptedSocket {
  static last: ScriptedSocket;
  readonly sent: unknown[] = [];
  isClosed = false;
  onopen: () => void = () => undefined;
  onmessage: (event: { readonly data: string }) => void = () => undefined;
  onclose: ((event: { readonly code: number }) => void) | null = null;
  onerror: () => void = () => undefined;

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {
    ScriptedSocket.last = this;
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }

  close(): void {
    this.isClosed = true;
    this.onclose?.({ code: 1000 });
  }

  hear(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

function line(opens = true) {
  const clock = createManualClock();
  const heard: unknown[] = [];
  const end = webSocketHints(ScriptedSocket)(
    {
      url: 'wss://ward.example/graphql',
      device: 'tablet',
      headers: { authorization: 'Bearer token' },
      collections: null,
    },
    { up: () => heard.push('up'), hint: (names) => heard.push(names), down: (code) => heard.push(code) },
    clock,
  );
  const socket = ScriptedSocket.last;
  if (opens) socket.onopen();
  async function quiet(times: number): Promise<void> {
    for (let time = 0; time < times; time++) {
      clock.advance(15_000);
      await settled();
    }
  }
  return { heard, end, socket, quiet };
}

test('it speaks graphql-transport-ws: says who it is, subscribes, answers pings', () => {
  const { heard, socket } = line();
  expect([socket.url, socket.protocol]).toEqual(['wss://ward.example/graphql', 'graphql-transport-ws']);
  expect(socket.sent).toEqual([
    { type: 'connection_init', payload: { authorization: 'Bearer token', device: 'tablet' } },
  ]);
  socket.hear({ type: 'connection_ack' });
  socket.hear({ type: 'ping' });
  expect(socket.sent.slice(1)).toMatchObject([
    { type: 'subscribe', id: '1', payload: { variables: { collections: null } } },
    { type: 'pong' },
  ]);
  socket.hear({ type: 'next', id: '1', payload: { data: { hints: { collections: ['visits'] } } } });
  socket.hear({ type: 'next', id: '1', payload: { data: null } });
  expect(heard).toEqual(['up', ['visits']]);
});

test.each(['error', 'complete'])('a subscription that ends with %s ends the line, to be opened anew', (type) => {
  const { heard, socket } = line();
  socket.hear({ type, id: '1' });
  expect([socket.isClosed, heard]).toEqual([true, [1000]]);
});

test('what is ended by the app is told nobody', () => {
  const { heard, end, socket } = line();
  end();
  expect([socket.isClosed, heard]).toEqual([true, []]);
});

describe('a half-open socket', () => {
  const pings = (sent: readonly unknown[]) =>
    sent.filter((message) => (message as { readonly type: string }).type === 'ping').length;

  test('is asked when nothing was heard of it for a while, and given up when it does not answer', async () => {
    const { heard, socket, quiet } = line();
    socket.hear({ type: 'connection_ack' });
    await quiet(1);
    expect(pings(socket.sent)).toBe(0);
    await quiet(1);
    expect([pings(socket.sent), socket.isClosed]).toEqual([1, false]);
    await quiet(1);
    expect([socket.isClosed, heard]).toEqual([true, ['up', 1006]]);
  });

  test('is kept as long as it says anything, a pong or a hint', async () => {
    const { heard, socket, quiet } = line();
    socket.hear({ type: 'connection_ack' });
    for (let time = 0; time < 10; time++) {
      await quiet(2);
      socket.hear(
        time % 2 === 0 ? { type: 'pong' } : { type: 'next', payload: { data: { hints: { collections: [] } } } },
      );
    }
    expect([socket.isClosed, heard.includes(1006)]).toEqual([false, false]);
    expect(pings(socket.sent)).toBe(10);
  });

  test('is given up when it never opens, or never answers who it is', async () => {
    for (const opens of [false, true]) {
      const { heard, socket, quiet } = line(opens);
      await quiet(1);
      expect([socket.isClosed, heard]).toEqual([true, [1006]]);
    }
  });

  test('is watched no more when it is closed, by whomever', async () => {
    const closed = line();
    closed.socket.hear({ type: 'connection_ack' });
    closed.socket.close();
    await closed.quiet(5);
    expect([closed.heard, pings(closed.socket.sent)]).toEqual([['up', 1000], 0]);
    const ended = line();
    ended.end();
    await ended.quiet(5);
    expect(ended.heard).toEqual([]);
  });
});
