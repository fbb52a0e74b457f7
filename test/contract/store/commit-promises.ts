import type { RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import { EVERY_FIELD, stampOf } from '../../../src/core/conflict.js';
import type { RecordWrite } from '../../../src/core/record-port.js';
import { statesText } from '../../../src/core/known-states.js';
import { SOURCE_WRITER, writerOf } from '../../../src/core/session.js';
import { hashText } from '../../../src/server/telemetry.js';
import { acceptedFinal, NEW, settled, shown, VISITS, type World } from './world.js';

const id = (text: string): RecordId => text as RecordId;
const visit = (name: string, parts: Partial<RecordWrite> = {}): RecordWrite => ({
  collection: VISITS,
  id: id(name),
  expected: NEW,
  ...parts,
});

/** Outcomes of writes, and what a written one leaves behind. */
export function commitPromises(begin: () => Promise<World>): void {
  test('a record that was never there is read as an absent view', async () => {
    const world = await begin();
    expect(await world.view('nobody')).toMatchObject({ seq: 0, mark: 0, body: null, sourceKey: null, intents: [] });
  });

  test('a new record is read back as it was written', async () => {
    const world = await begin();
    const before = await world.head();
    const [written] = await world.write([visit('v1', { next: { ...shown('v1'), scopes: ['route:1'] } })]);
    expect(written?.seq).toBeGreaterThan(before);
    expect(await world.head()).toBe(written?.seq);
    expect(await world.view('v1')).toMatchObject({
      collection: VISITS,
      id: 'v1',
      sourceKey: 'v1',
      seq: written?.seq,
      mark: 0,
      deleted: false,
      body: '{"note":"note of v1"}',
      sourceVersion: 'v1',
      hash: 'hash of {"note":"note of v1"}',
      written: 0,
      intents: [],
    });
  });

  test('views come in the order of the names, absent ones among them', async () => {
    const world = await begin();
    await world.show('v1', []);
    await world.show('v2', []);
    const names = ['v2', 'nobody', 'v1'].map((name) => ({ collection: VISITS, id: id(name) }));
    const views = await world.store.readRecords(world.tenant, names);
    expect(views.map((view) => [view.id, view.seq > 0])).toEqual([
      ['v2', true],
      ['nobody', false],
      ['v1', true],
    ]);
  });

  test('every write takes a seq of its own, in the order of the writes', async () => {
    const world = await begin();
    const written = await world.write(['v1', 'v2', 'v3'].map((name) => visit(name, { next: shown(name) })));
    const seqs = written.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(await world.show('v1', [])).toBeGreaterThan(seqs[2] as number);
  });

  test('commits that run at once get different seqs, and none is lost', async () => {
    const world = await begin();
    const names = Array.from({ length: 30 }, (_, at) => `v${at}`);
    const all = await Promise.all(names.map((name) => world.write([visit(name, { next: shown(name) })])));
    expect(new Set(all.flat().map(({ seq }) => seq)).size).toBe(30);
    const views = await world.store.readRecords(
      world.tenant,
      names.map((name) => ({ collection: VISITS, id: id(name) })),
    );
    expect(views.map((view) => view.seq)).toEqual(all.map(([one]) => one?.seq));
  });

  test('of many writers that decided on the same state one is written and the others are stale', async () => {
    const world = await begin();
    const seq = await world.show('v1', []);
    const racing = Array.from({ length: 8 }, (_, at) =>
      world.store.commit(world.tenant, [
        visit('v1', { expected: { seq, mark: 0 }, next: shown('v1', `{"note":"by ${at}"}`) }),
      ]),
    );
    const kinds = (await Promise.all(racing)).flat().map((outcome) => outcome.kind);
    expect(kinds.filter((kind) => kind === 'written')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'stale')).toHaveLength(7);
  });

  test('a write is stale when the seq or the mark moved, and leaves everything as it is', async () => {
    const world = await begin();
    const seq = await world.show('v1', ['route:1']);
    const before = await world.view('v1');
    const moved = await world.store.commit(world.tenant, [visit('v1', { next: shown('v1', '{"note":"lost"}') })]);
    const marked = await world.store.commit(world.tenant, [
      visit('v1', { expected: { seq, mark: 1 }, next: shown('v1', '{"note":"lost"}') }),
    ]);
    expect([...moved, ...marked]).toEqual([{ kind: 'stale' }, { kind: 'stale' }]);
    expect(await world.view('v1')).toEqual(before);
  });

  test('a stale write stops no other write of its commit', async () => {
    const world = await begin();
    await world.show('v1', []);
    const outcomes = await world.store.commit(world.tenant, [
      visit('v1', { next: shown('v1') }),
      visit('v2', { next: shown('v2') }),
    ]);
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['stale', 'written']);
    expect((await world.view('v2')).body).toBe(shown('v2').body);
  });

  test('R12: a source key belongs to one record, and the refused one is told to which', async () => {
    const world = await begin();
    await world.show('v1', [], { sourceKey: 'K' as SourceKey });
    const outcomes = await world.store.commit(world.tenant, [visit('v2', { next: { ...shown('K') } })]);
    expect(outcomes).toEqual([{ kind: 'keyTaken', by: 'v1' }]);
    expect((await world.view('v2')).seq).toBe(0);
    expect(await world.show('v1', [], { sourceKey: 'K' as SourceKey })).toBeGreaterThan(0);
  });

  test('records are found by source key, unknown keys are missing', async () => {
    const world = await begin();
    await world.show('v1', [], { sourceKey: 'K1' as SourceKey, sourceVersion: 'etag-7' });
    const keys = ['K1', 'K2'] as SourceKey[];
    const views = await world.store.readBySourceKey(world.tenant, VISITS, keys);
    expect([...views]).toEqual([['K1', await world.view('v1')]]);
    const marks = await world.store.readHashes(world.tenant, VISITS, keys);
    const { seq, mark, hash } = await world.view('v1');
    const expected = {
      id: 'v1',
      seq,
      mark,
      hash,
      sourceVersion: 'etag-7',
      deleted: false,
      written: 0,
      pending: false,
      openIntents: 0,
      inFlight: false,
      ownSeq: 1,
      via: null,
    };
    expect([...marks]).toEqual([['K1', expected]]);
  });

  test('R17: what is known of records is told in one hash, unless one of them is gone or unknown', async () => {
    const world = await begin();
    const { store, tenant } = world;
    await world.show('v1', [], { sourceKey: 'K1' as SourceKey, sourceVersion: 'etag "7"\n\u0001Å' });
    const seq = await world.show('v2', [], { sourceKey: 'K2' as SourceKey });
    const keys = ['K2', 'K1'] as SourceKey[];
    const states = (of = keys): Promise<string | null> => store.readStates(tenant, VISITS, of);
    const marks = await store.readHashes(tenant, VISITS, keys);
    const known = hashText(statesText(keys.map((key) => marks.get(key))) ?? '');
    expect(await states()).toBe(known);
    expect(await states([...keys, 'K3' as SourceKey])).toBeNull();
    await world.write([visit('v2', { expected: { seq, mark: 0 }, sourceVersion: 'other' })]);
    expect(await states()).not.toBe(known);
    await world.lose('v2');
    expect(await states(['K2'] as SourceKey[])).toBeNull();
    expect(await states(['K1'] as SourceKey[])).not.toBeNull();
  });

  test('R17: a source version alone moves no seq', async () => {
    const world = await begin();
    const seq = await world.show('v1', ['route:1']);
    await world.write([visit('v1', { expected: { seq, mark: 0 }, sourceVersion: 'v2' })]);
    expect(await world.view('v1')).toMatchObject({ seq, mark: 0, sourceVersion: 'v2', body: shown('v1').body });
    expect(await world.head()).toBe(seq);
  });

  test('R15: a write through us sets `written`, an observation leaves it', async () => {
    const world = await begin();
    const ours = await world.show('v1', [], { throughUs: true });
    expect((await world.view('v1')).written).toBe(ours);
    await world.show('v1', []);
    expect((await world.view('v1')).written).toBe(ours);
  });

  test('a tombstone keeps the last body and the source key', async () => {
    const world = await begin();
    await world.show('v1', ['route:1']);
    const seq = await world.lose('v1');
    expect(await world.view('v1')).toMatchObject({ seq, deleted: true, body: shown('v1').body, sourceKey: 'v1' });
  });

  test('stamps say when and by whom each field last changed', async () => {
    const world = await begin();
    const nurse = writerOf(world.nurse);
    const first = visit('v1', {
      next: shown('v1'),
      stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
    });
    const [{ seq: q1 } = { seq: 0 as Seq }] = await world.write([first]);
    const second = visit('v1', {
      expected: { seq: q1, mark: 0 },
      next: shown('v1'),
      stamps: [
        { fields: ['note'], writer: nurse, at: null },
        { fields: ['ward'], writer: nurse, at: 3 as Seq },
      ],
    });
    const [{ seq: q2 } = { seq: 0 as Seq }] = await world.write([second]);
    const { stamps } = await world.view('v1');
    expect(stampOf(stamps, 'note')).toEqual({ seq: q2, writer: nurse });
    expect(stampOf(stamps, 'room')).toEqual({ seq: q1, writer: SOURCE_WRITER });
    expect(stamps['ward']).toEqual({ seq: 3, writer: nurse });
    await world.write([
      visit('v1', {
        expected: { seq: q2, mark: 0 },
        next: shown('v1'),
        stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
      }),
    ]);
    const later = await world.view('v1');
    expect(stampOf(later.stamps, 'note')).toEqual({ seq: later.seq, writer: SOURCE_WRITER });
    // A change that is in effect already moves nothing but the writers.
    const { nurse: device } = world;
    const settled = { device, changeId: 'c1', status: 'APPLIED', error: null, inEffect: true, intent: null } as const;
    await world.write([
      visit('v1', {
        expected: { seq: later.seq, mark: 0 },
        acceptance: { device, changeId: 'c1', bodyHash: 'h1', intent: null },
        settlement: settled,
        stamps: [{ fields: ['note'], writer: nurse, at: later.seq }],
      }),
    ]);
    const after = await world.view('v1');
    expect(stampOf(after.stamps, 'note')).toEqual({ seq: later.seq, writer: nurse });
    expect(after).toEqual({ ...later, stamps: after.stamps });
  });

  test('hostile texts come back as they were: NUL, lone surrogates, quotes, line separators', async () => {
    const world = await begin();
    const texts = [
      '\u0000',
      '\ud800',
      'x\udc00y',
      '"\\\'',
      '\u2028\u2029',
      '😀',
      "'; drop table record; --",
      '$1 %s {}',
    ];
    const note = JSON.stringify(texts.join(' | '));
    const body = `{"note":${note},"__proto__":null}`;
    const error = { code: 'SOURCE_REFUSED' as const, message: texts.join(' | '), field: null, retryable: false };
    const [written] = await world.write([
      visit('v%2F1', {
        next: { ...shown('v1', body), sourceVersion: 'W/"é\'\\"', scopes: ['route:\'1" \\ ü'] },
        acceptance: acceptedFinal(world.nurse, 'c\'1"'),
        settlement: settled(world.nurse, 'c\'1"', { status: 'REJECTED', error, inEffect: false }),
      }),
    ]);
    expect(await world.view('v%2F1')).toMatchObject({ body, sourceVersion: 'W/"é\'\\"', seq: written?.seq });
    const { known } = await world.store.readChanges(world.nurse, ['c\'1"']);
    expect(known).toMatchObject([{ changeId: 'c\'1"', error }]);
  });

  test('a tenant that was never opened is an error, and opening twice changes nothing', async () => {
    const world = await begin();
    await expect(world.store.readHead('no such tenant')).rejects.toThrow();
    await expect(world.store.commit('no such tenant', [visit('v1', { next: shown('v1') })])).rejects.toThrow();
    const before = await world.store.readHead(world.tenant);
    await world.store.openTenant(world.tenant);
    expect(await world.store.readHead(world.tenant)).toEqual(before);
  });
}
