import { randomUUID } from 'node:crypto';
import { syncWithTidegate } from '../../src/client/watermelondb.js';
import { watermelondbClient } from '../clients/watermelondb-client.js';
import { openGlueWard } from './glue-ward.js';

async function openPhone(given: { readonly onRevoked?: () => void } = {}) {
  const ward = openGlueWard(['V-1', 'V-2', 'V-3']);
  const headers = { authorization: 'nadia' };
  const replica = await watermelondbClient.open({
    url: 'http://ward.example/graphql',
    headers,
    device: `phone-${randomUUID()}`,
    fetch: ward.fetch,
    pageSize: 10,
    ...given,
  });
  await replica.sync();
  return {
    ...replica,
    ward,
    headers,
    edit: (id: string, fields: object) => replica.edit('visits', id, { ...fields }),
    trySync: () => replica.sync().catch(() => undefined),
    async fields(id: string) {
      const { updatedAt: _updatedAt, ...fields } = (await replica.all('visits')).get(id) ?? {};
      return fields;
    },
    /** Sent, and taken or not; nobody here hears of it. */
    async loseAnswer() {
      ward.network = 'losesAnswers';
      await replica.sync().catch(() => undefined);
      ward.network = 'gone';
    },
    evict() {
      for (const { device } of ward.pushes) ward.evicted.add(device);
      ward.network = 'sound';
    },
  };
}

describe('F11: a device id that is no more', () => {
  test('what was sent is told and not sent again, what was never sent goes on under a new one', async () => {
    const phone = await openPhone();
    await phone.edit('V-1', { note: 'sent' });
    await phone.loseAnswer();
    phone.ward.write('V-1', { note: 'by the office since then' });
    await phone.edit('V-2', { note: 'never sent' });
    phone.evict();
    await phone.sync();
    expect(phone.unanswered()).toEqual(['V-1']);
    expect(phone.refusals()).toEqual([]);
    expect(phone.ward.taken.map(({ json }) => json)).toEqual([{ note: 'sent' }, { note: 'never sent' }]);
    expect(await phone.fields('V-1')).toEqual({ note: 'by the office since then' });
    expect(await phone.fields('V-2')).toEqual({ note: 'never sent' });
    await phone.sync();
    expect([phone.unanswered().length, phone.ward.taken.length]).toEqual([1, 2]);
  });

  test('what the push that hears of it would have sent for the first time was never sent', async () => {
    const phone = await openPhone();
    await phone.edit('V-3', { note: 'so that its device is known' });
    await phone.sync();
    phone.evict();
    await phone.edit('V-1', { note: 'first' });
    await phone.sync();
    expect(phone.unanswered()).toEqual([]);
    expect(phone.ward.taken.at(-1)).toMatchObject({ id: 'V-1', json: { note: 'first' } });
  });

  test('a row that was edited further sends what was never sent of it alone, and shows what the gateway has', async () => {
    const phone = await openPhone();
    await phone.edit('V-1', { note: 'sent' });
    await phone.loseAnswer();
    phone.ward.write('V-1', { note: 'by the office since then' });
    await phone.edit('V-1', { minutes: 5 });
    phone.evict();
    await phone.sync();
    expect(phone.unanswered()).toEqual(['V-1']);
    expect(phone.ward.taken.map(({ json }) => json)).toEqual([{ note: 'sent' }, { minutes: 5 }]);
    expect(await phone.fields('V-1')).toEqual({ note: 'by the office since then', minutes: 5 });
  });

  test('what was sent of a row stays unsent while what was never sent of it cannot be taken', async () => {
    const phone = await openPhone();
    await phone.edit('V-1', { note: 'sent' });
    await phone.loseAnswer();
    // Of the same mind in one field: the record will not move when that is taken.
    phone.ward.write('V-1', { note: 'by the office since then', minutes: 5 });
    await phone.edit('V-1', { minutes: 5 });
    phone.evict();
    phone.ward.refuse = () => 'RECORD_BLOCKED';
    await phone.sync();
    phone.ward.network = 'gone';
    await phone.trySync();
    phone.ward.network = 'sound';
    phone.ward.refuse = () => null;
    await phone.sync();
    expect(phone.unanswered()).toEqual(['V-1']);
    expect(phone.ward.taken.map(({ json }) => json)).toEqual([{ note: 'sent' }, { minutes: 5 }]);
    expect(await phone.fields('V-1')).toEqual({ note: 'by the office since then', minutes: 5 });
  });

  test.each([true, false])('a new record is shown as the gateway has it (it was taken: %s)', async (isTaken) => {
    const phone = await openPhone();
    const id = randomUUID();
    await phone.create('visits', id, { note: 'new' });
    if (!isTaken) phone.ward.refuse = () => 'RECORD_BLOCKED';
    await phone.loseAnswer();
    await phone.edit(id, { minutes: 5 });
    phone.ward.refuse = () => null;
    phone.evict();
    await phone.sync();
    expect(phone.unanswered()).toEqual([id]);
    expect(phone.ward.taken.length).toBe(isTaken ? 1 : 0);
    expect(await phone.fields(id)).toEqual(isTaken ? { note: 'new' } : {});
  });

  test('a deletion of a record goes on whose edit was sent', async () => {
    const phone = await openPhone();
    await phone.edit('V-1', { note: 'sent' });
    await phone.loseAnswer();
    await phone.remove('visits', 'V-1');
    phone.evict();
    await phone.sync();
    expect(phone.ward.taken.map(({ kind }) => kind)).toEqual(['UPSERT', 'DELETE']);
    expect(await phone.fields('V-1')).toEqual({});
  });

  test('one that was sent is told, and the record is here again', async () => {
    const phone = await openPhone();
    await phone.remove('visits', 'V-1');
    phone.ward.refuse = () => 'RECORD_BLOCKED';
    await phone.loseAnswer();
    phone.ward.refuse = () => null;
    phone.evict();
    await phone.sync();
    expect(phone.unanswered()).toEqual(['V-1']);
    expect(await phone.fields('V-1')).toEqual({ note: 'as planned' });
    expect(phone.ward.taken).toEqual([]);
  });

  test('an accepted change whose receipt nobody will tell is told', async () => {
    const phone = await openPhone();
    await phone.edit('V-1', { note: 'accepted' });
    phone.ward.accepts = true;
    await phone.sync();
    phone.ward.accepts = false;
    phone.evict();
    await phone.edit('V-2', { note: 'never sent' });
    await phone.sync();
    expect(phone.unanswered()).toEqual(['V-1']);
    await phone.sync();
    expect(phone.unanswered()).toEqual(['V-1']);
  });

  test('a page may tell of it: pushes come from the new one', async () => {
    const phone = await openPhone();
    await phone.edit('V-1', { note: 'first' });
    await phone.sync();
    phone.evict();
    await phone.sync();
    await phone.edit('V-2', { note: 'second' });
    await phone.sync();
    expect(phone.ward.pushes.map(({ device }) => device.endsWith('-1'))).toEqual([false, true]);
    expect(phone.unanswered()).toEqual([]);
  });
});

test('F11: an id that stands for another device’s change is a copied backup: it goes out under a new one, from a new device', async () => {
  const phone = await openPhone();
  await phone.edit('V-1', { note: 'sent' });
  await phone.loseAnswer();
  await phone.edit('V-2', { note: 'mine' });
  const [{ device = '' } = {}] = phone.ward.pushes;
  phone.ward.network = 'sound';
  phone.ward.refuse = ({ id }, by) => (by === device && id === 'V-2' ? 'KEY_REUSED' : null);
  await phone.sync();
  const [first, second] = phone.ward.pushes.filter(({ changes }) => changes.some(({ id }) => id === 'V-2'));
  expect([first?.device, second?.device]).toEqual([device, `${device}-1`]);
  const idOf = (push: typeof first) => push?.changes.find(({ id }) => id === 'V-2')?.changeId;
  expect(idOf(second)).not.toBe(idOf(first));
  expect([phone.refusals(), phone.unanswered()]).toEqual([[], []]);
  expect(await phone.fields('V-2')).toEqual({ note: 'mine' });
});

test('a device that was revoked wipes what it holds, and sends nothing', async () => {
  const phone = await openPhone();
  await phone.edit('V-1', { note: 'never sent' });
  phone.ward.isRevoked = true;
  await expect(phone.sync()).rejects.toMatchObject({ code: 'DEVICE_REVOKED' });
  expect((await phone.all('visits')).size).toBe(0);
  expect(phone.ward.taken).toEqual([]);
});

test('a revoked device is told until it is wiped, without asking', async () => {
  const told: string[] = [];
  const phone = await openPhone({ onRevoked: () => void told.push('revoked') });
  phone.ward.isRevoked = true;
  await expect(phone.sync()).rejects.toMatchObject({ code: 'DEVICE_REVOKED' });
  const { asked } = phone.ward;
  await expect(phone.sync()).rejects.toMatchObject({ code: 'DEVICE_REVOKED' });
  expect([told, phone.ward.asked]).toEqual([['revoked', 'revoked'], asked]);
});

test('no sync begins without a function that wipes', async () => {
  await expect(syncWithTidegate({ onRevoked: undefined } as never)).rejects.toThrow('onRevoked');
});

test("F24: another user's credentials push nothing of a database, are told nothing of it and bring nothing into it", async () => {
  const phone = await openPhone();
  await phone.edit('V-1', { note: "nadia's" });
  phone.headers.authorization = 'omar';
  phone.ward.refuse = () => 'SOURCE_REFUSED';
  await expect(phone.sync()).rejects.toMatchObject({ code: 'CLOSED' });
  await phone.edit('V-2', { note: "nadia's, too" });
  await expect(phone.sync()).rejects.toMatchObject({ code: 'CLOSED' });
  expect([phone.ward.pushes, phone.refusals()]).toEqual([[], []]);
  phone.headers.authorization = 'nadia';
  phone.ward.refuse = () => null;
  await phone.sync();
  expect(new Set(phone.ward.taken.map(({ id }) => id))).toEqual(new Set(['V-1', 'V-2']));
});
