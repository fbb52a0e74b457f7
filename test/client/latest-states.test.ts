import { createRxDatabase, type RxCollection, type RxDatabase } from 'rxdb';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { createLatestStates, type LatestStates } from '../../src/client/rxdb/latest-states.js';
import type { MarkedDocument } from '../../src/client/rxdb/mark.js';
import { TIDEGATE_FIELD } from '../../src/client/rxdb.js';

let database: RxDatabase;
let visits: RxCollection;

beforeEach(async () => {
  database = await createRxDatabase({ name: 'latest', storage: getRxStorageMemory(), multiInstance: false });
  const properties = { id: { type: 'string', maxLength: 100 }, note: { type: 'string' }, tidegate: TIDEGATE_FIELD };
  const schema = { version: 0, primaryKey: 'id', type: 'object', properties } as never;
  visits = (await database.addCollections({ visits: { schema } }))['visits'] as RxCollection;
});
afterEach(() => database.close());

/** Visit V-1 in a state of the gateway. @param changeId of the last edit of this device that is here */
function visit(version: string, changeId?: string): MarkedDocument {
  const mark = { version, lineage: 1, pending: false, ...(changeId === undefined ? {} : { changeId }) };
  return { id: 'V-1', note: version, tidegate: mark } as unknown as MarkedDocument;
}
const hold = (document: MarkedDocument) => visits.upsert(document);
const versions = (documents: readonly MarkedDocument[]) => documents.map(({ tidegate }) => tidegate?.version);

describe('the states that came last of documents that were pushed', () => {
  function pushed(version: string): LatestStates {
    const latest = createLatestStates(visits);
    latest.sent('V-1', 'mine');
    latest.answered('V-1', visit(version, 'mine'));
    return latest;
  }

  test('what RxDB skipped while the push ended is offered until it is here', async () => {
    await hold(visit('e.1', 'mine'));
    const latest = pushed('e.2');
    latest.see([visit('e.3')]);
    expect(versions(await latest.missed([]))).toEqual(['e.3']);
    expect(versions(await latest.missed([]))).toEqual(['e.3']);
    await hold(visit('e.3', 'mine'));
    expect(await latest.missed([])).toEqual([]);
    // It is here: nobody looks any more, whatever becomes of it.
    await hold(visit('e.1', 'mine'));
    expect(await latest.missed([])).toEqual([]);
  });

  test('so is what came while the push was under way, unless its answer is newer', async () => {
    await hold(visit('e.1', 'mine'));
    const latest = createLatestStates(visits);
    latest.sent('V-1', 'mine');
    latest.see([visit('e.9')]);
    // RxDB would skip it again, and ask for the next page at once.
    expect(await latest.missed([])).toEqual([]);
    latest.answered('V-1', visit('e.8', 'mine'));
    expect(versions(await latest.missed([]))).toEqual(['e.9']);
    latest.sent('V-1', 'mine');
    latest.answered('V-1', visit('e.10', 'mine'));
    expect(versions(await latest.missed([]))).toEqual(['e.10']);
  });

  test('so is what came after an answer that says nothing of the record, also of one that is new, and a tombstone', async () => {
    for (const held of [visit('e.1', 'mine'), { id: 'V-1', note: 'made here', tidegate: { changeId: 'mine' } }]) {
      await hold(held);
      const latest = createLatestStates(visits);
      latest.sent('V-1', 'mine');
      latest.answered('V-1', null);
      expect(await latest.missed([])).toEqual([]);
      latest.see([{ ...visit('e.2'), _deleted: true }]);
      expect(await latest.missed([])).toMatchObject([{ id: 'V-1', _deleted: true }]);
      await (await visits.findOne('V-1').exec())?.remove();
      expect(await latest.missed([])).toEqual([]);
    }
  });

  test('the newest of several states counts, and one that is coming by itself is not offered beside that', async () => {
    await hold(visit('e.1', 'mine'));
    const latest = pushed('e.2');
    latest.see([visit('e.3'), visit('e.4')]);
    expect(await latest.missed([visit('e.4')])).toEqual([]);
    expect(versions(await latest.missed([]))).toEqual(['e.4']);
  });

  test('a later edit of the device is not overwritten: what came is offered once that one is answered, too', async () => {
    await hold(visit('e.1', 'mine'));
    const latest = pushed('e.2');
    latest.see([visit('e.3')]);
    await hold(visit('e.1', 'made since'));
    expect(await latest.missed([])).toEqual([]);
    latest.sent('V-1', 'made since');
    expect(await latest.missed([])).toEqual([]);
    latest.answered('V-1', null);
    expect(versions(await latest.missed([]))).toEqual(['e.3']);
  });

  test('of documents that were never pushed, or are gone here, nothing is offered', async () => {
    const latest = createLatestStates(visits);
    await hold(visit('e.1'));
    latest.see([visit('e.3')]);
    expect(await latest.missed([])).toEqual([]);
    await (await visits.findOne('V-1').exec())?.remove();
    latest.sent('V-1', 'mine');
    latest.answered('V-1', visit('e.2', 'mine'));
    expect(versions(await latest.missed([]))).toEqual([]);
  });
});
