import type { RecordId, Seq } from '../../../src/core/change.js';
import {
  acceptedFinal,
  BEGINNING,
  FAR_FUTURE_MS,
  FULL,
  onSnapshot,
  registered,
  said,
  scopes,
  settled,
  shown,
  VISITS,
  type World,
} from './world.js';

/** What is forgotten by age, scope sets, keys and devices. */
export function retentionPromises(begin: () => Promise<World>): void {
  const receiptsOf = (world: World): Promise<readonly string[]> =>
    onSnapshot(world, async (snapshot) =>
      (await snapshot.receipts(world.nurse, BEGINNING, snapshot.feed.head)).map((receipt) => receipt.changeId),
    );
  const settle = async (world: World, id: string, changeId: string): Promise<Seq> => {
    const { seq, mark } = await world.view(id);
    const [written] = await world.write([
      {
        collection: VISITS,
        id: id as RecordId,
        expected: { seq, mark },
        next: { ...shown(id), scopes: ['route:1'], throughUs: true },
        acceptance: acceptedFinal(world.nurse, changeId),
        settlement: settled(world.nurse, changeId),
      },
    ]);
    return written?.seq as Seq;
  };

  test('F26: a purge of what is younger than its age forgets nothing', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    await world.lose('v1');
    await settle(world, 'v2', 'c1');
    expect(await world.store.purge(world.tenant, 0)).toEqual({ horizon: 0 });
    expect(await receiptsOf(world)).toEqual(['c1']);
    expect((await world.view('v1')).deleted).toBe(true);
  });

  test('F26: a purge moves horizon and floor, and drops left rows, tombstones and receipts up to it', async () => {
    const world = await begin();
    await world.write([], { ingest: { collection: VISITS, state: 'READY' } });
    await world.show('gone', ['route:1']);
    await world.lose('gone');
    await world.show('moved', ['route:1']);
    await world.show('moved', ['route:2']);
    const old = await settle(world, 'v1', 'c1');
    expect(await world.store.purge(world.tenant, FAR_FUTURE_MS)).toEqual({ horizon: old });
    expect((await world.store.readHead(world.tenant)).horizon).toBe(old);
    expect((await world.store.readCollection(world.tenant, VISITS)).floor).toBe(old);
    expect((await world.view('gone')).seq).toBe(0);
    expect(await receiptsOf(world)).toEqual([]);
    const range = { cover: scopes('route:1', 'route:2'), after: BEGINNING, upTo: old, heldUpTo: old };
    expect(await onSnapshot(world, async (snapshot) => said(await snapshot.main(range, 10, FULL)))).toEqual([
      'UPSERT moved',
      'UPSERT v1',
    ]);
    await settle(world, 'v1', 'c2');
    expect(await receiptsOf(world)).toEqual(['c2']);
  });

  test('R7: a purge forgets no change id', async () => {
    const world = await begin();
    await settle(world, 'v1', 'c1');
    await world.store.purge(world.tenant, FAR_FUTURE_MS);
    const { known } = await world.store.readChanges(world.nurse, ['c1']);
    expect(known).toMatchObject([{ changeId: 'c1', bodyHash: 'body of c1', status: 'APPLIED' }]);
  });

  test('scope sets are found by their hashes, per tenant; unknown ones are null', async () => {
    const world = await begin();
    const other = await begin();
    const set = scopes('route:\'1"', 'route:2', 'ü');
    await world.store.saveScopeSets(world.tenant, new Map([['h1', set]]));
    await world.store.saveScopeSets(world.tenant, new Map([['h1', set]]));
    expect(await world.store.readScopeSet(world.tenant, 'h1')).toEqual(set);
    expect(await world.store.readScopeSet(world.tenant, 'h2')).toBeNull();
    expect(await world.store.readScopeSet(other.tenant, 'h1')).toBeNull();
  });

  test('F24: there is a key to sign checkpoints, and it stays', async () => {
    const { store } = await begin();
    const [key] = await store.readSigningKeys();
    expect(key?.secret.byteLength).toBeGreaterThanOrEqual(32);
    expect(key?.kid).toMatch(/^[A-Za-z0-9_-]{1,40}$/);
    expect(
      (await store.readSigningKeys()).map(({ kid, secret }) => [kid, Buffer.from(secret).toString('hex')]),
    ).toEqual([[key?.kid, Buffer.from(key?.secret ?? []).toString('hex')]]);
  });

  test('F11: a purge evicts who was silent, for ever, and forgets what it pushed but for what may still be asked for', async () => {
    const world = await begin();
    const { store, nurse, dispatcher } = world;
    await store.touchDevice(nurse);
    await store.registerDevice(nurse, registered(`token of ${nurse.tenant}`), 100);
    await settle(world, 'v1', 'c1');
    const { intentNo } = await world.accept('v1', 'open');
    await store.purge(world.tenant, 0);
    expect(await store.touchDevice(nurse)).toBe('kept');

    await store.purge(world.tenant, FAR_FUTURE_MS);
    const { standing, known } = await store.readChanges(nurse, ['c1', 'open']);
    expect([standing, known.map(({ changeId }) => changeId)]).toEqual(['evicted', ['open']]);
    expect((await world.view('v1')).intents.map((one) => one.intentNo)).toEqual([intentNo]);
    expect(await store.touchDevice(nurse)).toBe('evicted');
    expect(await store.unregisterDevice(nurse)).toBe(false);
    expect(await store.touchDevice(dispatcher)).toBe('kept');
  });

  test('a device that is revoked stays so since the first time, and is told apart by user; one that never came is not there', async () => {
    const { store, tenant, nurse, dispatcher } = await begin();
    expect(await store.revokeDevice(nurse)).toBeNull();
    await store.touchDevice(nurse);
    await store.touchDevice({ ...dispatcher, device: nurse.device });
    await store.registerDevice(nurse, registered(`token of ${tenant}`), 100);
    const revoked = await store.revokeDevice(nurse);
    expect(revoked).toMatchObject({ key: nurse, phone: null, standing: 'revoked' });
    expect(await store.revokeDevice(nurse)).toEqual(revoked);
    expect([await store.touchDevice(nurse), (await store.readChanges(nurse, [])).standing]).toEqual([
      'revoked',
      'revoked',
    ]);
    expect(await store.unregisterDevice(nurse)).toBe(false);
    expect(await store.touchDevice({ ...dispatcher, device: nurse.device })).toBe('kept');
    await store.purge(tenant, FAR_FUTURE_MS);
    expect(await store.touchDevice(nurse)).toBe('revoked');
  });

  test('devices are read by user and name, page by page, per tenant', async () => {
    const { store, tenant } = await begin();
    const other = await begin();
    const keys = [
      { tenant, user: 'a', device: 'x' },
      { tenant, user: 'a', device: 'y' },
      { tenant, user: 'b', device: 'x' },
    ];
    for (const key of [...keys].reverse()) await store.touchDevice(key);
    const read = async (request: Partial<Parameters<typeof store.readDevices>[1]>) =>
      (await store.readDevices(tenant, { user: null, after: null, limit: 10, ...request })).map(({ key }) => key);
    expect(await read({})).toEqual(keys);
    expect(await read({ limit: 2 })).toEqual(keys.slice(0, 2));
    expect(await read({ after: { user: 'a', device: 'x' } })).toEqual(keys.slice(1));
    expect(await read({ user: 'a' })).toEqual(keys.slice(0, 2));
    expect(await other.store.readDevices(other.tenant, { user: null, after: null, limit: 10 })).toEqual([]);
  });

  test('F24: a new key comes when the newest is old, and an old one goes when its successor is old', async () => {
    const { store } = await begin();
    const kids = async () => (await store.readSigningKeys()).map(({ kid }) => kid);
    const before = await kids();
    await store.rotateSigningKeys({ newestBeforeMs: 0, replacedBeforeMs: 0 });
    expect(await kids()).toEqual(before);
    await store.rotateSigningKeys({ newestBeforeMs: Infinity, replacedBeforeMs: 0 });
    const [newest, ...older] = await kids();
    expect(older).toEqual(before);
    await store.rotateSigningKeys({ newestBeforeMs: 0, replacedBeforeMs: FAR_FUTURE_MS });
    expect(await kids()).toEqual([newest]);
  });

  test('attack 38: a token that another user registers moves there, and nobody learns whose it was', async () => {
    const { store, nurse, dispatcher } = await begin();
    const token = `shared phone of ${nurse.tenant}`;
    const first = await store.registerDevice(nurse, registered(token), 100);
    const second = await store.registerDevice(dispatcher, registered(token), 100);
    expect(Object.keys(second ?? {})).toEqual(Object.keys(first ?? {}));
    // The first has none any more; the second does.
    expect(await store.unregisterDevice(nurse)).toBe(false);
    expect(await store.unregisterDevice(dispatcher)).toBe(true);
  });

  test('a device registers, registers anew and unregisters, per user', async () => {
    const { store, nurse, dispatcher } = await begin();
    const token = `token of ${nurse.tenant}`;
    expect(await store.touchDevice(nurse)).toBe('kept');
    expect(await store.unregisterDevice(nurse)).toBe(false);
    const first = await store.registerDevice(nurse, registered(token), 100);
    expect(Number.isFinite(first?.registeredAtMs)).toBe(true);
    await store.registerDevice(nurse, registered(`${token} 2`), 100);
    expect(await store.unregisterDevice(dispatcher)).toBe(false);
    expect(await store.unregisterDevice(nurse)).toBe(true);
    expect(await store.unregisterDevice(nurse)).toBe(false);
    expect(await store.touchDevice(nurse)).toBe('kept');
    expect(await store.readChanges(nurse, [])).toEqual({ standing: 'kept', known: [] });
  });
}
