import type { RecordId } from '../../../src/core/change.js';
import type { Acceptance, OpenIntent } from '../../../src/core/record-port.js';
import { inDoubt, lease, LONG_MS, NO_LEASE_MS, noteOf, OVER_MS, sent, settle } from './delivery.js';
import { accepted, intended, PATIENTS, VISITS, type World } from './world.js';

type Intended = NonNullable<Acceptance['intent']>;

/** What an intent waits for (F18), and calls whose outcome is not known yet (R11). */
export function dependencyPromises(begin: () => Promise<World>): void {
  async function accept(world: World, id: string, changeId: string, parts: Partial<Intended>): Promise<OpenIntent> {
    const { seq, mark } = await world.view(id);
    const acceptance = { ...accepted(world.nurse, changeId), intent: intended(parts) };
    const [written] = await world.write([
      { collection: VISITS, id: id as RecordId, expected: { seq, mark }, acceptance },
    ]);
    return (await world.view(id)).intents.find((one) => one.intentNo === written?.intentNo) as OpenIntent;
  }
  const leased = async (world: World): Promise<readonly string[]> =>
    (await lease(world, NO_LEASE_MS)).map(({ changeId }) => changeId);

  test('F18: an intent is not leased while the one that it waits for is open, in whatever state', async () => {
    const world = await begin();
    const parent = await sent(world, 'parent', 'c1');
    const child = await accept(world, 'child', 'c2', { waitsFor: parent.intentNo });
    expect(child.waitsFor).toBe(parent.intentNo);
    expect(await leased(world)).toEqual([]);
    await settle(world, parent, { status: 'PARKED', inEffect: false });
    expect(await leased(world)).toEqual([]);
    await settle(world, parent);
    expect(await leased(world)).toEqual(['c2']);
    expect((await world.view('child')).intents).toMatchObject([{ waitsFor: parent.intentNo }]);
  });

  test('F18: an intent that is given back can be made to wait, to wait no more, and goes on waiting otherwise', async () => {
    const world = await begin();
    const parent = await world.accept('parent', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const child = await world.accept('child', 'c2', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const waits = async (): Promise<number | null | undefined> => (await world.view('child')).intents[0]?.waitsFor;
    const held = { tenant: world.tenant, intentNo: child.intentNo, fence: 1 };
    expect(await world.store.releaseIntent(held, NO_LEASE_MS, parent.intentNo)).toBe(true);
    expect(await waits()).toBe(parent.intentNo);
    expect(await leased(world)).toEqual([]);
    expect(await world.store.releaseIntent(held, NO_LEASE_MS)).toBe(true);
    expect(await waits()).toBe(parent.intentNo);
    expect(await world.store.releaseIntent(held, NO_LEASE_MS, null)).toBe(true);
    expect(await waits()).toBeNull();
    expect(await leased(world)).toEqual(['c2']);
  });

  test('F18: a record is referred to by earlier open intents that say so, in their order, of this tenant only', async () => {
    const world = await begin();
    const other = await begin();
    const route = { collection: 'routes', id: 'r 1' as RecordId };
    const patient = { collection: PATIENTS, id: 'r 1' as RecordId };
    await accept(other, 'v1', 'c1', { refersTo: [route] });
    const first = await accept(world, 'v1', 'c1', { refersTo: [patient, route] });
    const second = await accept(world, 'v2', 'c2', { refersTo: [route] });
    await accept(world, 'v3', 'c3', { refersTo: [patient] });
    const later = await accept(world, 'v4', 'c4', { refersTo: [route] });
    await world.accept('v5', 'c5');
    const [one, two] = [first, second].map(({ intentNo, changeId }) => ({ intentNo, changeId }));
    expect(await world.store.readReferring(world.tenant, route, later.intentNo)).toEqual([one, two]);
    expect(await world.store.readReferring(world.tenant, route, first.intentNo)).toEqual([]);
    await settle(world, first);
    expect(await world.store.readReferring(world.tenant, route, later.intentNo)).toEqual([two]);
  });

  test('R8: an intent is not leased while another of its record is under way, in doubt or parked', async () => {
    const world = await begin();
    const first = await sent(world, 'v1', 'c1', OVER_MS);
    await world.accept('v1', 'c2');
    expect(await leased(world)).toEqual([]);
    await inDoubt(world);
    expect(await leased(world)).toEqual([]);
    await settle(world, first, { status: 'PARKED', inEffect: false });
    expect(await leased(world)).toEqual([]);
    await settle(world, first);
    expect(await leased(world)).toEqual(['c2']);
  });

  test('R11: what was sent, under which guard and since when its time is over is told to who takes the intent over', async () => {
    const world = await begin();
    const intent = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: NO_LEASE_MS });
    const [first] = await lease(world, NO_LEASE_MS);
    expect(first).toMatchObject({ payload: null, guard: null, sinceDeadlineMs: null });
    const note = {
      ...(await noteOf(world, intent, first?.fence as number, OVER_MS)),
      payload: '{"a":"é"}',
      guard: 'v7',
    };
    expect(await world.store.noteSent(world.tenant, [note])).toEqual(['sent']);
    expect((await world.view('v1')).intents).toMatchObject([{ payload: '{"a":"é"}', guard: 'v7', state: 'SENT' }]);
    const [doubted] = await inDoubt(world);
    expect(doubted).toMatchObject({ payload: '{"a":"é"}', guard: 'v7', attempt: 1 });
    expect(doubted?.sinceDeadlineMs).toBeGreaterThanOrEqual(-OVER_MS);
    expect(doubted?.sinceDeadlineMs).toBeLessThan(-OVER_MS + 3_600_000);
    expect(doubted?.acceptedAtMs).toBe(intent.acceptedAtMs);
  });

  test('R11: a call left in doubt is free for who looks after it later, under its fence only', async () => {
    const world = await begin();
    const intent = await sent(world, 'v1', 'c1');
    const { mark } = await world.view('v1');
    expect(await world.store.leaveInDoubt({ ...intent, tenant: world.tenant, fence: 7 }, NO_LEASE_MS)).toBe(false);
    expect((await world.view('v1')).intents).toMatchObject([{ state: 'SENT' }]);
    expect(await world.store.leaveInDoubt({ ...intent, tenant: world.tenant, fence: 1 }, LONG_MS)).toBe(true);
    expect(await world.view('v1')).toMatchObject({ mark: mark + 1, intents: [{ state: 'IN_DOUBT', fence: 1 }] });
    expect(await inDoubt(world)).toEqual([]);
    expect(await world.store.leaveInDoubt({ ...intent, tenant: world.tenant, fence: 1 }, NO_LEASE_MS)).toBe(true);
    const [again] = await inDoubt(world);
    expect(again).toMatchObject({ changeId: 'c1', state: 'IN_DOUBT', fence: 2 });
    expect(again?.sinceDeadlineMs).toBeLessThan(0);
    expect(await world.store.leaveInDoubt({ ...intent, tenant: world.tenant, fence: 1 }, NO_LEASE_MS)).toBe(false);
    const waiting = await world.accept('v2', 'c2');
    expect(await world.store.leaveInDoubt({ ...waiting, tenant: world.tenant }, NO_LEASE_MS)).toBe(false);
  });

  test('R11: a call in doubt that had no effect goes back to be sent, or is sent again by its holder', async () => {
    const world = await begin();
    const intent = await sent(world, 'v1', 'c1', OVER_MS);
    const [doubted] = await inDoubt(world);
    const held = { tenant: world.tenant, intentNo: intent.intentNo, fence: doubted?.fence as number };
    const note = { ...(await noteOf(world, intent, held.fence)), payload: '{"again":true}' };
    expect(await world.store.noteSent(world.tenant, [note])).toEqual(['sent']);
    expect((await world.view('v1')).intents).toMatchObject([{ state: 'SENT', attempt: 2, payload: '{"again":true}' }]);
    expect(await world.store.leaveInDoubt(held, NO_LEASE_MS)).toBe(true);
    expect(await world.store.releaseIntent(held, NO_LEASE_MS)).toBe(true);
    expect((await world.view('v1')).intents).toMatchObject([{ state: 'PENDING', fence: held.fence }]);
    expect(await leased(world)).toEqual(['c1']);
  });

  test('R11: a parked intent is neither given back nor left in doubt by who held it', async () => {
    const world = await begin();
    const intent = await sent(world, 'v1', 'c1');
    await settle(world, intent, { status: 'PARKED', inEffect: false });
    const held = { tenant: world.tenant, intentNo: intent.intentNo, fence: 1 };
    expect(await world.store.releaseIntent(held, NO_LEASE_MS)).toBe(false);
    expect(await world.store.leaveInDoubt(held, NO_LEASE_MS)).toBe(false);
    expect(await world.store.noteSent(world.tenant, [await noteOf(world, intent, 1)])).toEqual(['lost']);
    expect((await world.view('v1')).intents).toMatchObject([{ state: 'PARKED' }]);
  });
}
