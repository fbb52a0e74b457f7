import type { RxCollection, RxDatabase } from 'rxdb';
import type { SentChange } from '../../src/client/gateway.js';
import { until } from '../support/until.js';
import { openVisits, replicateVisits } from './rxdb-visits.js';

/** A phone that edits a visit while the edit before it is on its way: RxDB does not come to know how that one ended. */

let database: RxDatabase;
let visits: RxCollection;
beforeEach(async () => void ({ database, visits } = await openVisits('overtaken')));
afterEach(() => database.remove());

const VISIT = '5d0c2f0e-0c1b-4b57-9a55-2b1f1d1f0a01';
const edit = async (fields: object, id = VISIT) =>
  void (await (await visits.findOne(id).exec(true)).incrementalPatch(fields));

/** What a gateway has of a visit, and every change that took effect there, once each (R7). */
function ward() {
  const taken: SentChange[] = [];
  const answers = new Map<string, object>();
  let fields: Record<string, unknown> = {};
  let version = 9;

  function answer(change: SentChange, refused?: string): object {
    const known = answers.get(change.changeId);
    if (known !== undefined) return known;
    const isRefused = refused !== undefined;
    if (!isRefused) {
      taken.push(change);
      fields = { ...fields, ...change.json };
      version += 1;
    }
    const isThere = taken.length > 0 && change.kind !== 'DELETE';
    const told = { collection: 'visits', id: change.id, version: `e.${version}`, pending: false };
    const result = {
      changeId: change.changeId,
      status: isRefused ? 'REJECTED' : 'APPLIED',
      error: isRefused ? { code: 'SOURCE_REFUSED', message: refused, field: null, retryable: false } : null,
      change: isThere ? { ...told, kind: 'UPSERT', json: fields } : null,
    };
    answers.set(change.changeId, result);
    return result;
  }
  const said = (): unknown[] => taken.map(({ kind, json = null, baseVersion }) => [kind, json, baseVersion]);
  const write = (written: object): void => void (fields = { ...fields, ...written });
  return { answer, said, taken, write };
}

const pushed = (results: readonly object[]) => ({ data: { push: { results } } });

test('R7, R9: an edit that is made while the create below it is answered says only what is its own', async () => {
  const { answer, said } = ward();
  const replication = replicateVisits(visits, [], async (changes) => {
    const results = changes.map((change) => answer(change));
    if (said().length === 1) await edit({ note: 'ring twice' });
    return pushed(results);
  });
  await replication.awaitInitialReplication();
  await visits.insert({ id: VISIT, isUrgent: true, note: 'ring' });
  await replication.awaitInSync();
  expect(said()).toEqual([
    ['UPSERT', { isUrgent: true, note: 'ring' }, null],
    ['UPSERT', { note: 'ring twice' }, null],
  ]);
  expect((await visits.findOne(VISIT).exec()).toJSON()).toMatchObject({ note: 'ring twice', isUrgent: true });
});

test('R9: what another wrote over the edit before is not overwritten by the one after it', async () => {
  const { answer, said, write } = ward();
  const replication = replicateVisits(visits, [[VISIT]], async (changes) => {
    const results = changes.map((change) => answer(change));
    if (said().length === 1) {
      write({ isUrgent: false });
      await edit({ note: 'on my way' });
    }
    return pushed(results);
  });
  await replication.awaitInitialReplication();
  await edit({ isUrgent: true });
  await replication.awaitInSync();
  // Made from the version that the user saw, not from the one that the answer tells of.
  expect(said()).toEqual([
    ['UPSERT', { isUrgent: true }, 'e.0'],
    ['UPSERT', { note: 'on my way' }, 'e.0'],
  ]);
  expect((await visits.findOne(VISIT).exec()).toJSON()).toMatchObject({ note: 'on my way', isUrgent: false });
});

test('R8: a refused edit takes none that was made after it with it', async () => {
  const { answer, said } = ward();
  const refused: unknown[] = [];
  let isFirst = true;
  const take = async (changes: readonly SentChange[]) => {
    const results = changes.map((change) => answer(change, isFirst ? 'no such note' : undefined));
    if (isFirst) await edit({ isUrgent: true });
    isFirst = false;
    return pushed(results);
  };
  const replication = replicateVisits(visits, [[VISIT]], take, { onRefused: ({ error }) => refused.push(error?.code) });
  await replication.awaitInitialReplication();
  await edit({ note: 'forbidden' });
  await replication.awaitInSync();
  expect([said(), refused]).toEqual([[['UPSERT', { isUrgent: true }, 'e.0']], ['SOURCE_REFUSED']]);
});

test('F19: on top of a create that is refused an edit makes the record whole', async () => {
  const { answer, said } = ward();
  let isFirst = true;
  const replication = replicateVisits(visits, [], async (changes) => {
    const results = changes.map((change) => answer(change, isFirst ? 'no such note' : undefined));
    if (isFirst) await edit({ note: 'a better one' });
    isFirst = false;
    return pushed(results);
  });
  await replication.awaitInitialReplication();
  await visits.insert({ id: VISIT, isUrgent: true, note: 'forbidden' });
  await replication.awaitInSync();
  expect(said()).toEqual([['UPSERT', { isUrgent: true, note: 'a better one' }, null]]);
});

test('what was made and thrown away while it was on its way is made and deleted', async () => {
  const { answer, said } = ward();
  const replication = replicateVisits(visits, [], async (changes) => {
    const results = changes.map((change) => answer(change));
    if (said().length === 1) await (await visits.findOne(VISIT).exec(true)).incrementalRemove();
    return pushed(results);
  });
  await replication.awaitInitialReplication();
  await visits.insert({ id: VISIT, note: 'a mistake' });
  await replication.awaitInSync();
  expect(said()).toEqual([
    ['UPSERT', { note: 'a mistake' }, null],
    ['DELETE', null, null],
  ]);
});

describe('the app ends while a push has no answer, and an edit was made on top of it', () => {
  /** @param isTaken did what was sent take effect? */
  async function live(isTaken: boolean) {
    const { answer, said, taken } = ward();
    const sent: SentChange[][] = [];
    const lost = replicateVisits(visits, [[VISIT]], (changes) => {
      sent.push([...changes]);
      if (isTaken) for (const change of changes) answer(change);
      throw new Error('the reply is lost');
    });
    await lost.awaitInitialReplication();
    await edit({ isUrgent: true });
    await until('it was sent', async () => sent.length > 0);
    await edit({ note: 'on my way' });
    await edit({ note: 'there in ten minutes' });
    await lost.cancel();
    await database.close();

    ({ database, visits } = await openVisits('overtaken'));
    const replication = replicateVisits(visits, [], (changes) => {
      sent.push([...changes]);
      return pushed(changes.map((change) => answer(change)));
    });
    await replication.awaitInSync();
    return { said, taken, sent };
  }

  test.each([true, false])('R7, F22: each takes effect once (the first one had: %s)', async (isTaken) => {
    const { said, taken, sent } = await live(isTaken);
    expect(said()).toEqual([
      ['UPSERT', { isUrgent: true }, 'e.0'],
      ['UPSERT', { note: 'there in ten minutes' }, 'e.0'],
    ]);
    const [first] = sent[0] ?? [];
    // To the letter, or it would be another change under a known id.
    expect(taken[0]).toEqual(first);
    for (const batch of sent.filter((changes) => changes[0]?.changeId === first?.changeId))
      expect(batch).toEqual([first]);
    expect((await visits.findOne(VISIT).exec()).toJSON()).toMatchObject({
      note: 'there in ten minutes',
      isUrgent: true,
    });
  });
});
