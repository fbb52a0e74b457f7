import { randomUUID } from 'node:crypto';
import type { Fields, SourceKey } from '../../src/core/change.js';
import { parseBody } from '../../src/core/collection.js';
import { SOURCE_WRITER } from '../../src/core/session.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import type { MemoryStore } from '../support/memory-store/memory-store.js';
import type { PushedChange as Change } from '../../src/push/pushed-change.js';
import { createClinic, edit, removal, type Clinic } from './pushing-clinic.js';
import { changeOf, createReferringClinic } from './referring-clinic.js';

/** The epoch that the devices knew. */
async function epochOf(clinic: Clinic): Promise<string> {
  return (await clinic.store.readHead(clinic.tenant)).epoch;
}

/** The feed comes back from a backup: another epoch begins. */
async function beginEpoch(clinic: Clinic): Promise<void> {
  const { epoch } = await clinic.store.readHead(clinic.tenant);
  await clinic.store.newEpoch(clinic.tenant, epoch);
}

/** The source was looked through since. */
async function sweep(clinic: Clinic): Promise<void> {
  await clinic.store.commit(clinic.tenant, [], { ingest: { collection: 'visits', scannedAtMs: clinic.clock.nowMs() } });
}

async function isParked(clinic: Clinic, changeId: string): Promise<void> {
  await clinic.until(async () => (await clinic.fate(changeId)) === 'PARKED');
}

describe('a change that was first sent before the gateway was restored', () => {
  test('F5: waits until its source has been looked through, and is not remembered before', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'done' }, { sentEpoch: await epochOf(clinic) });
    await beginEpoch(clinic);
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'REJECTED', error: { code: 'RECORD_BLOCKED' } });
    expect(await clinic.fate(change.changeId)).toBeUndefined();
    await sweep(clinic);
    expect((await clinic.sendOne(change)).status).not.toBe('REJECTED');
  });

  test('F5: is APPLIED without a call when its effect is there: an edit, a create and a deletion', async () => {
    const clinic = await createClinic();
    const sentEpoch = await epochOf(clinic);
    const id = randomUUID();
    const edited = edit('17', await clinic.visit('17'), { note: 'done' }, { sentEpoch });
    const gone = removal('18', await clinic.visit('18'), { sentEpoch });
    await beginEpoch(clinic);
    // What the backup does not have: the source shows it.
    await clinic.visit('17', { note: 'done' });
    await clinic.visit(id, { note: 'edited since', route: '7' });
    const { seq, mark, intents: _none, ...record } = await clinic.view('18');
    const lost = { ...record, deleted: true, scopes: [], throughUs: false };
    const deletion = { collection: 'visits', id: record.id, expected: { seq, mark }, next: lost };
    await clinic.store.commit(clinic.tenant, [deletion]);
    await sweep(clinic);
    const made = edit(id, null, { note: 'new', status: null, route: '7' }, { sentEpoch });
    const fates = await clinic.send([edited, made, gone]);
    expect(fates.map(({ status, error }) => [status, error])).toEqual(fates.map(() => ['APPLIED', null]));
    expect(clinic.source.calls).toEqual([]);
    expect(await clinic.sendOne(edited)).toMatchObject({ status: 'APPLIED' });
  });

  describe('F5: and was made on top of a create that had effect,', () => {
    const KEYED = { facts: { idempotencyKeyLifetimeMs: 86_400_000 * 10_000 } };
    const CREATED = { note: 'new', status: 'OPEN', route: '7' };

    /** The create had its effect, which the backup does not know and the source shows; what was made on top had none. */
    async function restored(options: Parameters<typeof createClinic>[0] = {}) {
      const clinic = await createClinic(options);
      const sentEpoch = await epochOf(clinic);
      const id = randomUUID();
      await clinic.visit('17');
      await beginEpoch(clinic);
      await clinic.visit(id, { ...CREATED, number: 1 });
      await sweep(clinic);
      const created = edit(id, null, CREATED, { sentEpoch });
      const onTop = edit(id, null, { note: 'newer' }, { sentEpoch });
      return { clinic, id, created, onTop };
    }
    const noteOf = ({ source }: Clinic, id: string) => source.rows.get(id)?.fields['note'];

    test.each([
      ['in the same push', true, {}],
      ['in a later push', false, {}],
      ['in the same push, and with all fields', true, CREATED],
      ['in a later push, and with all fields', false, CREATED],
    ])('is not taken for it %s: what became of it is found out', async (_when, isTogether, fields) => {
      const { clinic, id, created, onTop: bare } = await restored(KEYED);
      const onTop = { ...bare, fields: { ...fields, ...bare.fields } };
      const fates = isTogether
        ? await clinic.send([created, onTop])
        : [await clinic.sendOne(created), await clinic.sendOne(onTop)];
      expect(fates[0]).toMatchObject({ status: 'APPLIED' });
      await clinic.until(async () => (await clinic.fate(onTop.changeId)) === 'APPLIED');
      expect(noteOf(clinic, id)).toBe('newer');
      expect(clinic.source.calls).toHaveLength(1);
    });

    test('is not taken for it either when that comes no more, and is parked where nothing can be found out', async () => {
      const { clinic, id, onTop } = await restored();
      await clinic.sendOne(onTop);
      await isParked(clinic, onTop.changeId);
      expect(noteOf(clinic, id)).toBe('new');
    });

    test('is not told that there is no such record if it is its deletion', async () => {
      const { clinic, id, created } = await restored();
      const deletion = removal(id, null, { sentEpoch: created.sentEpoch });
      expect(await clinic.send([created, deletion])).toMatchObject([{ status: 'APPLIED' }, { status: 'PARKED' }]);
    });

    test('F3: which makes its device the writer of what it shows, so that an edit which was never sent does not conflict', async () => {
      const { clinic, id, created } = await restored();
      const { seq } = await clinic.view(id);
      await clinic.sendOne(created);
      const device = 'device:nurse/nurse-phone';
      expect((await clinic.view(id)).stamps).toMatchObject({
        note: { seq, writer: device },
        status: { seq, writer: device },
        route: { seq, writer: device },
      });
      expect(await clinic.sendOne(edit(id, null, { note: 'newer' }))).toMatchObject({ status: 'APPLIED' });
      expect(noteOf(clinic, id)).toBe('newer');
    });

    test('F3: which leaves what others changed since to them', async () => {
      const { clinic, id, created } = await restored();
      await clinic.visit(id, { ...CREATED, note: 'theirs', number: 1 });
      // Set to another value and back by another device.
      for (const status of ['DONE', CREATED.status])
        await clinic.sendOne(edit(id, await clinic.version(id), { status }), clinic.session('doctor'));
      expect(await clinic.sendOne(created)).toMatchObject({ status: 'APPLIED' });
      expect(await clinic.sendOne(edit(id, null, { note: 'newer' }))).toMatchObject({ status: 'CONFLICT' });
      expect(await clinic.sendOne(edit(id, null, { status: 'DONE' }))).toMatchObject({ status: 'CONFLICT' });
      expect(await clinic.sendOne(edit(id, null, { route: '8' }))).toMatchObject({ status: 'APPLIED' });
    });
  });

  test.each([
    ['is not there', {}],
    ['is flagged as deleted', { fields: null }],
  ])('F5: does not bring a record back that %s, by an answer from before it was deleted', async (_what, read) => {
    const facts = { idempotencyKeyLifetimeMs: 86_400_000 * 10_000 };
    const clinic = await createClinic({ facts, declares: { deletedRecord: 'editWins' } });
    const change = edit('17', await clinic.visit('17'), { note: 'done' }, { sentEpoch: await epochOf(clinic) });
    const observation = clinic.source.showAs('17' as SourceKey);
    clinic.source.write = async () => ({ kind: 'applied', observation });
    await clinic.visit('18');
    clinic.source.rows.delete('17');
    await beginEpoch(clinic);
    await clinic.observe('17');
    await sweep(clinic);
    const readOf = clinic.source.readOne.bind(clinic.source);
    clinic.source.readOne = async (key, signal) =>
      key === '17' && 'fields' in read ? { ...observation, ...read } : readOf(key, signal);
    await clinic.sendOne(change);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(await clinic.view('17')).toMatchObject({ deleted: true, intents: [] });
  });

  test('F5: brings it back where the answer is that it was made again', async () => {
    const facts = { idempotencyKeyLifetimeMs: 86_400_000 * 10_000 };
    const clinic = await createClinic({ facts, declares: { deletedRecord: 'editWins' } });
    const change = edit('17', await clinic.visit('17'), { note: 'done' }, { sentEpoch: await epochOf(clinic) });
    clinic.source.rows.delete('17');
    await beginEpoch(clinic);
    await clinic.observe('17');
    await sweep(clinic);
    await clinic.sendOne(change);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
    expect(await clinic.view('17')).toMatchObject({ deleted: false, intents: [] });
  });

  test('F5: begins in doubt when its effect is not there, and is parked where nothing can be found out', async () => {
    const clinic = await createClinic({ facts: { readOne: false } });
    const change = edit('17', await clinic.visit('17'), { note: 'done' }, { sentEpoch: await epochOf(clinic) });
    await beginEpoch(clinic);
    await sweep(clinic);
    await clinic.sendOne(change);
    await isParked(clinic, change.changeId);
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'PARKED', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(clinic.source.calls).toEqual([]);
    expect((await clinic.view('17')).intents).toMatchObject([{ state: 'PARKED' }]);
  });

  test('F5, R8: what its device made on top of it is not taken before it, when that says which epoch it knows', async () => {
    const clinic = await createClinic();
    const known = await epochOf(clinic);
    const id = randomUUID();
    const lost = edit(id, null, { note: 'new', route: '7' }, { sentEpoch: known });
    const onTop = edit(id, null, { note: 'newer' });
    await beginEpoch(clinic);
    await sweep(clinic);
    await expect(clinic.send([onTop], undefined, null, known)).rejects.toMatchObject({ code: 'NEW_EPOCH' });
    expect(await clinic.fate(onTop.changeId)).toBeUndefined();
    expect(clinic.source.calls).toEqual([]);
    const fates = await clinic.send([lost, onTop], undefined, null, await epochOf(clinic));
    expect(fates).toMatchObject([{ status: 'ACCEPTED' }, { status: 'ACCEPTED', blockedBy: lost.changeId }]);
  });

  test('F5: a change that was never sent is taken as ever, on the record as it is now', async () => {
    const clinic = await createClinic();
    const change = edit(randomUUID(), null, { note: 'new', route: '7' });
    await beginEpoch(clinic);
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED' });
  });

  test('F5: "there is no such record" is said only when its source has been looked through', async () => {
    const clinic = await createClinic();
    const change = edit('99', `${await epochOf(clinic)}.7`, { note: 'done' });
    await beginEpoch(clinic);
    expect(await clinic.sendOne(change)).toMatchObject({ error: { code: 'RECORD_BLOCKED' } });
    await sweep(clinic);
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
  });
});

test('F5: what was open in the backup is not sent again: it was delivered since', async () => {
  const clinic = await createClinic({ facts: { readOne: false } });
  const store = clinic.store as MemoryStore;
  clinic.source.isBroken = true;
  const change = edit('17', await clinic.visit('17'), { note: 'done' });
  expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
  const yesterday = store.backup();
  clinic.source.isBroken = false;
  await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
  await clinic.push.stop();
  store.restore(yesterday);
  await beginEpoch(clinic);
  await sweep(clinic);
  const restarted = clinic.another();
  restarted.start();
  await isParked(clinic, change.changeId);
  expect(clinic.source.journal).toHaveLength(1);
  const stopped = restarted.stop();
  let isStopped = false;
  void stopped.then(() => (isStopped = true));
  await clinic.until(() => isStopped);
});

test('F5: what was open in the backup is APPLIED without a call when its source shows it by then', async () => {
  const clinic = await createClinic({ facts: { readOne: false } });
  clinic.source.isBroken = true;
  const change = edit('17', await clinic.visit('17'), { note: 'done' });
  expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
  await beginEpoch(clinic);
  await clinic.visit('17', { note: 'done' });
  clinic.source.isBroken = false;
  await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
  expect(clinic.source.calls).toEqual([]);
});

test('F5: a key that may have been used before it expired is not used again', async () => {
  const day = 86_400_000;
  const facts = { readOne: false, idempotencyKeyLifetimeMs: day };
  const clinic = await createClinic({ facts, policy: 'deviceWins' });
  const sentEpoch = await epochOf(clinic);
  const of = (id: string, version: string, daysAgo: number) => {
    const changedAt = new Date(clinic.clock.nowMs() - daysAgo * day).toISOString();
    return edit(id, version, { note: 'done' }, { sentEpoch, changedAt });
  };
  const [fresh, stale] = [of('17', await clinic.visit('17'), 0.1), of('18', await clinic.visit('18'), 2)];
  await beginEpoch(clinic);
  await sweep(clinic);
  await clinic.send([fresh, stale]);
  await isParked(clinic, stale.changeId);
  await clinic.until(async () => (await clinic.fate(fresh.changeId)) === 'APPLIED');
  expect(clinic.source.calls.map(({ sourceKey }) => sourceKey)).toEqual(['17']);
});

test('F5: what nothing can be found out about is not parked before its source has been looked through', async () => {
  const clinic = await createClinic({ facts: { readOne: false } });
  clinic.source.isBroken = true;
  const change = edit('17', await clinic.visit('17'), { note: 'done' });
  await clinic.sendOne(change);
  await beginEpoch(clinic);
  clinic.source.isBroken = false;
  const end = clinic.clock.nowMs() + 120_000;
  await clinic.until(() => clinic.clock.nowMs() > end);
  expect((await clinic.view('17')).intents).toMatchObject([{ state: 'IN_DOUBT' }]);
  await sweep(clinic);
  await isParked(clinic, change.changeId);
  expect(clinic.source.calls).toEqual([]);
});

describe('F5: a change of which nobody remembers a call', () => {
  /** Accepted, and then the gateway was restored: maybe it was sent. */
  async function forgotten(facts: Parameters<typeof createClinic>[0], make: (clinic: Clinic) => Promise<Change>) {
    const clinic = await createClinic(facts);
    const change = await make(clinic);
    clinic.source.isBroken = true;
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
    await beginEpoch(clinic);
    await sweep(clinic);
    return { clinic, change };
  }
  const noteOf17 = async (clinic: Clinic) => edit('17', await clinic.visit('17'), { note: 'done' });

  async function reasonOf(clinic: Clinic, { changeId }: Change): Promise<string> {
    await isParked(clinic, changeId);
    const { known } = await clinic.store.readChanges({ ...clinic.session(), device: 'nurse-phone' }, [changeId]);
    return known[0]?.error?.message ?? '';
  }

  test('is parked when by now it would be refused, and its source shows something else', async () => {
    const { clinic, change } = await forgotten({}, noteOf17);
    await clinic.visit('17', { note: 'theirs' });
    clinic.source.isBroken = false;
    expect(await reasonOf(clinic, change)).toMatch(/before the gateway was restored; by now it is refused/);
    expect(clinic.source.calls).toEqual([]);
  });

  test('is not read back: an update does not say all that was sent', async () => {
    const { clinic, change } = await forgotten({}, noteOf17);
    clinic.source.isBroken = false;
    expect(await reasonOf(clinic, change)).toMatch(/cannot be found out/);
    expect(clinic.source.reads).toBe(0);
  });

  test('is not read back either when it is refused under its idempotency key', async () => {
    const facts = { idempotencyKeyLifetimeMs: 86_400_000 * 10_000 };
    const { clinic, change } = await forgotten({ facts }, noteOf17);
    // Later than any request from before the restore can take effect.
    clinic.clock.advance(120_000);
    clinic.source.script.push('refuse');
    clinic.source.isBroken = false;
    expect(await reasonOf(clinic, change)).toMatch(/no way to see whether it took effect, sent again it was refused/);
    expect(clinic.source.journal).toEqual([]);
  });

  test('is parked if it edits a record that is gone by now: that it is not there does not say that the edit had no effect', async () => {
    const { clinic, change } = await forgotten({ declares: { deletedRecord: 'editWins' } }, noteOf17);
    await clinic.visit('18');
    clinic.source.rows.delete('17');
    await clinic.observe('17');
    clinic.source.isBroken = false;
    expect(await reasonOf(clinic, change)).toMatch(/cannot be found out/);
    expect(clinic.source.calls).toEqual([]);
  });

  test('is parked if it is a deletion of a record that is still there: its version proves nothing', async () => {
    const { clinic, change } = await forgotten({}, async (made) => removal('17', await made.visit('17')));
    clinic.source.isBroken = false;
    expect(await reasonOf(clinic, change)).toMatch(/not as it would be, nor as it was/);
    expect(clinic.source.rows.has('17')).toBe(true);
  });

  test('F13: is not sent before a call that began just before the restore can have no effect any more', async () => {
    const clinic = await createClinic({ facts: { maxRequestLifetimeMs: 10_000 } });
    const sentEpoch = await epochOf(clinic);
    await clinic.visit('18');
    await beginEpoch(clinic);
    await sweep(clinic);
    const begun = clinic.clock.nowMs();
    const change = edit(randomUUID(), null, { note: 'new', route: '7' }, { sentEpoch });
    await clinic.sendOne(change);
    await clinic.until(() => clinic.source.calls.length > 0);
    // The time of a call is 5 s here.
    expect(clinic.clock.nowMs() - begun).toBeGreaterThanOrEqual(5_000 + 10_000);
    await clinic.until(async () => (await clinic.fate(change.changeId)) === 'APPLIED');
  });

  describe('is sent again under its key, and others have changed its record since:', () => {
    const KEYED = { idempotencyKeyLifetimeMs: 86_400_000 * 10_000 };
    const THEIRS = { note: 'theirs', status: 'DONE' };
    const CREATED = { note: 'new', route: '7' };
    const fieldsOf17 = async (clinic: Clinic) => parseBody((await clinic.view('17')).body ?? '{}');
    const isApplied = (clinic: Clinic, { changeId }: Change) =>
      clinic.until(async () => (await clinic.fate(changeId)) === 'APPLIED');
    const rechecks = async ({ store, tenant }: Clinic) =>
      (await store.dueRechecks(tenant, 'visits', Number.MAX_SAFE_INTEGER, 10)).map(({ sourceKey }) => sourceKey);

    /** The first call took effect, and is what every repeat is answered with. */
    async function answered(facts: Partial<SourceFacts> = {}) {
      const made = await forgotten({ facts: { ...KEYED, ...facts }, policy: 'deviceWins' }, noteOf17);
      const { source } = made.clinic;
      source.edit('17', { note: 'done' });
      const observation = source.showAs('17' as SourceKey);
      source.write = async () => ({ kind: 'applied', observation });
      return made;
    }

    test('R9: an answer from before brings nothing back over what is known of it', async () => {
      const { clinic, change } = await answered();
      await clinic.visit('17', THEIRS);
      clinic.source.isBroken = false;
      await isApplied(clinic, change);
      expect(await fieldsOf17(clinic)).toMatchObject(THEIRS);
      expect((await clinic.view('17')).stamps).toMatchObject({
        note: { writer: SOURCE_WRITER },
        status: { writer: SOURCE_WRITER },
      });
    });

    test('F30: unless a copy that may lag is all that there is; then it is read once more, later', async () => {
      const { clinic, change } = await answered({ readAfterWriteMs: 1_000 });
      const lagging = { ...clinic.source.showAs('17' as SourceKey), fields: { ...THEIRS, route: '7', number: 1 } };
      clinic.source.readOne = async () => lagging;
      clinic.source.isBroken = false;
      await isApplied(clinic, change);
      expect(await fieldsOf17(clinic)).toMatchObject({ note: 'done' });
      expect(await rechecks(clinic)).toEqual(['17']);
    });

    test.each([
      ['at once', []],
      ['after a repeat that was lost, too', ['loseRequest']],
    ] as const)('F6: it is read once more when all is settled, %s', async (_when, lost) => {
      const { clinic, change } = await forgotten({ facts: KEYED }, async () => edit(randomUUID(), null, CREATED));
      clinic.source.script.push(...lost);
      clinic.source.isBroken = false;
      await isApplied(clinic, change);
      expect(await rechecks(clinic)).toEqual([change.id]);
    });

    test('F6: so is the record that a create turns out to be', async () => {
      const { clinic, change } = await forgotten({ facts: KEYED }, async () => edit(randomUUID(), null, CREATED));
      await clinic.visit('17', THEIRS);
      const observation = clinic.source.showAs('17' as SourceKey);
      clinic.source.write = async () => ({ kind: 'applied', observation });
      clinic.source.isBroken = false;
      await clinic.until(async () => (await clinic.fate(change.changeId)) === 'MERGED');
      expect(await rechecks(clinic)).toEqual(['17']);
    });

    /** Its record moves just before the store is asked for the first time. */
    async function overtaken(fields: Fields, ask: 'noteSent' | 'commit') {
      const clinic = await createClinic({ facts: KEYED, isStarted: false });
      const change = await noteOf17(clinic);
      const going = clinic.another();
      clinic.source.isBroken = true;
      const told = going.push(clinic.session(), [change], null, null);
      await clinic.until(async () => (await clinic.view('17')).intents.length > 0);
      await beginEpoch(clinic);
      await sweep(clinic);
      await clinic.visit('17', fields);
      let isFirst = true;
      const first = async (): Promise<void> => {
        if (!isFirst) return;
        isFirst = false;
        await clinic.visit('17', THEIRS);
      };
      const { store } = clinic;
      const asking = clinic.another({
        holder: 'late',
        store: {
          ...store,
          ...(ask === 'noteSent'
            ? { noteSent: (...asked) => first().then(() => store.noteSent(...asked)) }
            : { commit: (...asked) => first().then(() => store.commit(...asked)) }),
        },
      });
      clinic.source.isBroken = false;
      asking.start();
      await isParked(clinic, change.changeId);
      await told;
      return clinic;
    }

    test('R9: it is decided again when others were first, and is not sent over theirs', async () => {
      const clinic = await overtaken({ status: 'OPEN' }, 'noteSent');
      expect(clinic.source.calls).toEqual([]);
      expect(await fieldsOf17(clinic)).toMatchObject(THEIRS);
    });

    test('R9: its effect, which was seen, is not laid over what came after it', async () => {
      const clinic = await overtaken({ note: 'done' }, 'commit');
      expect(await fieldsOf17(clinic)).toMatchObject(THEIRS);
    });
  });

  test('F18: stays in doubt while it waits for a record that it refers to, and is not sent when that comes', async () => {
    const clinic = await createReferringClinic({ facts: { readOne: false } });
    const { store, tenant, clock } = clinic;
    await store.commit(tenant, [], { ingest: { collection: 'orders', scannedAtMs: clock.nowMs() } });
    const customer = randomUUID();
    const order = changeOf('orders', randomUUID(), { note: 'n', customer }, { sentEpoch: 'oldepoch' });
    expect(await clinic.send([order])).toMatchObject([{ status: 'ACCEPTED' }]);
    await clinic.pass(5_000);
    expect((await clinic.view('orders', order.id)).intents).toMatchObject([{ state: 'IN_DOUBT' }]);
    await clinic.send([changeOf('customers', customer, { name: 'Ida' })]);
    await clinic.until(async () => (await clinic.fate(order)) === 'PARKED');
    expect(clinic.sources.orders.calls).toEqual([]);
  });
});

describe('F5: at accept, of a change from another epoch', () => {
  test('R13: nothing is told of a record outside the scopes, be it as the change would make it', async () => {
    const clinic = await createClinic();
    const change = edit('17', await clinic.visit('17'), { note: 'as planned' }, { sentEpoch: 'oldepoch' });
    await sweep(clinic);
    const other = clinic.session('max', { kind: 'listed', scopes: ['route:8'] });
    expect(await clinic.sendOne(change, other)).toMatchObject({ status: 'REJECTED', error: { code: 'NOT_FOUND' } });
  });

  test('its effect is not taken for there while changes of the record are open: they come after it', async () => {
    const clinic = await createClinic();
    const version = await clinic.visit('17', { note: 'done', status: 'OPEN', route: '7' });
    clinic.source.isBroken = true;
    await clinic.sendOne(edit('17', version, { note: 'something else' }));
    const change = edit('17', version, { note: 'done' }, { sentEpoch: 'oldepoch' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
  });

  test('R9: the fields that differ conflict, and no part of it is sent', async () => {
    const clinic = await createClinic();
    await clinic.visit('17');
    const change = edit('17', 'oldepoch.1', { note: 'mine', status: 'OPEN' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'CONFLICT', error: { field: 'note' } });
    expect(clinic.source.calls).toEqual([]);
  });

  test('R9: one that was decided on the record as it is now does not conflict with what came before', async () => {
    const clinic = await createClinic();
    for (const id of ['16', '17']) await clinic.visit(id);
    const change = edit('17', 'oldepoch.1', { note: 'as planned' });
    expect(await clinic.sendOne(change)).toMatchObject({ status: 'APPLIED' });
  });
});
