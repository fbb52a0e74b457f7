import type { RecordId, Seq } from '../../../src/core/change.js';
import type { ChangeError } from '../../../src/core/errors.js';
import type { OpenState } from '../../../src/core/intent.js';
import type { OutboxEntry } from '../../../src/core/operator-port.js';
import type { OpenIntent } from '../../../src/core/record-port.js';
import type { DeviceKey } from '../../../src/core/session.js';
import { lease, LONG_MS, NO_LEASE_MS, noteOf, sent, settle } from './delivery.js';
import {
  acceptedFinal,
  BEGINNING,
  FAR_FUTURE_MS,
  onSnapshot,
  settled,
  VISITS,
  type World,
  type Written,
} from './world.js';

const UNKNOWN: ChangeError = { code: 'OUTCOME_UNKNOWN', message: 'no answer', field: null, retryable: false };
const MOVED: ChangeError = { code: 'CONFLICT', message: 'moved on', field: 'note', retryable: false };

/** The outbox and the kept conflicts, and what operators do with them. */
export function operatorPromises(begin: () => Promise<World>): void {
  const outbox = (
    world: World,
    request: { states?: readonly OpenState[]; collection?: string; after?: number; limit?: number } = {},
  ): Promise<readonly OutboxEntry[]> =>
    world.store.readOutbox(world.tenant, { states: [], collection: null, after: null, limit: 100, ...request });
  const changesIn = (entries: readonly OutboxEntry[]): readonly string[] => entries.map(({ changeId }) => changeId);
  const knownAs = async (world: World, changeId: string) =>
    (await world.store.readChanges(world.nurse, [changeId])).known[0];
  const receiptsOf = (world: World) =>
    onSnapshot(world, (snapshot) => snapshot.receipts(world.nurse, BEGINNING, snapshot.feed.head));

  async function park(world: World, id: string, changeId: string): Promise<OpenIntent> {
    const intent = await sent(world, id, changeId);
    await settle(world, intent, { status: 'PARKED', error: UNKNOWN, inEffect: false });
    return intent;
  }

  /** A pushed change that is refused at once and kept. */
  async function refuse(world: World, id: string, changeId: string, by: DeviceKey = world.nurse): Promise<Seq> {
    const { seq, mark } = await world.view(id);
    const how = { status: 'CONFLICT', error: MOVED, inEffect: false, kept: `{"fields":{"of":"${changeId}"}}` } as const;
    const [written] = await world.write([
      {
        collection: VISITS,
        id: id as RecordId,
        expected: { seq, mark },
        acceptance: acceptedFinal(by, changeId),
        settlement: settled(by, changeId, how),
      },
    ]);
    return (written as Written).seq;
  }

  test('R14: a scan that is asked for waits until one is complete that began afterwards', async () => {
    const { store, tenant } = await begin();
    const asked = async (): Promise<number | null> => (await store.readCollection(tenant, VISITS)).scanAskedAtMs;
    await store.askScan(tenant, VISITS, null);
    const first = await asked();
    await store.noteScanned(tenant, VISITS, (first as number) - 1);
    expect(await asked()).toBe(first);
    await store.noteScanned(tenant, VISITS, first as number);
    expect(await asked()).toBeNull();
    expect((await store.readCollection(tenant, 'staff')).scanAskedAtMs).toBeNull();
  });

  test('R14: what an operator allows counts until its time is over; a later word takes its place, a scan alone does not', async () => {
    const { store, tenant } = await begin();
    const allowed = async (): Promise<number> => (await store.readCollection(tenant, VISITS)).allowedDeletions;
    await store.askScan(tenant, VISITS, { deletions: 150, forMs: LONG_MS });
    await store.askScan(tenant, VISITS, null);
    expect(await allowed()).toBe(150);
    await store.askScan(tenant, VISITS, { deletions: 3, forMs: LONG_MS });
    expect(await allowed()).toBe(3);
    await store.askScan(tenant, VISITS, { deletions: 150, forMs: NO_LEASE_MS });
    expect(await allowed()).toBe(0);
  });

  test('the outbox shows open changes, the oldest first, by state and collection, page by page', async () => {
    const world = await begin();
    const parked = await park(world, 'v1', 'c1');
    await world.accept('v1', 'c2');
    const under = await sent(world, 'v2', 'c3');
    await world.accept('v3', 'c4');
    expect(changesIn(await outbox(world))).toEqual(['c1', 'c2', 'c3', 'c4']);
    expect(changesIn(await outbox(world, { states: ['PARKED', 'SENT'] }))).toEqual(['c1', 'c3']);
    expect(changesIn(await outbox(world, { after: parked.intentNo, limit: 2 }))).toEqual(['c2', 'c3']);
    expect(await outbox(world, { collection: 'elsewhere' })).toEqual([]);
    expect(changesIn(await outbox(world, { collection: VISITS }))).toHaveLength(4);
    expect(new Map(await world.store.countOutbox(world.tenant))).toEqual(
      new Map([
        ['PARKED', 1],
        ['PENDING', 2],
        ['SENT', 1],
      ]),
    );
    await settle(world, under);
    expect((await world.store.countOutbox(world.tenant)).has('SENT')).toBe(false);
  });

  test('an entry of the outbox says why it is parked, what it waits for, and when it is looked at', async () => {
    const world = await begin();
    const parked = await park(world, 'v1', 'c1');
    const behind = await world.accept('v1', 'c2', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const free = await world.accept('v2', 'c3', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const [first, second, third] = await outbox(world);
    expect(first).toMatchObject({ ...(await world.view('v1')).intents[0], error: UNKNOWN, blockedBy: null, fence: 1 });
    expect(first).toMatchObject({ tenant: world.tenant, sinceDeadlineMs: expect.any(Number) });
    expect(second).toMatchObject({ intentNo: behind.intentNo, error: null, blockedBy: 'c1', sinceDeadlineMs: null });
    expect(third).toMatchObject({ blockedBy: null });
    expect(third?.dueAtMs).toBeLessThanOrEqual((third?.acceptedAtMs ?? 0) + 1_000);
    const held = { tenant: world.tenant, intentNo: free.intentNo, fence: 1 };
    await world.store.releaseIntent(held, 3_600_000, parked.intentNo);
    const [waiting] = await outbox(world, { after: behind.intentNo });
    expect(waiting?.blockedBy).toBe('c1');
    expect(waiting?.dueAtMs).toBeGreaterThan((third?.dueAtMs ?? 0) + 3_000_000);
    await world.store.releaseIntent(held, 0, null);
    await world.store.noteSent(world.tenant, [await noteOf(world, free, 1)]);
    await world.store.leaveInDoubt(held, 7_200_000);
    const [doubted] = await outbox(world, { states: ['IN_DOUBT'] });
    expect(doubted?.dueAtMs).toBeGreaterThan((third?.dueAtMs ?? 0) + 6_000_000);
  });

  test('a repeated change is told what it waits for while it is open, and what it fell with afterwards', async () => {
    const world = await begin();
    const first = await park(world, 'v1', 'c1');
    const second = await world.accept('v1', 'c2');
    expect(await knownAs(world, 'c1')).toMatchObject({ status: 'PARKED', blockedBy: null });
    expect(await knownAs(world, 'c2')).toMatchObject({ status: 'ACCEPTED', blockedBy: 'c1' });
    await settle(world, first, { status: 'REJECTED', inEffect: false });
    expect(await knownAs(world, 'c2')).toMatchObject({ status: 'ACCEPTED', blockedBy: null });
    await settle(world, second, { status: 'CONFLICT', error: MOVED, inEffect: false, blockedBy: 'c1' });
    expect(await knownAs(world, 'c2')).toMatchObject({ status: 'CONFLICT', blockedBy: 'c1', kept: null });
    expect((await receiptsOf(world)).map(({ changeId, blockedBy }) => [changeId, blockedBy])).toEqual([
      ['c1', null],
      ['c2', 'c1'],
    ]);
  });

  test('a parked change that is sent again is accepted anew: due at once, under a higher fence, without a receipt', async () => {
    const world = await begin();
    const intent = await park(world, 'v1', 'c1');
    expect((await receiptsOf(world)).map(({ status }) => status)).toEqual(['PARKED']);
    const { mark } = await world.view('v1');
    expect(await world.store.reopenIntent('elsewhere', intent.intentNo).catch(() => false)).toBe(false);
    expect(await world.store.reopenIntent(world.tenant, intent.intentNo)).toBe(true);
    expect(await world.store.reopenIntent(world.tenant, intent.intentNo)).toBe(false);
    expect(await world.view('v1')).toMatchObject({ mark: mark + 1, intents: [{ state: 'PENDING', fence: 2 }] });
    expect(await knownAs(world, 'c1')).toMatchObject({ status: 'ACCEPTED', error: null });
    expect(await receiptsOf(world)).toEqual([]);
    expect((await outbox(world))[0]).toMatchObject({ error: null });
    const [leased] = await lease(world, NO_LEASE_MS);
    expect(leased).toMatchObject({ intentNo: intent.intentNo, fence: 3 });
    await settle(world, { ...intent, fence: 3 });
    expect((await receiptsOf(world)).map(({ status }) => status)).toEqual(['APPLIED']);
  });

  test('a parked change is settled under its fence like any other', async () => {
    const world = await begin();
    const intent = await park(world, 'v1', 'c1');
    const { seq } = await settle(world, intent, { status: 'REJECTED', inEffect: false });
    expect((await world.view('v1')).intents).toEqual([]);
    expect(await receiptsOf(world)).toMatchObject([{ changeId: 'c1', status: 'REJECTED', error: null, seq }]);
  });

  test('what became of a settled intent is found by its number, and nothing of an open or unknown one', async () => {
    const world = await begin();
    const intent = await park(world, 'v1', 'c1');
    const find = (intentNo: number) => world.store.readSettled(world.tenant, intentNo);
    expect([await find(intent.intentNo), await find(intent.intentNo + 1_000_000)]).toEqual([null, null]);
    await settle(world, intent, { status: 'REJECTED', error: MOVED, inEffect: false });
    const known = { changeId: 'c1', status: 'REJECTED', error: MOVED, collection: VISITS, id: 'v1' };
    expect(await find(intent.intentNo)).toMatchObject({ ...known, intentNo: intent.intentNo, device: world.nurse });
  });

  test('F19: a refused edit is kept for operators, oldest first, until it is dismissed', async () => {
    const world = await begin();
    const q1 = await refuse(world, 'v1', 'c1');
    await refuse(world, 'v1', 'c2', world.dispatcher);
    const intent = await sent(world, 'v2', 'c3');
    await settle(world, intent, {
      status: 'CONFLICT',
      error: MOVED,
      inEffect: false,
      kept: '{"fields":{"é":"\\u0000"}}',
    });
    await settle(world, await sent(world, 'v3', 'c4'));
    const conflicts = async (after: Seq | null = null, limit = 10): Promise<readonly string[]> =>
      (await world.store.readConflicts(world.tenant, after, limit)).map(({ changeId }) => changeId);
    expect(await conflicts()).toEqual(['c1', 'c2', 'c3']);
    expect(await conflicts(q1, 1)).toEqual(['c2']);
    const [first, , third] = await world.store.readConflicts(world.tenant, null, 10);
    const kept = { device: world.nurse, collection: VISITS, error: MOVED };
    expect(first).toEqual({ ...kept, id: 'v1', changeId: 'c1', kept: '{"fields":{"of":"c1"}}', settledSeq: q1 });
    expect(third).toMatchObject({ ...kept, id: 'v2', kept: '{"fields":{"é":"\\u0000"}}' });
    expect(await knownAs(world, 'c3')).toMatchObject({ kept: '{"fields":{"é":"\\u0000"}}' });
    expect(await world.store.dismissConflict(world.nurse, 'c1')).toBe(true);
    expect(await world.store.dismissConflict(world.nurse, 'c1')).toBe(false);
    expect(await world.store.dismissConflict(world.nurse, 'c2')).toBe(false);
    expect(await conflicts()).toEqual(['c2', 'c3']);
    expect(await knownAs(world, 'c1')).toMatchObject({ status: 'CONFLICT', error: MOVED, kept: null });
    expect((await receiptsOf(world)).map(({ changeId }) => changeId)).toContain('c1');
  });

  test('F26: a purge takes kept edits with their receipts, and no parked change', async () => {
    const world = await begin();
    await park(world, 'v2', 'c2');
    await refuse(world, 'v1', 'c1');
    await world.show('v3', ['route:1']);
    await world.store.purge(world.tenant, FAR_FUTURE_MS);
    expect(await world.store.readConflicts(world.tenant, null, 10)).toEqual([]);
    expect(await knownAs(world, 'c1')).toMatchObject({ status: 'CONFLICT', kept: null });
    expect(await outbox(world)).toMatchObject([{ changeId: 'c2', error: UNKNOWN }]);
  });
}
