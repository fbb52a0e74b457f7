import { randomUUID } from 'node:crypto';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';
import { startDemoClinic, type DemoClinic } from './demo-clinic.js';

/** Poll interval of visits (2 s), and what a busy machine adds. */
const MOVED_WITHIN_MS = 30_000;

let clinic: DemoClinic;
let nadia: SyncDevice;
let omar: SyncDevice;

beforeAll(async () => {
  clinic = await startDemoClinic();
  nadia = createSyncDevice('nadias-phone', () => clinic.url, null, 'nadia');
  omar = createSyncDevice('omars-phone', () => clinic.url, null, 'omar');
});

afterAll(async () => {
  await clinic.end();
  clinic.removeFiles();
});

function visitsOf(device: SyncDevice): readonly string[] {
  return [...device.records.keys()]
    .filter((key) => key.startsWith('visits '))
    .map((key) => key.slice('visits '.length));
}

async function visitsOn(route: string): Promise<readonly string[]> {
  const rows = await clinic.list('visits');
  return rows.filter(({ routeId }) => routeId === route).map(({ id }) => String(id));
}

test('R4: two nurses hold the visits of their own routes, and what belongs to everybody', async () => {
  for (const [device, route] of [
    [nadia, 'R-01'],
    [omar, 'R-02'],
  ] as const) {
    await device.pull();
    expect([...visitsOf(device)].sort()).toEqual([...(await visitsOn(route))].sort());
    expect(visitsOf(device).length).toBeGreaterThan(50);
    expect(device.records.has('staff S-001')).toBe(true);
  }
});

test('R4: a visit that the clinic gives to the other route leaves one phone and comes to the other', async () => {
  const [visit = ''] = visitsOf(nadia);
  await clinic.edit('visits', visit, { routeId: 'R-02' });
  await until('the visit moves', () => omar.pull().then(() => omar.records.has(`visits ${visit}`)), MOVED_WITHIN_MS);
  const changes = await nadia.pull();
  expect(changes.find(({ id }) => id === visit)).toMatchObject({ kind: 'REVOKE', json: null });
  expect(visitsOf(nadia)).not.toContain(visit);
  expect(omar.held('visits', visit).json).toMatchObject({ routeId: 'R-02' });
});

test('R13: an edit of a visit that moved meanwhile does not reach it, and its author is told as of a record that nobody has', async () => {
  const [visit = ''] = visitsOf(nadia);
  const { version } = nadia.held('visits', visit);
  const edit = (id: string, baseVersion: string) => ({
    changeId: randomUUID(),
    collection: 'visits',
    id,
    kind: 'UPSERT',
    baseVersion,
    changedAt: new Date().toISOString(),
    json: { notes: 'The key is with the neighbour' },
  });
  await clinic.edit('visits', visit, { routeId: 'R-02' });
  await until('the visit moves', () => omar.pull().then(() => omar.records.has(`visits ${visit}`)), MOVED_WITHIN_MS);
  const [moved, unknown] = await nadia.push([edit(visit, version), edit('V-99999', version)]);
  const named = (fate: typeof moved, id: string): string => JSON.stringify(fate).replaceAll(id, 'ID');
  expect(moved?.error?.code).toBeDefined();
  expect({ status: moved?.status, code: moved?.error?.code }).toEqual({
    status: unknown?.status,
    code: unknown?.error?.code,
  });
  expect(named({ ...moved, changeId: '' } as typeof moved, visit)).toBe(
    named({ ...unknown, changeId: '' } as typeof moved, 'V-99999'),
  );
  expect(await clinic.row('visits', visit)).not.toMatchObject({ notes: 'The key is with the neighbour' });
});
