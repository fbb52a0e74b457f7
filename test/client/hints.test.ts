import { webSocketHints } from '../../src/client/hints.js';

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

function line() {
  const heard: unknown[] = [];
  const end = webSocketHints(ScriptedSocket)(
    {
      url: 'wss://ward.example/graphql',
      device: 'tablet',
      headers: { authorization: 'Bearer token' },
      collections: null,
    },
    { up: () => heard.push('up'), hint: (names) => heard.push(names), down: (code) => heard.push(code) },
  );
  const socket = ScriptedSocket.last;
  socket.onopen();
  return { heard, end, socket };
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
