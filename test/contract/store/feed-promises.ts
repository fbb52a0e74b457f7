import { createHash } from 'node:crypto';
import type { DrainPosition, Fill } from '../../../src/core/checkpoint.js';
import { formatVersion, type RecordId, type Seq } from '../../../src/core/change.js';
import type { FeedSlice, FeedSnapshot } from '../../../src/core/feed-port.js';
import type { ScopeSet } from '../../../src/core/scope.js';
import {
  acceptedFinal,
  BEGINNING,
  changesOf,
  FULL,
  onSnapshot,
  PATIENTS,
  said,
  scopes,
  settled,
  shown,
  VISITS,
  walk,
  type World,
} from './world.js';

const ROOMY = 1_000;

async function fill(world: World, set: ScopeSet, after: Seq, upTo: Seq): Promise<readonly string[]> {
  return onSnapshot(world, async (snapshot) => said(await snapshot.fill({ set, after, upTo }, ROOMY, FULL)));
}

/** The main range from `after` to the head, as a device sees it whose page starts there. */
async function main(world: World, cover: ScopeSet, after: Seq, upTo?: Seq): Promise<readonly string[]> {
  return onSnapshot(world, async (snapshot) => {
    const range = { cover, after, upTo: upTo ?? snapshot.feed.head, heldUpTo: after };
    return said(await snapshot.main(range, ROOMY, FULL));
  });
}

interface Drained {
  readonly seq: Seq;
  readonly cover?: ScopeSet;
  readonly fill?: Fill;
}

function drainOn(snapshot: FeedSnapshot, set: ScopeSet, { seq, cover = [], fill: filling }: Drained, room: number) {
  return (after: DrainPosition | null): Promise<FeedSlice<DrainPosition>> =>
    snapshot.drain({ set, after, seq, cover, fill: filling ?? null }, room, FULL);
}

async function drain(world: World, set: ScopeSet, how: Drained): Promise<readonly string[]> {
  return onSnapshot(world, async (snapshot) => said(await drainOn(snapshot, set, how, ROOMY)(null)));
}

/** Membership and the three steps of a page (specification parts 1 and 2). */
export function feedPromises(begin: () => Promise<World>): void {
  test('the head is where the last commit put it, for every reader, at once', async () => {
    const world = await begin();
    const { epoch, horizon } = await world.store.readHead(world.tenant);
    expect([epoch, horizon]).toEqual([expect.stringMatching(/^[a-z0-9]{8}$/), 0]);
    const seq = await world.show('v1', ['route:1']);
    const heads = await Promise.all([1, 2, 3].map(() => world.store.readHead(world.tenant)));
    expect(heads).toEqual([1, 2, 3].map(() => ({ epoch, head: seq, horizon: 0 })));
    expect(await onSnapshot(world, async (snapshot) => snapshot.feed)).toEqual({ epoch, head: seq, horizon: 0 });
  });

  test('R2: everything read on one snapshot is of one moment', async () => {
    const world = await begin();
    const first = await world.show('v1', ['route:1']);
    await onSnapshot(world, async (snapshot) => {
      const range = {
        cover: scopes('route:1', 'route:2'),
        after: BEGINNING,
        upTo: 1_000_000 as Seq,
        heldUpTo: BEGINNING,
      };
      const before = said(await snapshot.main(range, ROOMY, FULL));
      await world.show('v1', ['route:2']);
      await world.show('v2', ['route:1']);
      await world.store.purge(world.tenant, Date.UTC(2100, 0));
      expect(snapshot.feed.head).toBe(first);
      expect(said(await snapshot.main(range, ROOMY, FULL))).toEqual(before);
      expect(await snapshot.everyPair([VISITS])).toEqual(scopes('route:1'));
    });
  });

  test('what a reader throws comes out as it was, and the next read works', async () => {
    const world = await begin();
    const fault = new RangeError('the reader is at fault');
    const thrown = await onSnapshot(world, () => Promise.reject(fault)).catch((caught: unknown) => caught);
    expect(thrown === fault || (thrown as Error).cause === fault).toBe(true);
    expect(await main(world, scopes('route:1'), BEGINNING)).toEqual([]);
  });

  test('R4: a fill sends live rows up to the main position, each record once, by seq', async () => {
    const world = await begin();
    const first = await world.show('v1', ['route:1', 'route:2']);
    await world.show('v2', ['route:2']);
    await world.show('v3', ['route:3']);
    await world.show('v4', ['route:1']);
    await world.lose('v4');
    const upTo = await world.show('v5', ['route:1']);
    await world.show('v6', ['route:1']);
    const set = scopes('route:1', 'route:2');
    expect(await fill(world, set, BEGINNING, upTo)).toEqual(['UPSERT v1', 'UPSERT v2', 'UPSERT v5']);
    expect(await fill(world, set, first, upTo)).toEqual(['UPSERT v2', 'UPSERT v5']);
    expect(await fill(world, scopes('route:9'), BEGINNING, upTo)).toEqual([]);
  });

  test('a scope of one collection is not the scope of that name in another', async () => {
    const world = await begin();
    await world.show('v1', ['all']);
    const head = await world.show('p1', ['all'], { collection: PATIENTS });
    expect(await fill(world, scopes('all'), BEGINNING, head)).toEqual(['UPSERT v1']);
    expect(await fill(world, [{ collection: PATIENTS, scope: 'all' }], BEGINNING, head)).toEqual(['UPSERT p1']);
    expect(await main(world, scopes('all'), BEGINNING)).toEqual(['UPSERT v1']);
  });

  test('R1: the main range sends each record once, in its latest state, by seq', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const after = await world.show('v2', ['route:1', 'route:2']);
    await world.show('v3', ['route:1']);
    await world.show('v1', ['route:1'], { body: '{"note":"newer"}' });
    await world.show('v2', ['route:1', 'route:2']);
    expect(await main(world, scopes('route:1', 'route:2'), after)).toEqual(['UPSERT v3', 'UPSERT v1', 'UPSERT v2']);
    expect(await main(world, scopes('route:1'), BEGINNING, after)).toEqual([]);
  });

  test('R4: DELETE when the source lost it, REVOKE when it left the scopes, nothing while another scope shows it', async () => {
    const world = await begin();
    for (const name of ['v1', 'v2', 'v3']) await world.show(name, ['route:1', 'route:2']);
    const after = await world.head();
    await world.lose('v1');
    await world.show('v2', ['route:3']);
    await world.show('v3', ['route:2']);
    const expected = ['DELETE v1', 'REVOKE v2', 'UPSERT v3'];
    expect(await main(world, scopes('route:1', 'route:2'), after)).toEqual(expected);
    expect(await main(world, scopes('route:1'), after)).toEqual(['DELETE v1', 'REVOKE v2', 'REVOKE v3']);
  });

  test('a record that entered and left since the page began is not named', async () => {
    const world = await begin();
    const after = await world.show('v1', ['route:1']);
    await world.show('v2', ['route:1']);
    await world.show('v2', ['route:9']);
    await world.show('v3', ['route:1']);
    await world.lose('v3');
    expect(await main(world, scopes('route:1'), after)).toEqual([]);
  });

  test('`entered` is kept when a record comes back: a device that held it is still told when it leaves', async () => {
    const world = await begin();
    const after = await world.show('v1', ['route:1']);
    await world.show('v1', ['route:2']);
    await world.show('v1', ['route:1']);
    await world.show('v1', ['route:2']);
    expect(await main(world, scopes('route:1'), after)).toEqual(['REVOKE v1']);
  });

  test('a row that left stays where it is while the record moves on, and never shows the newer state', async () => {
    const world = await begin();
    const after = await world.show('v1', ['route:1']);
    const left = await world.show('v1', ['route:2']);
    await world.show('v1', ['route:2'], { body: '{"note":"none of your business"}' });
    const slice = await onSnapshot(world, (snapshot) =>
      snapshot.main({ cover: scopes('route:1'), after, upTo: left, heldUpTo: after }, ROOMY, FULL),
    );
    const { epoch } = await world.store.readHead(world.tenant);
    expect(changesOf(slice)).toMatchObject([{ kind: 'REVOKE', id: 'v1', version: `${epoch}.${left}`, json: null }]);
    expect(slice).toMatchObject({ position: left, exhausted: true });
  });

  test('a row that left is passed over while another scope of the cover shows the record', async () => {
    const world = await begin();
    const after = await world.show('v1', ['route:1', 'route:2']);
    const left = await world.show('v1', ['route:2']);
    await world.show('v1', ['route:2']);
    expect(await main(world, scopes('route:1', 'route:2'), after, left)).toEqual([]);
    expect(await main(world, scopes('route:1', 'route:2'), after)).toEqual(['UPSERT v1']);
  });

  test('a row that left is revoked when the record enters another scope of the cover only later', async () => {
    const world = await begin();
    const after = await world.show('v1', ['route:1']);
    const left = await world.show('v1', []);
    await world.show('v1', ['route:2']);
    expect(await main(world, scopes('route:1', 'route:2'), after, left)).toEqual(['REVOKE v1']);
    expect(await main(world, scopes('route:1', 'route:2'), after)).toEqual(['REVOKE v1', 'UPSERT v1']);
  });

  test('R4: a drain takes back what only lost scopes show: DELETE what is gone, REVOKE the rest', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    await world.show('v2', ['route:1', 'route:2']);
    await world.show('v3', ['route:1']);
    const seq = await world.show('v4', ['route:2']);
    await world.lose('v3');
    const lost = scopes('route:1');
    expect(await drain(world, lost, { seq })).toEqual(['REVOKE v1', 'REVOKE v2', 'DELETE v3']);
    expect(await drain(world, lost, { seq, cover: scopes('route:2') })).toEqual(['REVOKE v1', 'DELETE v3']);
  });

  test('a drain names no record that entered after the position, and all that left after it', async () => {
    const world = await begin();
    await world.show('gone before', ['route:1']);
    await world.show('gone before', []);
    const seq = await world.show('v1', ['route:1']);
    await world.show('v2', ['route:1']);
    await world.show('v1', []);
    expect(await drain(world, scopes('route:1'), { seq })).toEqual(['REVOKE v1']);
  });

  test('a drain holds what a fill brought so far, not what it will bring', async () => {
    const world = await begin();
    const at = await world.show('v1', ['route:1', 'route:2']);
    const seq = await world.show('v2', ['route:1', 'route:2']);
    const filling = { set: scopes('route:2'), at };
    expect(await drain(world, scopes('route:1'), { seq, fill: filling })).toEqual(['REVOKE v2']);
  });

  test('a scope of the cover that the record entered only after the position does not hold it', async () => {
    const world = await begin();
    const seq = await world.show('v1', ['route:1']);
    await world.show('v1', ['route:1', 'route:2']);
    expect(await drain(world, scopes('route:1'), { seq, cover: scopes('route:2') })).toEqual(['REVOKE v1']);
  });

  test('R1: any step, read one change at a time, gives what it gives at once', async () => {
    const world = await begin();
    for (let n = 0; n < 12; n++) await world.show(`v${n}`, n % 3 === 0 ? ['route:1', 'route:2'] : ['route:1']);
    const seq = await world.head();
    for (let n = 0; n < 12; n += 2) await world.show(`v${n}`, n % 4 === 0 ? ['route:2'] : ['route:9']);
    await world.lose('v5');
    await world.show('v12', ['route:1']);
    await world.show('v12', []);
    await onSnapshot(world, async (snapshot) => {
      const set = scopes('route:1', 'route:2');
      const upTo = snapshot.feed.head;
      const fills = (room: number) => (after: Seq) => snapshot.fill({ set, after, upTo }, room, FULL);
      const mains = (room: number) => (after: Seq) =>
        snapshot.main({ cover: set, after, upTo, heldUpTo: seq }, room, FULL);
      const held = { seq, cover: scopes('route:2') };
      const drains = (room: number) => drainOn(snapshot, scopes('route:1'), held, room);
      for (const room of [1, 2, 5]) {
        expect(await walk(fills(room), BEGINNING)).toEqual(await walk(fills(ROOMY), BEGINNING));
        expect(await walk(mains(room), seq)).toEqual(await walk(mains(ROOMY), seq));
        expect(await walk<DrainPosition | null>(drains(room), null)).toEqual(await walk(drains(ROOMY), null));
      }
      expect((await walk(fills(ROOMY), BEGINNING)).length).toBeGreaterThan(5);
      expect((await walk(mains(ROOMY), seq)).length).toBeGreaterThan(5);
      expect((await walk(drains(ROOMY), null)).length).toBeGreaterThan(3);
    });
  });

  test.each([
    ['evenly spread', (n: number) => n % 12],
    ['nearly all in one', (n: number) => (n < 36 ? 0 : n % 12)],
    ['each in several', (n: number) => n % 5],
  ])('R1: a fill of many scopes gives what it gives at once, in pages of any size: %s', async (_how, scopeOf) => {
    const world = await begin();
    for (let n = 0; n < 48; n++)
      await world.show(`v${n}`, [...new Set([`route:${scopeOf(n)}`, `route:${(n * 7) % 12}`])]);
    await world.show('v7', ['route:elsewhere']);
    await world.lose('v9');
    await onSnapshot(world, async (snapshot) => {
      const set = scopes(...Array.from({ length: 12 }, (_, route) => `route:${route}`));
      const fills = (room: number) => (after: Seq) =>
        snapshot.fill({ set, after, upTo: snapshot.feed.head }, room, FULL);
      const whole = await walk(fills(ROOMY), BEGINNING);
      expect(whole).toHaveLength(46);
      for (const room of [1, 3, 10, 45, 46]) expect(await walk(fills(room), BEGINNING)).toEqual(whole);
    });
  });

  test('a slice never has more than `room` changes, and an empty cover has none', async () => {
    const world = await begin();
    for (const name of ['v1', 'v2', 'v3']) await world.show(name, ['route:1']);
    await onSnapshot(world, async (snapshot) => {
      const upTo = snapshot.feed.head;
      const range = { cover: scopes('route:1'), after: BEGINNING, upTo, heldUpTo: BEGINNING };
      expect(await snapshot.main(range, 2, FULL)).toMatchObject({ count: 2, exhausted: false });
      expect(await snapshot.main({ ...range, cover: [] }, 2, FULL)).toMatchObject({ count: 0, exhausted: true });
      expect((await snapshot.main(range, 3, FULL)).count).toBe(3);
    });
  });

  test('every pair is each in which there ever was a record, of the collections asked for', async () => {
    const world = await begin();
    await world.show('v1', ['route:1', 'route:2']);
    await world.show('v1', ['route:2']);
    await world.lose('v1');
    await world.show('p1', ['all'], { collection: PATIENTS });
    const every = (...names: readonly string[]): Promise<ScopeSet> =>
      onSnapshot(world, (snapshot) => snapshot.everyPair(names));
    expect(await every(VISITS)).toEqual(scopes('route:1', 'route:2'));
    expect(await every(PATIENTS, VISITS)).toEqual([
      { collection: PATIENTS, scope: 'all' },
      ...scopes('route:1', 'route:2'),
    ]);
    expect(await every()).toEqual([]);
  });

  test('F10: receipts come by their seq, for their device only, within the range', async () => {
    const world = await begin();
    const error = { code: 'CONFLICT' as const, message: 'moved on', field: null, retryable: false };
    const settle = async (name: string, changeId: string, device = world.nurse, refused = false): Promise<Seq> => {
      const { seq, mark } = await world.view(name);
      const how = refused ? ({ status: 'CONFLICT', error, inEffect: false } as const) : {};
      const [written] = await world.write([
        {
          collection: VISITS,
          id: name as RecordId,
          expected: { seq, mark },
          ...(refused ? {} : { next: shown(name) }),
          acceptance: acceptedFinal(device, changeId),
          settlement: settled(device, changeId, how),
        },
      ]);
      return written?.seq as Seq;
    };
    const q1 = await settle('v1', 'c1');
    await settle('v1', 'c2', world.dispatcher);
    const q3 = await settle('v2', 'c3', world.nurse, true);
    const q4 = await settle('v2', 'c4');
    await onSnapshot(world, async (snapshot) => {
      expect(await snapshot.receipts(world.nurse, BEGINNING, q3)).toEqual([
        { changeId: 'c1', status: 'APPLIED', collection: VISITS, id: 'v1', error: null, blockedBy: null, seq: q1 },
        { changeId: 'c3', status: 'CONFLICT', collection: VISITS, id: 'v2', error, blockedBy: null, seq: q3 },
      ]);
      expect((await snapshot.receipts(world.nurse, q3, q4)).map((receipt) => receipt.changeId)).toEqual(['c4']);
      expect(await snapshot.receipts({ ...world.nurse, device: 'phone' }, BEGINNING, q4)).toEqual([]);
    });
  });

  test('a tally counts what is live once, whatever scopes it is in, and says nothing when something moved since', async () => {
    const world = await begin();
    await world.show('v1', ['route:1', 'route:2']);
    await world.show('v2', ['route:1']);
    await world.show('v3', ['route:3']);
    await world.show('v4', ['route:2']);
    const at = await world.lose('v4');
    const pairs = scopes('route:1', 'route:2');
    const { epoch } = await world.store.readHead(world.tenant);
    const hashOf = (seq: Seq): bigint =>
      createHash('sha256').update(formatVersion(epoch, seq)).digest().readBigUInt64BE();
    const sum = hashOf((await world.view('v1')).seq) + hashOf((await world.view('v2')).seq);
    const tally = (upTo: Seq) => onSnapshot(world, (snapshot) => snapshot.tally(pairs, upTo));
    const mod = async (upTo: Seq) =>
      [...((await tally(upTo)) ?? [])].map(([name, one]) => [name, one.count, BigInt.asUintN(64, one.sum)]);
    expect(await mod(at)).toEqual([[VISITS, 2, BigInt.asUintN(64, sum)]]);
    // What moves elsewhere is no matter of these scopes; what leaves them is.
    await world.show('v3', ['route:3']);
    expect(await mod(at)).toEqual([[VISITS, 2, BigInt.asUintN(64, sum)]]);
    expect(await tally((at - 1) as Seq)).toBeNull();
    expect(await onSnapshot(world, (snapshot) => snapshot.tally([], BEGINNING))).toEqual(new Map());
  });
}
