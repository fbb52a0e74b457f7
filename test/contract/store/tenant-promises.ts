import type { Seq } from '../../../src/core/change.js';
import { LONG_MS, NO_LEASE_MS, inDoubt, lease, noteOf, sent } from './delivery.js';
import { registered, settled, VISITS, type World } from './world.js';

/** What one tenant can do to another whose records, devices and changes have the same names: nothing. */
export function tenantPromises(begin: () => Promise<World>): void {
  /** Two tenants in which everything has the same names. */
  const both = async (): Promise<readonly [ours: World, theirs: World]> => {
    const worlds = [await begin(), await begin()] as const;
    for (const world of worlds) await world.show('v1', ['all']);
    return worlds;
  };

  test('records, heads, devices and changes of one name are another one in each tenant', async () => {
    const [ours, theirs] = await both();
    const before = { head: await theirs.head(), view: await theirs.view('v1') };
    await ours.show('v1', ['all'], { body: '{"note":"ours"}' });
    await ours.accept('v1', 'c1');
    await ours.store.registerDevice(ours.nurse, registered('one phone'), 100);
    expect({ head: await theirs.head(), view: await theirs.view('v1') }).toEqual(before);
    expect((await theirs.store.readChanges(theirs.nurse, ['c1'])).known).toEqual([]);
    expect(await theirs.store.unregisterDevice(theirs.nurse)).toBe(false);
  });

  test('a token that another tenant registered too stays theirs', async () => {
    const [ours, theirs] = await both();
    for (const { store, nurse } of [theirs, ours]) await store.registerDevice(nurse, registered('one phone'), 100);
    expect(await theirs.store.unregisterDevice(theirs.nurse)).toBe(true);
  });

  test('an intent of another tenant is neither leased nor looked into', async () => {
    const [ours, theirs] = await both();
    await theirs.accept('v1', 'c1');
    expect(await lease(ours)).toEqual([]);
    const readUnshown = { collections: [VISITS], olderThanMs: 0, limit: 10 };
    expect(await ours.store.readUnshown({ tenant: ours.tenant, ...readUnshown })).toEqual([]);
    await theirs.show('v2', ['all']);
    await sent(theirs, 'v2', 'c2', -60_000);
    expect(await inDoubt(ours)).toEqual([]);
    expect(await inDoubt(theirs)).toHaveLength(1);
  });

  test('the number of an intent of another tenant does nothing', async () => {
    const [ours, theirs] = await both();
    const { intentNo } = await theirs.accept('v1', 'c1', theirs.nurse, { holder: 'node', leaseMs: LONG_MS });
    await ours.accept('v1', 'c1', ours.nurse, { holder: 'node', leaseMs: LONG_MS });
    const before = await theirs.view('v1');
    const held = { tenant: ours.tenant, intentNo, fence: 1 };
    expect(await ours.store.releaseIntent(held, NO_LEASE_MS)).toBe(false);
    expect(await ours.store.leaveInDoubt(held, NO_LEASE_MS)).toBe(false);
    expect(await ours.store.reopenIntent(ours.tenant, intentNo)).toBe(false);
    expect(await ours.store.readSettled(ours.tenant, intentNo)).toBeNull();
    const note = await noteOf(ours, { ...before.intents[0]!, intentNo }, 1);
    expect(await ours.store.noteSent(ours.tenant, [note])).toEqual(['lost']);
    const { collection, id, seq, mark } = await ours.view('v1');
    const settlement = settled(ours.nurse, 'c1', { intent: { intentNo, fence: 1 } });
    const write = { collection, id, expected: { seq, mark } };
    expect(await ours.store.commit(ours.tenant, [{ ...write, settlement }])).toEqual([{ kind: 'fenceLost' }]);
    await ours.store.commit(ours.tenant, [{ ...write, shown: [intentNo] }]);
    expect(await theirs.view('v1')).toEqual(before);
    const outbox = { states: [], collection: null, after: null, limit: 10 };
    expect(await theirs.store.readOutbox(theirs.tenant, outbox)).toMatchObject([{ intentNo, fence: 1 }]);
  });

  test('leases of one name do not exclude each other, and end with an epoch of their own tenant only', async () => {
    const [ours, theirs] = await both();
    const [mine, other] = await Promise.all(
      [ours, theirs].map(async ({ store, tenant }) => store.acquireLease(tenant, 'poll', 'node', LONG_MS)),
    );
    const { epoch } = await ours.store.readHead(ours.tenant);
    await ours.store.newEpoch(ours.tenant, epoch, 1 as Seq);
    const commitUnder = async ({ store, tenant }: World, fence: number) => {
      await store.commit(tenant, [], { fence: { name: 'poll', fence }, ingest: { collection: VISITS, polledAtMs: 5 } });
      return (await store.readCollection(tenant, VISITS)).polledAtMs;
    };
    expect(await commitUnder(ours, mine?.fence ?? 0)).toBeNull();
    expect(await commitUnder(theirs, other?.fence ?? 0)).toBe(5);
  });

  test('a secret of one name is another one in each tenant', async () => {
    const [ours, theirs] = await both();
    expect(await ours.store.keepSecret(ours.tenant, 'digests', 'ours')).toBe('ours');
    expect(await theirs.store.keepSecret(theirs.tenant, 'digests', 'theirs')).toBe('theirs');
    await theirs.store.replaceSecret(theirs.tenant, 'digests', 'ours', 'stolen');
    expect(await ours.store.keepSecret(ours.tenant, 'digests', 'x')).toBe('ours');
  });
}
