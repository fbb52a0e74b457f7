import 'fake-indexeddb/auto';
import { BroadcastChannel } from 'node:worker_threads';
import { openIndexedDbStore } from '../../src/client/indexeddb-store.js';
import { createSyncClient, type SyncClient } from '../../src/client/sync-client.js';
import { until } from '../support/until.js';
import { createScriptedGateway, upsert, type ScriptedGateway } from './scripted-gateway.js';

Object.assign(globalThis, { BroadcastChannel });

interface Collections {
  readonly visits: { readonly notes: string };
}

async function openTab(gateway: ScriptedGateway, name = 'ward', user?: string): Promise<SyncClient<Collections>> {
  const store = await openIndexedDbStore(name);
  return createSyncClient({
    url: 'http://ward.example/graphql',
    store,
    gateway,
    ...(user === undefined ? {} : { user }),
  });
}

test('tabs share records, outbox and checkpoint: what one of them writes the others show', async () => {
  const gateway = createScriptedGateway();
  const [left, right] = [await openTab(gateway), await openTab(gateway)];
  let shown: readonly string[] = [];
  right.collection('visits').observeList((visits) => (shown = visits.map(({ fields }) => fields.notes)));
  gateway.pages.push({ changes: [upsert('V-1', { notes: 'as planned' })] });
  await left.sync();
  await until('the other tab shows what was pulled', async () => shown[0] === 'as planned');
  await left.collection('visits').patch('V-1', { notes: 'of the left tab' });
  await until('the other tab shows the edit', async () => shown[0] === 'of the left tab');
  await until('and counts it', async () => right.status.get().pendingCount === 1);
  // Both find it, and both go on from the same place.
  await Promise.all([left.sync(), right.sync()]);
  expect(new Set(gateway.pushes.flatMap(({ changes }) => changes.map(({ changeId }) => changeId))).size).toBe(1);
  expect(gateway.pulls.filter(({ since }) => since === null).length).toBe(1);
  await until('it is in effect', async () => {
    await left.sync();
    return (await right.outbox.list()).length === 0;
  });
  await Promise.all([left.close(), right.close()]);
});

test('F24: a tab that is still open for another user shows and touches nothing of who came after', async () => {
  const [gateway, later] = [createScriptedGateway(), createScriptedGateway()];
  const nadia = await openTab(gateway, 'shared', 'nadia');
  gateway.pages.push({ changes: [upsert('V-1', { notes: 'of Nadia' })] });
  await nadia.sync();
  const omar = await openTab(later, 'shared', 'omar');
  expect(await omar.collection('visits').list()).toEqual([]);
  later.pages.push({ changes: [upsert('V-2', { notes: 'of Omar' })] });
  await omar.sync();
  await omar.collection('visits').patch('V-2', { notes: 'edited by Omar' });
  const refused = { code: 'CLOSED', message: 'another user has opened this store' };
  await expect(nadia.collection('visits').list()).rejects.toMatchObject(refused);
  await expect(nadia.collection('visits').put({ notes: 'late' })).rejects.toMatchObject(refused);
  await expect(nadia.outbox.list()).rejects.toMatchObject(refused);
  const asked = gateway.pulls.length + gateway.pushes.length;
  await expect(nadia.sync()).rejects.toMatchObject(refused);
  expect(gateway.pulls.length + gateway.pushes.length).toBe(asked);
  expect((await omar.collection('visits').list()).map(({ fields }) => fields.notes)).toEqual(['edited by Omar']);
  expect(await omar.outbox.list()).toHaveLength(1);
  await Promise.all([nadia.close(), omar.close()]);
});
