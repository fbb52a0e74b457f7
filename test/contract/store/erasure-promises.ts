import type { RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import { ERASED_BODY, NOTHING_ERASED, type Erased, type RecordErasure } from '../../../src/core/erasure-port.js';
import { hiddenScope } from '../../../src/core/overlay.js';
import { scopeSetText } from '../../../src/core/scope.js';
import { writerOf, type DeviceKey } from '../../../src/core/session.js';
import {
  accepted,
  acceptedFinal,
  FULL,
  intended,
  onSnapshot,
  PATIENTS,
  registered,
  said,
  scopes,
  settled,
  shown,
  VISITS,
  type World,
} from './world.js';

/** What an operator erases on request: records that are gone, and users. */
export function erasurePromises(begin: () => Promise<World>): void {
  const eraseVisit = (world: World, id: string, isServed = true): Promise<RecordErasure> =>
    world.store.eraseRecord(world.tenant, { collection: VISITS, id: id as RecordId, isServed });
  const erased = (counts: Partial<Erased>, isKnown = true): RecordErasure => ({
    kind: 'erased',
    erased: { ...NOTHING_ERASED, ...counts },
    isKnown,
  });
  /** What a device is told that holds everything up to a seq. */
  const toldAfter = (world: World, after: Seq): Promise<readonly string[]> =>
    onSnapshot(world, async (snapshot) =>
      said(
        await snapshot.main({ cover: scopes('route:1'), after, upTo: snapshot.feed.head, heldUpTo: after }, 100, FULL),
      ),
    );

  /** A change that was final at once, with what an operator may look at. */
  async function refuse(world: World, id: string, changeId: string, device: DeviceKey = world.nurse): Promise<void> {
    const { seq, mark } = await world.view(id);
    const error = {
      code: 'CONFLICT',
      message: 'her name is Anna',
      field: 'note',
      retryable: false,
      fields: [{ field: 'note', message: 'not Anna' }],
    } as const;
    await world.write([
      {
        collection: VISITS,
        id: id as RecordId,
        expected: { seq, mark },
        acceptance: acceptedFinal(device, changeId),
        settlement: settled(device, changeId, { status: 'CONFLICT', error, inEffect: false, kept: '{"note":"Anna"}' }),
      },
    ]);
  }

  test('of a tombstone nothing stays but what takes it off devices; answers stay without their words, and a repeat finds nothing', async () => {
    const world = await begin();
    const { store, tenant, nurse } = world;
    const held = await world.show('v1', ['route:1'], { sourceKey: 'K-1' as SourceKey });
    await refuse(world, 'v1', 'c1');
    const seq = await world.lose('v1');
    const head = await world.head();
    const before = await world.view('v1');

    expect(await eraseVisit(world, 'v1')).toEqual(erased({ states: 1, keys: 1, marks: 1, answers: 1, keptEdits: 1 }));
    const after = await world.view('v1');
    expect(after).toEqual({
      ...before,
      body: ERASED_BODY,
      sourceKey: null,
      sourceVersion: null,
      hash: null,
      stamps: { '*': { seq, writer: 'erased' } },
      mark: before.mark + 1,
    });
    expect([await world.head(), await toldAfter(world, held)]).toEqual([head, ['DELETE v1']]);
    const { known } = await store.readChanges(nurse, ['c1']);
    const error = { code: 'CONFLICT', message: 'what was wrong with it was erased', field: 'note', retryable: false };
    expect(known).toMatchObject([{ status: 'CONFLICT', error, kept: null, bodyHash: 'erased' }]);
    expect((await store.readCollection(tenant, VISITS)).floor).toBe(seq);

    expect(await eraseVisit(world, 'v1')).toEqual(erased({}));
    expect(await world.view('v1')).toEqual(after);
    // Of what was never here nothing is known, but for what was pushed to it.
    expect(await eraseVisit(world, 'v2')).toEqual(erased({}, false));
    await refuse(world, 'v2', 'c2');
    expect(await eraseVisit(world, 'v2')).toEqual(erased({ answers: 1, keptEdits: 1 }));
  });

  test('a decision that was made on what is gone is stale', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    await world.lose('v1');
    const { seq, mark } = await world.view('v1');
    await eraseVisit(world, 'v1');
    const write = { collection: VISITS, id: 'v1' as RecordId, expected: { seq, mark }, next: shown('v1') };
    expect(await world.store.commit(world.tenant, [write])).toEqual([{ kind: 'stale' }]);
  });

  test('a record that is there is not erased, nor is one that its source showed; of a collection that nobody shows it is', async () => {
    const world = await begin();
    const { store, tenant } = world;
    await world.show('v1', ['route:1']);
    const before = await world.view('v1');
    expect(await eraseVisit(world, 'v1')).toEqual({ kind: 'alive' });
    expect(await eraseVisit(world, 'v1', false)).toEqual({ kind: 'alive' });
    expect(await world.view('v1')).toEqual(before);

    await world.lose('v1');
    const misfit = { sourceKey: 'v1' as SourceKey, field: 'note', reason: 'expected a text' };
    const noted = { misfits: [misfit], released: [], atMs: 1_000, atMost: 10 };
    await store.noteQuarantine(tenant, VISITS, noted);
    expect(await eraseVisit(world, 'v1')).toEqual({ kind: 'listed' });
    await store.noteQuarantine(tenant, VISITS, { ...noted, misfits: [], released: [misfit.sourceKey] });
    const recheck = { sourceKey: misfit.sourceKey, reason: 'stale', notBeforeMs: 1_000 };
    await world.write([], { ingest: { collection: VISITS, addRechecks: [recheck] } });
    expect(await eraseVisit(world, 'v1')).toEqual({ kind: 'listed' });
    await store.noteQuarantine(tenant, VISITS, noted);
    await store.oweBodies(tenant, [{ collection: VISITS, id: 'v1', seq: 1 }], 0);
    expect(await eraseVisit(world, 'v1', false)).toEqual(erased({ states: 1, keys: 1, marks: 1, listed: 3 }));
    expect(await store.readQuarantine(tenant, VISITS)).toEqual([]);
    expect(await store.dueRechecks(tenant, VISITS, Date.now(), 10)).toEqual([]);
    expect(await store.dueBodies(tenant, VISITS, 10)).toEqual([]);
  });

  test('while changes of it, or changes that refer to it, are open, nothing is erased', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const own = await world.accept('v1', 'c1');
    const { seq, mark } = await world.view('v2');
    const refersTo = [{ collection: VISITS, id: 'v1' as RecordId }];
    const acceptance = { ...accepted(world.nurse, 'c2'), intent: intended({ refersTo }) };
    const [other] = await world.write([
      { collection: PATIENTS, id: 'p1' as RecordId, expected: { seq, mark }, acceptance },
    ]);
    const open = { kind: 'open', intentNos: [own.intentNo, other?.intentNo] };
    expect(await eraseVisit(world, 'v1')).toEqual(open);
    expect(await eraseVisit(world, 'v1', false)).toEqual(open);
    expect(await world.store.eraseUser(world.tenant, world.nurse.user)).toEqual(open);
    expect((await world.view('v1')).body).not.toBe(ERASED_BODY);
    expect((await world.store.readChanges(world.nurse, ['c1'])).known).toMatchObject([{ bodyHash: 'body of c1' }]);
  });

  test('an alias is erased with the record that it is, by either id', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    await refuse(world, 'alias', 'c1');
    const { seq, mark } = await world.view('alias');
    const next = { ...shown('alias'), deleted: true, sourceKey: null };
    await world.write([
      {
        collection: VISITS,
        id: 'alias' as RecordId,
        expected: { seq, mark },
        next,
        stamps: [{ fields: ['note'], writer: writerOf(world.nurse), at: null }],
        aliasOf: 'v1' as RecordId,
      },
    ]);
    expect(await eraseVisit(world, 'alias')).toEqual({ kind: 'alive' });
    await world.lose('v1');
    expect(await eraseVisit(world, 'alias')).toEqual(
      erased({ states: 2, keys: 1, marks: 2, answers: 1, keptEdits: 1 }),
    );
    expect(await world.view('alias')).toMatchObject({ aliasOf: 'v1', body: ERASED_BODY });
    expect(await eraseVisit(world, 'v1')).toEqual(erased({}));
  });

  test('of a user nothing stays but that its devices are revoked; what it wrote is marked as written by nobody', async () => {
    const world = await begin();
    const { store, tenant, nurse, dispatcher } = world;
    const hidden = hiddenScope(nurse);
    await world.show('v1', ['route:1', hidden]);
    const { seq, mark } = await world.view('v1');
    const [written] = await world.write([
      {
        collection: VISITS,
        id: 'v1' as RecordId,
        expected: { seq, mark },
        next: { ...shown('v1'), scopes: ['route:1'] },
        stamps: [
          { fields: ['note'], writer: writerOf(nurse), at: null },
          { fields: ['mood'], writer: writerOf(dispatcher), at: null },
        ],
      },
    ]);
    // Pushed, and never seen as a device; the other way round.
    await refuse(world, 'v1', 'c1');
    await refuse(world, 'v1', 'c1', dispatcher);
    await store.registerDevice({ ...nurse, device: 'phone' }, registered('token'), 10);
    await store.registerDevice(dispatcher, registered('other token'), 10);
    await store.saveScopeSets(tenant, new Map([['own', scopes(hidden)]]));
    await store.saveScopeSets(tenant, new Map([['other', scopes('route:1')]]));

    const counts = { marks: 1, answers: 1, keptEdits: 1, devices: 2, registrations: 1, scopes: 1 };
    const devices = expect.arrayContaining([nurse, { ...nurse, device: 'phone' }]) as unknown;
    expect(await store.eraseUser(tenant, nurse.user)).toEqual({
      kind: 'erased',
      erased: { ...NOTHING_ERASED, ...counts },
      devices,
    });
    const stamps = {
      note: { seq: written?.seq, writer: 'erased' },
      mood: { seq: written?.seq, writer: writerOf(dispatcher) },
    };
    expect((await world.view('v1')).stamps).toMatchObject(stamps);
    expect(await store.readChanges(nurse, ['c1'])).toEqual({ standing: 'revoked', known: [] });
    expect((await store.readChanges({ ...nurse, device: 'phone' }, [])).standing).toBe('revoked');
    expect(await store.readDevices(tenant, { user: nurse.user, after: null, limit: 10 })).toMatchObject([
      { key: { device: 'phone' }, standing: 'revoked', phone: null },
      { key: { device: 'tablet' }, standing: 'revoked', phone: null },
    ]);
    const pairs = await onSnapshot(world, (snapshot) => snapshot.everyPair([VISITS]));
    expect(scopeSetText(pairs)).toBe(scopeSetText(scopes('route:1')));
    // Of others everything stays.
    expect(await store.readChanges(dispatcher, ['c1'])).toMatchObject({
      standing: 'kept',
      known: [{ changeId: 'c1' }],
    });
    expect(await store.readDevices(tenant, { user: 'dispatcher', after: null, limit: 10 })).toMatchObject([
      { phone: { platform: 'ANDROID' } },
    ]);

    const again = await store.eraseUser(tenant, nurse.user);
    expect(again).toEqual({ kind: 'erased', erased: NOTHING_ERASED, devices });
    expect(await store.eraseUser(tenant, 'nobody')).toEqual({ kind: 'erased', erased: NOTHING_ERASED, devices: [] });
  });

  test('the names of one user, and of one tenant, are told from those of others', async () => {
    const world = await begin();
    const other = { ...world.nurse, user: 'nurse/2%' };
    await world.show('v1', ['route:1']);
    const { seq, mark } = await world.view('v1');
    const stampings = [
      { fields: ['note'], writer: writerOf(other), at: null },
      { fields: ['mood'], writer: 'source', at: null },
    ];
    const name = { collection: VISITS, id: 'v1' as RecordId, expected: { seq, mark } };
    await world.write([{ ...name, next: { ...shown('v1'), scopes: ['route:1'] }, stamps: stampings }]);
    const elsewhere = `${world.tenant}-2`;
    await world.store.openTenant(elsewhere);
    for (const [tenant, user] of [
      [world.tenant, 'nurse'],
      [world.tenant, 'nurse/2'],
      [elsewhere, 'nurse/2%'],
    ] as const)
      expect(await world.store.eraseUser(tenant, user)).toMatchObject({ erased: NOTHING_ERASED });
    await world.lose('v1');
    expect(await world.store.eraseRecord(elsewhere, { ...name, isServed: true })).toEqual(erased({}, false));
    expect(await world.store.eraseUser(world.tenant, other.user)).toMatchObject({ erased: { marks: 1 } });
  });
}
