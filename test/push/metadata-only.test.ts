import type { Fields, RecordId } from '../../src/core/change.js';
import { POLICIES } from '../../src/core/collection.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import { bodyText } from '../../src/push/pushed-change.js';
import { hashText } from '../../src/server/telemetry.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { createManualClock } from '../support/manual-clock.js';
import fc from '../support/properties.js';
import { seededChance } from '../support/seeded-chance.js';
import { createClinic, edit, removal, type Clinic } from './pushing-clinic.js';
import type { Behaviour } from './scripted-source.js';

const READABLE: Partial<SourceFacts> = { maxRequestLifetimeMs: 1_000 };

test('F29: what is sealed in the store is open for its delivery, and gone when it is settled', async () => {
  const clock = createManualClock();
  const store = createMemoryStore({ clock, chance: seededChance(1) });
  const clinic = await createClinic({ isBare: true, store, clock });
  const version = await clinic.visit('17');
  const release = clinic.source.hold();
  const answer = clinic.send([edit('17', version, { note: 'a diagnosis' })]);
  await clinic.until(() => clinic.source.calls.length === 1);
  const raw = async (): Promise<string> =>
    JSON.stringify(await store.readRecords(clinic.tenant, [{ collection: 'visits', id: '17' as RecordId }]));
  expect(await raw()).toMatch(/"fields":"{\\"\$sealed\\":\\"k1\.[\w-]+\\",/);
  expect(await raw()).toMatch(/"payload":"{\\"kind\\":\\"update\\",\\"\$sealed\\":/);
  expect(await raw()).not.toContain('diagnosis');
  release();
  expect((await answer)[0]).toMatchObject({ status: 'APPLIED' });
  expect(await raw()).not.toMatch(/sealed|diagnosis/);
  expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'a diagnosis' });
});

test('F29: a repeat is told from another change by a keyed hash, and a refused edit is not kept', async () => {
  const clinic = await createClinic({ isBare: true, policy: 'sourceWins' });
  const version = await clinic.visit('17');
  const mine = edit('17', version, { note: 'mine' });
  expect(await clinic.sendOne(mine)).toMatchObject({ status: 'APPLIED' });
  expect(await clinic.sendOne(mine)).toMatchObject({ status: 'APPLIED' });
  const nurse = { ...clinic.session(), device: 'nurse-phone' };
  const [kept] = (await clinic.store.readChanges(nurse, [mine.changeId])).known;
  expect(kept?.bodyHash).not.toBe(hashText(bodyText(mine)));
  const other = { ...mine, fields: { note: 'other' } };
  expect(await clinic.sendOne(other)).toMatchObject({ error: { code: 'KEY_REUSED' } });
  const theirs = edit('17', version, { note: 'theirs' });
  expect(await clinic.sendOne(theirs, clinic.session('doctor'))).toMatchObject({ status: 'CONFLICT' });
  const doctor = { tenant: clinic.tenant, user: 'doctor', device: 'doctor-phone' };
  const { known } = await clinic.store.readChanges(doctor, [theirs.changeId]);
  expect(known[0]).toMatchObject({ status: 'CONFLICT', kept: null });
});

test('R13: a field that gives the scopes cannot be pushed, any other can, and a new record brings its own', async () => {
  const clinic = await createClinic({ isBare: true });
  const version = await clinic.visit('17');
  const driver = clinic.session('driver', { kind: 'listed', scopes: ['route:7'] });
  expect(await clinic.sendOne(edit('17', version, { route: '7', note: 'x' }), driver)).toMatchObject({
    status: 'REJECTED',
    error: { code: 'VALIDATION', field: 'route' },
  });
  expect(await clinic.sendOne(edit('17', version, { note: 'x' }), driver)).toMatchObject({ status: 'APPLIED' });
  const stranger = clinic.session('stranger', { kind: 'listed', scopes: ['route:8'] });
  expect(await clinic.sendOne(edit('17', version, { note: 'x' }), stranger)).toMatchObject({
    error: { code: 'NOT_FOUND' },
  });
  const made = 'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c';
  const create = (route: string): ReturnType<typeof edit> => edit(made, null, { route, note: 'new' });
  expect(await clinic.sendOne(create('8'), driver)).toMatchObject({ error: { code: 'FORBIDDEN' } });
  expect(await clinic.sendOne(create('7'), driver)).toMatchObject({ status: 'APPLIED' });
});

test('F4: a lost answer is found by digests, and what cannot be told names fields and no values', async () => {
  const clinic = await createClinic({ isBare: true, facts: READABLE });
  const version = await clinic.visit('17');
  clinic.source.script.push('applyUnanswered');
  expect(await clinic.sendOne(edit('17', version, { note: 'a diagnosis' }))).toMatchObject({ status: 'APPLIED' });
  const next = await clinic.version('17');
  clinic.source.script.push('applyUnanswered');
  const lost = edit('17', next, { note: 'another' });
  clinic.source.alter = () => ({ note: 'the office was later' });
  await clinic.send([lost]);
  await clinic.until(async () => (await clinic.fate(lost.changeId)) === 'CONFLICT');
  const { known } = await clinic.store.readChanges({ ...clinic.session(), device: 'nurse-phone' }, [lost.changeId]);
  expect(known[0]?.error?.message).toContain('the source has other values of note');
  expect(JSON.stringify(known)).not.toMatch(/another|later/);
});

/** One thing that happens between two devices, a source and its office. */
type Step =
  | { readonly does: 'office'; readonly fields: Fields; readonly isSeen: boolean }
  | { readonly does: 'push'; readonly fields: Fields; readonly by: string; readonly isStale: boolean }
  | { readonly does: 'remove'; readonly by: string }
  | { readonly does: 'behave'; readonly how: Behaviour };

test('R9, F29: every change has the same fate, and the source the same journal, as if values were kept', async () => {
  const word = fc.constantFrom('a', 'b', 'c', null);
  const fields = fc.record({ note: word, status: word }, { requiredKeys: [] });
  const by = fc.constantFrom('nurse', 'doctor');
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ does: fc.constant('office' as const), fields, isSeen: fc.boolean() }),
    fc.record({ does: fc.constant('push' as const), fields, by, isStale: fc.boolean() }),
    fc.record({ does: fc.constant('push' as const), fields, by, isStale: fc.boolean() }),
    fc.record({ does: fc.constant('remove' as const), by }),
    fc.record({
      does: fc.constant('behave' as const),
      how: fc.constantFrom('applySilently', 'applyUnanswered', 'loseRequest', 'refuse', 'notSent'),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...POLICIES), fc.array(step, { maxLength: 8 }), async (policy, steps) => {
      const [bare, whole] = await Promise.all(
        [true, false].map(async (isBare) => {
          const clinic = await createClinic({ policy, isBare, facts: READABLE, declares: { visibility: 'confirmed' } });
          try {
            return await live(clinic, steps);
          } finally {
            await clinic.push.stop();
          }
        }),
      );
      expect(bare).toEqual(whole);
    }),
    { numRuns: 60 },
  );
});

/** What became of it all. */
async function live(clinic: Clinic, steps: readonly Step[]): Promise<unknown> {
  const first = await clinic.visit('17');
  const told: unknown[] = [];
  for (const [at, one] of steps.entries()) {
    const changeId = `change ${at}`.replace(' ', '-');
    if (one.does === 'behave') clinic.source.script.push(one.how);
    else if (one.does === 'office') {
      if (clinic.source.rows.has('17')) clinic.source.edit('17', one.fields);
      const { intents } = await clinic.view('17');
      if (one.isSeen && intents.length === 0) await clinic.observe('17');
    } else {
      const version = one.does === 'push' && one.isStale ? first : await clinic.version('17');
      const change =
        one.does === 'push' ? edit('17', version, one.fields, { changeId }) : removal('17', version, { changeId });
      const { status, error } = await clinic.sendOne(change, clinic.session(one.by));
      told.push([changeId, status, error?.code, error?.field]);
    }
  }
  clinic.source.script.length = 0;
  await clinic.until(async () => (await clinic.view('17')).intents.every(({ state }) => state === 'PARKED'));
  const { stamps, deleted, seq, sourceVersion } = await clinic.view('17');
  const row = clinic.source.rows.get('17');
  // Times of the two clinics differ by nothing, so neither do their seqs.
  return { told, stamps, deleted, seq, sourceVersion, row, writes: clinic.source.journal.length };
}
