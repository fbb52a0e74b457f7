import { WebSocket } from 'ws';
import { GatewayFault } from '../../src/client/gateway.js';
import { webSocketHints } from '../../src/client/hints.js';
import type { Fetch } from '../../src/client/exchange.js';
import type { LocalStore } from '../../src/client/local-store.js';
import { createMemoryStore, emptyContents } from '../../src/client/memory-store.js';
import { openSqliteStore } from '../../src/client/sqlite-store.js';
import { createSyncClient, type SyncClient } from '../../src/client/sync-client.js';
import { openSqlJs } from '../support/sqlite-driver.js';
import { until } from '../support/until.js';
import { openLeavingWard, type LeavingWard } from './leaving-ward.js';

const WITHIN_MS = 20_000;
/** Quick to come back, so that nobody waits. */
const PACE = { intervalMs: 600_000, retryMs: 50, mostRetryMs: 200 };

interface Phone {
  readonly client: SyncClient<{ readonly visits: { readonly notes: string | null } }>;
  readonly heard: string[];
  /** Answers of pushes are lost on their way back. */
  losesReplies: boolean;
  notes(id: string): Promise<string | null | undefined>;
}

let ward: LeavingWard;
const phones: Phone[] = [];

beforeAll(async () => {
  ward = await openLeavingWard();
});

afterAll(async () => {
  for (const { client } of phones) await client.close();
  await ward.stop();
});

async function openPhone(device: string, store: LocalStore): Promise<Phone> {
  const heard: string[] = [];
  const address = (): string => `${ward.url()}/graphql`;
  // The gateway has another port after each start.
  const fetchThere: Fetch = async (_url, request) => {
    const answer = await fetch(address(), request);
    if (!phone.losesReplies || !request.body.includes('TidegatePush')) return answer;
    await answer.text();
    throw new TypeError('network request failed');
  };
  class SocketThere extends WebSocket {
    constructor(_url: string, protocol: string) {
      super(address().replace('http', 'ws'), protocol);
    }
  }
  const client: Phone['client'] = await createSyncClient({
    url: address(),
    store,
    device,
    headers: async () => ({ authorization: `Bearer ${await ward.token('nurse')}` }),
    hints: webSocketHints(SocketThere),
    fetch: fetchThere,
    pace: PACE,
    on: {
      conflict: ({ id }) => heard.push(`conflict ${id}`),
      reset: (reason) => heard.push(`reset ${reason}`),
      revoked: () => heard.push('revoked'),
    },
  });
  const phone: Phone = {
    client,
    heard,
    losesReplies: false,
    notes: async (id) => (await client.collection('visits').get(id))?.fields.notes,
  };
  phones.push(phone);
  return phone;
}

const shows = (phone: Phone, id: string, notes: string): Promise<void> =>
  until(`${id} shows ${notes}`, async () => (await phone.notes(id)) === notes, WITHIN_MS);
const isEmpty = (phone: Phone): Promise<void> =>
  until('nothing is pending', async () => (await phone.client.outbox.list()).length === 0, WITHIN_MS);
const writesOf = (notes: string): number => ward.writes.filter((write) => write.includes(notes)).length;

test('R10, R18, F5, F11: two phones converge through lost replies, a restart, a reset, a new epoch and a revocation', async () => {
  const tablet = await openPhone('tablet', await openSqliteStore(await openSqlJs()));
  const contents = emptyContents();
  const phone = await openPhone('phone', createMemoryStore(contents));

  // They sync by themselves, and hear of each other.
  for (const { client } of phones) client.start();
  await Promise.all([shows(tablet, 'V-1', 'first note'), shows(phone, 'V-3', 'third note')]);
  await until('both listen', async () => phones.every(({ client }) => client.status.get().isConnected), WITHIN_MS);
  await tablet.client.collection('visits').patch('V-1', { notes: 'of the tablet' });
  await shows(phone, 'V-1', 'of the tablet');
  await isEmpty(tablet);

  // The reply to a push is lost: it is asked for again, and takes effect once.
  tablet.losesReplies = true;
  await tablet.client.collection('visits').patch('V-2', { notes: 'sent twice' });
  await until('it arrived', async () => writesOf('sent twice') === 1, WITHIN_MS);
  await until('nobody heard', async () => tablet.client.status.get().error?.code === 'UNREACHABLE', WITHIN_MS);
  tablet.losesReplies = false;
  await isEmpty(tablet);
  expect([writesOf('sent twice'), ward.notes.get('V-2')]).toEqual([1, 'sent twice']);
  await shows(phone, 'V-2', 'sent twice');

  // The gateway goes and comes back elsewhere; what was edited meanwhile arrives, and hints go on.
  const restarted = ward.later(0);
  await phone.client.collection('visits').patch('V-3', { notes: 'while it was away' });
  await restarted;
  await shows(tablet, 'V-3', 'while it was away');
  await isEmpty(phone);
  expect(writesOf('while it was away')).toBe(1);
  await tablet.client.collection('visits').patch('V-3', { notes: 'after that' });
  await shows(phone, 'V-3', 'after that');

  // Both hold what they must, and one that does not is mended.
  await Promise.all(phones.map(({ client }) => client.sync()));
  expect(await Promise.all(phones.map(({ client }) => client.check()))).toEqual([[], []]);
  contents.records.get('visits')?.delete('V-2');
  expect(await phone.client.check()).toEqual(['visits']);
  expect(await phone.notes('V-2')).toBe('sent twice');

  // Silent for too long: it begins again under another id, and holds what it held.
  await isEmpty(tablet);
  const before = await tablet.client.collection('visits').list();
  for (const { client } of phones.splice(0)) await client.close();
  await ward.later(91);
  const drawer = await openPhone('phone', createMemoryStore(contents));
  await drawer.client.sync();
  expect(drawer.heard).toEqual(['reset DEVICE_EVICTED']);
  expect((await drawer.client.diagnostics()).device).not.toBe('phone');
  await drawer.client.collection('visits').patch('V-1', { notes: 'from the drawer' });
  await drawer.client.sync();
  await isEmpty(drawer);
  expect((await drawer.client.collection('visits').list()).length).toBe(before.length);
  expect(ward.notes.get('V-1')).toBe('from the drawer');

  // The gateway was restored: what the device says of the epoch before it is not taken until it has pulled.
  const { epoch = '' } = await drawer.client.diagnostics();
  await ward.asOperator('mutation ($from: String!) { newEpoch(from: $from) }', { from: epoch });
  const push = 'mutation ($epoch: String) { push(changes: [], epoch: $epoch) { epoch } }';
  const early = await ward.ask(push, { epoch }, { user: 'nurse', device: 'another' });
  expect(early.body.errors?.map(({ extensions }) => extensions.code)).toEqual(['NEW_EPOCH']);
  const { changeId } = await drawer.client.collection('visits').patch('V-2', { notes: 'before the restore' });
  await drawer.client.sync();
  // It was made from a version of which this epoch knows nothing.
  expect(drawer.heard.slice(1)).toEqual(['reset NEW_EPOCH', 'conflict V-2']);
  await drawer.client.outbox.retry(changeId ?? '');
  const isDone = async (): Promise<boolean> => {
    await drawer.client.sync();
    return (await drawer.client.outbox.list()).length === 0;
  };
  await until('its edit is in effect', isDone, WITHIN_MS);
  expect(writesOf('before the restore')).toBe(1);

  // An operator takes a lost phone's rights away: it wipes what it holds, without being asked to do anything.
  drawer.client.start();
  await until('it listens', async () => drawer.client.status.get().isConnected, WITHIN_MS);
  const { device } = await drawer.client.diagnostics();
  const answer = await ward.asOperator(
    'mutation ($device: ID!, $user: String) { revokeDevice(device: $device, user: $user) { state } }',
    { device, user: 'nurse' },
  );
  expect(answer.body.errors).toBeUndefined();
  await until('it was revoked', async () => drawer.heard.includes('revoked'), WITHIN_MS);
  expect(await drawer.client.collection('visits').list()).toEqual([]);
  await expect(drawer.client.collection('visits').put({ notes: 'no more' })).rejects.toBeInstanceOf(GatewayFault);
});

test('R9: an edit from a version that is no longer current is told with base, theirs and mine; mine can be kept', async () => {
  const [first, second] = [
    await openPhone('first', createMemoryStore()),
    await openPhone('second', createMemoryStore()),
  ];
  for (const { client } of [first, second]) await client.sync();
  await first.client.collection('visits').patch('V-2', { notes: 'first was quicker' });
  await first.client.sync();
  const { changeId } = await second.client.collection('visits').patch('V-2', { notes: 'second knew better' });
  await second.client.sync();
  expect(second.heard).toEqual(['conflict V-2']);
  expect(await second.notes('V-2')).toBe('first was quicker');
  expect(await second.client.outbox.conflicts()).toMatchObject([
    {
      changeId,
      conflict: {
        fields: ['notes'],
        yours: { notes: 'second knew better' },
        theirs: { json: { notes: 'first was quicker' } },
      },
    },
  ]);
  await second.client.outbox.retry(changeId ?? '');
  await second.client.sync();
  await first.client.sync();
  expect(await first.notes('V-2')).toBe('second knew better');
});
