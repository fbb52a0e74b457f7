import { randomUUID } from 'node:crypto';
import type { Fields, SourceKey } from '../../src/core/change.js';
import { valueText } from '../../src/core/collection.js';
import { runEveryWay } from '../support/choices.js';
import fc from '../support/properties.js';
import { ALIKE_FATES, type RequestFate } from './doubtful-source.js';
import { createClinic, edit, type Clinic } from './pushing-clinic.js';
import { faultOf, live, type Trial } from './schedules.js';
import type { Behaviour } from './scripted-source.js';

// A create that carries nothing of ours is found by its natural key: it must not be made twice, nor taken for what others made.

const TWINLESS = ['status', 'route'];
const OFFER = { kind: 'create', showsVersions: true, attempts: 2, kills: false, fates: ALIKE_FATES } as const;

function trialOf(isFixed: boolean, fields: readonly string[], more: Partial<Trial> = {}): Trial {
  return { ...OFFER, facts: { createKey: 'source', naturalKey: { fields, isFixed } }, ...more };
}

/** Lives through every schedule. */
async function everyWay(trial: Trial) {
  const statuses = new Set<string | undefined>();
  const faults: string[] = [];
  const runs = await runEveryWay(async (choose) => {
    const ending = await live(trial, choose);
    statuses.add(ending.status);
    const fault = faultOf(ending);
    if (fault !== null) faults.push(fault);
  });
  return { runs, statuses, faults };
}

describe('R11: a create whose answer is lost, whatever becomes of it, of processes, and whatever others make', () => {
  const MOVED: readonly RequestFate[] = [...ALIKE_FATES, 'replyLost, moved'];
  let schedules = 0;

  test.each<readonly [string, Trial]>([
    ['whose natural key stays', trialOf(true, TWINLESS)],
    ['that refuses another one of its kind', trialOf(true, TWINLESS, { refusesTwins: true })],
    ['that had others of its kind before', trialOf(true, ['route'])],
    ['whose natural key may be changed', trialOf(false, TWINLESS, { fates: MOVED })],
    ['that can be read by nothing else', trialOf(true, TWINLESS, { facts: unread(true) })],
  ])('at a source %s: is made once, or parked with its reason', async (_what, trial) => {
    const requests = await everyWay(trial);
    const kills = await everyWay({ ...trial, attempts: 1, kills: true });
    expect([...requests.faults, ...kills.faults]).toEqual([]);
    expect(requests.statuses).toEqual(new Set(['APPLIED', 'REJECTED', 'PARKED']));
    schedules += requests.runs + kills.runs;
  });

  test('were hundreds of schedules', () => {
    expect(schedules).toBeGreaterThan(400);
  });
});

function unread(isFixed: boolean): Trial['facts'] {
  return { createKey: 'source', readOne: false, naturalKey: { fields: TWINLESS, isFixed } };
}

test('R11: a source that is said to keep its natural keys, and does not, makes a create twice: hence the declaration', async () => {
  const { faults } = await everyWay(trialOf(true, TWINLESS, { fates: ['answered', 'replyLost, moved'] }));
  expect(faults.some((fault) => fault.startsWith('applied twice'))).toBe(true);
});

/** A clinic whose source finds visits by their route, and nothing else of what a create made. */
async function clinicByRoute(isFixed = true): Promise<Clinic & { readonly looks: () => number }> {
  const facts = { createKey: 'source', readOne: false, naturalKey: { fields: ['route'], isFixed } } as const;
  const clinic = await createClinic({ facts: { ...facts, maxRequestLifetimeMs: 1_000 } });
  let looks = 0;
  const findAlike = async (fields: Fields) => {
    looks += 1;
    const keys = [...clinic.source.rows].flatMap(([key, row]) =>
      valueText(row.fields['route']) === valueText(fields['route']) ? [key] : [],
    );
    return keys.map((key) => clinic.source.showAs(key as SourceKey));
  };
  Object.assign(clinic.source, { findAlike });
  return Object.assign(clinic, { looks: () => looks });
}

const create = (note: string) => edit(randomUUID(), null, { note, route: '7' });

async function endOf(clinic: Clinic, changeId: string): Promise<readonly [string | undefined, string]> {
  await clinic.until(async () => !['ACCEPTED', undefined].includes(await clinic.fate(changeId)));
  const device = { tenant: clinic.tenant, user: 'nurse', device: 'nurse-phone' };
  const { known } = await clinic.store.readChanges(device, [changeId]);
  return [known[0]?.status, known[0]?.error?.message ?? ''];
}

describe('a create at a source with a natural key', () => {
  test('R11: is sent although such a record was there before, and that one is not taken for it', async () => {
    const clinic = await clinicByRoute();
    clinic.source.edit('others', { note: 'mine', route: '7' });
    clinic.source.script.push('loseRequest');
    const change = create('mine');
    await clinic.sendOne(change);
    expect(await endOf(clinic, change.changeId)).toEqual(['APPLIED', '']);
    expect(clinic.source.calls).toHaveLength(2);
    expect((await clinic.view(change.id)).sourceKey).toMatch(/^made-/);
  });

  test('R11: is parked when several new records are as it would be, naming them', async () => {
    const clinic = await clinicByRoute();
    clinic.source.script.push('applyUnanswered');
    const change = create('mine');
    const write = clinic.source.write.bind(clinic.source);
    clinic.source.write = async (...call) => {
      clinic.source.edit('others', { note: 'mine', route: '7' });
      return write(...call);
    };
    await clinic.sendOne(change);
    const [status, message] = await endOf(clinic, change.changeId);
    expect(status).toBe('PARKED');
    expect(message).toMatch(/several new records are as it would be, any of which may be its own: others, made-/);
  });

  test('R11: is parked when the one new record is not as it would be', async () => {
    const clinic = await clinicByRoute();
    clinic.source.script.push('applyUnanswered');
    clinic.source.alter = (fields) => ({ ...fields, note: 'altered' });
    const change = create('mine');
    await clinic.sendOne(change);
    const [status, message] = await endOf(clinic, change.changeId);
    expect(status).toBe('PARKED');
    expect(message).toMatch(/a new record has its natural key and is not as it would be: made-/);
  });

  test('R11: is parked, not sent again, when it is not found and its natural key may be changed', async () => {
    const clinic = await clinicByRoute(false);
    clinic.source.script.push('loseRequest');
    const change = create('mine');
    await clinic.sendOne(change);
    const [status, message] = await endOf(clinic, change.changeId);
    expect([status, clinic.source.calls.length]).toEqual(['PARKED', 1]);
    expect(message).toMatch(/no new record has its natural key, and what it made may have been changed since/);
  });

  test('R11: is not sent while nobody can look', async () => {
    const clinic = await clinicByRoute();
    const findAlike = clinic.source.findAlike?.bind(clinic.source);
    let isBroken = true;
    Object.assign(clinic.source, {
      findAlike: async (...call: readonly [Fields, AbortSignal]) => {
        if (isBroken) throw new Error('no answer');
        return await findAlike?.(...call);
      },
    });
    const change = create('mine');
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
    expect(clinic.source.calls).toEqual([]);
    isBroken = false;
    expect(await endOf(clinic, change.changeId)).toEqual(['APPLIED', '']);
  });

  test('R11: is not made again when what its lost call made shows only after a look that did not find it', async () => {
    const clinic = await clinicByRoute();
    clinic.source.script.push('applyUnanswered');
    const findAlike = clinic.source.findAlike?.bind(clinic.source);
    // The source is blank for a while, as one that is restarted may be.
    Object.assign(clinic.source, {
      findAlike: async (...call: readonly [Fields, AbortSignal]) => {
        const found = (await findAlike?.(...call)) ?? [];
        return [2, 3].includes(clinic.looks()) ? [] : found;
      },
    });
    const change = create('mine');
    await clinic.sendOne(change);
    expect(await endOf(clinic, change.changeId)).toEqual(['APPLIED', '']);
    expect([clinic.source.calls.length, clinic.source.journal.length, clinic.looks()]).toEqual([1, 1, 5]);
  });
});

test('R11: of several creates of one natural key as many are made as are told to be, whatever becomes of each', async () => {
  const fates = fc.constantFrom<Behaviour>(
    'apply',
    'applySilently',
    'applyUnanswered',
    'loseRequest',
    'notSent',
    'refuse',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fates, { maxLength: 6 }), fc.boolean(), async (script, areEqual) => {
      const clinic = await clinicByRoute();
      clinic.source.edit('others', { note: 'note 0', route: '7' });
      clinic.source.script.push(...script);
      const changes = [0, 1, 2].map((at) => create(`note ${areEqual ? 0 : at}`));
      void Promise.all(changes.map((change) => clinic.sendOne(change)));
      const ends = [];
      for (const { changeId } of changes) ends.push((await endOf(clinic, changeId))[0]);
      const made = clinic.source.rows.size - 1;
      const told = ends.filter((status) => status === 'APPLIED' || status === 'MERGED').length;
      const parked = ends.filter((status) => status === 'PARKED').length;
      expect([told <= made, made <= told + parked, ends, made]).toEqual([true, true, ends, made]);
    }),
    { numRuns: 60 },
  );
});
