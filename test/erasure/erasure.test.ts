import type { RecordId, SourceKey } from '../../src/core/change.js';
import { ERASED_BODY, NOTHING_ERASED } from '../../src/core/erasure-port.js';
import type { Session } from '../../src/core/session.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { createErasure, type Erasure } from '../../src/erasure/erasure.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, notes, type IngestingClinic } from '../ingest/ingesting-clinic.js';
import { createToySource, type ToySource } from '../ingest/toy-source.js';
import { createClinic, edit, removal, type Clinic } from '../push/pushing-clinic.js';
import type { ManualClock } from '../support/manual-clock.js';

const UUID = '2b1c6f0e-6f6b-4c59-9d0b-8f6a3f1d2e4c';

function erasureOf(
  ports: { readonly store: Store; readonly clock: ManualClock },
  sources: readonly Pick<SourceCollection, 'collection' | 'facts'>[],
  told: Partial<Pick<Parameters<typeof createErasure>[1], 'forgetPages' | 'revoked'>> = {},
): Erasure {
  const nobody = (): void => undefined;
  const keptFor = { retentionDays: 90, auditDays: 400 };
  return createErasure(ports, { sources, keptFor, forgetPages: nobody, revoked: nobody, ...told });
}

describe('a record that was erased', () => {
  async function ward(id: string): Promise<[IngestingClinic, ToySource, Erasure]> {
    const source = createToySource();
    const clinic = await createIngestingClinic([source]);
    source.put('a', { note: 'of Anna', route: '1' });
    source.put('b', { note: 'of another', route: '1' });
    if (id !== 'a') await clinic.world.show(id, ['route:1'], { sourceKey: 'a' as SourceKey });
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toEqual({ [id]: 'of Anna', b: 'of another' });
    return [clinic, source, erasureOf(clinic, [source])];
  }

  test.each([
    ['its key', 'a'],
    ['a device', UUID],
  ])('R15: whose id is of %s is brought back by nothing that was read before it was gone', async (_of, id) => {
    const [clinic, source, erasure] = await ward(id);
    source.put('a', { note: 'of Anna, later', route: '1' });
    // The source has made its answer; before that arrives the record is gone, and erased.
    source.sent = async () => {
      source.sent = () => undefined;
      source.remove('a');
      await clinic.world.lose(id);
      await clinic.world.show('unrelated', ['route:1']);
      expect(await erasure.eraseRecord(clinic.world.tenant, VISITS, id)).toMatchObject({ states: 1, keys: 1 });
    };
    await clinic.poller.round(VISITS);
    expect(await clinic.record(id)).toMatchObject({ deleted: true, body: ERASED_BODY, sourceKey: null });
    expect((await clinic.rechecks()).map(({ sourceKey }) => sourceKey)).toContain('a');
    clinic.clock.advance(6_000);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toMatchObject({ b: 'of another' });
    expect(JSON.stringify(await clinic.live())).not.toContain('Anna');
    expect(await clinic.rechecks()).toEqual([]);
  });

  test('F20: is not what its source shows under that key later: that is another record, with an id of its own', async () => {
    const [clinic, source, erasure] = await ward('a');
    source.remove('a');
    await clinic.world.lose('a');
    await erasure.eraseRecord(clinic.world.tenant, VISITS, 'a');
    source.put('a', { note: 'of Bert', route: '1' });
    await clinic.poller.round(VISITS);
    clinic.clock.advance(6_000);
    await clinic.poller.round(VISITS);
    expect(await notes(clinic)).toEqual({ b: 'of another', 'a~2': 'of Bert' });
    expect(await clinic.record('a')).toMatchObject({ deleted: true, body: ERASED_BODY });
  });
});

describe('pushes to a record that was erased', () => {
  let clinic: Clinic;
  let erasure: Erasure;
  const erase = () => erasure.eraseRecord(clinic.tenant, VISITS, 'V-1');
  const conflicts = () => clinic.store.readConflicts(clinic.tenant, null, 10);
  const route7: Session['grant'] = { kind: 'listed', scopes: ['route:7'] };

  async function open(declares: Parameters<typeof createClinic>[0] = {}): Promise<string> {
    clinic = await createClinic(declares);
    erasure = erasureOf(clinic, [clinic.source]);
    return clinic.visit('V-1');
  }
  async function lose(): Promise<void> {
    clinic.source.rows.delete('V-1');
    await clinic.observe('V-1');
  }

  test.each([
    ['in the common case', {}],
    ['where edits win over deletions', { declares: { deletedRecord: 'editWins' } } as const],
    ['where everybody sees everything', { declares: { deletedRecord: 'editWins', scopesOf: () => ['all'] } } as const],
  ])('are NOT_FOUND, keep nothing, and make it no record again: %s', async (_where, how) => {
    const version = await open(how);
    await lose();
    await erase();
    const writes = clinic.source.calls.length;
    for (const change of [edit('V-1', version, { note: 'Anna again' }), removal('V-1', version)]) {
      expect(await clinic.sendOne(change)).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
      const { known } = await clinic.store.readChanges({ ...clinic.session(), device: 'nurse-phone' }, [
        change.changeId,
      ]);
      expect(JSON.stringify(known)).not.toContain('Anna');
    }
    expect([clinic.source.calls.length, await conflicts()]).toEqual([writes, []]);
    expect(await clinic.view('V-1')).toMatchObject({ deleted: true, body: ERASED_BODY, intents: [] });
  });

  test('R7: that were made before are answered as they were, without words, also under another body', async () => {
    const version = await open({ policy: 'sourceWins' });
    clinic.source.edit('V-1', { note: 'office', status: 'OPEN', route: '7', number: 1 });
    await clinic.observe('V-1');
    const change = edit('V-1', version, { note: 'Anna' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'CONFLICT' });
    expect(await conflicts()).toHaveLength(1);
    await lose();
    expect(await erase()).toMatchObject({ answers: 1, keptEdits: 1 });
    const answer = { status: 'CONFLICT', error: { code: 'CONFLICT', message: 'what was wrong with it was erased' } };
    expect(await clinic.sendOne(change)).toMatchObject(answer);
    expect(await clinic.sendOne({ ...change, fields: { note: 'Bert' } })).toMatchObject(answer);
    expect(await conflicts()).toEqual([]);
  });

  test('R13: a create under its id is answered like any other taken id, and is not kept', async () => {
    await open();
    await clinic.visit(UUID);
    clinic.source.rows.delete(UUID);
    await clinic.observe(UUID);
    await erasure.eraseRecord(clinic.tenant, VISITS, UUID);
    const create = edit(UUID, null, { note: 'Anna', route: '7' });
    expect(await clinic.sendOne(create)).toMatchObject({ status: 'CONFLICT', error: { field: 'id' } });
    expect(await conflicts()).toEqual([]);
  });

  test('R4: its tombstone is still told to whoever could see it, and to nobody else', async () => {
    await open();
    await lose();
    await erase();
    const readCurrent = createReadCurrent({ store: clinic.store, collections: [clinic.source.collection] });
    const asked = [{ collection: VISITS, id: 'V-1' as RecordId }];
    expect(await readCurrent(clinic.session('nurse', route7), asked)).toMatchObject([{ kind: 'DELETE', json: null }]);
    const other: Session['grant'] = { kind: 'listed', scopes: ['route:8'] };
    expect(await readCurrent(clinic.session('nurse', other), asked)).toEqual([null]);
  });

  test('F30: none is erased while its source shows it, while a change of it is open, and while its source may lag behind our deletion', async () => {
    const version = await open({ facts: { readAfterWriteMs: 30_000 } });
    await expect(erase()).rejects.toMatchObject({
      code: 'STILL_THERE',
      message: expect.stringContaining('visits V-1'),
    });
    const release = clinic.source.hold();
    const change = removal('V-1', version);
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
    await expect(erase()).rejects.toMatchObject({ code: 'RECORD_BLOCKED', message: expect.stringMatching(/: \d+$/) });
    await expect(erasure.eraseUser(clinic.tenant, 'nurse')).rejects.toMatchObject({ code: 'RECORD_BLOCKED' });
    release();
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    await expect(erase()).rejects.toMatchObject({ code: 'RECORD_BLOCKED', message: expect.stringContaining('lag') });
    clinic.clock.advance(31_500);
    expect(await erase()).toMatchObject({ states: 1, keys: 1, answers: 1 });
  });
});

describe('what is told of an erasure', () => {
  test('what nobody knows is told from what was erased, and in a collection that never was it is a mistake', async () => {
    const clinic = await createClinic();
    const erasure = erasureOf(clinic, [clinic.source]);
    expect(await erasure.eraseRecord(clinic.tenant, VISITS, 'V-1')).toBeNull();
    await expect(erasure.eraseRecord(clinic.tenant, 'visit', 'V-1')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await erasure.eraseUser(clinic.tenant, 'nobody')).toEqual(NOTHING_ERASED);
  });

  test('a record of a collection that no source shows any more is erased although nobody said that it is gone', async () => {
    const clinic = await createClinic();
    await clinic.visit('V-1');
    const erasure = erasureOf(clinic, []);
    expect(await erasure.eraseRecord(clinic.tenant, VISITS, 'V-1')).toMatchObject({ states: 1, keys: 1 });
    expect(await clinic.view('V-1')).toMatchObject({ deleted: true, body: ERASED_BODY, scopes: ['route:7'] });
    expect(await erasure.eraseRecord(clinic.tenant, VISITS, 'V-1')).toEqual(NOTHING_ERASED);
  });

  test("pages that were read ahead are given to nobody, and a user's devices are sent away", async () => {
    const clinic = await createClinic();
    const told: string[] = [];
    const erasure = erasureOf(clinic, [clinic.source], {
      forgetPages: () => void told.push('pages'),
      revoked: ({ user, device }) => void told.push(`${user} ${device}`),
    });
    const version = await clinic.visit('V-1');
    await clinic.sendOne(edit('V-1', version, { note: 'hers' }));
    expect(await erasure.eraseUser(clinic.tenant, 'nurse')).toMatchObject({ devices: 1, answers: 1, marks: 1 });
    expect(told).toEqual(['nurse nurse-phone', 'pages']);
    clinic.source.rows.delete('V-1');
    await clinic.observe('V-1');
    await erasure.eraseRecord(clinic.tenant, VISITS, 'V-1');
    expect(told).toEqual(['nurse nurse-phone', 'pages', 'pages']);
  });

  test('R9: what an erased user wrote still conflicts with what others made before', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const erasure = erasureOf(clinic, [clinic.source]);
    const version = await clinic.visit('V-1');
    await clinic.sendOne(edit('V-1', version, { note: 'hers' }));
    await erasure.eraseUser(clinic.tenant, 'nurse');
    const later = edit('V-1', version, { note: 'of the dispatcher' });
    expect(await clinic.sendOne(later, clinic.session('dispatcher'))).toMatchObject({ status: 'CONFLICT' });
  });

  test('the operator is told until when the rest is kept', async () => {
    const { ofRecord, ofUser } = erasureOf(await createClinic(), []).remains;
    const text = (all: typeof ofRecord): string => all.map(({ what, until }) => `${what}: ${until}`).join('\n');
    for (const said of ['tombstone', '90 days', 'backups', 'VACUUM FULL', '400 days', 'logs']) {
      expect(text(ofRecord)).toContain(said);
    }
    for (const said of ['revoked', 'for ever', 'backups', 'VACUUM FULL', '400 days', 'sign in']) {
      expect(text(ofUser)).toContain(said);
    }
  });
});
