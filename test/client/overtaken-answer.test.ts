import type { Fate } from '../../src/client/gateway.js';
import { createMemoryStore, emptyContents } from '../../src/client/memory-store.js';
import { createSyncEngine, type SyncEngine } from '../../src/client/sync-engine.js';
import { createScriptedGateway, EPOCH, upsert, type ScriptedGateway } from './scripted-gateway.js';

// Two tabs of one app: one pushes, and its answer comes when the other one has pulled.

const PLANNED = { notes: 'as planned' };
const CHANGE = {
  changeId: 'note 1',
  collection: 'visits',
  id: 'V-1',
  kind: 'UPSERT',
  fields: { notes: 'mine' },
  isCreate: false,
  baseVersion: `${EPOCH}.1`,
  changedAt: '2026-01-05T08:00:00.000Z',
} as const;

interface App {
  readonly gateway: ScriptedGateway;
  readonly pushing: SyncEngine;
  readonly pulling: SyncEngine;
  statuses(): readonly (string | null)[];
}

/** An app that has pulled a visit and edited it. */
async function openApp(): Promise<App> {
  const contents = emptyContents();
  const state = { revision: 1, device: 'tablet', user: null, collections: null, checkpoint: null, epoch: null };
  contents.state = { ...state, generation: 0, isStale: false, lastSyncedAtMs: null, isRevoked: false };
  const gateway = createScriptedGateway();
  const open = (): SyncEngine =>
    createSyncEngine({
      store: createMemoryStore(contents),
      gateway,
      nowMs: () => 0,
      newId: () => 'another',
      limits: { changes: 10, characters: 1_000, page: 10 },
      news: { changed: () => undefined, told: () => undefined, reset: () => undefined, revoked: () => undefined },
    });
  const app = {
    gateway,
    pushing: open(),
    pulling: open(),
    statuses: () => [...contents.entries.values()].map(({ status }) => status),
  };
  gateway.pages.push({ changes: [upsert('V-1', PLANNED)] });
  await app.pulling.pull();
  await app.pushing.add(async () => CHANGE);
  return app;
}

/** The answer to a push comes after what happens meanwhile. */
async function pushOvertaken({ gateway, pushing }: App, status: Fate['status'], meanwhile: () => Promise<void>) {
  const push = gateway.push.bind(gateway);
  gateway.push = async (_device, changes) => {
    gateway.push = push;
    await meanwhile();
    return changes.map(({ changeId }) => ({ changeId, status }));
  };
  await pushing.push();
}

async function pullsReset({ gateway, pulling }: App): Promise<void> {
  gateway.pages.push({ reset: true, resetReason: 'EXPIRED', changes: [upsert('V-1', PLANNED)] });
  await pulling.pull();
}

describe('a device that begins again while a push of it is on its way', () => {
  test.each(['ACCEPTED', 'PARKED'] as const)(
    'F10: sends the change once more when the answer is %s: its receipt may be forgotten by then',
    async (status) => {
      const app = await openApp();
      await pushOvertaken(app, status, () => pullsReset(app));
      expect(app.statuses()).toEqual([null]);
      await app.pushing.push();
      expect(app.gateway.pushes).toMatchObject([{ changes: [{ changeId: 'note 1', sentEpoch: EPOCH }] }]);
      expect(app.statuses()).toEqual(['APPLIED']);
    },
  );

  test('F10: does so as well when only the first page of its initial sync comes meanwhile', async () => {
    const app = await openApp();
    await app.pulling.beginAgain();
    await pushOvertaken(app, 'ACCEPTED', () => app.pulling.pull());
    expect(app.statuses()).toEqual([null]);
  });

  test('R7: takes an answer that is final', async () => {
    const app = await openApp();
    await pushOvertaken(app, 'MERGED', () => pullsReset(app));
    expect(app.statuses()).toEqual(['MERGED']);
  });

  test('R10: waits for the receipt where the other tab only went on', async () => {
    const app = await openApp();
    await pushOvertaken(app, 'ACCEPTED', () => app.pulling.pull());
    expect(app.statuses()).toEqual(['ACCEPTED']);
  });
});
