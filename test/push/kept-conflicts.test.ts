import { randomUUID } from 'node:crypto';
import type { Seq } from '../../src/core/change.js';
import { deviceOf, type DeviceKey } from '../../src/core/session.js';
import { createClinic, edit, memoryOf, type Clinic } from './pushing-clinic.js';
import { openDesk } from './operator-desk.js';

const phone = (clinic: Clinic): DeviceKey => deviceOf(clinic.session()) as DeviceKey;

/** The nurse's edit of a visit that the office changed meanwhile, refused and kept. */
async function conflictOf(clinic: Clinic, id = '17') {
  const version = await clinic.visit(id);
  clinic.source.edit(id, { note: 'office' });
  await clinic.observe(id);
  const change = edit(id, version, { note: 'nurse', status: 'DONE' });
  expect(await clinic.sendOne(change)).toMatchObject({ status: 'CONFLICT' });
  return { change, version };
}

describe('a refused edit', () => {
  test('F19: is kept with the version that it was made from, its fields, and those in which it conflicts', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts } = openDesk(clinic);
    // The first seq of a feed stands for no version.
    await clinic.visit('16');
    const { change, version } = await conflictOf(clinic);
    const clash = {
      kind: 'UPSERT',
      baseVersion: version,
      fields: ['note'],
      yours: { note: 'nurse', status: 'DONE' },
    };
    const page = await conflicts.list(clinic.tenant, { after: null, limit: 10 });
    expect(page.hasMore).toBe(false);
    expect(page.conflicts).toMatchObject([
      { device: phone(clinic), changeId: change.changeId, collection: 'visits', id: '17', clash },
    ]);
    expect(page.conflicts[0]?.error).toMatchObject({ code: 'CONFLICT' });
    expect(await conflicts.read(phone(clinic), [change.changeId, 'another'])).toEqual(
      new Map([[change.changeId, clash]]),
    );
  });

  test('F19: is paged in the order in which edits were refused', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts } = openDesk(clinic);
    const made = [await conflictOf(clinic, '17'), await conflictOf(clinic, '18'), await conflictOf(clinic, '19')];
    const seen: string[] = [];
    for (let after: Seq | null = null, hasMore = true; hasMore;) {
      const page = await conflicts.list(clinic.tenant, { after, limit: 2 });
      seen.push(...page.conflicts.map(({ changeId }) => changeId));
      after = page.conflicts.at(-1)?.settledSeq ?? null;
      hasMore = page.hasMore;
    }
    expect(seen).toEqual(made.map(({ change }) => change.changeId));
    await expect(conflicts.list(clinic.tenant, { after: null, limit: 0 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
  });

  test('F19: is forgotten when an operator dismisses it, once', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts } = openDesk(clinic);
    const { change } = await conflictOf(clinic);
    expect(await conflicts.dismiss({ ...phone(clinic), user: 'doctor' }, change.changeId)).toBe(false);
    expect(await conflicts.dismiss(phone(clinic), change.changeId)).toBe(true);
    expect(await conflicts.dismiss(phone(clinic), change.changeId)).toBe(false);
    expect((await conflicts.list(clinic.tenant, { after: null, limit: 10 })).conflicts).toEqual([]);
    expect(await clinic.fate(change.changeId)).toBe('CONFLICT');
  });
});

describe('an edit that is applied again', () => {
  test('F19: is a new change of its device, made from the current version, and is not kept any longer', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts, session } = openDesk(clinic);
    const { change } = await conflictOf(clinic);
    const result = await conflicts.reapply(session, phone(clinic), change.changeId);
    expect(result).toMatchObject({ status: 'APPLIED', collection: 'visits', id: '17' });
    expect(result.changeId).toMatch(/^reapplied-[0-9a-f]{40}$/);
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'nurse', status: 'DONE' });
    expect((await clinic.view('17')).stamps['note']?.writer).toBe('device:nurse/nurse-phone');
    expect(await clinic.fate(result.changeId)).toBe('APPLIED');
    expect((await conflicts.list(clinic.tenant, { after: null, limit: 10 })).conflicts).toEqual([]);
  });

  test('R7: is applied once, however often it is asked for', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts, session } = openDesk(clinic);
    const { change } = await conflictOf(clinic);
    const again = () => conflicts.reapply(session, phone(clinic), change.changeId);
    const first = await again();
    expect(await again()).toEqual(first);
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('R7: is applied once when two operators ask for it at the same time, from two versions', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts, session } = openDesk(clinic);
    const { change } = await conflictOf(clinic);
    const push = clinic.push.push.bind(clinic.push);
    let isFirst = true;
    Object.assign(clinic.push, {
      push: async (...args: Parameters<typeof push>) => {
        if (isFirst) {
          isFirst = false;
          // The other one, from a version that is there only now.
          clinic.source.edit('17', { number: 2 });
          await clinic.observe('17');
          await conflicts.reapply(session, phone(clinic), change.changeId);
        }
        return push(...args);
      },
    });
    expect(await conflicts.reapply(session, phone(clinic), change.changeId)).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.journal).toHaveLength(1);
  });

  test('R7: of which the process died before it was forgotten is found by a repeat', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts, session } = openDesk(clinic);
    const { change } = await conflictOf(clinic);
    const memory = memoryOf(clinic);
    const dismissConflict = memory.dismissConflict.bind(memory);
    Object.assign(memory, {
      dismissConflict: async () => {
        Object.assign(memory, { dismissConflict });
        throw new Error('the process died');
      },
    });
    await expect(conflicts.reapply(session, phone(clinic), change.changeId)).rejects.toThrow('died');
    expect(await conflicts.reapply(session, phone(clinic), change.changeId)).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.journal).toHaveLength(1);
    expect((await conflicts.list(clinic.tenant, { after: null, limit: 10 })).conflicts).toEqual([]);
  });

  test('F19: that conflicts once more is kept under its new id, in place of the old one', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts, session } = openDesk(clinic);
    const { change } = await conflictOf(clinic);
    clinic.source.edit('17', { note: 'office again' });
    // The gateway does not know that yet: the guard finds it out.
    const result = await conflicts.reapply(session, phone(clinic), change.changeId);
    expect(result).toMatchObject({ status: 'CONFLICT' });
    const page = await conflicts.list(clinic.tenant, { after: null, limit: 10 });
    expect(page.conflicts.map(({ changeId }) => changeId)).toEqual([result.changeId]);
    expect(await conflicts.reapply(session, phone(clinic), result.changeId)).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.rows.get('17')?.fields).toMatchObject({ note: 'nurse' });
  });

  test("R13: stays within the operator's scopes, and stays kept where it is refused", async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts, session } = openDesk(clinic);
    const { change } = await conflictOf(clinic);
    const elsewhere = { ...session, grant: { kind: 'listed', scopes: ['route:8'] } } as const;
    const result = await conflicts.reapply(elsewhere, phone(clinic), change.changeId);
    expect(result).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
    expect((await conflicts.list(clinic.tenant, { after: null, limit: 10 })).conflicts).toHaveLength(1);
    expect(clinic.source.journal).toEqual([]);
  });

  test('of which nothing is kept, or whose record is gone, is NOT_FOUND', async () => {
    const clinic = await createClinic({ policy: 'sourceWins' });
    const { conflicts, session } = openDesk(clinic);
    const none = conflicts.reapply(session, phone(clinic), randomUUID());
    await expect(none).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('kept edit') });
    const { change } = await conflictOf(clinic);
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    const gone = conflicts.reapply(session, phone(clinic), change.changeId);
    await expect(gone).rejects.toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('it is gone') });
    expect((await conflicts.list(clinic.tenant, { after: null, limit: 10 })).conflicts).toHaveLength(1);
  });
});
