import { randomUUID } from 'node:crypto';
import type { Fields } from '../../src/core/change.js';
import type { ScopeGrant, Session } from '../../src/core/session.js';
import type { WriteRules } from '../../src/core/write-rule.js';
import { createClinic, edit, removal, type Clinic } from './pushing-clinic.js';

const ROUTE_7: ScopeGrant = { kind: 'listed', scopes: ['route:7'] };

/** A nurse of route 7, but for what is given. */
const nurse = (clinic: Clinic, given: Partial<Session> = {}): Session => ({
  ...clinic.session('nurse', ROUTE_7),
  ...given,
});

const REFUSED = { status: 'REJECTED', error: { code: 'FORBIDDEN' } };
const DONE = { status: 'APPLIED', error: null };

describe('R13: the rules of a collection', () => {
  const withRules = (rules: WriteRules): Promise<Clinic> => createClinic({ declares: { rules } });

  test('say who may create, by the record as it would be', async () => {
    const clinic = await withRules({
      create: ({ roles }, { before, after }) =>
        before === null && roles.includes('planner') && after?.['note'] !== 'no',
    });
    const make = (note: string, roles: readonly string[]) =>
      clinic.sendOne(edit(randomUUID(), null, { route: '7', note }), nurse(clinic, { roles }));
    expect(await make('yes', ['planner'])).toMatchObject(DONE);
    expect(await make('yes', ['nurse'])).toMatchObject(REFUSED);
    expect(await make('no', ['planner'])).toMatchObject(REFUSED);
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('say who may update, by the record before and after', async () => {
    const seen: unknown[] = [];
    const clinic = await withRules({
      update: ({ user }, { before, after }) => {
        seen.push([user, before?.['status'], after?.['status']]);
        return before?.['status'] !== 'DONE';
      },
    });
    const version = await clinic.visit('17');
    expect(await clinic.sendOne(edit('17', version, { status: 'DONE' }), nurse(clinic))).toMatchObject(DONE);
    const again = edit('17', await clinic.version('17'), { status: 'OPEN' });
    expect(await clinic.sendOne(again, nurse(clinic))).toMatchObject(REFUSED);
    expect(seen).toEqual([
      ['nurse', 'OPEN', 'DONE'],
      ['nurse', 'DONE', 'OPEN'],
    ]);
  });

  test('see what the device itself has still on its way', async () => {
    const clinic = await withRules({ update: (_who, { before }) => before?.['status'] !== 'DONE' });
    const version = await clinic.visit('17');
    const results = await clinic.send(
      [edit('17', version, { status: 'DONE' }), edit('17', version, { note: 'late' })],
      nurse(clinic),
    );
    expect(results).toMatchObject([DONE, REFUSED]);
  });

  test('say who may delete', async () => {
    const clinic = await withRules({ delete: ({ roles }, { after }) => after === null && roles.includes('planner') });
    const version = await clinic.visit('17');
    expect(await clinic.sendOne(removal('17', version), nurse(clinic))).toMatchObject(REFUSED);
    expect(await clinic.sendOne(removal('17', version), nurse(clinic, { roles: ['planner'] }))).toMatchObject(DONE);
  });

  test('say who may change which field; one that comes back as it is needs no leave', async () => {
    const clinic = await withRules({ fields: { status: ({ roles }) => roles.includes('planner') } });
    const version = await clinic.visit('17', { note: 'n', status: 'OPEN', route: '7', number: 1 });
    expect(await clinic.sendOne(edit('17', version, { note: 'x', status: 'DONE' }), nurse(clinic))).toMatchObject({
      ...REFUSED,
      error: { code: 'FORBIDDEN', field: 'status' },
    });
    expect(await clinic.sendOne(edit('17', version, { note: 'x', status: 'OPEN' }), nurse(clinic))).toMatchObject(DONE);
    const made = (fields: Fields) => clinic.sendOne(edit(randomUUID(), null, { route: '7', ...fields }), nurse(clinic));
    expect(await made({ status: 'OPEN' })).toMatchObject(REFUSED);
    expect(await made({ note: 'only' })).toMatchObject(DONE);
  });

  test('that fail lose nothing: the change is not taken, and may be pushed again', async () => {
    let isBroken = true;
    const clinic = await withRules({
      update: () => {
        if (isBroken) throw new TypeError('canary');
        return true;
      },
    });
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    const refused = await clinic.sendOne(change, nurse(clinic));
    expect(refused).toMatchObject({ error: { code: 'INTERNAL', retryable: true } });
    expect(JSON.stringify(refused)).not.toContain('canary');
    isBroken = false;
    expect(await clinic.sendOne(change, nurse(clinic))).toMatchObject(DONE);
  });

  test('that answer anything but true let nobody', async () => {
    const clinic = await withRules({ update: (() => 'yes') as never });
    expect(await clinic.sendOne(edit('17', await clinic.visit('17'), { note: 'x' }), nurse(clinic))).toMatchObject(
      REFUSED,
    );
  });
});

describe('R13: a session that may write in some of its scopes only', () => {
  const BOTH: ScopeGrant = { kind: 'listed', scopes: ['route:7', 'route:9'] };
  const reader = (clinic: Clinic): Session => nurse(clinic, { grant: BOTH, writeGrant: ROUTE_7 });

  test('changes, deletes and creates there, and nowhere else', async () => {
    const clinic = await createClinic();
    const mine = await clinic.visit('17');
    const theirs = await clinic.visit('19', { note: 'n', status: 'OPEN', route: '9', number: 1 });
    const results = await clinic.send(
      [
        edit('17', mine, { note: 'x' }),
        edit('19', theirs, { note: 'x' }),
        removal('19', theirs),
        edit(randomUUID(), null, { route: '9' }),
        edit(randomUUID(), null, { route: '7' }),
      ],
      reader(clinic),
    );
    expect(results).toMatchObject([DONE, REFUSED, REFUSED, REFUSED, DONE]);
  });

  test('attack 19: moves no record out of them or into them', async () => {
    const clinic = await createClinic();
    const mine = await clinic.visit('17');
    const theirs = await clinic.visit('19', { note: 'n', status: 'OPEN', route: '9', number: 1 });
    const results = await clinic.send(
      [edit('17', mine, { route: '9' }), edit('19', theirs, { route: '7' })],
      reader(clinic),
    );
    expect(results).toMatchObject([REFUSED, REFUSED]);
    expect(clinic.source.calls).toEqual([]);
  });
});
