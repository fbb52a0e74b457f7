import { randomUUID } from 'node:crypto';
import { postmasterOf, untilGone } from '../support/gateway-process.js';
import { listenForHints, type HintListener } from '../support/hint-listener.js';
import { createSyncDevice, type Fate, type PushedEdit, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';
import { startDemoClinic, type DemoClinic, type Row } from './demo-clinic.js';

/** Poll interval of visits (2 s) and supplies (3 s), and what a busy machine adds. */
const HINTED_WITHIN_MS = 30_000;
/** Scan interval of visits (30 s), the confirming reads behind it, and what a busy machine adds. */
const SCANNED_WITHIN_MS = 60_000;
const REST_COLLECTIONS = ['places', 'routes', 'staff', 'patients', 'visits'];

let clinic: DemoClinic;
let nurse: SyncDevice;
let office: SyncDevice;
let officeHints: HintListener;
/** Visits that are still to come, from the last one: the nurse's offline edits and the office's each take their own. */
let planned: string[];
const newVisit = randomUUID();

beforeAll(async () => {
  clinic = await startDemoClinic();
  nurse = createSyncDevice('nurse-phone', () => clinic.url);
  office = createSyncDevice('office-tablet', () => clinic.url);
  const visits = await clinic.list('visits');
  planned = visits.filter(({ status }) => status === 'planned').map(({ id }) => String(id));
});

afterAll(async () => {
  await officeHints.stop();
  await clinic.end();
  clinic.removeFiles();
});

/** The next visit that nobody has touched yet. */
function nextVisit(): string {
  const id = planned.pop();
  if (id === undefined) throw new Error('expected a planned visit that is left');
  return id;
}

function editOf(
  device: SyncDevice,
  collection: string,
  id: string,
  fields: object,
  changeId = randomUUID(),
): PushedEdit {
  const changedAt = new Date().toISOString();
  return { changeId, collection, id, baseVersion: device.held(collection, id).version, changedAt, json: fields };
}

async function pushOne(device: SyncDevice, edit: PushedEdit): Promise<Fate> {
  const [fate] = await device.push([edit]);
  if (fate === undefined) throw new Error(`expected the fate of ${edit.changeId}`);
  return fate;
}

function idsOf(device: SyncDevice, collection: string): readonly string[] {
  return [...device.records.keys()].flatMap((key) =>
    key.startsWith(`${collection} `) ? [key.split(' ')[1] ?? ''] : [],
  );
}

test('R1: a new phone pulls page by page to the end and holds every record of both systems', async () => {
  const changes = await nurse.pull(500);
  expect(new Set(changes.map(({ collection, id }) => `${collection} ${id}`)).size).toBe(changes.length);
  for (const collection of REST_COLLECTIONS) {
    const rows = await clinic.list(collection);
    expect(idsOf(nurse, collection).toSorted()).toEqual(rows.map(({ id }) => String(id)).toSorted());
  }
  const supplies = await clinic.supplies();
  expect(idsOf(nurse, 'supplies').toSorted()).toEqual(supplies.map(({ sku }) => String(sku)).toSorted());
  expect((await nurse.page(1)).complete).toBe(true);
  await office.pull();
});

describe('what a nurse did offline', () => {
  let edits: readonly PushedEdit[];
  let fates: readonly Fate[];
  let visit: string;
  let cancelled: string;
  const sku = 'WND-001';

  beforeAll(() => {
    visit = nextVisit();
    cancelled = nextVisit();
    const changedAt = new Date().toISOString();
    const { json } = nurse.held('visits', visit);
    const { version } = nurse.held('supplies', sku);
    edits = [
      editOf(nurse, 'visits', visit, {
        status: 'done',
        notes: 'Wound is dry.',
        vitals: { pulse: 71, pressure: [128, 82] },
      }),
      {
        changeId: randomUUID(),
        collection: 'supplies',
        id: sku,
        baseVersion: version,
        changedAt,
        record: { supplies: { quantity: 40 } },
      },
      {
        changeId: randomUUID(),
        collection: 'visits',
        id: newVisit,
        changedAt,
        json: {
          patientId: json['patientId'],
          routeId: json['routeId'],
          kind: 'woundCare',
          status: 'planned',
          plannedAt: '2027-01-11T09:30:00.000Z',
          durationMinutes: 30,
          price: '38.50',
        },
      },
      {
        changeId: randomUUID(),
        collection: 'visits',
        id: cancelled,
        kind: 'DELETE',
        baseVersion: nurse.held('visits', cancelled).version,
        changedAt,
      },
    ];
  });

  test('R8, R10: is applied when she pushes it', async () => {
    fates = await nurse.push(edits);
    expect(fates.map(({ status, error }) => ({ status, error }))).toEqual(
      edits.map(() => ({ status: 'APPLIED', error: null })),
    );
  });

  test('R12: is in the systems themselves, a new visit under the id that her phone made', async () => {
    expect(await clinic.row('visits', visit)).toMatchObject({
      status: 'done',
      notes: 'Wound is dry.',
      vitals: { pulse: 71, pressure: [128, 82] },
    });
    expect(await clinic.supply(sku)).toMatchObject({ quantity: '40' });
    expect(await clinic.row('visits', newVisit)).toMatchObject({ price: '38.50', durationMinutes: 30, version: 1 });
    expect(await clinic.row('visits', cancelled)).toBeNull();
  });

  test('R7: has no second effect when she pushes it again, and gets the same answers', async () => {
    const versions = async (): Promise<readonly unknown[]> => [
      (await clinic.row('visits', visit))?.['version'],
      (await clinic.supply(sku))['version'],
      (await clinic.row('visits', newVisit))?.['version'],
      (await clinic.list('visits')).length,
    ];
    const before = await versions();
    expect(await nurse.push(edits)).toEqual(fates);
    expect(await versions()).toEqual(before);
  });

  test('R5: comes back to her as her own, and to the office as a change', async () => {
    const [hers, theirs] = [await nurse.pull(), await office.pull()];
    const names = (changes: typeof hers): readonly string[] =>
      changes.map(({ id, kind }) => `${id} ${kind}`).toSorted();
    expect(names(hers)).toEqual(
      [`${sku} UPSERT`, `${visit} UPSERT`, `${newVisit} UPSERT`, `${cancelled} DELETE`].toSorted(),
    );
    expect(names(theirs)).toEqual(names(hers));
    expect(hers.flatMap(({ mine }) => mine).toSorted()).toEqual(edits.map(({ changeId }) => changeId).toSorted());
    expect(theirs.flatMap(({ mine }) => mine)).toEqual([]);
    expect(office.held('visits', newVisit).json).toMatchObject({
      price: '38.50',
      plannedAt: '2027-01-11T09:30:00.000Z',
    });
  });
});

describe('what the systems’ own people do', () => {
  beforeAll(async () => {
    officeHints = listenForHints(clinic.url, 'office-tablet');
    // Nothing tells a client that it is subscribed: the first hint that it hears does.
    await until('the office hears hints', async () => {
      await clinic.edit('visits', newVisit, { durationMinutes: 35 });
      return officeHints.take().length > 0;
    });
    await until('the office holds what it was hinted of', async () => {
      await office.pull();
      const row = await clinic.row('visits', newVisit);
      return office.held('visits', newVisit).json['updatedAt'] === row?.['updatedAt'];
    });
    officeHints.take();
  });

  test('R18: in the REST system is hinted within its poll interval, and the delta is exactly that record', async () => {
    const id = nextVisit();
    await clinic.edit('visits', id, { notes: 'Ring twice.' });
    await officeHints.untilHinted('visits', HINTED_WITHIN_MS);
    const delta = await office.pull();
    expect(delta).toMatchObject([
      { collection: 'visits', id, kind: 'UPSERT', mine: [], json: { notes: 'Ring twice.' } },
    ]);
  });

  test('R18: in the SOAP system likewise', async () => {
    await clinic.editSupply('WND-002', { quantity: '77' });
    await officeHints.untilHinted('supplies', HINTED_WITHIN_MS);
    const delta = await office.pull();
    expect(delta).toMatchObject([{ collection: 'supplies', id: 'WND-002', kind: 'UPSERT', json: { quantity: 77 } }]);
  });

  test('R14: a deletion is a DELETE by the next scan, and nothing else is', async () => {
    const id = nextVisit();
    await clinic.remove('visits', id);
    await officeHints.untilHinted('visits', SCANNED_WITHIN_MS);
    expect(await office.pull()).toMatchObject([{ collection: 'visits', id, kind: 'DELETE', json: null }]);
  });
});

describe('what cannot be done as it was pushed', () => {
  test('R8: a change that the REST system refuses names our field, and the next one is applied', async () => {
    await nurse.pull();
    const [wrong, right] = [nextVisit(), nextVisit()];
    const fates = await nurse.push([
      editOf(nurse, 'visits', wrong, { durationMinutes: 4 }),
      editOf(nurse, 'visits', right, { notes: 'Dog in the yard.' }),
    ]);
    expect(fates).toMatchObject([
      { status: 'REJECTED', error: { code: 'SOURCE_REFUSED', field: 'durationMinutes' } },
      { status: 'APPLIED', error: null },
    ]);
  });

  test('R8: a change that the SOAP system refuses names our field', async () => {
    expect(await pushOne(nurse, editOf(nurse, 'supplies', 'WND-003', { quantity: -1 }))).toMatchObject({
      status: 'REJECTED',
      error: { code: 'SOURCE_REFUSED', field: 'quantity' },
    });
  });

  test('R9: an edit from a stale version is merged field by field where the policy is mergeFields', async () => {
    const id = nextVisit();
    const stale = editOf(nurse, 'visits', id, { notes: 'From the phone.', durationMinutes: 55 });
    await clinic.edit('visits', id, { notes: 'From the office.' });
    expect(await pushOne(nurse, stale)).toMatchObject({ status: 'MERGED' });
    expect(await clinic.row('visits', id)).toMatchObject({ notes: 'From the office.', durationMinutes: 55 });
  });

  test('R9: and is a conflict where the source wins, with the record as it stands', async () => {
    const stale = editOf(nurse, 'supplies', 'WND-004', { quantity: 3 });
    await clinic.editSupply('WND-004', { quantity: '12' });
    expect(await pushOne(nurse, stale)).toMatchObject({
      status: 'CONFLICT',
      error: { code: 'CONFLICT' },
      change: { json: { quantity: 12 } },
    });
    expect(await clinic.supply('WND-004')).toMatchObject({ quantity: '12' });
  });
});

test('R3: after kill -9 of everything it starts again, and the phone goes on from its old checkpoint', async () => {
  await nurse.pull();
  const edit = editOf(nurse, 'visits', nextVisit(), { notes: 'Written while it was down.' });
  await officeHints.stop();
  await clinic.killAndStart();
  expect(await pushOne(nurse, edit)).toMatchObject({ status: 'APPLIED' });
  expect((await nurse.pull()).map(({ id, mine }) => ({ id, mine }))).toEqual([{ id: edit.id, mine: [edit.changeId] }]);
  expect(nurse.resets).toBe(0);
  const rows = new Map((await clinic.list('visits')).map((row): [string, Row] => [String(row['id']), row]));
  expect(idsOf(nurse, 'visits').toSorted()).toEqual([...rows.keys()].toSorted());
  expect(rows.get(edit.id)).toMatchObject({ notes: 'Written while it was down.' });
});

test('SIGTERM ends it in order, with 0, and its Postgres with it', async () => {
  const server = postmasterOf(clinic.dataFolder) ?? 0;
  expect(await clinic.end()).toBe(0);
  await untilGone(server);
});
