import { randomUUID } from 'node:crypto';
import type { Change } from '../../src/core/change.js';
import { fullShape } from '../../src/core/shape.js';
import type { Session } from '../../src/core/session.js';
import { createPull } from '../../src/pull/pull.js';
import { createClinic, edit, removal, turns, type Clinic } from './pushing-clinic.js';

/** A device that pulls: what it holds by id, and what came with the last pull. */
interface Phone {
  readonly held: ReadonlyMap<string, Change>;
  pull(): Promise<readonly Change[]>;
}

async function phone(clinic: Clinic, session: Session = clinic.session('doctor')): Promise<Phone> {
  const pull = await createPull({
    store: clinic.store,
    collections: [clinic.source.collection],
    readPriming: async (tenant) => ({ epoch: (await clinic.store.readHead(tenant)).epoch, priming: new Set() }),
  });
  const held = new Map<string, Change>();
  let since: string | null = null;
  return {
    held,
    async pull() {
      const page = await pull(session, { since, collections: null, limit: 1_000, shape: fullShape(['visits']) });
      since = page.checkpoint;
      const text = page.texts.map((part) => Buffer.from(part).toString('utf8')).join(',');
      const changes = JSON.parse(`[${text}]`) as readonly Change[];
      for (const change of changes) {
        if (change.kind === 'UPSERT') held.set(change.id, change);
        else held.delete(change.id);
      }
      return changes;
    },
  };
}

/** Pushes while the source is down. */
async function accepted(clinic: Clinic, ...changes: readonly ReturnType<typeof edit>[]): Promise<void> {
  clinic.source.isBroken = true;
  const results = await clinic.push.push(clinic.session(), changes, null);
  expect(results.map(({ status }) => status)).toEqual(changes.map(() => 'ACCEPTED'));
}

describe('overlays', () => {
  test('R10: what is accepted while the source is down is seen by others at once, marked pending', async () => {
    const clinic = await createClinic();
    const other = await phone(clinic);
    const version = await clinic.visit('17');
    await other.pull();
    await accepted(clinic, edit('17', version, { note: 'seen' }));
    expect(await other.pull()).toMatchObject([{ id: '17', pending: true, json: { note: 'seen', status: 'OPEN' } }]);
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    expect(await other.pull()).toMatchObject([{ id: '17', pending: false, json: { note: 'seen' } }]);
  });

  test('R10: the author sees its change in the first pull after it was ACCEPTED, and never loses sight of it', async () => {
    const clinic = await createClinic();
    const author = await phone(clinic, clinic.session());
    const version = await clinic.visit('17');
    await author.pull();
    const release = clinic.source.hold();
    const change = edit('17', version, { note: 'mine' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
    await author.pull();
    expect(author.held.get('17')).toMatchObject({ pending: true, json: { note: 'mine' } });
    // The back office moves another field meanwhile: what is masked stays masked.
    clinic.source.edit('17', { status: 'LATE' });
    await clinic.observe('17');
    await author.pull();
    release();
    await clinic.until(async () => (await clinic.fate(change.changeId)) !== 'ACCEPTED');
    await author.pull();
    expect(author.held.get('17')).toMatchObject({ pending: false, json: { note: 'mine' } });
  });

  test('R4: a new record that the source does not have yet is seen in its own scopes, and gone when it is refused', async () => {
    const clinic = await createClinic();
    const grant = (route: string) => ({ kind: 'listed', scopes: [`route:${route}`] }) as const;
    const [seven, eight] = [
      await phone(clinic, clinic.session('doctor', grant('7'))),
      await phone(clinic, clinic.session('driver', grant('8'))),
    ];
    const id = randomUUID();
    await accepted(clinic, edit(id, null, { note: 'new', route: '7' }));
    expect(await seven.pull()).toMatchObject([
      { id, kind: 'UPSERT', pending: true, json: { note: 'new', number: null } },
    ]);
    expect(await eight.pull()).toEqual([]);
    clinic.source.script.push('refuse');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view(id)).intents.length === 0);
    expect(await seven.pull()).toMatchObject([{ id, kind: 'DELETE', json: null }]);
    expect(await eight.pull()).toEqual([]);
  });

  test('R13: a new record that the source does not have yet is changed by whoever sees it, within its scopes', async () => {
    const clinic = await createClinic();
    const grant = { kind: 'listed', scopes: ['route:7'] } as const;
    const doctor = clinic.session('doctor', grant);
    const id = randomUUID();
    await accepted(clinic, edit(id, null, { note: 'new', route: '7' }));
    const baseVersion = await clinic.version(id);
    const [more, away] = [edit(id, baseVersion, { note: 'more' }), edit(id, baseVersion, { route: '8' })];
    expect(await clinic.push.push(doctor, [more, away], null)).toMatchObject([
      { status: 'ACCEPTED' },
      { status: 'REJECTED', error: { code: 'FORBIDDEN' } },
    ]);
  });

  test('R9: a refused create leaves its id free, for the corrected record', async () => {
    const clinic = await createClinic();
    const id = randomUUID();
    await accepted(clinic, edit(id, null, { note: 'new', route: '7' }));
    clinic.source.script.push('refuse');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view(id)).intents.length === 0);
    expect(await clinic.sendOne(edit(id, null, { note: 'better', route: '7' }))).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.view(id)).toMatchObject({ deleted: false, pending: false, vis: null });
  });

  test('F19: what was made on top of a create that the source refuses is NO_SUCH_RECORD', async () => {
    const clinic = await createClinic();
    const id = randomUUID();
    const [create, more] = [edit(id, null, { note: 'new', route: '7' }), edit(id, null, { note: 'more' })];
    await accepted(clinic, create, more);
    clinic.source.script.push('refuse');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view(id)).intents.length === 0);
    const { known } = await clinic.store.readChanges({ ...clinic.session(), device: 'nurse-phone' }, [more.changeId]);
    expect(known).toMatchObject([{ status: 'REJECTED', error: { code: 'NO_SUCH_RECORD' } }]);
    expect(clinic.source.journal).toEqual([]);
  });

  test('F3: a change that the source refuses falls, and others see the state of the source again', async () => {
    const clinic = await createClinic();
    const other = await phone(clinic);
    const version = await clinic.visit('17');
    await accepted(clinic, edit('17', version, { note: 'wrong' }), edit('17', version, { status: 'DONE' }));
    await other.pull();
    expect(other.held.get('17')).toMatchObject({ pending: true, json: { note: 'wrong', status: 'DONE' } });
    clinic.source.script.push('refuse', 'hang');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 1);
    await other.pull();
    expect(other.held.get('17')).toMatchObject({ pending: true, json: { note: 'as planned', status: 'DONE' } });
  });

  test('F3: who saw an overlay edits on top of it, and does not conflict with it when the source has taken it', async () => {
    const clinic = await createClinic();
    await accepted(clinic, edit('17', await clinic.visit('17'), { note: 'mine' }));
    const seen = await clinic.version('17');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    const over = edit('17', seen, { note: 'the doctor’s' });
    expect(await clinic.sendOne(over, clinic.session('doctor'))).toMatchObject({ status: 'APPLIED' });
  });

  test('F3: what a MERGED change did not send is new to everybody who saw its overlay', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    await accepted(clinic, edit('17', version, { note: 'mine', status: 'DONE' }));
    clinic.source.edit('17', { note: 'changed in the office' });
    const seen = await clinic.observe('17');
    // The doctor sees the nurse's note, and not the one of the office below it.
    expect(JSON.parse((await clinic.view('17')).vis ?? '')).toMatchObject({ note: 'mine' });
    const over = edit('17', seen, { note: 'the doctor’s' });
    expect(await clinic.push.push(clinic.session('doctor'), [over], null)).toMatchObject([{ status: 'ACCEPTED' }]);
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    expect(await clinic.fate(over.changeId, clinic.session('doctor'))).toBe('CONFLICT');
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'changed in the office', status: 'DONE' });
  });

  test('F3: a refused change does not make its device the writer of a field that it never saw', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17');
    await accepted(clinic, edit('17', version, { note: 'mine', status: 'DONE' }));
    clinic.source.edit('17', { note: 'changed in the office' });
    await clinic.observe('17');
    clinic.source.script.push('refuse');
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    expect(await clinic.sendOne(edit('17', version, { note: 'mine again' }))).toMatchObject({ status: 'CONFLICT' });
    expect(await clinic.sendOne(edit('17', version, { status: 'DONE' }))).toMatchObject({ status: 'APPLIED' });
  });

  test('F8: an open DELETE is no tombstone: others see the record, marked pending', async () => {
    const clinic = await createClinic();
    const other = await phone(clinic);
    const version = await clinic.visit('17');
    await accepted(clinic, removal('17', version));
    expect(await other.pull()).toMatchObject([
      { id: '17', kind: 'UPSERT', pending: true, json: { note: 'as planned' } },
    ]);
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    expect(await other.pull()).toMatchObject([{ id: '17', kind: 'DELETE' }]);
  });

  test('R4: an overlay moves no record between scopes: the state of the source decides who sees it', async () => {
    const clinic = await createClinic();
    const eight = await phone(clinic, clinic.session('driver', { kind: 'listed', scopes: ['route:8'] }));
    const version = await clinic.visit('17');
    await accepted(clinic, edit('17', version, { route: '8' }));
    expect(await eight.pull()).toEqual([]);
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    expect(await eight.pull()).toMatchObject([{ id: '17', json: { route: '8' } }]);
  });

  test('a collection that shows confirmed states only shows nothing before its source has said so', async () => {
    const clinic = await createClinic({ declares: { visibility: 'confirmed' } });
    const other = await phone(clinic);
    const version = await clinic.visit('17');
    await other.pull();
    await accepted(
      clinic,
      edit('17', version, { note: 'hidden' }),
      edit(randomUUID(), null, { note: 'x', route: '7' }),
    );
    clinic.clock.advance(60_000);
    await turns(30);
    expect(await other.pull()).toEqual([]);
    clinic.source.isBroken = false;
    await clinic.until(async () => (await clinic.view('17')).intents.length === 0);
    await other.pull();
    expect(other.held.get('17')).toMatchObject({ pending: false, json: { note: 'hidden' } });
  });
});
