import type { SyncClientOptions } from '../../src/client/client-options.js';
import { webSocketHints } from '../../src/client/hints.js';
import { createMemoryStore } from '../../src/client/memory-store.js';
import { createSyncClient } from '../../src/client/sync-client.js';
import { openTablet } from './device.js';

const SOUND: SyncClientOptions = { url: 'https://sync.example.com/graphql', store: createMemoryStore() };

/** As an app in JavaScript gives them, or one that reads its settings wrongly. */
function openWith(wrong: Readonly<Record<string, unknown>>): Promise<unknown> {
  return createSyncClient({ ...SOUND, ...wrong });
}

test.each([undefined, '', '/graphql', 'sync.example.com/graphql', 'ws://sync.example.com/graphql', 'http:///graphql'])(
  'the address %p is refused when the client is made, and never waited for',
  async (url) => {
    await expect(openWith({ url })).rejects.toMatchObject({
      name: 'GatewayFault',
      code: 'VALIDATION',
      message: `url: expected one like https://host/graphql, got ${url}`,
    });
  },
);

test.each(['http://127.0.0.1:4000/graphql', 'http://[::1]:4000/graphql', 'https://user.example/a/sync?tenant=7'])(
  'the address %s is taken',
  async (url) => {
    await expect(openWith({ url, store: createMemoryStore() })).resolves.toBeDefined();
  },
);

test.each([
  ['that is absent', undefined, 'undefined'],
  ['that nobody waited for', Promise.resolve(createMemoryStore()), '[object Promise]'],
])('a store %s is refused by name', async (_what, store, got) => {
  await expect(openWith({ store })).rejects.toMatchObject({
    code: 'VALIDATION',
    message: `store: expected one that is open, got ${got}`,
  });
});

test('a collection that is not in the list of the client is refused by name; without a list none is', async () => {
  const { client } = await openTablet({ collections: ['visits', 'patients'] });
  const asked = client as unknown as { collection(name: string): { list(): Promise<readonly unknown[]> } };
  expect(() => asked.collection('vists')).toThrow(
    expect.objectContaining({ code: 'VALIDATION', message: 'collection: expected one of visits,patients, got vists' }),
  );
  expect(await asked.collection('visits').list()).toEqual([]);
  const unlisted = (await openTablet()).client as unknown as typeof asked;
  expect(await unlisted.collection('vists').list()).toEqual([]);
});

describe('on a machine without a WebSocket', () => {
  const own = Object.getOwnPropertyDescriptor(globalThis, 'WebSocket');
  beforeAll(() => void Reflect.deleteProperty(globalThis, 'WebSocket'));
  afterAll(() => void (own && Object.defineProperty(globalThis, 'WebSocket', own)));

  test('hints by WebSocket ask for a class when they are made', () => {
    expect(() => webSocketHints()).toThrow(
      expect.objectContaining({
        code: 'VALIDATION',
        message: expect.stringMatching(/^WebSocketClass: expected .* ws/),
      }),
    );
    expect(webSocketHints(class {})).toBeInstanceOf(Function);
  });
});
