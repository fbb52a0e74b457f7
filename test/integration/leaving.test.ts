import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { until } from '../support/until.js';
import { openLeavingWard, type Answer, type LeavingWard } from './leaving-ward.js';

const PULL = `query ($since: Checkpoint) { pull(since: $since) {
  changes { collection id version json } receipts { changeId status } checkpoint hasMore reset resetReason complete } }`;
const PUSH = `mutation ($changes: [ChangeInput!]!) { push(changes: $changes) { results { changeId status error { code } } } }`;
const REVOKE =
  'mutation ($device: ID!, $user: String) { revokeDevice(device: $device, user: $user) { state revokedAt } }';
const DEVICES = 'query ($user: String) { devices(user: $user) { devices { user device state platform } next } }';

let ward: LeavingWard;

beforeAll(async () => {
  ward = await openLeavingWard();
});

afterAll(() => ward.stop());

interface Page {
  readonly changes: readonly { readonly id: string; readonly version: string; readonly json: unknown }[];
  readonly checkpoint: string;
  readonly reset: boolean;
  readonly resetReason: string | null;
  readonly complete: boolean;
}

async function page(user: string, device: string, since: string | null = null): Promise<Page> {
  const { body } = await ward.ask(PULL, { since }, { user, device });
  return (body.data as { readonly pull: Page }).pull;
}

function edit(changeId: string, id: string, baseVersion: string | undefined, notes = changeId) {
  return {
    changeId,
    collection: 'visits',
    id,
    kind: 'UPSERT',
    baseVersion,
    changedAt: '2026-01-01T08:00:00Z',
    json: { notes },
  };
}

const versionOf = (one: Page, id: string): string | undefined =>
  one.changes.find((change) => change.id === id)?.version;
const push = (user: string, device: string, ...changes: readonly object[]): Promise<Answer> =>
  ward.ask(PUSH, { changes }, { user, device });
const codeOf = ({ body }: Answer): string | undefined => body.errors?.[0]?.extensions.code;

test('F11: a device that was silent for too long starts over and is told why, and what it pushed is never applied again', async () => {
  const first = await page('nurse', 'drawer');
  const sent = edit('sent', 'V-1', versionOf(first, 'V-1'));
  expect((await push('nurse', 'drawer', sent)).body.data).toMatchObject({ push: { results: [{ status: 'APPLIED' }] } });
  const held = await page('nurse', 'drawer', first.checkpoint);
  const writes = ward.writes.length;

  await ward.later(91);
  // The reply was lost: it sends the same again, and an edit that it never sent.
  expect(codeOf(await push('nurse', 'drawer', sent))).toBe('DEVICE_EVICTED');
  expect(codeOf(await push('nurse', 'drawer', edit('never-sent', 'V-2', versionOf(first, 'V-2'))))).toBe(
    'DEVICE_EVICTED',
  );
  expect(
    codeOf(
      await ward.ask(
        'mutation { registerDevice(platform: WEB, token: "t") { id } }',
        {},
        { user: 'nurse', device: 'drawer' },
      ),
    ),
  ).toBe('DEVICE_EVICTED');
  expect(ward.writes.length).toBe(writes);

  const begun = await page('nurse', 'drawer', held.checkpoint);
  expect([begun.reset, begun.resetReason, begun.changes.length]).toEqual([true, 'DEVICE_EVICTED', 3]);
  // Told once; what it begins then goes on.
  const next = await page('nurse', 'drawer', begun.checkpoint);
  expect([next.reset, next.resetReason, next.complete]).toEqual([false, null, true]);

  // Under a new id it pushes what it never sent.
  const anew = await push('nurse', 'drawer-2', edit('never-sent', 'V-2', versionOf(begun, 'V-2')));
  expect(anew.body.data).toMatchObject({ push: { results: [{ status: 'APPLIED' }] } });
  expect(ward.notes.get('V-2')).toBe('never-sent');
  // Coming back makes it no device again.
  await ward.later(0);
  expect(codeOf(await push('nurse', 'drawer', sent))).toBe('DEVICE_EVICTED');
  const { body } = await ward.asOperator(DEVICES, { user: 'nurse' });
  expect((body.data as { devices: { devices: unknown[] } }).devices.devices).toContainEqual(
    expect.objectContaining({ device: 'drawer', state: 'EVICTED' }),
  );
});

test('a lost phone that is revoked gets no hints, is let in nowhere, and hears why, however often it is revoked', async () => {
  const held = await page('nurse', 'lost');
  await ward.ask(
    'mutation { registerDevice(platform: ANDROID, token: "lost") { id } }',
    {},
    { user: 'nurse', device: 'lost' },
  );
  const closed: { code: number; reason: string }[] = [];
  const connect = async () =>
    createClient({
      url: `${ward.url().replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      connectionParams: { authorization: `Bearer ${await ward.token('nurse')}`, device: 'lost' },
      on: { closed: (event) => void closed.push(event as { code: number; reason: string }) },
    });
  const listen = async () => {
    const client = await connect();
    const next = (): void => undefined;
    client.subscribe({ query: 'subscription { hints { collections } }' }, { next, error: next, complete: next });
    return client;
  };
  await (await listen()).iterate({ query: '{ collections { name } }' }).next();

  const revoked = await ward.asOperator(REVOKE, { device: 'lost', user: 'nurse' });
  expect(revoked.body.data).toMatchObject({ revokeDevice: { state: 'REVOKED' } });
  await until('its socket is closed', async () => closed.length === 1);
  expect(closed[0]).toMatchObject({ code: 4410, reason: expect.stringMatching(/^DEVICE_REVOKED: /) });

  const writes = ward.writes.length;
  for (const answer of [
    await ward.ask(PULL, { since: held.checkpoint }, { user: 'nurse', device: 'lost' }),
    await push('nurse', 'lost', edit('unsent', 'V-3', versionOf(held, 'V-3'))),
    await ward.ask(
      'mutation { registerDevice(platform: WEB, token: "t") { id } }',
      {},
      { user: 'nurse', device: 'lost' },
    ),
  ])
    expect([answer.status, codeOf(answer), answer.body.data]).toEqual([403, 'DEVICE_REVOKED', undefined]);
  await listen();
  await until('it is not let in again', async () => closed.length === 2);
  expect(closed.at(-1)?.code).toBe(4410);
  expect([ward.writes.length, ward.notes.get('V-3')]).toEqual([writes, 'third note']);

  // Another user's device of the same name is another device.
  expect((await page('dispatcher', 'lost')).changes.length).toBe(3);
  expect((await ward.asOperator(REVOKE, { device: 'lost', user: 'nurse' })).body).toEqual(revoked.body);
  expect(codeOf(await ward.asOperator(REVOKE, { device: 'never-here', user: 'nurse' }))).toBe('NOT_FOUND');
  const { body } = await ward.asOperator(DEVICES, { user: 'nurse' });
  expect((body.data as { devices: { devices: unknown[] } }).devices.devices).toContainEqual({
    user: 'nurse',
    device: 'lost',
    state: 'REVOKED',
    platform: null,
  });
  // Also after a start, and when it has been silent for long.
  await ward.later(91);
  expect(codeOf(await push('nurse', 'lost', edit('unsent', 'V-3', versionOf(held, 'V-3'))))).toBe('DEVICE_REVOKED');
});
