import type { Seq, SourceKey } from '../../src/core/change.js';
import type { FieldDefinition } from '../../src/core/field.js';
import type { RecordMark } from '../../src/core/record-port.js';
import { staleReason } from '../../src/ingest/staleness.js';
import { PATIENTS, VISITS } from '../contract/store/world.js';
import { createIngestingClinic, type IngestingClinic } from './ingesting-clinic.js';
import { CLINIC_FACTS, createToySource, type ToySource } from './toy-source.js';

const PATIENT: FieldDefinition = {
  name: 'patient',
  type: 'reference',
  references: PATIENTS,
  list: false,
  required: false,
  writable: true,
};

/** Visits have the scopes of their patient, or those that a rule gives them. */
function visitsOf(patients: readonly string[], isVia = true): ToySource {
  const source = createToySource({ deletions: 'flag' }, { fields: [PATIENT] });
  patients.forEach((patient, at) => source.put(`v${at}`, { note: 'n', route: '1', patient }));
  const via = { field: 'patient', collection: PATIENTS };
  const scoped = isVia ? { scopesOf: () => [], via } : { scopesOf: () => ['route:1'] };
  return Object.assign(source, { collection: { ...source.collection, ...scoped } });
}

const scopesOf = async ({ world }: IngestingClinic, id: string): Promise<readonly string[]> =>
  (await world.view(id)).scopes;

describe('records that have their scopes from others', () => {
  test('are where their parents are, whichever was seen first', async () => {
    const source = visitsOf(['p1', 'p2']);
    const clinic = await createIngestingClinic([source]);
    await clinic.world.show('p1', ['a'], { collection: PATIENTS });
    await clinic.poller.round(VISITS);
    expect([await scopesOf(clinic, 'v0'), await scopesOf(clinic, 'v1')]).toEqual([['a'], []]);
    await clinic.world.show('p2', ['b'], { collection: PATIENTS });
    expect(await scopesOf(clinic, 'v1')).toEqual(['b']);
    source.put('v0', { note: 'n', route: '1', patient: 'p2' });
    await clinic.pass(5_000);
    await clinic.poller.round(VISITS);
    expect(await scopesOf(clinic, 'v0')).toEqual(['b']);
  });

  test('R15, R17: those that only went with their parent while a scan was under way are neither read again nor given a seq', async () => {
    const source = visitsOf(['p1', 'p1', 'p1', 'p1']);
    const clinic = await createIngestingClinic([source]);
    await clinic.world.show('p1', ['a'], { collection: PATIENTS });
    await clinic.poller.round(VISITS);
    await clinic.store.askScan(clinic.world.tenant, VISITS, null);
    let moved = 0;
    source.sent = async (call) => {
      if (call !== 'page' || moved > 0) return;
      await clinic.world.show('p1', ['b'], { collection: PATIENTS });
      moved = await clinic.world.head();
    };
    await clinic.poller.round(VISITS);
    expect(moved).toBeGreaterThan(0);
    expect(await clinic.rechecks()).toEqual([]);
    expect(source.calls).not.toContain('read');
    expect(await scopesOf(clinic, 'v0')).toEqual(['b']);
    expect(await clinic.world.head()).toBe(moved);
  });

  test('R15: an observation is stale by what changed in the record itself, not by where it went', () => {
    const mark = { seq: 20, ownSeq: 10, written: 0, inFlight: false } as unknown as RecordMark;
    const seenAt = (head: number) =>
      staleReason(CLINIC_FACTS, mark, { head: head as Seq, askedMs: 0 } as never, 0 as Seq);
    expect(seenAt(15)).toBeNull();
    expect(seenAt(9)).toBe('changed meanwhile');
  });

  test('R4: move to where another declaration has them, and not again when it is read once more', async () => {
    const before = visitsOf(['p1'], false);
    const clinic = await createIngestingClinic([before]);
    await clinic.world.show('p1', ['a'], { collection: PATIENTS });
    await clinic.poller.round(VISITS);
    expect(await scopesOf(clinic, 'v0')).toEqual(['route:1']);
    const declare = async (isVia: boolean): Promise<void> => {
      Object.assign(before, { collection: visitsOf([], isVia).collection });
      await clinic.store.askScan(clinic.world.tenant, VISITS, null);
      await clinic.pass(5_000);
      await clinic.poller.round(VISITS);
    };
    await declare(true);
    expect(await scopesOf(clinic, 'v0')).toEqual(['a']);
    const head = await clinic.world.head();
    await declare(true);
    expect(await clinic.world.head()).toBe(head);
    await declare(false);
    expect(await scopesOf(clinic, 'v0')).toEqual(['route:1']);
    const keys = ['v0' as SourceKey];
    const marks = await clinic.store.readHashes(clinic.world.tenant, VISITS, keys);
    expect(marks.get('v0' as SourceKey)?.via).toBeNull();
  });
});
