import { randomUUID } from 'node:crypto';
import type { Fields, RecordId, SourceKey } from '../../src/core/change.js';
import { renderBody } from '../../src/core/collection.js';
import { layerOf, nextState, visibleFields } from '../../src/core/overlay.js';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import type { RecordView } from '../../src/core/record-port.js';
import { PATIENTS, settled, VISITS } from '../contract/store/world.js';
import { createIngestingClinic, hash, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, type ToySource } from './toy-source.js';

const PATIENT_OF = {
  name: 'patient',
  type: 'reference',
  references: PATIENTS,
  list: false,
  required: false,
  writable: true,
} as const;

interface Ward {
  readonly clinic: IngestingClinic;
  readonly patients: ToySource;
  readonly visits: ToySource;
  /** A device's create of a patient is on its way: SENT. */
  create(id: string, fields: Fields): Promise<LeasedIntent>;
  /** The source says under which key it has it. */
  settle(intent: LeasedIntent, key: string, fields: Fields): Promise<void>;
  park(intent: LeasedIntent): Promise<void>;
  patient(id: string): Promise<RecordView>;
  /** Ids of living patients. */
  alive(): Promise<readonly string[]>;
  /** What devices see of a visit. */
  seen(id: string): Promise<Fields | null>;
  waiting(collection: string): Promise<readonly string[]>;
  /** Rounds of both collections, with time for rechecks between them. */
  rounds(count?: number): Promise<void>;
}

async function createWard(facts: Parameters<typeof createToySource>[0] = {}): Promise<Ward> {
  const patients = createToySource({ createKey: 'source', ...facts }, { name: PATIENTS });
  const visits = createToySource({ keysReused: false }, { fields: [PATIENT_OF] });
  const clinic = await createIngestingClinic([patients, visits]);
  const { store, world } = clinic;
  const { tenant, nurse } = world;
  const patient: Ward['patient'] = (id) => world.view(id, PATIENTS);
  const nameOf = ({ id, seq, mark }: RecordView) => ({ collection: PATIENTS, id, expected: { seq, mark } });
  const ward: Ward = {
    clinic,
    patients,
    visits,
    patient,
    async create(id, fields) {
      const changeId = randomUUID();
      const intent = {
        kind: 'UPSERT',
        fields: JSON.stringify(fields),
        baseSeq: 0 as LeasedIntent['baseSeq'],
        editedAtMs: 1,
        lease: { holder: 'node 1', leaseMs: 60_000 },
        waitsFor: null,
        isShown: false,
      } as const;
      const acceptance = { device: nurse, changeId, bodyHash: changeId, intent };
      await world.write([{ ...nameOf(await patient(id)), acceptance }]);
      const view = await patient(id);
      const open = view.intents.at(-1) as LeasedIntent;
      const note = { intentNo: open.intentNo, fence: 1, payload: '{}', guard: null, deadlineMs: 60_000 };
      expect(await store.noteSent(tenant, [{ ...nameOf(view), ...note }])).toEqual(['sent']);
      return { ...open, tenant, fence: 1, sinceDeadlineMs: null };
    },
    async settle(intent, key, fields) {
      const view = await patient(intent.id);
      const body = renderBody(patients.collection, fields);
      const layer = { ...layerOf(view), sourceKey: key as SourceKey, body, hash: hash(body), throughUs: true };
      const next = nextState(patients.collection, layer, []);
      await world.write([{ ...nameOf(view), next, settlement: settled(nurse, intent.changeId, { intent }) }]);
    },
    async park(intent) {
      const settlement = settled(nurse, intent.changeId, { intent, status: 'PARKED', inEffect: false });
      await world.write([{ ...nameOf(await patient(intent.id)), settlement }]);
    },
    async alive() {
      const { head } = await store.readHead(tenant);
      const keys = await store.knownKeys(tenant, PATIENTS, head, null, 100);
      const views = await store.readBySourceKey(tenant, PATIENTS, keys);
      return [...views.values()].map((view) => view.id).sort();
    },
    seen: async (id) => visibleFields(await world.view(id)),
    async waiting(collection) {
      const rechecks = await store.dueRechecks(tenant, collection, Number.MAX_SAFE_INTEGER, 100);
      return rechecks.map((recheck) => recheck.sourceKey);
    },
    async rounds(count = 1) {
      for (let round = 0; round < count; round++) {
        await clinic.poller.round(PATIENTS);
        await clinic.poller.round(VISITS);
        clinic.clock.advance(5_000);
      }
    },
  };
  return ward;
}

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
  async function written(readAfterWriteMs: number): Promise<Ward> {
    const ward = await createWard({ readAfterWriteMs });
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
