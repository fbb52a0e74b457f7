import { formatVersion, type Change, type RecordId, type Seq } from '../../../src/core/change.js';
import type { SliceForm } from '../../../src/core/feed-port.js';
import { fullShape, renderChange, type ChangePart, type ChangeShape } from '../../../src/core/shape.js';
import {
  acceptedFinal,
  BEGINNING,
  onSnapshot,
  PATIENTS,
  scopes,
  settled,
  shown,
  textOf,
  VISITS,
  type World,
} from './world.js';

const COLLECTIONS = [VISITS, PATIENTS];

function shapeOf(key: string, partsOf: (collection: string) => readonly ChangePart[]): ChangeShape {
  return { key, parts: new Map(COLLECTIONS.map((name) => [name, partsOf(name)])) };
}

const SHAPES: readonly ChangeShape[] = [
  fullShape(COLLECTIONS),
  shapeOf('typed', (name) => [
    { literal: `{"__typename":"${name === VISITS ? 'VisitChange' : "Patient's \\\\ Change"}","mine":` },
    { slot: 'mine' },
    { literal: ',"record":' },
    { slot: 'fields', prefix: `"__typename":"Visit's",` },
    { literal: ',"kind":' },
    { slot: 'kind' },
    { literal: ',"again":' },
    { slot: 'fields', prefix: '' },
    { literal: ',"last":' },
    { slot: 'fields', prefix: '', suffix: `,"__typename":"Visit's"` },
    { literal: ',"both":' },
    { slot: 'fields', prefix: `"a":"b",`, suffix: `,"z":"'"` },
    { literal: '}' },
  ]),
  shapeOf('names', () => [
    { literal: '{"id":' },
    { slot: 'id' },
    { literal: ',"v":' },
    { slot: 'version' },
    { literal: '}' },
  ]),
  shapeOf('bare', () => [{ slot: 'collection' }]),
  shapeOf('constant', () => [{ literal: "'%$1\u2028ü😀'" }]),
];

const BODIES: Readonly<Record<string, string>> = {
  plain: '{"note":"plain"}',
  escaped: JSON.stringify({ note: '\u0000 \ud800 "quoted" \\ \u2028 😀 \'; --', empty: '', none: null }),
  nested: '{"note":{"a":[1,2.5,-0.0,1e21,true,null,"x"],"__proto__":{}},"list":[]}',
  wide: JSON.stringify({ note: 'ä€😀'.repeat(400) }),
};

/** Pages leave the store as ready bytes: the same that `renderChange` of core writes. */
export function pageTextPromises(begin: () => Promise<World>): void {
  async function expected(
    world: World,
    shape: ChangeShape,
    kinds: readonly (readonly [Change['kind'], string])[],
    mine: Readonly<Record<string, readonly string[]>> = {},
  ): Promise<string> {
    const { epoch } = await world.store.readHead(world.tenant);
    const texts = kinds.map(async ([kind, id]) => {
      const collection = id === 'patient' ? PATIENTS : VISITS;
      const view = await world.view(id, collection);
      const change = {
        collection,
        id: id as RecordId,
        version: formatVersion(epoch, view.seq),
        changedAt: new Date(view.changedAtMs).toISOString(),
        kind,
        pending: false,
        mine: mine[id] ?? [],
      };
      return renderChange(shape.parts.get(collection) ?? [], change, kind === 'UPSERT' ? view.body : null);
    });
    return (await Promise.all(texts)).join(',');
  }
  const pairs = [{ collection: PATIENTS, scope: 'all' }, ...scopes('route:1')];

  test.each(SHAPES.map((shape) => [shape.key, shape] as const))(
    'every step writes the shape "%s" byte for byte',
    async (_, shape) => {
      const world = await begin();
      for (const [id, body] of Object.entries(BODIES)) await world.show(id, ['route:1'], { body });
      await world.show('patient', ['all'], { collection: PATIENTS, body: '{"name":"Ada"}' });
      await world.show('moved', ['route:1']);
      await world.show('gone', ['route:1']);
      const before = await world.head();
      await world.show('moved', ['route:9']);
      await world.lose('gone');
      await world.show('plain', ['route:1'], { body: '{"note":"newer"}' });
      const form: SliceForm = { shape, device: null, mineAfter: BEGINNING };
      const upserts = ['escaped', 'nested', 'wide', 'patient'].map((id) => ['UPSERT', id] as const);
      await onSnapshot(world, async (snapshot) => {
        const upTo = snapshot.feed.head;
        const filled = await snapshot.fill({ set: pairs, after: BEGINNING, upTo }, 100, form);
        expect(textOf(filled)).toBe(await expected(world, shape, [...upserts, ['UPSERT', 'plain']]));
        const range = { cover: pairs, after: BEGINNING, upTo, heldUpTo: before };
        const moved = await snapshot.main(range, 100, form);
        expect(textOf(moved)).toBe(
          await expected(world, shape, [...upserts, ['REVOKE', 'moved'], ['DELETE', 'gone'], ['UPSERT', 'plain']]),
        );
        const drained = await snapshot.drain({ set: pairs, after: null, seq: before, cover: [], fill: null }, 2, form);
        expect(textOf(drained)).toBe(
          await expected(world, shape, [
            ['REVOKE', 'plain'],
            ['REVOKE', 'escaped'],
          ]),
        );
        const gone = await snapshot.drain(
          { set: scopes('route:1'), after: drained.position, seq: before, cover: [], fill: null },
          100,
          form,
        );
        expect(textOf(gone)).toBe(
          await expected(world, shape, [
            ['REVOKE', 'nested'],
            ['REVOKE', 'wide'],
            ['REVOKE', 'moved'],
            ['DELETE', 'gone'],
          ]),
        );
      });
    },
  );

  test('an empty slice has no bytes', async () => {
    const world = await begin();
    const form: SliceForm = { shape: fullShape(COLLECTIONS), device: null, mineAfter: BEGINNING };
    const empty = await onSnapshot(world, (snapshot) =>
      snapshot.fill({ set: pairs, after: BEGINNING, upTo: 10 as Seq }, 10, form),
    );
    expect([empty.texts, empty.count, empty.exhausted]).toEqual([[], 0, true]);
  });

  test('R5: `mine` names the changes of this device that took effect after a seq, in their order', async () => {
    const world = await begin();
    const settle = async (id: string, changeId: string, device = world.nurse, inEffect = true): Promise<Seq> => {
      const { seq, mark } = await world.view(id);
      const [written] = await world.write([
        {
          collection: VISITS,
          id: id as RecordId,
          expected: { seq, mark },
          next: { ...shown(id), scopes: ['route:1'], throughUs: true },
          acceptance: acceptedFinal(device, changeId),
          settlement: settled(device, changeId, { inEffect, status: inEffect ? 'APPLIED' : 'CONFLICT' }),
        },
      ]);
      return written?.seq as Seq;
    };
    const q1 = await settle('v1', 'c1');
    await settle('v1', 'c"2');
    await settle('v2', 'c3', world.dispatcher);
    await settle('v1', 'c4', world.nurse, false);
    await settle('v2', 'c5');
    const shape = fullShape(COLLECTIONS);
    const read = (form: SliceForm): Promise<string> =>
      onSnapshot(world, async (snapshot) => {
        const range = { cover: pairs, after: BEGINNING, upTo: snapshot.feed.head, heldUpTo: BEGINNING };
        const main = textOf(await snapshot.main(range, 10, form));
        expect(textOf(await snapshot.fill({ set: pairs, after: BEGINNING, upTo: snapshot.feed.head }, 10, form))).toBe(
          main,
        );
        return main;
      });
    const rows = [
      ['UPSERT', 'v1'],
      ['UPSERT', 'v2'],
    ] as const;
    const nurse = (mineAfter: Seq): SliceForm => ({ shape, device: world.nurse, mineAfter });
    expect(await read(nurse(BEGINNING))).toBe(await expected(world, shape, rows, { v1: ['c1', 'c"2'], v2: ['c5'] }));
    expect(await read(nurse(q1))).toBe(await expected(world, shape, rows, { v1: ['c"2'], v2: ['c5'] }));
    expect(await read({ ...nurse(BEGINNING), device: null })).toBe(await expected(world, shape, rows));
    const other = { ...nurse(BEGINNING), device: { ...world.nurse, device: 'phone' } };
    expect(await read(other)).toBe(await expected(world, shape, rows));
  });
}
