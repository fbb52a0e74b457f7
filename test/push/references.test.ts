import { randomUUID } from 'node:crypto';
import { removal, turns } from './pushing-clinic.js';
import { changeOf, createReferringClinic, customer, PARENT_PATIENCE_MS } from './referring-clinic.js';

const [A, B] = ['a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c', 'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c'];

describe('a reference to a record that a device made', () => {
  test('R12: goes to the source as the key that the source gave, and stays an id for devices', async () => {
    const clinic = await createReferringClinic();
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    const visit = randomUUID();
    const [result] = await clinic.send([changeOf('visits', visit, { note: 'n', customer: A, helpers: [A] })]);
    expect(result).toMatchObject({ status: 'APPLIED', error: null });
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { customer: 'made-1', helpers: ['made-1'] } }]);
    expect(await clinic.seen('visits', visit)).toMatchObject({ customer: A, helpers: [A] });
    expect((await clinic.view('visits', visit)).body).toContain('"customer":"made-1"');
  });

  test('R12: is kept through changes of other fields, without being looked up', async () => {
    const clinic = await createReferringClinic();
    const visit = randomUUID();
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    await clinic.send([changeOf('visits', visit, { note: 'n', customer: A })]);
    const baseVersion = await clinic.version('visits', visit);
    const [result] = await clinic.send([changeOf('visits', visit, { note: 'later' }, { baseVersion })]);
    expect(result).toMatchObject({ status: 'APPLIED' });
    expect(await clinic.seen('visits', visit)).toMatchObject({ note: 'later', customer: A });
    clinic.sources.visits.script.push('refuse');
    const [refused] = await clinic.send([changeOf('visits', visit, { note: 'no' })]);
    expect(refused).toMatchObject({ status: 'REJECTED' });
    expect(await clinic.seen('visits', visit)).toMatchObject({ note: 'later', customer: A });
  });

  test('F18: within one push is sent after its record, whatever their order, and results keep theirs', async () => {
    const clinic = await createReferringClinic();
    const visit = changeOf('visits', randomUUID(), { note: 'first', customer: A });
    const create = changeOf('customers', A, { name: 'Ida', parent: B });
    const results = await clinic.send([visit, create, changeOf('customers', B, { name: 'Mother' })]);
    expect(results.map(({ changeId, status }) => [changeId, status]).slice(0, 2)).toEqual([
      [visit.changeId, 'APPLIED'],
      [create.changeId, 'APPLIED'],
    ]);
    expect(clinic.sources.customers.calls.map(({ fields }) => fields)).toEqual([
      { name: 'Mother' },
      { name: 'Ida', parent: 'made-1' },
    ]);
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { customer: 'made-2' } }]);
  });

  test('F18: that comes before its record waits for it', async () => {
    const clinic = await createReferringClinic();
    const order = changeOf('orders', randomUUID(), { note: 'n', customer: A });
    expect(await clinic.send([order])).toMatchObject([{ status: 'ACCEPTED' }]);
    await clinic.pass(PARENT_PATIENCE_MS / 2);
    expect(clinic.sources.orders.calls).toEqual([]);
    await clinic.send([changeOf('customers', A, { name: 'Ida' })]);
    await clinic.until(async () => (await clinic.fate(order)) === 'APPLIED');
    expect(clinic.sources.orders.calls).toMatchObject([{ fields: { customer: 'made-1' } }]);
  });

  test('F18: waits as long as the source is down, and not a moment of it counts', async () => {
    const clinic = await createReferringClinic();
    clinic.sources.customers.isBroken = true;
    const create = changeOf('customers', A, { name: 'Ida' });
    await clinic.send([create]);
    const order = changeOf('orders', randomUUID(), { note: 'n', customer: A });
    expect(await clinic.send([order])).toMatchObject([{ status: 'ACCEPTED', blockedBy: create.changeId }]);
    await clinic.pass(2 * PARENT_PATIENCE_MS);
    expect(await clinic.fate(order)).toBe('ACCEPTED');
    clinic.sources.customers.isBroken = false;
    await clinic.until(async () => (await clinic.fate(order)) === 'APPLIED');
  });

  test('F18: goes out as soon as its record has its key, without a look at the clock', async () => {
    const clinic = await createReferringClinic();
    const release = clinic.sources.customers.hold();
    void clinic.push.push(clinic.session(), [changeOf('customers', A, { name: 'Ida' })], null);
    await turns();
    void clinic.push.push(clinic.session(), [changeOf('orders', randomUUID(), { note: 'n', customer: A })], null);
    await turns();
    expect(clinic.sources.orders.calls).toEqual([]);
    release();
    await turns(20);
    expect(clinic.sources.orders.calls).toMatchObject([{ fields: { customer: 'made-1' } }]);
  });

  test('F18: falls with it, naming the field', async () => {
    const clinic = await createReferringClinic();
    clinic.sources.customers.script.push('refuse');
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: A });
    const results = await clinic.send([changeOf('customers', A, { name: 'Ida' }), visit]);
    expect(results).toMatchObject([
      { status: 'REJECTED', error: { code: 'SOURCE_REFUSED' } },
      { status: 'REJECTED', error: { code: 'PARENT_REFUSED', field: 'customer' } },
    ]);
    expect(clinic.sources.visits.calls).toEqual([]);
  });

  test('F18: is held by a parked one, and told so', async () => {
    const clinic = await createReferringClinic({ facts: { readOne: false } });
    clinic.sources.customers.script.push('applyUnanswered');
    const create = changeOf('customers', A, { name: 'Ida' });
    await clinic.send([create]);
    await clinic.until(async () => (await clinic.fate(create)) === 'PARKED');
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: A });
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED', blockedBy: create.changeId }]);
    await clinic.pass(2 * PARENT_PATIENCE_MS);
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED', blockedBy: create.changeId }]);
    expect(clinic.sources.visits.calls).toEqual([]);
  });
});

describe('a reference to a record that nobody knows', () => {
  test('F18: is left out in the end where it is optional, and the device is told', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: A, helpers: [A, '7'] });
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED' }]);
    await clinic.pass(PARENT_PATIENCE_MS - 5_000);
    expect(await clinic.fate(visit)).toBe('ACCEPTED');
    await clinic.until(async () => (await clinic.fate(visit)) === 'MERGED');
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { note: 'n', helpers: ['7'] } }]);
    expect(clinic.sources.visits.calls[0]?.fields).not.toHaveProperty('customer');
    expect(await clinic.error(visit)).toEqual({
      code: 'UNKNOWN_REFERENCE',
      message: `customer: expected the id of a record of customers, there is none with the id ${A}`,
      field: 'customer',
      retryable: false,
    });
  });

  test('F18: rejects the change where it is required, or is all that there was', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('visits', '17', { note: 'n' });
    const order = changeOf('orders', randomUUID(), { note: 'n', customer: A });
    const baseVersion = await clinic.version('visits', '17');
    const visit = changeOf('visits', '17', { customer: A }, { baseVersion });
    await clinic.send([order, visit]);
    for (const change of [order, visit]) {
      await clinic.until(async () => (await clinic.fate(change)) === 'REJECTED');
      expect(await clinic.error(change)).toMatchObject({ code: 'UNKNOWN_REFERENCE', field: 'customer' });
    }
    expect(clinic.sources.orders.calls).toEqual([]);
  });

  test('F18: is left out of a list in the end, also of a required one', async () => {
    const watchers = customer('watchers', { list: true, required: true });
    const clinic = await createReferringClinic({ fields: { visits: [watchers] } });
    await clinic.known('customers', '7', { name: 'Ida' });
    const visit = changeOf('visits', randomUUID(), { watchers: ['7', A] });
    await clinic.send([visit]);
    await clinic.until(async () => (await clinic.fate(visit)) === 'MERGED');
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { watchers: ['7'] } }]);
  });

  test('R13: looks like one to a record outside the scopes of the session, in time and in words', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida', region: 'north' });
    await clinic.known('customers', '8', { name: 'Max', region: 'south' });
    const south = clinic.session('max', { kind: 'listed', scopes: ['region:south', 'all'] });
    const [hidden, unknown, seen] = ['7', '9', '8'].map((key) =>
      changeOf('orders', randomUUID(), { note: 'n', customer: key }),
    );
    const results = await clinic.send([hidden!, unknown!, seen!], south);
    expect(results.map((one) => one.status)).toEqual(['ACCEPTED', 'ACCEPTED', 'APPLIED']);
    await clinic.until(async () => (await clinic.fate(unknown!, south)) === 'REJECTED');
    expect(await clinic.fate(hidden!, south)).toBe('REJECTED');
    const words = async (change: typeof hidden, key: string) =>
      JSON.stringify(await clinic.error(change!, south)).replace(`id ${key}`, 'id');
    expect(await words(hidden, '7')).toBe(await words(unknown, '9'));
    expect(clinic.sources.orders.calls).toHaveLength(1);
  });

  test('R13: so does one to a record that a device made, there or on its way, unless its own user did', async () => {
    const clinic = await createReferringClinic();
    const south = { kind: 'listed', scopes: ['region:south', 'all'] } as const;
    const tablet = { ...clinic.session('nurse', south), device: 'nurse-tablet' };
    // A device is named by its user too.
    const max = { ...clinic.session('max', south), device: 'nurse-phone' };
    await clinic.send([changeOf('customers', A, { name: 'Ida', region: 'north' })]);
    clinic.sources.customers.isBroken = true;
    await clinic.send([changeOf('customers', B, { name: 'Eve', region: 'north' })]);
    const [there, coming, own] = [A, B, B].map((id) => changeOf('orders', randomUUID(), { note: 'n', customer: id }));
    await clinic.send([there!, coming!], max);
    await clinic.send([own!], tablet);
    clinic.sources.customers.isBroken = false;
    await clinic.until(async () => (await clinic.fate(own!, tablet)) === 'APPLIED');
    for (const change of [there!, coming!]) {
      await clinic.until(async () => (await clinic.fate(change, max)) === 'REJECTED');
      expect(await clinic.error(change, max)).toMatchObject({ code: 'UNKNOWN_REFERENCE' });
    }
    expect(clinic.sources.orders.calls).toHaveLength(1);
  });

  test('R13: is not judged where the record has it already', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('visits', '17', { note: 'n', customer: 'nobody', helpers: ['8'] });
    const baseVersion = await clinic.version('visits', '17');
    const same = { note: 'new', customer: 'nobody', helpers: ['8'] };
    const [result] = await clinic.send([changeOf('visits', '17', same, { baseVersion })]);
    expect(result).toMatchObject({ status: 'APPLIED' });
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: same }]);
  });
});

describe('a deletion', () => {
  test('F18: waits for what was accepted before it and refers to its record', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    clinic.sources.visits.isBroken = true;
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: '7' });
    await clinic.send([visit]);
    const baseVersion = await clinic.version('customers', '7');
    const gone = removal('7', baseVersion, { collection: 'customers' });
    expect(await clinic.send([gone])).toMatchObject([{ status: 'ACCEPTED' }]);
    await clinic.pass(10_000);
    expect(clinic.sources.customers.calls).toEqual([]);
    clinic.sources.visits.isBroken = false;
    await clinic.until(async () => (await clinic.fate(gone)) === 'APPLIED');
    expect(clinic.sources.visits.calls).toMatchObject([{ fields: { customer: '7' } }]);
  });

  test('F18: waits for what takes a reference to its record away', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    await clinic.known('customers', '8', { name: 'Max' });
    await clinic.known('visits', '17', { note: 'n', customer: '7' });
    clinic.sources.visits.isBroken = true;
    const baseVersion = await clinic.version('visits', '17');
    await clinic.send([changeOf('visits', '17', { customer: '8' }, { baseVersion })]);
    const gone = removal('7', await clinic.version('customers', '7'), { collection: 'customers' });
    await clinic.send([gone]);
    await clinic.pass(10_000);
    expect(clinic.sources.customers.calls).toEqual([]);
    clinic.sources.visits.isBroken = false;
    await clinic.until(async () => (await clinic.fate(gone)) === 'APPLIED');
  });

  test('F18: does not wait for what was accepted after it, which waits for it', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    clinic.sources.customers.isBroken = true;
    const gone = removal('7', await clinic.version('customers', '7'), { collection: 'customers' });
    await clinic.send([gone]);
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: '7' });
    await clinic.send([visit]);
    clinic.sources.customers.isBroken = false;
    await clinic.until(async () => (await clinic.fate(gone)) === 'APPLIED');
    await clinic.until(async () => (await clinic.fate(visit)) === 'MERGED');
  });

  test('F18: is waited for by what was accepted after it', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    const baseVersion = await clinic.version('customers', '7');
    const release = clinic.sources.customers.hold();
    const gone = removal('7', baseVersion, { collection: 'customers' });
    await clinic.send([gone]);
    const visit = changeOf('visits', randomUUID(), { note: 'n', customer: '7' });
    expect(await clinic.send([visit])).toMatchObject([{ status: 'ACCEPTED', blockedBy: gone.changeId }]);
    release();
    await clinic.until(async () => (await clinic.fate(visit)) === 'MERGED');
    expect(await clinic.error(visit)).toMatchObject({ code: 'UNKNOWN_REFERENCE', field: 'customer' });
  });
});
