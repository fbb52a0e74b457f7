import type { RecordId, Seq } from '../../../src/core/change.js';
import type { RecordWrite } from '../../../src/core/record-port.js';
import { accepted, acceptedFinal, NEW, settled, VISITS, type World } from './world.js';

const id = (text: string): RecordId => text as RecordId;
const visit = (name: string, parts: Partial<RecordWrite> = {}): RecordWrite => ({
  collection: VISITS,
  id: id(name),
  expected: NEW,
  ...parts,
});

/** Pushed changes as they are remembered (R7), and what they leave of a record that is not there yet. */
export function changePromises(begin: () => Promise<World>): void {
  test('R7: a change id is known once it was accepted, whatever else is true of the repeat', async () => {
    const world = await begin();
    await world.accept('v1', 'c1');
    const repeat = visit('v1', { acceptance: accepted(world.nurse, 'c1') });
    expect(await world.store.commit(world.tenant, [repeat])).toEqual([{ kind: 'known' }]);
    expect((await world.view('v1')).intents).toHaveLength(1);
  });

  test('R7: the same change id of another user on the same device name is another change', async () => {
    const world = await begin();
    await world.accept('v1', 'c1');
    const { seq, mark } = await world.view('v1');
    const other = visit('v1', { expected: { seq, mark }, acceptance: accepted(world.dispatcher, 'c1') });
    await world.write([other]);
    expect((await world.view('v1')).intents.map((intent) => intent.device.user)).toEqual(['nurse', 'dispatcher']);
  });

  test('a change that is final at once is remembered with its status and leaves no intent', async () => {
    const world = await begin();
    const seq = await world.show('v1', []);
    const error = { code: 'CONFLICT' as const, message: 'moved on', field: 'note', retryable: false };
    const [written] = await world.write([
      visit('v1', {
        expected: { seq, mark: 0 },
        acceptance: acceptedFinal(world.nurse, 'c1'),
        settlement: settled(world.nurse, 'c1', { status: 'CONFLICT', error, inEffect: false }),
      }),
    ]);
    expect(written?.intentNo).toBeNull();
    expect(written?.seq).toBeGreaterThan(seq);
    expect(await world.view('v1')).toMatchObject({ seq, intents: [] });
    expect(await world.store.readChanges(world.nurse, ['c1', 'c2'])).toEqual({
      standing: 'kept',
      known: [
        {
          changeId: 'c1',
          bodyHash: 'body of c1',
          collection: VISITS,
          id: 'v1',
          status: 'CONFLICT',
          error,
          blockedBy: null,
          kept: null,
        },
      ],
    });
  });

  test('a record that is only being created has no seq, no feed row and no place among known keys', async () => {
    const world = await begin();
    const before = await world.head();
    await world.accept('v1', 'c1');
    expect(await world.view('v1')).toMatchObject({ seq: 0, mark: 1, body: null, intents: [{ changeId: 'c1' }] });
    expect(await world.head()).toBe(before);
    expect((await world.store.readCollection(world.tenant, VISITS)).recordCount).toBe(0);
    expect(await world.store.knownKeys(world.tenant, VISITS, 1_000 as Seq, null, 10)).toEqual([]);
  });

  test('a create that was refused leaves a record that can be created again', async () => {
    const world = await begin();
    const intent = await world.accept('v1', 'c1', world.nurse, { holder: 'node', leaseMs: 60_000 });
    const { seq, mark } = await world.view('v1');
    const closing = { intentNo: intent.intentNo, fence: 1 };
    await world.write([
      visit('v1', {
        expected: { seq, mark },
        settlement: settled(world.nurse, 'c1', { status: 'REJECTED', inEffect: false, intent: closing }),
      }),
    ]);
    expect(await world.view('v1')).toMatchObject({ seq: 0, body: null, intents: [] });
    expect(await world.show('v1', ['route:1'])).toBeGreaterThan(0);
  });
}
