import type { RecordId, SourceKey } from '../../../src/core/change.js';
import type { LeasedIntent } from '../../../src/core/outbox-port.js';
import { inDoubt, lease, LONG_MS, NO_LEASE_MS, noteOf, OVER_MS } from './delivery.js';
import { settled, shown, VISITS, type World } from './world.js';

/** Intents: lanes, leases, the note before a call, and what closes them. */
export function outboxPromises(begin: () => Promise<World>): void {
  test('an accepted change is an open intent of its record, and moves the mark but no seq', async () => {
    const world = await begin();
    const seq = await world.show('v1', []);
    const intent = await world.accept('v1', 'c1');
    expect(intent).toEqual({
      intentNo: intent.intentNo,
      device: world.nurse,
      changeId: 'c1',
      collection: VISITS,
      id: 'v1',
      kind: 'UPSERT',
      fields: '{"note":"edited"}',
      baseSeq: 0,
      editedAtMs: 1_000,
      state: 'PENDING',
      attempt: 0,
      seq: null,
      waitsFor: null,
      fence: 0,
      acceptedAtMs: expect.any(Number),
      payload: null,
      guard: null,
    });
    expect(await world.view('v1')).toMatchObject({ seq, mark: 1 });
    const { known } = await world.store.readChanges(world.nurse, ['c1']);
    expect(known).toMatchObject([{ changeId: 'c1', status: 'ACCEPTED', error: null }]);
  });

  test('an intent leased at accept has fence 1 and is not leased again while that lease lasts', async () => {
    const world = await begin();
    const leased = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const free = await world.accept('v2', 'c2');
    expect((await lease(world)).map((one) => one.intentNo)).toEqual([free.intentNo]);
    expect(await world.store.noteSent(world.tenant, [await noteOf(world, leased, 1)])).toEqual(['sent']);
  });

  test('a lease that ran out before the call was noted is free again, under a higher fence', async () => {
    const world = await begin();
    await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: NO_LEASE_MS });
    const [again] = await lease(world, NO_LEASE_MS);
    const [third] = await lease(world);
    expect(again?.fence).toBeGreaterThan(1);
    expect(third?.fence).toBeGreaterThan(again?.fence as number);
    expect(await lease(world)).toEqual([]);
  });

  test('R8: only the first intent of a record is leased, of all records the oldest first, at most `limit`', async () => {
    const world = await begin();
    const [a1] = [await world.accept('a', 'c1'), await world.accept('a', 'c2')];
    const b1 = await world.accept('b', 'c3');
    const { tenant } = world;
    const request = { tenant, collections: [VISITS], holder: 'node', leaseMs: NO_LEASE_MS, limit: 10_000 };
    expect((await lease(world, NO_LEASE_MS)).map((one) => one.intentNo)).toEqual([a1.intentNo, b1.intentNo]);
    expect((await world.store.leaseIntents({ ...request, limit: 1 })).length).toBe(1);
    expect(await world.store.leaseIntents({ ...request, collections: ['elsewhere'] })).toEqual([]);
  });

  test('R8: a parked intent holds its lane', async () => {
    const world = await begin();
    const first = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    await world.accept('v1', 'c2');
    const { seq, mark } = await world.view('v1');
    const parking = { intentNo: first.intentNo, fence: 1 };
    await world.write([
      {
        collection: VISITS,
        id: 'v1' as RecordId,
        expected: { seq, mark },
        settlement: settled(world.nurse, 'c1', { status: 'PARKED', inEffect: false, intent: parking }),
      },
    ]);
    const { intents } = await world.view('v1');
    expect(intents.map((intent) => intent.state)).toEqual(['PARKED', 'PENDING']);
    expect(await lease(world)).toEqual([]);
    expect((await world.store.readChanges(world.nurse, ['c1'])).known).toMatchObject([{ status: 'PARKED' }]);
  });

  test('R11: the note before a call is lost without the fence and stale when the record moved', async () => {
    const world = await begin();
    await world.show('v1', []);
    await world.accept('v1', 'c1');
    const [intent] = await lease(world);
    const note = await noteOf(world, intent as LeasedIntent, intent?.fence as number);
    expect(await world.store.noteSent(world.tenant, [{ ...note, fence: note.fence - 1 }])).toEqual(['lost']);
    await world.show('v1', []);
    expect(await world.store.noteSent(world.tenant, [note])).toEqual(['stale']);
    const fresh = await noteOf(world, intent as LeasedIntent, note.fence);
    expect(await world.store.noteSent(world.tenant, [fresh])).toEqual(['sent']);
    expect(await world.store.noteSent(world.tenant, [fresh])).toEqual(['lost']);
    expect((await world.view('v1')).intents).toMatchObject([{ state: 'SENT', attempt: 1 }]);
  });

  test('R15: a note moves the mark by one, so that an observation decided before it is stale', async () => {
    const world = await begin();
    const seq = await world.show('v1', []);
    const intent = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const { mark } = await world.view('v1');
    expect(await world.store.readStates(world.tenant, VISITS, ['v1'] as SourceKey[])).not.toBeNull();
    await world.store.noteSent(world.tenant, [await noteOf(world, intent, 1)]);
    expect((await world.view('v1')).mark).toBe(mark + 1);
    const observation = { collection: VISITS, id: 'v1' as RecordId, expected: { seq, mark }, next: shown('v1') };
    expect(await world.store.commit(world.tenant, [observation])).toEqual([{ kind: 'stale' }]);
    const marks = await world.store.readHashes(world.tenant, VISITS, [(await world.view('v1')).sourceKey as never]);
    expect([...marks.values()]).toMatchObject([{ inFlight: true }]);
    expect(await world.store.readStates(world.tenant, VISITS, [...marks.keys()])).toBeNull();
  });

  test('a released intent is due after its delay, and only its holder can release it', async () => {
    const world = await begin();
    const intent = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    await world.store.noteSent(world.tenant, [await noteOf(world, intent, 1)]);
    const held = { tenant: world.tenant, intentNo: intent.intentNo, fence: 1 };
    expect(await world.store.releaseIntent({ ...held, fence: 2 }, 0)).toBe(false);
    expect(await world.store.releaseIntent(held, LONG_MS)).toBe(true);
    expect((await world.view('v1')).intents).toMatchObject([{ state: 'PENDING', attempt: 1 }]);
    expect(await lease(world)).toEqual([]);
    expect(await world.store.releaseIntent(held, NO_LEASE_MS)).toBe(true);
    expect(await lease(world)).toMatchObject([{ intentNo: intent.intentNo, attempt: 1 }]);
  });

  test('R11: a call whose lease ran out is in doubt: leased to who asks, and never leased for delivery', async () => {
    const world = await begin();
    const intent = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: NO_LEASE_MS });
    const running = await world.accept('v2', 'c2', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const notes = [await noteOf(world, intent, 1, OVER_MS), await noteOf(world, running, 1)];
    expect(await world.store.noteSent(world.tenant, notes)).toEqual(['sent', 'sent']);
    expect(await lease(world)).toEqual([]);
    const [doubted, ...others] = await inDoubt(world);
    expect(others).toEqual([]);
    expect(doubted).toMatchObject({ intentNo: intent.intentNo, state: 'IN_DOUBT' });
    expect(doubted?.fence).toBeGreaterThan(1);
    const [again] = await inDoubt(world);
    expect(again?.fence).toBeGreaterThan(doubted?.fence as number);
  });

  test('a settlement closes its intent with the record, and later the fence of it is lost', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const intent = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    await world.store.noteSent(world.tenant, [await noteOf(world, intent, 1)]);
    const { seq, mark } = await world.view('v1');
    const write = {
      collection: VISITS,
      id: 'v1' as RecordId,
      expected: { seq, mark },
      next: { ...shown('v1', '{"note":"edited"}'), scopes: ['route:1'], throughUs: true },
      settlement: settled(world.nurse, 'c1', { intent: { intentNo: intent.intentNo, fence: 1 } }),
    };
    const wrong = { ...write, settlement: { ...write.settlement, intent: { intentNo: intent.intentNo, fence: 7 } } };
    expect(await world.store.commit(world.tenant, [wrong])).toEqual([{ kind: 'fenceLost' }]);
    const [written] = await world.write([write]);
    expect(await world.view('v1')).toMatchObject({ seq: written?.seq, written: written?.seq, intents: [] });
    expect((await world.view('v1')).mark).toBeGreaterThan(mark);
    expect((await world.store.readChanges(world.nurse, ['c1'])).known).toMatchObject([{ status: 'APPLIED' }]);
    expect(await world.store.commit(world.tenant, [write])).toEqual([{ kind: 'fenceLost' }]);
    expect(await world.store.releaseIntent({ tenant: world.tenant, intentNo: intent.intentNo, fence: 1 }, 0)).toBe(
      false,
    );
  });

  test('R15: a create is in flight from its note until it is settled', async () => {
    const world = await begin();
    const isCreating = async (): Promise<boolean> => (await world.store.readCreates(world.tenant, VISITS)).inFlight;
    await world.show('v1', []);
    const update = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    await world.store.noteSent(world.tenant, [await noteOf(world, update, 1)]);
    const create = await world.accept('v2', 'c2', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    expect(await isCreating()).toBe(false);
    await world.store.noteSent(world.tenant, [await noteOf(world, create, 1)]);
    expect(await isCreating()).toBe(true);
    expect((await world.store.readCreates(world.tenant, 'elsewhere')).inFlight).toBe(false);
    const { seq, mark } = await world.view('v2');
    await world.write([
      {
        collection: VISITS,
        id: 'v2' as RecordId,
        expected: { seq, mark },
        next: { ...shown('v2'), throughUs: true },
        settlement: settled(world.nurse, 'c2', { intent: { intentNo: create.intentNo, fence: 1 } }),
      },
    ]);
    expect(await isCreating()).toBe(false);
  });

  test('R18: listeners hear which pairs moved, whose own change it was, and for whom a receipt waits', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const heard: unknown[] = [];
    const stop = world.store.onAdvance(({ tenant, touched, receipts }) => {
      if (tenant === world.tenant) heard.push({ touched, receipts });
    });
    const { seq } = await world.view('v1');
    const intent = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    await world.write([
      {
        collection: VISITS,
        id: 'v1' as RecordId,
        expected: { seq, mark: 1 },
        next: { ...shown('v1', '{"note":"edited"}'), scopes: ['route:2'], throughUs: true },
        settlement: settled(world.nurse, 'c1', { intent: { intentNo: intent.intentNo, fence: 1 } }),
      },
    ]);
    stop();
    await world.show('v1', ['route:3']);
    const pair = (scope: string, author: unknown) => ({ collection: VISITS, scope, author });
    expect(heard).toHaveLength(1);
    expect(heard[0]).toEqual({
      touched: expect.arrayContaining([pair('route:1', world.nurse), pair('route:2', world.nurse)]),
      receipts: [{ device: world.nurse, collection: VISITS }],
    });
    const pairs = ['route:1', 'route:2', 'route:9'].map((scope) => ({ collection: VISITS, scope }));
    expect(await world.store.changedPairs(world.tenant, pairs, seq)).toEqual(pairs.slice(0, 2));
    expect(await world.store.changedPairs(world.tenant, pairs, await world.head())).toEqual([]);
  });
}
