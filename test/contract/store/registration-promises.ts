import type { HintWindows } from '../../../src/core/phone-port.js';
import type { DeviceKey } from '../../../src/core/session.js';
import { NO_END, registered, type World } from './world.js';

const AT_MOST = 3;
const AT_ONCE: HintWindows = { ANDROID: 0, IOS: 0, WEB: 0, staleMs: 0 };

/** What every store keeps of registrations for hints, and of sockets. */
export function registrationPromises(begin: () => Promise<World>): void {
  const phoneOf = async ({ store, tenant }: World, { user, device }: DeviceKey) => {
    const all = await store.readDevices(tenant, { user, after: null, limit: 10 });
    return all.find(({ key }) => key.device === device)?.phone ?? null;
  };

  test('a registration is seen with its platform, and nothing came of it yet', async () => {
    const world = await begin();
    const { store, nurse } = world;
    await store.touchDevice(nurse);
    expect(await phoneOf(world, nurse)).toBeNull();
    await store.registerDevice(nurse, registered('one', ['all'], { platform: 'IOS' }), AT_MOST);
    expect(await phoneOf(world, nurse)).toEqual({
      platform: 'IOS',
      pulledAtMs: null,
      hintedAtMs: null,
      isStale: false,
    });
    expect(await store.countPhones(world.tenant)).toEqual({
      byPlatform: { ANDROID: 0, IOS: 1, WEB: 0 },
      due: 0,
      oldestDueAtMs: null,
      stale: 0,
    });
    await store.unregisterDevice(nurse);
    expect(await phoneOf(world, nurse)).toBeNull();
  });

  test('a user has so many registrations and no more; one of these may register anew, and other users theirs', async () => {
    const { store, nurse, dispatcher } = await begin();
    const one = (n: number): DeviceKey => ({ ...nurse, device: `tablet ${n}` });
    const register = (n: number, token = `token ${n}`) => store.registerDevice(one(n), registered(token), AT_MOST);
    for (let n = 0; n < AT_MOST; n++) expect(await register(n)).not.toBeNull();
    expect(await register(AT_MOST)).toBeNull();
    expect(await register(1, 'a newer token')).not.toBeNull();
    expect(await store.registerDevice(dispatcher, registered('of another'), AT_MOST)).not.toBeNull();
    // One that is refused takes no token away.
    expect(await register(AT_MOST, 'of another')).toBeNull();
    expect(await store.unregisterDevice(dispatcher)).toBe(true);
    await store.unregisterDevice(one(0));
    expect(await register(AT_MOST)).not.toBeNull();
  });

  test('registrations of one user that come at once are as many as one user may have', async () => {
    const { store, tenant, nurse } = await begin();
    const all = Array.from({ length: 8 }, (_, n) =>
      store.registerDevice({ ...nurse, device: `tablet ${n}` }, registered(`token ${n}`), AT_MOST),
    );
    expect((await Promise.all(all)).filter((one) => one !== null)).toHaveLength(AT_MOST);
    expect((await store.countPhones(tenant)).byPlatform.ANDROID).toBe(AT_MOST);
  });

  test('two devices that register one token at once: one of them has it', async () => {
    const { store, tenant, nurse, dispatcher } = await begin();
    await Promise.all([nurse, dispatcher].map((device) => store.registerDevice(device, registered('shared'), AT_MOST)));
    expect((await store.countPhones(tenant)).byPlatform.ANDROID).toBe(1);
  });

  test('F11: whoever was revoked or evicted cannot register', async () => {
    const world = await begin();
    const { store, tenant, nurse, dispatcher } = world;
    await store.touchDevice(nurse);
    await store.revokeDevice(nurse);
    await expect(store.registerDevice(nurse, registered('one'), AT_MOST)).rejects.toMatchObject({
      code: 'DEVICE_REVOKED',
    });
    await store.touchDevice(dispatcher);
    await store.registerDevice(dispatcher, registered('two'), AT_MOST);
    await store.purge(tenant, Date.UTC(2100, 0, 1));
    await expect(store.registerDevice(dispatcher, registered('two'), AT_MOST)).rejects.toMatchObject({
      code: 'DEVICE_EVICTED',
    });
    expect((await store.countPhones(tenant)).byPlatform.ANDROID).toBe(0);
  });

  /** A registered phone for which something waits. */
  async function beginDue() {
    const world = await begin();
    const { store, tenant, nurse } = world;
    await store.registerDevice(nurse, registered('one'), AT_MOST);
    const fence = await fenceOf(world);
    await store.markDue(tenant, fence, { collections: ['visits'], upTo: NO_END });
    await world.show('v1', ['all']);
    await store.markDue(tenant, fence, { collections: ['visits'], upTo: NO_END });
    return {
      store,
      tenant,
      nurse,
      awake: (node: string, forMs: number) => store.noteAwake(tenant, node, [{ device: nurse, forMs }]),
      take: async () => (await store.takeDue(tenant, { windows: AT_ONCE, limit: 10 })).taken,
    };
  }

  test('R18: who is awake at any gateway is put off, and due when all its sockets are closed or silent', async () => {
    const { store, tenant, nurse, awake, take } = await beginDue();
    expect(await awake('north', 60_000)).toEqual([]);
    await awake('south', 60_000);
    await store.noteAsleep(tenant, 'south', [nurse]);
    expect(await take()).toHaveLength(0);
    await store.noteAsleep(tenant, 'north', [nurse]);
    expect(await take()).toHaveLength(1);
  });

  test('R18: who is awake elsewhere, or may not be hinted yet, is not due because a socket closed', async () => {
    const { store, tenant, nurse, awake, take } = await beginDue();
    await awake('north', 60_000);
    await awake('south', 30_000);
    expect(await take()).toHaveLength(0);
    await store.noteAsleep(tenant, 'north', [nurse]);
    expect(await take()).toHaveLength(0);
    await store.noteAsleep(tenant, 'south', [nurse]);
    const hints = await take();
    expect(hints).toHaveLength(1);
    await store.settleHints(
      tenant,
      hints.map((hint) => ({ ...hint, kind: 'unsent', afterMs: 600_000 })),
    );
    await awake('north', 60_000);
    await store.noteAsleep(tenant, 'north', [nurse]);
    expect(await take()).toHaveLength(0);
  });

  test('R18: a socket that is silent for too long keeps no hint back', async () => {
    const { awake, take } = await beginDue();
    await awake('north', -1);
    expect(await take()).toHaveLength(1);
  });

  test('sockets of devices that are not registered are not kept', async () => {
    const { store, tenant, nurse, dispatcher } = await begin();
    await store.registerDevice(nurse, registered('one'), AT_MOST);
    const sockets = [nurse, dispatcher].map((device) => ({ device, forMs: 1_000 }));
    expect(await store.noteAwake(tenant, 'north', sockets)).toEqual([dispatcher]);
  });
}

/** Of a lease that lasts. */
export async function fenceOf({ store, tenant }: World): Promise<{ readonly name: string; readonly fence: number }> {
  const lease = await store.acquireLease(tenant, 'hints', 'node', 600_000);
  return { name: 'hints', fence: lease?.fence ?? -1 };
}
