import { EVERY_SCOPE } from '../../../src/core/device-port.js';
import type { HintWindows, PhoneContact, TakenHint } from '../../../src/core/phone-port.js';
import type { DeviceKey } from '../../../src/core/session.js';
import { fenceOf } from './registration-promises.js';
import {
  acceptedFinal,
  BEGINNING,
  NO_END,
  PATIENTS,
  registered,
  seenScopes,
  settled,
  shown,
  VISITS,
  type World,
} from './world.js';

const AT_ONCE: HintWindows = { ANDROID: 0, IOS: 0, WEB: 0, staleMs: 0 };
const AN_HOUR: HintWindows = { ANDROID: 3_600_000, IOS: 3_600_000, WEB: 3_600_000, staleMs: 7_200_000 };
const ALL = { collections: [VISITS, PATIENTS], upTo: NO_END };

/** What every store keeps of what sleeping phones are owed (R18, F27). */
export function duePromises(begin: () => Promise<World>): void {
  /** A world in which the nurse sees `north` and the dispatcher everything, both registered, and whose cursor is at the head. */
  async function ward(): Promise<Ward> {
    const world = await begin();
    const { store, tenant, nurse, dispatcher } = world;
    await store.registerDevice(nurse, registered('of the nurse', ['north']), 10);
    await store.registerDevice(dispatcher, registered('of the dispatcher', [EVERY_SCOPE]), 10);
    const fence = await fenceOf(world);
    const mark = () => store.markDue(tenant, fence, ALL);
    await mark();
    const take = async (windows = AT_ONCE, limit = 10) => (await store.takeDue(tenant, { windows, limit })).taken;
    return {
      ...world,
      mark,
      take,
      due: async () => (await take()).map(({ device }) => device.user).sort(),
      settle: (hint, how) => store.settleHints(tenant, [{ ...hint, ...how }]),
      pulled: async (device, scopes, rest = {}) => {
        const { epoch, head } = await store.readHead(tenant);
        return store.noteContacts(tenant, [
          contactOf(device, scopes, { pulled: { epoch, seq: head, collections: null }, ...rest }),
        ]);
      },
    };
  }

  test('F27: those whose scopes have rows behind the cursor are due, once, and nobody else', async () => {
    const world = await ward();
    const { mark, due } = world;
    expect(await mark()).toBe(0);
    await world.show('v1', ['south']);
    expect(await mark()).toBe(1);
    expect(await due()).toEqual(['dispatcher']);
    await world.show('v2', ['north']);
    expect(await mark()).toBe(2);
    expect(await due()).toEqual(['dispatcher', 'nurse']);
    expect(await mark()).toBe(0);
  });

  test('a record that leaves a scope, or is deleted, is a change of it', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.pulled(world.nurse, ['north']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher']);
    await world.show('v1', ['south']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('F27: what is behind the seq that was asked for is left for the next time', async () => {
    const world = await ward();
    const { store, tenant } = world;
    const upTo = await world.show('v1', ['south']);
    await world.show('v2', ['north']);
    const fence = await fenceOf(world);
    expect(await store.markDue(tenant, fence, { ...ALL, upTo })).toBe(1);
    expect(await store.markDue(tenant, fence, { ...ALL, upTo: BEGINNING })).toBe(0);
    expect(await world.due()).toEqual(['dispatcher']);
    expect(await world.mark()).toBe(2);
  });

  test('a hint names the collections in which something moved, of those that the device asked for', async () => {
    const world = await ward();
    const { store, nurse } = world;
    await store.registerDevice(nurse, registered('t', ['north'], { collections: [PATIENTS] }), 10);
    await world.show('v1', ['north']);
    expect(await world.mark()).toBe(1);
    await world.show('p1', ['north'], { collection: PATIENTS });
    await world.mark();
    const taken = await world.take();
    expect(taken.map(({ device, collections }) => [device.user, collections]).sort()).toEqual([
      ['dispatcher', [PATIENTS, VISITS]],
      ['nurse', [PATIENTS]],
    ]);
  });

  test('R18: another tenant hears nothing', async () => {
    const ours = await ward();
    const theirs = await ward();
    await ours.show('v1', ['north']);
    expect([await theirs.mark(), await ours.mark()]).toEqual([0, 2]);
    expect(await theirs.due()).toEqual([]);
    const taken = await ours.take();
    expect(taken.map(({ device }) => device.tenant)).toEqual([ours.tenant, ours.tenant]);
    await theirs.store.settleHints(
      theirs.tenant,
      taken.map((one) => ({ ...one, kind: 'gone' })),
    );
    expect((await ours.store.countPhones(ours.tenant)).byPlatform.ANDROID).toBe(2);
  });

  test('F27: a fence that is lost marks nobody and leaves the cursor where it is', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    const { store, tenant } = world;
    expect(await store.markDue(tenant, { name: 'hints', fence: 99 }, ALL)).toBeNull();
    await store.acquireLease(tenant, 'hints', 'node', -1);
    const { fence } = await fenceOf(world);
    expect(await store.markDue(tenant, { name: 'hints', fence: fence - 1 }, ALL)).toBeNull();
    expect(await store.markDue(tenant, { name: 'hints', fence }, ALL)).toBe(2);
  });

  test('R18: the author is not due for its own unaltered change, if the answer to its push told it', async () => {
    const world = await ward();
    const { nurse, store, tenant } = world;
    await push(world, nurse, 'v1', 'c1', ['north']);
    await store.noteContacts(tenant, [contactOf(nurse, ['north'], { told: ['c1'] })]);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher']);
    await push(world, world.dispatcher, 'v2', 'c2', ['north']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('R18: the author is due when the receipt of its change waits for it, also one that moved nothing', async () => {
    const world = await ward();
    const { nurse, store, tenant } = world;
    await push(world, nurse, 'v1', 'c1', ['north']);
    await push(world, nurse, 'v2', 'told', ['north']);
    await store.noteContacts(tenant, [contactOf(nurse, ['north'], { told: ['told'] })]);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
    await world.pulled(nurse, ['north']);
    await world.pulled(world.dispatcher, [EVERY_SCOPE]);
    const { seq, mark } = await world.view('v1');
    const refused = settled(nurse, 'c3', { status: 'REJECTED', inEffect: false });
    await world.write([
      {
        collection: VISITS,
        id: 'v1' as never,
        expected: { seq, mark },
        acceptance: acceptedFinal(nurse, 'c3'),
        settlement: refused,
      },
    ]);
    await world.mark();
    expect(await world.due()).toEqual(['nurse']);
  });

  test('H3: who has pulled is not due, neither before nor after it is marked', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.pulled(world.nurse, ['north']);
    await world.mark();
    await world.pulled(world.dispatcher, [EVERY_SCOPE]);
    expect(await world.due()).toEqual([]);
    await world.show('v1', ['north'], { body: '{"note":"again"}' });
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('a pull of some collections, of another epoch, or not so far, leaves due what it did not bring', async () => {
    const world = await ward();
    const { epoch, head } = await world.store.readHead(world.tenant);
    await world.show('v1', ['north']);
    await world.mark();
    const newer = await world.head();
    for (const pulled of [
      { epoch, seq: newer, collections: [PATIENTS] },
      { epoch: 'another' as never, seq: newer, collections: null },
      { epoch, seq: head, collections: null },
    ]) {
      await world.pulled(world.nurse, ['north'], { pulled });
      expect((await world.store.countPhones(world.tenant)).due).toBe(2);
    }
    await world.pulled(world.nurse, ['north'], { pulled: { epoch, seq: newer, collections: [VISITS] } });
    expect(await world.due()).toEqual(['dispatcher']);
  });

  test('H1: what a device sees is what its user saw when it was here last', async () => {
    const world = await ward();
    await world.store.noteContacts(world.tenant, [contactOf(world.nurse, ['south', 'west'])]);
    await world.show('v1', ['north']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher']);
    await world.show('v2', ['west']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
    // Forgetting what nobody sees leaves what somebody does.
    await world.store.purge(world.tenant, 0);
    await world.pulled(world.nurse, ['south', 'west']);
    await world.show('v3', ['south']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('H1: a contact that is noted late says nothing of what is seen since', async () => {
    const world = await ward();
    await world.pulled(world.nurse, ['south']);
    await world.store.noteContacts(world.tenant, [contactOf(world.nurse, ['north'], { agoMs: 60_000 })]);
    await world.show('v1', ['north']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher']);
    await world.show('v2', ['south']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('H3: what was pulled says nothing of collections that are wanted since', async () => {
    const world = await ward();
    const { store, tenant, nurse } = world;
    const register = (collections: readonly string[] | null) =>
      store.registerDevice(nurse, registered('of the nurse', ['north'], { collections }), 10);
    await register([VISITS]);
    await world.show('p1', ['north'], { collection: PATIENTS });
    const { epoch, head: seq } = await store.readHead(tenant);
    await world.pulled(nurse, ['north'], { pulled: { epoch, seq, collections: [VISITS] } });
    await register([VISITS]);
    await register(null);
    await world.mark();
    expect((await world.take()).find(({ device }) => device.user === 'nurse')?.collections).toEqual([PATIENTS]);
  });

  test('H3: who registers anew for the same holds what it pulled before', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.pulled(world.nurse, ['north']);
    await world.store.registerDevice(world.nurse, registered('a newer token', ['north']), 10);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher']);
  });

  test('H3: what was pulled before is no news, whatever moves elsewhere since', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.pulled(world.nurse, ['north']);
    await world.show('v2', ['south']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher']);
  });

  test('H3: a pull of one collection says nothing of the others that are registered', async () => {
    const world = await ward();
    const { store, tenant, nurse, dispatcher } = world;
    const collections = [VISITS, PATIENTS];
    await store.registerDevice(nurse, registered('of the nurse', ['north'], { collections }), 10);
    await world.show('p1', ['north'], { collection: PATIENTS });
    const { epoch, head: seq } = await store.readHead(tenant);
    const pulled = { epoch, seq, collections: [VISITS] };
    await world.pulled(nurse, ['north'], { pulled });
    await world.pulled(dispatcher, [EVERY_SCOPE], { pulled });
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('R18: the author of a change is due when another changes the same record since', async () => {
    const world = await ward();
    const { nurse, dispatcher, store, tenant } = world;
    await push(world, nurse, 'v1', 'c1', ['north']);
    await store.noteContacts(tenant, [contactOf(nurse, ['north'], { told: ['c1'] })]);
    await push(world, dispatcher, 'v1', 'c2', ['north']);
    await world.mark();
    expect(await world.due()).toContain('nurse');
  });

  test('what came of a hint says nothing of one for which its phone was taken since', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.mark();
    const earlier = await world.take();
    expect(await world.take()).toHaveLength(2);
    for (const hint of earlier) await world.settle(hint, { kind: 'unsent', afterMs: 3_600_000 });
    for (const hint of earlier) await world.settle(hint, { kind: 'sent' });
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('H5: a phone that was taken is not taken again within its window, whatever comes of it, and at its end it is', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.mark();
    const [first] = await world.take(AN_HOUR, 1);
    expect(await world.take(AN_HOUR)).toHaveLength(1);
    // As if the node ended here.
    expect(await world.take(AN_HOUR)).toEqual([]);
    await world.settle(first as TakenHint, { kind: 'unclear', afterMs: 0 });
    expect(await world.take(AN_HOUR)).toEqual([]);
    await world.settle(first as TakenHint, { kind: 'unsent', afterMs: -1 });
    const [again] = await world.take();
    expect(again?.device).toEqual(first?.device);
    expect(again?.claim).not.toBe(first?.claim);
  });

  test('two nodes that take at once take each phone once', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.mark();
    const taken = (await Promise.all(Array.from({ length: 4 }, () => world.take(AN_HOUR)))).flat();
    expect(taken.map(({ device }) => device.user).sort()).toEqual(['dispatcher', 'nurse']);
  });

  test('F27: what was sent is due no more, unless something came since', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.mark();
    const [one, two] = await world.take();
    await world.show('v1', ['south']);
    await world.settle(one as TakenHint, { kind: 'sent' });
    await world.mark();
    await world.settle(two as TakenHint, { kind: 'sent' });
    expect(await world.due()).toHaveLength(2);
    for (const hint of await world.take()) await world.settle(hint, { kind: 'sent' });
    expect(await world.due()).toEqual([]);
  });

  test('H7: a token that reaches nobody ends its registration, but not one that came since', async () => {
    const world = await ward();
    const { store, nurse, tenant } = world;
    await world.show('v1', ['north']);
    await world.mark();
    const taken = await world.take();
    await store.registerDevice(nurse, registered('a newer token', ['north']), 10);
    await store.settleHints(
      tenant,
      taken.map((hint) => ({ ...hint, kind: 'gone' })),
    );
    expect((await store.countPhones(tenant)).byPlatform.ANDROID).toBe(1);
    expect(await world.due()).toEqual(['nurse']);
  });

  test('H2: the window goes with the token to whoever registers it', async () => {
    const world = await ward();
    const { store, nurse, tenant } = world;
    await world.show('v1', ['north']);
    await world.mark();
    for (const hint of await world.take(AN_HOUR)) await world.settle(hint, { kind: 'sent' });
    const third = { ...nurse, user: 'third' };
    await store.registerDevice(third, registered('of the nurse', ['north']), 10);
    await world.show('v1', ['north'], { body: '{"note":"again"}' });
    expect(await world.mark()).toBe(2);
    expect(await world.take(AN_HOUR)).toEqual([]);
    expect((await store.countPhones(tenant)).due).toBe(2);
  });

  test('H8: a new epoch is news for everybody', async () => {
    const world = await ward();
    const { store, tenant } = world;
    await world.show('v1', ['north']);
    await world.pulled(world.nurse, ['north']);
    await store.newEpoch(tenant, (await store.readHead(tenant)).epoch);
    // It ends leases, too.
    const fence = await fenceOf(world);
    expect(await store.markDue(tenant, fence, ALL)).toBe(2);
    expect((await world.take()).map(({ collections }) => collections)).toEqual([[], []]);
    await store.registerDevice(world.nurse, registered('of the nurse', ['north']), 10);
    await world.show('v2', ['north']);
    expect(await store.markDue(tenant, fence, ALL)).toBe(2);
    // Everything stays everything.
    expect((await world.take()).map(({ collections }) => collections)).toEqual([[], []]);
  });

  test('the time from a hint to the pull that follows is told once', async () => {
    const world = await ward();
    const { store, tenant, nurse } = world;
    await world.show('v1', ['north']);
    await world.mark();
    for (const hint of await world.take()) await world.settle(hint, { kind: 'sent' });
    expect(await world.pulled(nurse, ['north'], { agoMs: 60_000 })).toEqual([]);
    expect(await world.pulled(nurse, ['north'], { agoMs: -5_000 })).toEqual([
      { platform: 'ANDROID', afterMs: expect.any(Number) },
    ]);
    expect(await world.pulled(nurse, ['north'], { agoMs: -6_000 })).toEqual([]);
    const [known] = await store.readDevices(tenant, { user: 'nurse', after: null, limit: 1 });
    expect(known?.phone?.hintedAtMs).toBeGreaterThan(0);
    expect(known?.phone?.pulledAtMs).toBeGreaterThan(known?.phone?.hintedAtMs ?? Infinity);
  });

  test('who pulled before the push service answered has followed the hint', async () => {
    const world = await ward();
    await world.show('v1', ['north']);
    await world.mark();
    const taken = await world.take();
    await world.pulled(world.nurse, ['north'], { agoMs: -5_000 });
    for (const hint of taken) await world.settle(hint, { kind: 'sent' });
    const times = { escalateAfterMs: -60_000, staleAfterMs: 1e9, hasNotice: false };
    expect(await world.store.findSilent(world.tenant, times)).toEqual({ escalated: 1, stale: 0 });
  });

  test('who does not pull after hints is escalated once, then stale and hinted rarely, until it pulls', async () => {
    const world = await ward();
    const { store, tenant, nurse } = world;
    const find = (escalateAfterMs: number, staleAfterMs = 1e9) =>
      store.findSilent(tenant, { escalateAfterMs, staleAfterMs, hasNotice: true });
    await world.show('v1', ['north']);
    await world.mark();
    for (const hint of await world.take()) await world.settle(hint, { kind: 'sent' });
    await world.pulled(world.dispatcher, [EVERY_SCOPE], { agoMs: -5_000 });
    expect(await find(1e9)).toEqual({ escalated: 0, stale: 0 });
    expect(await find(-1)).toEqual({ escalated: 1, stale: 0 });
    const [notice] = await world.take();
    expect(notice).toMatchObject({ device: nurse, isNotice: true });
    await world.settle(notice as TakenHint, { kind: 'unsent', afterMs: -1 });
    const [again] = await world.take();
    expect(again?.isNotice).toBe(true);
    await world.settle(again as TakenHint, { kind: 'sent' });
    expect(await find(-1)).toEqual({ escalated: 0, stale: 0 });
    expect(await world.take()).toEqual([]);

    expect(await find(-1, -1)).toEqual({ escalated: 0, stale: 1 });
    expect((await store.countPhones(tenant)).stale).toBe(1);
    await world.show('v2', ['north']);
    await world.mark();
    const rarely = { ...AT_ONCE, staleMs: 3_600_000 };
    const mine = (await world.take(rarely)).filter(({ device }) => device.user === 'nurse');
    expect(mine).toHaveLength(1);
    await world.show('v3', ['north']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher']);
    await world.pulled(nurse, ['north'], { agoMs: -5_000 });
    expect((await store.countPhones(tenant)).stale).toBe(0);
    await world.show('v4', ['north']);
    await world.mark();
    expect(await world.due()).toEqual(['dispatcher', 'nurse']);
  });

  test('contacts of devices that are not registered are nothing', async () => {
    const { store, tenant, nurse } = await begin();
    expect(await store.noteContacts(tenant, [contactOf(nurse, ['north'])])).toEqual([]);
    expect(await store.noteContacts(tenant, [])).toEqual([]);
  });
}

interface Ward extends World {
  readonly mark: () => Promise<number | null>;
  readonly take: (windows?: HintWindows, limit?: number) => Promise<readonly TakenHint[]>;
  /** Takes all, and says whose they are. */
  readonly due: () => Promise<readonly string[]>;
  settle(hint: TakenHint, how: Settling): Promise<void>;
  pulled(
    device: DeviceKey,
    scopes: readonly string[],
    rest?: Partial<PhoneContact>,
  ): ReturnType<World['store']['noteContacts']>;
}

type Settling =
  | { readonly kind: 'sent' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'unsent' | 'unclear'; readonly afterMs: number };

function contactOf(device: DeviceKey, scopes: readonly string[], rest: Partial<PhoneContact> = {}): PhoneContact {
  return { device, agoMs: 0, seen: seenScopes(...scopes), pulled: null, told: [], ...rest };
}

/** A change that is settled with its acceptance, as it was pushed. */
async function push(
  world: World,
  device: DeviceKey,
  id: string,
  changeId: string,
  scopes: readonly string[],
): Promise<void> {
  const { seq, mark } = await world.view(id);
  await world.write([
    {
      collection: VISITS,
      id: id as never,
      expected: { seq, mark },
      next: { ...shown(id, `{"note":"${changeId}"}`), scopes, throughUs: true },
      acceptance: acceptedFinal(device, changeId),
      settlement: settled(device, changeId),
    },
  ]);
}
