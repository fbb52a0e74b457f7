import type { SourceKey } from '../../../src/core/change.js';
import { FAR_FUTURE_MS, VISITS, type World } from './world.js';

/** Polls that webhooks ask for. */
export function askedPollPromises(begin: () => Promise<World>): void {
  const keysOf = (...keys: readonly string[]) => keys as readonly SourceKey[];
  const waiting = async ({ store, tenant }: World, collection = VISITS) =>
    (await store.dueRechecks(tenant, collection, FAR_FUTURE_MS, 100)).map(({ sourceKey, notBeforeMs }) => [
      sourceKey,
      notBeforeMs,
    ]);

  test('a poll that is asked for waits until one is complete that began afterwards', async () => {
    const { store, tenant } = await begin();
    expect(await store.readAsked(tenant, VISITS)).toBeNull();
    await store.askPoll(tenant, VISITS, [], 1_000);
    const first = (await store.readAsked(tenant, VISITS)) as number;
    await store.askPoll(tenant, VISITS, [], 1_000);
    await store.noteAnswered(tenant, VISITS, first);
    const second = (await store.readAsked(tenant, VISITS)) as number;
    expect(second).toBeGreaterThan(first);
    await store.noteAnswered(tenant, VISITS, second);
    expect(await store.readAsked(tenant, VISITS)).toBeNull();
    expect(await store.readAsked(tenant, 'staff')).toBeNull();
  });

  test('each ask is counted, by collection, and answering it takes nothing off', async () => {
    const { store, tenant } = await begin();
    expect(await store.countAsked(tenant)).toEqual(new Map());
    await store.askPoll(tenant, VISITS, [], 1_000);
    await store.askPoll(tenant, VISITS, keysOf('k1'), 1_000);
    await store.askPoll(tenant, 'staff', [], 1_000);
    await store.noteAnswered(tenant, VISITS, 2);
    expect(await store.countAsked(tenant)).toEqual(
      new Map([
        [VISITS, 2],
        ['staff', 1],
      ]),
    );
  });

  test('records that are asked for are due to be read at once, and need no poll', async () => {
    const world = await begin();
    const { store, tenant } = world;
    await store.askPoll(tenant, VISITS, keysOf('k1', 'k2', 'k1'), 1_000);
    expect(await waiting(world)).toEqual([
      ['k1', 1_000],
      ['k2', 1_000],
    ]);
    expect(await waiting(world, 'staff')).toEqual([]);
    expect(await store.readAsked(tenant, VISITS)).toBeNull();
    await store.askPoll(tenant, VISITS, [], 1_000);
    await store.askPoll(tenant, VISITS, keysOf('k3'), 1_000);
    expect(await store.readAsked(tenant, VISITS)).toBe(2);
  });

  test('F6: a record that waits to be read again keeps its time and its reason, and a poll is asked for instead', async () => {
    const world = await begin();
    const { store, tenant } = world;
    const recheck = { sourceKey: 'k1' as SourceKey, reason: 'its deletion is held', notBeforeMs: 9_000 };
    await store.commit(tenant, [], { ingest: { collection: VISITS, addRechecks: [recheck] } });
    await store.askPoll(tenant, VISITS, keysOf('k1', 'k2'), 1_000);
    expect(await waiting(world)).toEqual([
      ['k2', 1_000],
      ['k1', 9_000],
    ]);
    const [, kept] = await store.dueRechecks(tenant, VISITS, FAR_FUTURE_MS, 100);
    expect(kept).toEqual(recheck);
    expect(await store.readAsked(tenant, VISITS)).toBe(1);
  });
}
