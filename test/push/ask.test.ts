import type { KeptEdit } from '../../src/core/intent.js';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import { createReferenceMap } from '../../src/core/reference-map.js';
import { createFates } from '../../src/push/fates.js';
import { refuseFollowers } from '../../src/push/followers.js';
import { createClinic, edit, PATIENCE_MS, removal, type Clinic } from './pushing-clinic.js';

/** The kept edits of a clinic's conflicts, by change id. */
async function kept(clinic: Clinic): Promise<ReadonlyMap<string, KeptEdit>> {
  const conflicts = await clinic.store.readConflicts(clinic.tenant, null, 100);
  return new Map(conflicts.map((one) => [one.changeId, JSON.parse(one.kept) as KeptEdit]));
}

describe('ask', () => {
  test('F19: what a device pushed on top of a conflicting change, in the same push, is handed back with it', async () => {
    const clinic = await createClinic({ policy: 'ask' });
    const version = await clinic.visit('17');
    clinic.source.edit('17', { note: 'changed in the office' });
    await clinic.observe('17');
    const [first, second] = [edit('17', version, { note: 'mine' }), edit('17', version, { status: 'DONE' })];
    expect(await clinic.send([first, second])).toMatchObject([
      { status: 'CONFLICT', blockedBy: null, error: { field: 'note' } },
      { status: 'CONFLICT', blockedBy: first.changeId },
    ]);
    expect(clinic.source.calls).toEqual([]);
    expect(await clinic.send([first, second])).toMatchObject([{ status: 'CONFLICT' }, { status: 'CONFLICT' }]);
  });

  test('F19: a conflict that is found when the call is made takes the open changes of its device with it, and no others', async () => {
    const clinic = await createClinic({ policy: 'ask' });
    const version = await clinic.visit('17');
    clinic.source.isBroken = true;
    const [first, second] = [edit('17', version, { note: 'mine' }), edit('17', version, { status: 'DONE' })];
    const doctors = edit('17', version, { route: '8' });
    await clinic.push.push(clinic.session(), [first, second], null);
    await clinic.push.push(clinic.session('doctor'), [doctors], null);
    clinic.source.edit('17', { note: 'changed in the office' });
    await clinic.observe('17');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    expect(await clinic.fate(first.changeId)).toBe('CONFLICT');
    expect(await clinic.fate(second.changeId)).toBe('CONFLICT');
    expect(await clinic.fate(doctors.changeId, clinic.session('doctor'))).toBe('APPLIED');
    const { known } = await clinic.store.readChanges({ ...clinic.session(), device: 'nurse-phone' }, [second.changeId]);
    expect(known).toMatchObject([{ blockedBy: first.changeId }]);
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({
      note: 'changed in the office',
      route: '8',
      status: 'OPEN',
    });
  });

  test('F19: what falls with a change is told at once, with what it fell with, and not waited for', async () => {
    const clinic = await createClinic({ policy: 'ask' });
    const version = await clinic.visit('17');
    // Nobody has read it yet.
    clinic.source.edit('17', { status: 'UNDERWAY' });
    const begunMs = clinic.clock.nowMs();
    const changes = [
      edit('17', version, { note: 'mine' }),
      edit('17', version, { status: 'DONE' }),
      removal('17', version),
    ] as const;
    expect(await clinic.send(changes)).toMatchObject([
      { status: 'APPLIED' },
      { status: 'CONFLICT', blockedBy: null },
      { status: 'CONFLICT', blockedBy: changes[1].changeId },
    ]);
    expect(clinic.clock.nowMs() - begunMs).toBeLessThan(PATIENCE_MS);
  });

  test('F13, F19: one that is another process’s by now takes nothing with it', async () => {
    const clinic = await createClinic({ policy: 'ask', isStarted: false });
    const { store, tenant } = clinic;
    const version = await clinic.visit('17');
    clinic.source.isBroken = true;
    const changes = [edit('17', version, { note: 'mine' }), edit('17', version, { status: 'DONE' })] as const;
    await clinic.push.push(clinic.session(), changes, null);
    const lease = (holder: string) =>
      store.leaseIntents({ tenant, collections: ['visits'], holder, leaseMs: 1_000, limit: 1 });
    const [intent] = (await lease('stood still')) as [LeasedIntent];
    const seen = await clinic.view('17');
    clinic.clock.advance(1_000);
    await lease('another');
    clinic.source.edit('17', { route: '8' });
    await clinic.observe('17');
    const references = createReferenceMap(store, [clinic.source]);
    const fates = createFates(clinic.clock);
    const now = await refuseFollowers({ store, references, fates }, clinic.source.collection, intent, seen);
    expect(now).toEqual(await clinic.view('17'));
    expect(now.intents.map(({ changeId }) => changeId)).toEqual(changes.map(({ changeId }) => changeId));
  });

  test('F19: under every other policy the changes of a lane are decided each by itself', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const version = await clinic.visit('17');
    clinic.source.edit('17', { note: 'changed in the office' });
    await clinic.observe('17');
    const changes = [edit('17', version, { note: 'mine' }), edit('17', version, { status: 'DONE' })];
    expect(await clinic.send(changes)).toMatchObject([{ status: 'CONFLICT' }, { status: 'APPLIED' }]);
  });

  test('F19: a refused edit is kept with the fields in which it conflicts, decided at accept or at the call', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const version = await clinic.visit('17');
    clinic.source.isBroken = true;
    const late = edit('17', version, { note: 'mine', status: 'DONE' });
    await clinic.push.push(clinic.session(), [late], null);
    clinic.source.edit('17', { note: 'changed in the office' });
    await clinic.observe('17');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    const atOnce = edit('17', version, { note: 'again' });
    expect(await clinic.sendOne(atOnce)).toMatchObject({ status: 'CONFLICT' });
    const edits = await kept(clinic);
    expect(edits.get(late.changeId)).toMatchObject({ fields: { note: 'mine', status: 'DONE' }, conflicting: ['note'] });
    expect(edits.get(atOnce.changeId)).toMatchObject({
      kind: 'UPSERT',
      fields: { note: 'again' },
      conflicting: ['note'],
    });
    expect(edits.get(atOnce.changeId)?.baseSeq).toBe(Number(version.split('.')[1]));
  });
});

describe('a record that is gone at its source', () => {
  test('stays gone where deletions win, and the edit is kept', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    const change = edit('17', version, { note: 'mine' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'CONFLICT' });
    expect((await kept(clinic)).get(change.changeId)).toMatchObject({ fields: { note: 'mine' } });
  });

  test('is made again with the edit laid over its last state where edits win', async () => {
    const clinic = await createClinic({ declares: { deletedRecord: 'editWins' } });
    const version = await clinic.visit('17');
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    expect(await clinic.sendOne(edit('17', version, { note: 'mine' }))).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.calls).toMatchObject([{ kind: 'create', sourceKey: '17' }]);
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'mine', status: 'OPEN', route: '7' });
    expect(await clinic.view('17')).toMatchObject({ deleted: false, intents: [] });
  });

  test('R9: brings back what its author had not seen, and the author’s next edit of that conflicts', async () => {
    const clinic = await createClinic({ policy: 'mergeFields', declares: { deletedRecord: 'editWins' } });
    const version = await clinic.visit('17');
    clinic.source.edit('17', { status: 'DONE' });
    await clinic.observe('17');
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    expect(await clinic.sendOne(edit('17', version, { note: 'mine' }))).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.sendOne(edit('17', version, { note: 'more', status: 'OPEN' }))).toMatchObject({
      status: 'MERGED',
    });
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'more', status: 'DONE' });
  });

  test('R12: gets the key under which the source makes it again, never the one that it had', async () => {
    const clinic = await createClinic({ declares: { deletedRecord: 'editWins' }, facts: { createKey: 'source' } });
    const version = await clinic.visit('17');
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    clinic.source.script.push('applySilently');
    const change = edit('17', version, { note: 'mine' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'PARKED' });
    expect(clinic.source.calls).toMatchObject([{ kind: 'create', sourceKey: null }]);
    expect(await clinic.view('17')).toMatchObject({ deleted: true });
  });

  test('stays gone where edits win and the change is a deletion', async () => {
    const clinic = await createClinic({ declares: { deletedRecord: 'editWins' } });
    const version = await clinic.visit('17');
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    expect(await clinic.sendOne(removal('17', version))).toMatchObject({ status: 'CONFLICT' });
    expect(clinic.source.calls).toEqual([]);
  });
});
