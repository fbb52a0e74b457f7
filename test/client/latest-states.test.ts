import { createRxDatabase, type RxCollection, type RxDatabase } from 'rxdb';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { createLatestStates } from '../../src/client/rxdb/latest-states.js';
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
  test('what RxDB skipped while the push ended is offered until it is here', async () => {
    const latest = createLatestStates(visits);
    await hold(visit('e.1', 'mine'));
    latest.watch(visit('e.2', 'mine'), 'mine');
    latest.see([visit('e.3')]);
    expect(versions(await latest.missed([]))).toEqual(['e.3']);
    expect(versions(await latest.missed([]))).toEqual(['e.3']);
    await hold(visit('e.3', 'mine'));
    expect(await latest.missed([])).toEqual([]);
    // It is here: nobody looks any more, whatever becomes of it.
    await hold(visit('e.1', 'mine'));
    expect(await latest.missed([])).toEqual([]);
  });

  test('the newest of several states counts, and one that is coming by itself is not offered beside that', async () => {
    const latest = createLatestStates(visits);
    await hold(visit('e.1', 'mine'));
    latest.watch(visit('e.2', 'mine'), 'mine');
    latest.see([visit('e.3'), visit('e.4')]);
    expect(await latest.missed([visit('e.4')])).toEqual([]);
    expect(versions(await latest.missed([]))).toEqual(['e.4']);
  });

  test('a later edit of the device is not overwritten: its own push brings the record', async () => {
    const latest = createLatestStates(visits);
    await hold(visit('e.1', 'mine'));
    latest.watch(visit('e.2', 'mine'), 'mine');
    latest.see([visit('e.3')]);
    await hold(visit('e.1', 'made since'));
    expect(await latest.missed([])).toEqual([]);
  });

  test('of documents that were never pushed, or are gone here, nothing is offered', async () => {
    const latest = createLatestStates(visits);
    await hold(visit('e.1'));
    latest.see([visit('e.3')]);
    expect(await latest.missed([])).toEqual([]);
    await (await visits.findOne('V-1').exec())?.remove();
    latest.watch(visit('e.2', 'mine'), 'mine');
    expect(versions(await latest.missed([]))).toEqual([]);
  });
});
