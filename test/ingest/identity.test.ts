import type { RecordId } from '../../src/core/change.js';
import { renderBody } from '../../src/core/collection.js';
import { layerOf, nextState } from '../../src/core/overlay.js';
import { PATIENTS, VISITS } from '../contract/store/world.js';
import { hash } from './ingesting-clinic.js';
import type { createToySource } from './toy-source.js';
import type { Store } from '../../src/core/store-port.js';
import { createWard, type Ward } from './ward.js';

const NEW = { note: 'new', route: '1' };
const UUID = '2b1c6f0e-6f6b-4c59-9d0b-8f6a3f1d2e4c';

describe('a record that a device is creating', () => {
  test('F9: is held while it cannot be told from others, and is one record in the end', async () => {
    const ward = await createWard();
    const create = await ward.create(UUID, NEW);
    ward.patients.put('41', NEW);
    ward.patients.put('42', { note: 'other', route: '1' });
    await ward.rounds();
    expect(await ward.alive()).toEqual([]);
    expect(await ward.waiting(PATIENTS)).toEqual(['41', '42']);
    await ward.settle(create, '41', NEW);
    await ward.rounds();
    expect(await ward.alive()).toEqual([UUID, '42'].sort());
    expect(await ward.waiting(PATIENTS)).toEqual([]);
  });

  test('F9: holds what refers to it, which then names it by the id that its device gave', async () => {
    const ward = await createWard();
    const create = await ward.create(UUID, NEW);
    ward.patients.put('41', NEW);
    ward.visits.put('v1', { note: 'by default', route: '1', patient: '41' });
    ward.visits.put('v2', { note: 'of another', route: '1', patient: null });
    await ward.rounds();
    expect(await ward.seen('v1')).toBeNull();
    expect(await ward.seen('v2')).toMatchObject({ note: 'of another' });
    expect(await ward.waiting(VISITS)).toEqual(['v1']);
    await ward.settle(create, '41', NEW);
    await ward.rounds();
    expect(await ward.seen('v1')).toMatchObject({ patient: UUID });
    expect((await ward.clinic.record('v1')).body).toContain('"patient":"41"');
  });

  test('F9: parked, holds only what shows the same, and what refers to that', async () => {
    const ward = await createWard();
    const create = await ward.create(UUID, NEW);
    await ward.park(create);
    ward.patients.put('41', NEW);
    ward.patients.put('42', { note: 'other', route: '1' });
    ward.visits.put('v1', { note: 'maybe its', route: '1', patient: '41' });
    ward.visits.put('v2', { note: 'of nobody', route: '1', patient: '99' });
    await ward.rounds(3);
    expect(await ward.alive()).toEqual(['42']);
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    expect(await ward.waiting(VISITS)).toEqual(['v1']);
    expect(await ward.seen('v2')).toMatchObject({ patient: '99' });
    await ward.settle(create, '41', NEW);
    await ward.rounds();
    expect(await ward.alive()).toEqual([UUID, '42'].sort());
    expect(await ward.seen('v1')).toMatchObject({ patient: UUID });
  });

  test('F9: holds the flagged deletion of a key that nobody knows, since it may be its own', async () => {
    const ward = await createWard({ deletions: 'flag' });
    const create = await ward.create(UUID, NEW);
    ward.patients.put('41', NEW);
    ward.patients.flag('41');
    await ward.rounds();
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    await ward.settle(create, '41', NEW);
    await ward.rounds(3);
    expect(await ward.alive()).toEqual([]);
  });

  test('F9: under a key of its device’s making holds nobody else', async () => {
    const ward = await createWard({ createKey: 'device' });
    await ward.create(UUID, NEW);
    ward.patients.put(UUID, NEW);
    ward.patients.put('42', NEW);
    await ward.rounds();
    expect(await ward.alive()).toEqual(['42']);
    expect(await ward.waiting(PATIENTS)).toEqual([UUID]);
  });
});

describe('a reference', () => {
  test('R12: to a record that a device made goes out as the id that the device gave, and its own later state too', async () => {
    const ward = await createWard();
    await ward.settle(await ward.create(UUID, NEW), '41', NEW);
    ward.patients.put('41', NEW);
    ward.visits.put('v1', { note: 'first', route: '1', patient: '41' });
    await ward.rounds();
    expect(await ward.seen('v1')).toMatchObject({ patient: UUID, note: 'first' });
    ward.visits.put('v1', { note: 'second', route: '1', patient: '41' });
    await ward.rounds();
    expect(await ward.seen('v1')).toMatchObject({ patient: UUID, note: 'second' });
    const seq = (await ward.clinic.record('v1')).seq;
    await ward.rounds(2);
    expect((await ward.clinic.record('v1')).seq).toBe(seq);
  });
});

describe('a key that is seen again after its record was deleted', () => {
  async function deletedThenBack(facts: Parameters<typeof createToySource>[0]): Promise<Ward> {
    const ward = await createWard(facts);
    for (const key of ['1', '2', '3', '4', '41']) ward.patients.put(key, { note: `patient ${key}`, route: '1' });
    await ward.rounds();
    ward.patients.remove('41');
    ward.clinic.clock.advance(3_600_000);
    await ward.rounds(3);
    expect((await ward.patient('41')).deleted).toBe(true);
    ward.patients.put('41', { note: 'somebody else', route: '1' });
    ward.visits.put('v1', { note: 'of the new one', route: '1', patient: '41' });
    await ward.rounds(2);
    return ward;
  }

  test('F20: is another record with an id of its own, and the tombstone keeps its id', async () => {
    const ward = await deletedThenBack({ keysReused: true });
    expect(await ward.alive()).toEqual(['1', '2', '3', '4', '41~2']);
    expect(await ward.patient('41')).toMatchObject({ deleted: true, sourceKey: null });
    expect(await ward.patient('41~2')).toMatchObject({ deleted: false, sourceKey: '41' });
    expect(await ward.seen('v1')).toMatchObject({ patient: '41~2' });
    ward.patients.put('41', { note: 'moved', route: '1' });
    await ward.rounds();
    expect((await ward.patient('41~2')).body).toContain('moved');
  });

  test('F20: is counted on: the third record of a key is its third life', async () => {
    const ward = await deletedThenBack({ keysReused: true });
    ward.patients.remove('41');
    ward.clinic.clock.advance(3_600_000);
    await ward.rounds(3);
    ward.patients.put('41', { note: 'the third', route: '1' });
    await ward.rounds(2);
    expect(await ward.alive()).toContain('41~3');
  });

  test('F20: has its new id also when the tombstone gave its key up and the process died', async () => {
    const ward = await createWard();
    ward.patients.put('41', NEW);
    await ward.rounds();
    const { seq, mark, ...before } = await ward.patient('41');
    const gone = { ...layerOf(before), deleted: true, sourceKey: null, vis: null, pending: false, scopes: [] };
    await ward.clinic.world.write([
      { collection: PATIENTS, id: '41' as RecordId, expected: { seq, mark }, next: gone },
    ]);
    ward.patients.put('41', { note: 'somebody else', route: '1' });
    await ward.rounds(3);
    expect(await ward.alive()).toEqual(['41~2']);
    expect(await ward.waiting(PATIENTS)).toEqual([]);
  });

  test('F20: where keys are not reused, is the same record again, of which every field is new', async () => {
    const ward = await deletedThenBack({ keysReused: false });
    expect(await ward.alive()).toContain('41');
    const { stamps, seq } = await ward.patient('41');
    expect(stamps).toEqual({ '*': { seq, writer: 'source' } });
  });
});

describe('a source that lags behind its own writes', () => {
  async function written(readAfterWriteMs: number, wrap: (store: Store) => Store = (store) => store): Promise<Ward> {
    const ward = await createWard({ readAfterWriteMs }, { wrap });
    ward.patients.put('41', { note: 'before', route: '1' });
    await ward.rounds();
    const view = await ward.patient('41');
    const body = renderBody(ward.patients.collection, { note: 'ours', route: '1' });
    const layer = { ...layerOf(view), body, hash: hash(body), sourceVersion: 'ours', throughUs: true };
    const next = nextState(ward.patients.collection, layer, []);
    await ward.clinic.world.write([{ collection: PATIENTS, id: view.id, expected: view, next }]);
    return ward;
  }

  test('F30: is not believed about a record of ours until it shows our version or the time is over', async () => {
    const ward = await written(60_000);
    ward.patients.put('41', { note: 'an old copy', route: '1' });
    await ward.rounds(4);
    expect((await ward.patient('41')).body).toContain('ours');
    expect(await ward.waiting(PATIENTS)).toEqual(['41']);
    ward.clinic.clock.advance(60_000);
    await ward.rounds();
    expect((await ward.patient('41')).body).toContain('an old copy');
  });

  test('F30: is not believed either when what it showed in that time is taken in after it', async () => {
    let pauseMs = 0;
    const ward: Ward = await written(5_000, (store) => ({
      ...store,
      async readHashes(tenant, collection, keys) {
        if (pauseMs > 0) {
          ward.clinic.clock.advance(pauseMs);
          ward.patients.put('41', { note: 'ours', route: '1' });
        }
        pauseMs = 0;
        return store.readHashes(tenant, collection, keys);
      },
    }));
    ward.patients.put('41', { note: 'an old copy', route: '1' });
    const { seq } = await ward.patient('41');
    pauseMs = 10_000;
    await ward.clinic.poller.round(PATIENTS);
    expect(pauseMs).toBe(0);
    expect(await ward.patient('41')).toMatchObject({ seq, body: expect.stringContaining('ours') });
  });

  test('F30: does not prove by a 404 that a record of ours is gone, until the time is over', async () => {
    const ward = await written(7_200_000);
    ward.patients.put('42', { note: 'alive', route: '1' });
    ward.patients.remove('41');
    // More than one scan, but sooner after the write than the source is sure to show it.
    ward.clinic.clock.advance(3_600_000);
    await ward.rounds(3);
    expect((await ward.patient('41')).deleted).toBe(false);
    ward.clinic.clock.advance(7_200_000);
    await ward.rounds(3);
    expect((await ward.patient('41')).deleted).toBe(true);
  });

  test('F30: that does not lag is believed at once', async () => {
    const ward = await written(0);
    ward.patients.put('41', { note: 'a newer state', route: '1' });
    await ward.rounds();
    expect((await ward.patient('41')).body).toContain('a newer state');
  });
});
