import { randomUUID } from 'node:crypto';
import type { Fields, SourceKey } from '../../src/core/change.js';
import { createOperator, type Operator } from '../../src/push/operator.js';
import { hashText } from '../../src/server/telemetry.js';
import { createClinic, edit, removal, type Clinic } from './pushing-clinic.js';
import { openDesk, receiptOf } from './operator-desk.js';
import { changeOf, createReferringClinic, type ReferringClinic } from './referring-clinic.js';

/** The number of the one open change of a collection. */
async function openNumber(operator: Operator, tenant: string, collection: string): Promise<number> {
  const { changes } = await operator.outbox(tenant, { states: [], collection, after: null, limit: 2 });
  expect(changes).toHaveLength(1);
  return changes[0]?.intentNo ?? 0;
}

/** A change that never reached its source by way of the gateway: it is down. @returns its number */
async function waiting(clinic: Clinic, operator: Operator, change: ReturnType<typeof edit>): Promise<number> {
  clinic.source.isBroken = true;
  expect(await clinic.sendOne(change)).toMatchObject({ status: 'ACCEPTED' });
  return openNumber(operator, clinic.tenant, 'visits');
}

describe('a settling as applied', () => {
  test("R11: reads the source's own copy, and stamps what it took verbatim as its device's", async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const change = edit('17', await clinic.visit('17'), { note: 'done', status: 'DONE' });
    const number = await park(change, {});
    clinic.source.edit('17', { note: 'done', status: 'CLOSED', number: 8 });
    expect(await operator.settle(clinic.tenant, number, null)).toMatchObject({ status: 'APPLIED', error: null });
    const { body, seq, stamps, sourceVersion, written } = await clinic.view('17');
    expect(JSON.parse(body ?? '')).toEqual({ note: 'done', status: 'CLOSED', route: '7', number: 8 });
    expect({ sourceVersion, written }).toEqual({ sourceVersion: 'v2', written: seq });
    expect(stamps['note']?.writer).toBe('device:nurse/nurse-phone');
    expect(stamps['status']).toEqual({ seq, writer: 'source' });
    expect(stamps['number']).toEqual({ seq, writer: 'source' });
    expect(await receiptOf(clinic, change.changeId)).toMatchObject({ status: 'APPLIED' });
    expect(clinic.source.calls).toEqual([]);
  });

  test('where no record can be read lays what was sent over what is known', async () => {
    const clinic = await createClinic({ facts: { readOne: false } });
    const { operator, park } = openDesk(clinic);
    const version = await clinic.visit('17');
    const number = await park(edit('17', version, { note: 'done', status: 'DONE' }), {
      fields: { note: 'done' },
      status: 'MERGED',
    });
    expect(await operator.settle(clinic.tenant, number, null)).toMatchObject({ status: 'MERGED' });
    expect(JSON.parse((await clinic.view('17')).body ?? '')).toMatchObject({ note: 'done', status: 'OPEN' });
    expect(clinic.source.reads).toBe(0);
  });

  test('F18: tells why not all of it was sent, as the call says', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const change = edit('17', await clinic.visit('17'), { note: 'done' });
    const error = {
      code: 'UNKNOWN_REFERENCE',
      message: 'no such patient',
      field: 'patient',
      retryable: false,
    } as const;
    const number = await park(change, { status: 'MERGED', error });
    clinic.source.edit('17', { note: 'done' });
    expect(await operator.settle(clinic.tenant, number, null)).toMatchObject({ status: 'MERGED', error });
    expect(await receiptOf(clinic, change.changeId)).toMatchObject({ status: 'MERGED', error });
  });

  test('is refused while the source shows the opposite, or nothing', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    clinic.source.isBroken = true;
    await expect(operator.settle(clinic.tenant, number, null)).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    clinic.source.isBroken = false;
    clinic.source.rows.delete('17');
    const opposite = { code: 'BAD_REQUEST', message: expect.stringMatching(/to have visits 17, it has none/) };
    await expect(operator.settle(clinic.tenant, number, null)).rejects.toMatchObject(opposite);
    const gone = await park(removal('18', await clinic.visit('18')), { kind: 'delete', fields: {} });
    const still = { code: 'BAD_REQUEST', message: expect.stringMatching(/no visits 18 any more, it has it/) };
    await expect(operator.settle(clinic.tenant, gone, null)).rejects.toMatchObject(still);
    clinic.source.rows.delete('18');
    expect(await operator.settle(clinic.tenant, gone, null)).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.view('18')).toMatchObject({ deleted: true, intents: [] });
  });

  test('R12: of a create whose key nobody knows needs the key', async () => {
    const clinic = await createClinic({ facts: { createKey: 'source' } });
    const { operator, park } = openDesk(clinic);
    const id = randomUUID();
    const number = await park(edit(id, null, { note: 'new', route: '7' }), { kind: 'create' });
    clinic.source.edit('V-9', { note: 'new', route: '7', number: 9 });
    const missing = { code: 'VALIDATION', field: 'sourceKey' };
    await expect(operator.settle(clinic.tenant, number, null)).rejects.toMatchObject(missing);
    await expect(operator.settle(clinic.tenant, number, 'no key')).rejects.toMatchObject(missing);
    await expect(operator.settle(clinic.tenant, number, 'V'.repeat(1_000))).rejects.toMatchObject(missing);
    expect(await operator.settle(clinic.tenant, number, 'V-9')).toMatchObject({ status: 'APPLIED', id });
    expect(await clinic.view(id)).toMatchObject({ sourceKey: 'V-9', sourceVersion: 'v1' });
  });

  test('R12: of a create looks the record up where the source can find it by its idempotency key', async () => {
    const clinic = await createClinic({ facts: { createKey: 'source', lookUp: true } });
    const { operator, park } = openDesk(clinic);
    const id = randomUUID();
    const number = await park(edit(id, null, { note: 'new', route: '7' }), { kind: 'create' });
    const asked: string[] = [];
    Object.assign(clinic.source, {
      lookUp: async (key: string) => {
        asked.push(key);
        const fields = { note: 'new', status: null, route: '7', number: 9 };
        return { sourceKey: 'V-9' as SourceKey, fields, sourceVersion: 'v1' };
      },
    });
    expect(await operator.settle(clinic.tenant, number, null)).toMatchObject({ status: 'APPLIED' });
    expect(asked).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(await clinic.view(id)).toMatchObject({ sourceKey: 'V-9' });
  });

  test('F9: of a create under a key that another record has makes its id an alias of that record', async () => {
    const clinic = await createClinic({ facts: { createKey: 'source' } });
    const { operator, park } = openDesk(clinic);
    const id = randomUUID();
    const change = edit(id, null, { note: 'new', route: '7' });
    const number = await park(change, { kind: 'create' });
    // The poller saw it before anybody said what it is.
    await clinic.visit('V-9', { note: 'new', status: null, route: '7', number: 9 });
    expect(await operator.settle(clinic.tenant, number, 'V-9')).toMatchObject({ status: 'MERGED' });
    expect(await clinic.view(id)).toMatchObject({ aliasOf: 'V-9', deleted: true, intents: [] });
    expect(await clinic.view('V-9')).toMatchObject({ sourceKey: 'V-9', deleted: false });
    expect(await receiptOf(clinic, change.changeId)).toMatchObject({ status: 'MERGED' });
  });

  test('F20: of a create under a key of a record that was deleted is that of a new one', async () => {
    const clinic = await createClinic({ facts: { createKey: 'source' } });
    const { operator, park } = openDesk(clinic);
    const id = randomUUID();
    await clinic.visit('V-9', { note: 'an older one', status: null, route: '7', number: 9 });
    clinic.source.rows.delete('V-9');
    await clinic.observe('V-9');
    const number = await park(edit(id, null, { note: 'new', route: '7' }), { kind: 'create' });
    clinic.source.edit('V-9', { note: 'new', route: '7', number: 9 });
    expect(await operator.settle(clinic.tenant, number, 'V-9')).toMatchObject({ status: 'APPLIED', id });
    expect(await clinic.view(id)).toMatchObject({ sourceKey: 'V-9', aliasOf: null, deleted: false });
    expect(await clinic.view('V-9')).toMatchObject({ sourceKey: null, deleted: true });
  });

  test('of a known record takes its own key, and no other one', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    const wrong = { code: 'VALIDATION', field: 'sourceKey', message: expect.stringContaining('expected 17') };
    await expect(operator.settle(clinic.tenant, number, '18')).rejects.toMatchObject(wrong);
    clinic.source.edit('17', { note: 'done' });
    expect(await operator.settle(clinic.tenant, number, '17')).toMatchObject({ status: 'APPLIED' });
  });

  test('of a collection that is not configured is told so', async () => {
    const clinic = await createClinic();
    const { park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    const operator = createOperator({ ...clinic, hash: hashText }, { sources: [], wake: () => undefined });
    const unknown = { code: 'BAD_REQUEST', message: expect.stringContaining('expected visits to be configured') };
    await expect(operator.settle(clinic.tenant, number, null)).rejects.toMatchObject(unknown);
  });

  test('R8: waits for the earlier change of the record', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const version = await clinic.visit('17');
    const first = await park(edit('17', version, { note: 'done' }), {});
    const behind = edit('17', version, { status: 'DONE' });
    await clinic.sendOne(behind);
    const second = first + 1;
    const blocked = { code: 'RECORD_BLOCKED', message: expect.stringContaining(`change ${first} `) };
    await expect(operator.settle(clinic.tenant, second, null)).rejects.toMatchObject(blocked);
  });

  test('R15: reads again when the record moves between the read and its commit', async () => {
    const clinic = await createClinic();
    const { operator, park } = openDesk(clinic);
    const number = await park(edit('17', await clinic.visit('17'), { note: 'done' }), {});
    clinic.source.edit('17', { note: 'done' });
    const readOne = clinic.source.readOne.bind(clinic.source);
    Object.assign(clinic.source, {
      readOne: async (...args: Parameters<typeof readOne>) => {
        const shown = await readOne(...args);
        Object.assign(clinic.source, { readOne });
        clinic.source.edit('17', { status: 'CLOSED' });
        await clinic.observe('17');
        return shown;
      },
    });
    await operator.settle(clinic.tenant, number, null);
    expect(JSON.parse((await clinic.view('17')).body ?? '')).toMatchObject({ note: 'done', status: 'CLOSED' });
    expect(clinic.source.reads).toBe(2);
  });
});

describe('a settling of a change that was never sent: somebody did it at the source', () => {
  test('R12: of a create takes the key that its device gave, where the source takes it', async () => {
    const clinic = await createClinic();
    const { operator } = openDesk(clinic);
    const id = randomUUID();
    const number = await waiting(clinic, operator, edit(id, null, { note: 'new', route: '7' }));
    clinic.source.isBroken = false;
    clinic.source.edit(id, { note: 'new', route: '7', number: 9 });
    expect(await operator.settle(clinic.tenant, number, null)).toMatchObject({ status: 'APPLIED', id });
    expect(await clinic.view(id)).toMatchObject({ sourceKey: id, sourceVersion: 'v1', pending: false });
    expect(clinic.source.calls).toEqual([]);
  });

  test('R14: of a deletion leaves a tombstone, also of a record that the source shows as deleted', async () => {
    const clinic = await createClinic();
    const { operator } = openDesk(clinic);
    const version = await clinic.visit('17');
    const number = await waiting(clinic, operator, removal('17', version));
    const readOne: typeof clinic.source.readOne = async (sourceKey) => ({
      sourceKey,
      fields: null,
      sourceVersion: 'v2',
    });
    Object.assign(clinic.source, { readOne });
    expect(await operator.settle(clinic.tenant, number, null)).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.view('17')).toMatchObject({ deleted: true, intents: [] });
  });
});

describe('what an operator decides of a change of a record with references', () => {
  const PARENT = 'a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c';

  /** A visit whose next change waits for its source, which is down. */
  async function waitingVisit(clinic: ReferringClinic, before: Fields, change: Fields) {
    const { store, clock, tenant, sources } = clinic;
    const visit = randomUUID();
    await clinic.send([changeOf('customers', PARENT, { name: 'Ida' })]);
    await clinic.send([changeOf('visits', visit, before)]);
    sources.visits.isBroken = true;
    await clinic.send([changeOf('visits', visit, change)]);
    const options = { sources: Object.values(sources), wake: () => undefined };
    const operator = createOperator({ store, clock, hash: hashText }, options);
    return { operator, visit, number: await openNumber(operator, tenant, 'visits') };
  }

  test('R12: settled, it names them by their keys towards the source, and by their ids towards devices', async () => {
    const clinic = await createReferringClinic({ facts: { readOne: false } });
    const change = { customer: PARENT, helpers: [PARENT] };
    const { operator, visit, number } = await waitingVisit(clinic, { note: 'n' }, change);
    await operator.settle(clinic.tenant, number, null);
    expect((await clinic.view('visits', visit)).body).toContain('"customer":"made-1","helpers":["made-1"]');
    expect(await clinic.seen('visits', visit)).toMatchObject(change);
  });

  test('R12: rejected, it leaves them named by their ids', async () => {
    const clinic = await createReferringClinic();
    const { operator, visit, number } = await waitingVisit(clinic, { customer: PARENT }, { note: 'later' });
    await operator.reject(clinic.tenant, number, 'not needed');
    expect(await clinic.seen('visits', visit)).toMatchObject({ note: null, customer: PARENT });
  });
});
