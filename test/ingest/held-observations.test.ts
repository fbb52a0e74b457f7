import type { SourceKey } from '../../src/core/change.js';
import { PATIENTS, VISITS } from '../contract/store/world.js';
import { createWard, type Ward } from './ward.js';

const NEW = { note: 'new', route: '1' };
const UUID = '2b1c6f0e-6f6b-4c59-9d0b-8f6a3f1d2e4c';
const ANOTHER = '3b1c6f0e-6f6b-4c59-9d0b-8f6a3f1d2e4c';

describe('F9: while a patient is being created', () => {
  test('visits of patients that are known are not held', async () => {
    const ward = await createWard();
    ward.patients.put('7', NEW);
    await ward.rounds();
    await ward.create(UUID, NEW);
    ward.visits.put('v1', { note: 'of 7', route: '1', patient: '7' });
    await ward.rounds();
    expect(await ward.seen('v1')).toMatchObject({ patient: '7' });
    expect(await ward.waiting(VISITS)).toEqual([]);
  });

  test('no visit is held where its device makes the key: no other one can be its own', async () => {
    const ward = await createWard({ createKey: 'device', keysReused: true });
    await ward.create(UUID, NEW);
    ward.visits.put('v1', { note: 'of nobody', route: '1', patient: '99' });
    await ward.rounds();
    expect(await ward.seen('v1')).toMatchObject({ patient: '99' });
  });

  test('a known visit that moves to a patient whom nobody knows is held, and names that one by its id in the end', async () => {
    const ward = await createWard();
    ward.visits.put('v1', { note: 'of nobody yet', route: '1', patient: null });
    await ward.rounds();
    const create = await ward.create(UUID, NEW);
    ward.patients.put('41', NEW);
    ward.visits.put('v1', { note: 'of the new one', route: '1', patient: '41' });
    await ward.rounds();
    expect(await ward.seen('v1')).toMatchObject({ note: 'of nobody yet' });
    await ward.settle(create, '41', NEW);
    await ward.rounds();
    expect(await ward.seen('v1')).toMatchObject({ patient: UUID });
  });

  test('that ends between two reads is found: first the creates are read, then what references name', async () => {
    let settle: (() => Promise<void>) | null = null;
    const ward: Ward = await createWard(
      {},
      {
        wrap: (store) => ({
          ...store,
          async readCreates(tenant, collection) {
            const once = settle;
            settle = null;
            await once?.();
            return store.readCreates(tenant, collection);
          },
        }),
      },
    );
    const create = await ward.create(UUID, NEW);
    settle = () => ward.settle(create, '41', NEW);
    ward.visits.put('v1', { note: 'of the new one', route: '1', patient: '41' });
    await ward.clinic.poller.round(VISITS);
    expect(settle).toBeNull();
    expect(await ward.seen('v1')).toMatchObject({ patient: UUID });
  });
});

describe('F9: a key that is held', () => {
  async function held(): Promise<readonly [Ward, Awaited<ReturnType<Ward['create']>>]> {
    const ward = await createWard();
    for (const key of ['1', '2', '3']) ward.patients.put(key, NEW);
    await ward.rounds();
    const create = await ward.create(UUID, NEW);
    ward.patients.put('41', NEW);
    await ward.clinic.poller.round(PATIENTS);
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    return [ward, create];
  }

  test('and is gone when it is read again stays on the list while the create is under way, and is deleted then', async () => {
    const [ward, create] = await held();
    ward.patients.remove('41');
    await ward.rounds(4);
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    await ward.settle(create, '41', NEW);
    // Long before the next scan.
    await ward.rounds(4);
    expect(await ward.patient(UUID)).toMatchObject({ sourceKey: '41', deleted: true });
    expect(await ward.waiting(PATIENTS)).toEqual([]);
  });

  test('F7: and that nobody shows while the source is blank stays on the list, and is found when it is well', async () => {
    const [ward, create] = await held();
    await ward.settle(create, '42', NEW);
    ward.patients.isBlank = true;
    await ward.rounds(3);
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    ward.patients.isBlank = false;
    await ward.rounds(2);
    expect(await ward.alive()).toEqual(['1', '2', UUID, '3', '41']);
    expect(await ward.waiting(PATIENTS)).toEqual([]);
  });

  test('F7: and is gone while others answer is forgotten', async () => {
    const [ward, create] = await held();
    ward.patients.put('42', NEW);
    await ward.settle(create, '42', NEW);
    ward.patients.remove('41');
    await ward.rounds(3);
    expect(await ward.waiting(PATIENTS)).toEqual([]);
  });

  test('F7: and is gone as the only one is asked for again, but not with every poll', async () => {
    const ward = await createWard();
    const create = await ward.create(UUID, NEW);
    ward.patients.put('41', NEW);
    await ward.clinic.poller.round(PATIENTS);
    await ward.park(create);
    ward.patients.isBlank = true;
    await ward.rounds(2);
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    ward.patients.calls.length = 0;
    await ward.rounds(20);
    expect(ward.patients.calls.filter((call) => call === 'read')).toEqual([]);
    ward.patients.isBlank = false;
    ward.clinic.clock.advance(600_000);
    await ward.rounds();
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
  });

  test('stays on the list also when the create ends while it is read', async () => {
    const [ward, create] = await held();
    ward.patients.remove('41');
    ward.clinic.clock.advance(5_000);
    let isSettled = false;
    ward.patients.before = async (call, key) => {
      if (call !== 'read' || key !== '41' || isSettled) return;
      isSettled = true;
      await ward.settle(create, '41', NEW);
    };
    await ward.clinic.poller.round(PATIENTS);
    expect(isSettled).toBe(true);
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    await ward.rounds(4);
    expect(await ward.patient(UUID)).toMatchObject({ deleted: true });
  });
});

test('F9: parked, a create holds what shows the same, references too', async () => {
  const ward = await createWard({}, { ofVisits: { createKey: 'source' } });
  await ward.settle(await ward.create(UUID, NEW), '41', NEW);
  const visit = { note: 'n', route: '1', patient: UUID };
  await ward.park(await ward.create(ANOTHER, visit, VISITS));
  ward.visits.put('v1', { ...visit, patient: '41' });
  ward.visits.put('v2', { ...visit, patient: '99' });
  await ward.rounds(3);
  expect(await ward.waiting(VISITS)).toEqual(['v1']);
  expect(await ward.seen('v2')).toMatchObject({ patient: '99' });
});

test('R15: the flagged deletion of a record that is being made again is looked at again when that has ended', async () => {
  const ward = await createWard({ createKey: 'device', deletions: 'flag' });
  for (const key of ['1', UUID]) ward.patients.put(key, NEW);
  await ward.rounds();
  ward.patients.flag(UUID);
  await ward.rounds(3);
  expect(await ward.patient(UUID)).toMatchObject({ deleted: true });
  const again = await ward.create(UUID, NEW);
  // Made and deleted once more, before its answer has come.
  ward.patients.put(UUID, NEW);
  ward.patients.flag(UUID);
  await ward.rounds();
  expect(await ward.waiting(PATIENTS)).toEqual([UUID as string as SourceKey]);
  await ward.settle(again, UUID, NEW);
  await ward.rounds(4);
  expect(await ward.patient(UUID)).toMatchObject({ deleted: true });
});
