import type { Epoch, Seq, SourceKey } from '../../../src/core/change.js';
import type { LeasedIntent } from '../../../src/core/outbox-port.js';
import type { OpenIntent } from '../../../src/core/record-port.js';
import { settled, shown, VISITS, type World } from './world.js';

const LONG_MS = 60_000;
/** What cannot have been given out between a backup and its return. */
const MANY = 1_000_000;

async function newEpoch(world: World, seenHead?: number): Promise<Epoch> {
  const { epoch } = await world.store.readHead(world.tenant);
  return world.store.newEpoch(world.tenant, epoch, seenHead as Seq | undefined);
}

async function leased(world: World): Promise<LeasedIntent> {
  const request = { tenant: world.tenant, collections: [VISITS], holder: 'node', leaseMs: LONG_MS, limit: 10_000 };
  const [found] = await world.store.leaseIntents(request);
  return found as LeasedIntent;
}

async function sent(world: World, id: string): Promise<OpenIntent> {
  await world.show(id, []);
  await world.accept(id, `sent ${id}`);
  const intent = await leased(world);
  const { seq, mark } = await world.view(id);
  const note = { payload: '{"kind":"update"}', guard: 'v1', deadlineMs: LONG_MS };
  const { intentNo, fence, collection } = intent;
  const [outcome] = await world.store.noteSent(world.tenant, [
    { ...note, intentNo, fence, collection, id: intent.id, expected: { seq, mark } },
  ]);
  expect(outcome).toBe('sent');
  return intent;
}

async function inDoubt(world: World): Promise<readonly LeasedIntent[]> {
  return world.store.leaseInDoubt({ tenant: world.tenant, holder: 'other', leaseMs: LONG_MS, limit: 10_000 });
}

/** New epochs: specification part 8. */
export function epochPromises(begin: () => Promise<World>): void {
  test('F5: a new epoch is begun once, whoever asks for it and how often', async () => {
    const world = await begin();
    await world.show('v1', []);
    const before = await world.store.readHead(world.tenant);
    const epochs = await Promise.all([
      world.store.newEpoch(world.tenant, before.epoch),
      world.store.newEpoch(world.tenant, before.epoch),
    ]);
    const after = await world.store.readHead(world.tenant);
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.epoch).toMatch(/^[a-z0-9]{8}$/);
    expect(epochs).toEqual([after.epoch, after.epoch]);
    expect(after.head).toBe(before.head);
    expect(await world.store.newEpoch(world.tenant, 'zzzzzzzz' as Epoch)).toBe(after.epoch);
  });

  test('F5: the head goes to the highest seq that was seen, and no seq below it is given out again', async () => {
    const world = await begin();
    const head = await world.show('v1', []);
    await newEpoch(world, head + 500);
    expect(await world.head()).toBe(head + 500);
    expect(await world.show('v2', [])).toBeGreaterThan(head + 500);
    await newEpoch(world, head);
    expect(await world.head()).toBeGreaterThan(head + 500);
  });

  test('F5: what is PENDING and what is SENT alike is in doubt and due, and its holder has lost it', async () => {
    const world = await begin();
    const first = await sent(world, 'v1');
    await world.show('v2', []);
    const second = await world.accept('v2', 'pending', world.nurse, { holder: 'node', leaseMs: LONG_MS });
    const marks = [(await world.view('v1')).mark, (await world.view('v2')).mark];
    await newEpoch(world);
    const views = [await world.view('v1'), await world.view('v2')];
    expect(views.map(({ intents }) => intents.map(({ state }) => state))).toEqual([['IN_DOUBT'], ['IN_DOUBT']]);
    expect(views.map(({ mark }, at) => mark > (marks[at] ?? 0))).toEqual([true, true]);
    expect(await world.store.releaseIntent({ tenant: world.tenant, intentNo: second.intentNo, fence: 1 }, 0)).toBe(
      false,
    );
    const due = await inDoubt(world);
    expect(due.map(({ intentNo }) => intentNo)).toEqual([first.intentNo, second.intentNo]);
    expect(due.map(({ payload }) => payload)).toEqual(['{"kind":"update"}', null]);
    // The wait for calls that may be under way counts from now, and a while later where one was noted.
    expect(due.map(({ sinceDeadlineMs }) => (sinceDeadlineMs ?? 0) >= 0)).toEqual([false, true]);
    expect(due.every(({ sinceDeadlineMs }) => sinceDeadlineMs !== null)).toBe(true);
    expect(due.every(({ fence }) => fence > MANY)).toBe(true);
  });

  test('F5, R15: what nobody remembers a call of holds no observation of its record back, what was noted does', async () => {
    const world = await begin();
    await sent(world, 'v1');
    await world.show('v2', []);
    await world.accept('v2', 'pending');
    await newEpoch(world);
    const keys = [shown('v1'), shown('v2')].map(({ sourceKey }) => sourceKey as SourceKey);
    const marks = await world.store.readHashes(world.tenant, VISITS, keys);
    expect(keys.map((key) => marks.get(key)?.inFlight)).toEqual([true, false]);
    const states = await Promise.all(keys.map((key) => world.store.readStates(world.tenant, VISITS, [key])));
    expect(states.map((text) => text === null)).toEqual([true, false]);
  });

  test('F5, R8: of a lane that is in doubt as a whole the next one is looked into when the one before is settled', async () => {
    const world = await begin();
    const first = await sent(world, 'v1');
    const second = await world.accept('v1', 'behind it');
    await newEpoch(world);
    const [due, ...others] = await inDoubt(world);
    expect([due?.intentNo, others]).toEqual([first.intentNo, []]);
    const { seq, mark, id } = await world.view('v1');
    const intent = { intentNo: first.intentNo, fence: due?.fence ?? 0 };
    await world.write([
      { collection: VISITS, id, expected: { seq, mark }, settlement: settled(world.nurse, 'sent v1', { intent }) },
    ]);
    expect((await inDoubt(world)).map(({ intentNo }) => intentNo)).toEqual([second.intentNo]);
  });

  test('F5, R8: what nobody remembers a call of waits for what is before it, also when that goes back to PENDING', async () => {
    const world = await begin();
    const create = await world.accept('v1', 'create');
    const edit = await world.accept('v1', 'behind it');
    await newEpoch(world);
    const [due, ...others] = await inDoubt(world);
    expect([due?.intentNo, others]).toEqual([create.intentNo, []]);
    const intent = { tenant: world.tenant, intentNo: create.intentNo, fence: due?.fence ?? 0 };
    expect(await world.store.releaseIntent(intent, 0)).toBe(true);
    expect(await inDoubt(world)).toEqual([]);
    expect((await leased(world)).intentNo).toBe(create.intentNo);
    expect((await world.view('v1')).intents.map(({ intentNo }) => intentNo)).toEqual([create.intentNo, edit.intentNo]);
  });

  test('F5: a call that had no effect is forgotten: another one may have followed it', async () => {
    const world = await begin();
    const intent = await sent(world, 'v1');
    expect(
      await world.store.releaseIntent({ tenant: world.tenant, intentNo: intent.intentNo, fence: intent.fence }, 0),
    ).toBe(true);
    await newEpoch(world);
    expect((await world.view('v1')).intents).toMatchObject([{ state: 'IN_DOUBT', payload: null, guard: null }]);
  });

  test('F5: what is parked stays parked', async () => {
    const world = await begin();
    const { intentNo } = await sent(world, 'v1');
    const { seq, mark, fence } = { ...(await world.view('v1')), fence: 1 };
    await world.write([
      {
        collection: VISITS,
        id: (await world.view('v1')).id,
        expected: { seq, mark },
        settlement: settled(world.nurse, 'sent v1', { status: 'PARKED', intent: { intentNo, fence }, inEffect: false }),
      },
    ]);
    await newEpoch(world);
    expect((await world.view('v1')).intents).toMatchObject([{ intentNo, state: 'PARKED' }]);
    expect(await inDoubt(world)).toEqual([]);
  });

  test('F5: every collection is polled from the beginning and scanned, and is as ready as it was', async () => {
    const world = await begin();
    const reached = { cursor: 'far', scannedAtMs: 1_000 };
    await world.write([], { ingest: { collection: VISITS, ...reached, state: 'READY' } });
    await world.write([], { ingest: { collection: 'staff', ...reached, state: 'HELD' } });
    const head = await world.show('v1', []);
    await newEpoch(world);
    const sweepFirst = { cursor: null, scannedAtMs: null, floor: head };
    expect(await world.store.readCollection(world.tenant, VISITS)).toMatchObject({ ...sweepFirst, state: 'READY' });
    expect(await world.store.readCollection(world.tenant, 'staff')).toMatchObject({ ...sweepFirst, state: 'HELD' });
  });

  test('F5, F28: a lease of the epoch before is void, and its fence is not given out again', async () => {
    const world = await begin();
    const name = 'poll:visits';
    const held = await world.store.acquireLease(world.tenant, name, 'node', LONG_MS);
    const ingest = { collection: VISITS, polledAtMs: 1_000 };
    await world.write([], { fence: { name, fence: held?.fence ?? 0 }, ingest });
    await newEpoch(world);
    await world.store.acquireLease(world.tenant, name, 'node', LONG_MS);
    const stale = { fence: { name, fence: (held?.fence ?? 0) + 1 }, ingest: { ...ingest, polledAtMs: 2_000 } };
    await world.store.commit(world.tenant, [], stale);
    expect(await world.store.readCollection(world.tenant, VISITS)).toMatchObject({ polledAtMs: 1_000 });
    await world.store.releaseLease(world.tenant, name, 'node');
    expect((await world.store.acquireLease(world.tenant, name, 'other', LONG_MS))?.fence).toBeGreaterThan(MANY);
  });

  test('F5: numbers that may have been given out since a backup are passed over', async () => {
    const world = await begin();
    await world.show('v1', []);
    const before = await world.accept('v1', 'c1');
    await newEpoch(world);
    const after = await world.accept('v1', 'c2');
    expect(after.intentNo).toBeGreaterThan(before.intentNo + MANY);
  });
}
