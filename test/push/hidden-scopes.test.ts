import { randomUUID } from 'node:crypto';
import type { RecordId, Seq, SourceKey } from '../../src/core/change.js';
import type { Session } from '../../src/core/session.js';
import { fullShape } from '../../src/core/shape.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { createSessionScopes } from '../../src/pull/session-scopes.js';
import { changesOf, FULL } from '../contract/store/world.js';
import { changeOf, createReferringClinic } from './referring-clinic.js';

const [A, B] = ['a2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c', 'b2b1c6f0-6f6b-4c59-9d0b-8f6a3f1d2e4c'];

describe('a record whose scope hangs on a record that the source does not have yet', () => {
  test('F21: is in the hidden scope of its device, which its sessions have, and moves when the key is known', async () => {
    const clinic = await createReferringClinic();
    const nurse = clinic.session('nurse', { kind: 'listed', scopes: ['region:none'] });
    const other = clinic.session('max', { kind: 'listed', scopes: ['region:none'] });
    clinic.sources.customers.isBroken = true;
    clinic.sources.trips.isBroken = true;
    const trip = changeOf('trips', B, { note: 'n', customer: A });
    const results = await clinic.send([trip, changeOf('customers', A, { name: 'Ida' })], nurse);
    expect(results).toMatchObject([{ status: 'ACCEPTED' }, { status: 'ACCEPTED' }]);
    const scopes = createSessionScopes(Object.values(clinic.sources).map((source) => source.collection));
    const shownTo = (session: Session) =>
      clinic.store.snapshot(clinic.tenant, async (snapshot) => {
        const set = await scopes.allowedOn(snapshot, session, ['trips']);
        const found = await snapshot.fill({ set, after: 0 as Seq, upTo: snapshot.feed.head }, 10, {
          ...FULL,
          shape: fullShape(['trips']),
        });
        return changesOf(found).map((change) => change.id);
      });
    expect(await shownTo(nurse)).toEqual([B]);
    expect(await shownTo(other)).toEqual([]);
    const readCurrent = createReadCurrent({ store: clinic.store, collections: [clinic.sources.trips.collection] });
    const name = { collection: 'trips', id: B as RecordId };
    expect(await readCurrent(nurse, [name])).toMatchObject([{ pending: true, json: { customer: A } }]);
    expect(await readCurrent(other, [name])).toEqual([null]);
    clinic.sources.customers.isBroken = false;
    clinic.sources.trips.isBroken = false;
    await clinic.until(async () => (await clinic.fate(trip, nurse)) === 'APPLIED');
    expect(await shownTo(nurse)).toEqual([]);
    const granted = clinic.session('max', { kind: 'listed', scopes: ['customer:made-1'] });
    expect(await shownTo(granted)).toEqual([B]);
  });

  test('F21: is there also when it is shown only after the patience, and its author may change it before', async () => {
    const clinic = await createReferringClinic();
    const nurse = clinic.session('nurse', { kind: 'listed', scopes: ['region:none'] });
    const release = clinic.sources.customers.hold();
    const trip = changeOf('trips', B, { note: 'n', customer: A });
    expect(await clinic.send([changeOf('customers', A, { name: 'Ida' }), trip], nurse)).toMatchObject([
      { status: 'ACCEPTED' },
      { status: 'ACCEPTED' },
    ]);
    const more = changeOf('trips', B, { note: 'more' });
    expect(await clinic.send([more], nurse)).toMatchObject([{ status: 'ACCEPTED', blockedBy: trip.changeId }]);
    const readCurrent = createReadCurrent({ store: clinic.store, collections: [clinic.sources.trips.collection] });
    const scopes = await clinic.store.snapshot(clinic.tenant, (snapshot) => snapshot.everyPair(['trips']));
    expect(scopes.map(({ scope }) => scope)).toEqual(['device:nurse/nurse-phone']);
    const name = { collection: 'trips', id: B as RecordId };
    expect(await readCurrent(nurse, [name])).toMatchObject([{ pending: true, json: { note: 'more', customer: A } }]);
    release();
    await clinic.until(async () => (await clinic.fate(more, nurse)) === 'APPLIED');
  });

  test('R13: of another scope that its session does not have is refused', async () => {
    const clinic = await createReferringClinic();
    await clinic.known('customers', '7', { name: 'Ida' });
    const nurse = clinic.session('nurse', { kind: 'listed', scopes: ['region:none'] });
    const [result] = await clinic.send([changeOf('trips', B, { note: 'n', customer: '7' })], nurse);
    expect(result).toMatchObject({ status: 'REJECTED', error: { code: 'FORBIDDEN' } });
  });

  test('R13: a record that its session does not see gives it no scope, also where its id is not its key', async () => {
    const clinic = await createReferringClinic();
    const { seq: _seq, mark: _mark, ...first } = await clinic.known('customers', '8', { name: 'Ida', region: 'north' });
    const next = { ...first, sourceKey: '7' as SourceKey, scopes: ['region:north'], throughUs: false };
    const second = { collection: 'customers', id: '7~2' as RecordId, expected: { seq: 0 as Seq, mark: 0 }, next };
    expect(await clinic.store.commit(clinic.tenant, [second])).toMatchObject([{ kind: 'written' }]);
    const max = clinic.session('max', { kind: 'listed', scopes: ['customer:7'] });
    for (const customer of ['7~2', '9~2']) {
      const [result] = await clinic.send([changeOf('trips', randomUUID(), { note: 'n', customer })], max);
      expect(result).toMatchObject({ status: 'REJECTED', error: { code: 'FORBIDDEN' } });
    }
  });
});
