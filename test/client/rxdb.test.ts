import type { RxCollection, RxDatabase, RxDocument } from 'rxdb';
import type { SentChange } from '../../src/client/gateway.js';
import { repeatRows } from '../../src/client/rxdb/repeats.js';
import { tidegateReplication } from '../../src/client/rxdb.js';
import { openVisits, replicateVisits, type Circumstances, type Take } from './rxdb-visits.js';

let database: RxDatabase;
let visits: RxCollection;

beforeEach(async () => {
  ({ database, visits } = await openVisits('unit'));
});
afterEach(() => database.remove());

const replicate = (pages: readonly (readonly string[])[], take?: Take, circumstances?: Circumstances) =>
  replicateVisits(visits, pages, take, circumstances);

test('R2: one pull takes every page, short and empty ones too', async () => {
  const replication = replicate([['V-1', 'V-2'], [], [], ['V-3'], []]);
  await replication.awaitInitialReplication();
  expect(await visits.count().exec()).toBe(3);
});

test('a page that was read ahead is never the last: RxDB drops hints that came before it asked', async () => {
  const replication = replicate([['V-1'], [], ['V-2']], undefined, { hasMore: (at) => at === 1 });
  await replication.awaitInitialReplication();
  expect(await visits.count().exec()).toBe(2);
});

test('F22: a repeat after a lost reply is the same change, a toggle is another one', async () => {
  const sent: SentChange[] = [];
  let isLost = true;
  const replication = replicate([['V-1']], (changes) => {
    sent.push(...changes);
    if (isLost) {
      isLost = false;
      throw new Error('the reply is lost');
    }
    const results = changes.map(({ changeId }) => ({ changeId, status: 'APPLIED', error: null, change: null }));
    return { data: { push: { results } } };
  });
  await replication.awaitInitialReplication();
  for (const isUrgent of [true, false, true]) {
    await (await visits.findOne('V-1').exec()).incrementalPatch({ isUrgent });
    await replication.awaitInSync();
  }
  expect(sent.map(({ json }) => json)).toEqual([true, true, false, true].map((isUrgent) => ({ isUrgent })));
  expect(sent[1]).toEqual(sent[0]);
  expect(new Set(sent.map(({ changeId }) => changeId)).size).toBe(3);
});

test('a deletion that RxDB skips while it notes that an edit was accepted is offered again', async () => {
  await visits.insert({ id: 'V-1', isUrgent: false, tidegate: { version: 'e.1', lineage: 1 } });
  const document = (await visits.findOne('V-1').exec()) as RxDocument;
  const { push, pull } = tidegateReplication({
    collection: visits,
    url: 'http://gateway.example/graphql',
    device: 'd',
  });
  const assumedMasterState = document.toMutableJSON();
  const edited = await document.incrementalPatch({ isUrgent: true });
  const row = { assumedMasterState, newDocumentState: { ...edited.toMutableJSON(), _deleted: false } };
  const asked = await push?.queryBuilder([row] as never);
  const [change] = (asked as unknown as { variables: { changes: readonly SentChange[] } }).variables.changes;
  const accepted = { changeId: change?.changeId, status: 'ACCEPTED', error: null, change: null };
  expect(await push?.responseModifier?.([accepted] as never)).toEqual([]);

  async function take(changes: readonly object[]): Promise<readonly unknown[]> {
    const page = {
      changes,
      receipts: [],
      checkpoint: 'next',
      hasMore: false,
      reset: false,
      epoch: 'e',
      isAhead: false,
    };
    const from = { since: 'place', lineage: 1, isFilling: false, fields: 'isUrgent' };
    const asked = { ...page, from, toldCount: 0 };
    return ((await pull?.responseModifier?.(asked, 'handler', undefined)) as { documents: unknown[] }).documents;
  }
  const gone = { id: 'V-1', _deleted: true };
  const deletion = { collection: 'visits', id: 'V-1', version: 'e.2', kind: 'DELETE', pending: false, json: null };
  expect(await take([deletion])).toMatchObject([gone]);
  expect(await take([])).toMatchObject([gone]);
  await document.getLatest().incrementalRemove();
  expect(await take([])).toEqual([]);
});

test('an edit that one on top of it takes in is not pushed by itself, and not taken for pushed', async () => {
  const url = 'http://gateway.example/graphql';
  const { push } = tidegateReplication({ collection: visits, url, device: 'd' });
  const made = (await visits.insert({ id: 'V-1', isUrgent: false })) as RxDocument;
  const row = { newDocumentState: { ...made.toMutableJSON(), _deleted: false } };
  await made.incrementalPatch({ note: 'ring' });
  expect(await push?.queryBuilder([row] as never)).toMatchObject({ variables: { changes: [] } });
  const [told] = (await push?.responseModifier?.([] as never)) as unknown as readonly object[];
  expect(told).toEqual({ id: 'V-1', _deleted: true, tidegate: { isAwaited: true } });
});

describe('an edit that the gateway cannot take now', () => {
  const blocked = { code: 'RECORD_BLOCKED', message: 'wait', field: null, retryable: true };

  /** Refuses V-1 for now, `times` times, and takes all else. */
  function takeLate(sent: string[][], times: number) {
    return (changes: readonly SentChange[]) => {
      sent.push(changes.map(({ id }) => id));
      const results = changes.map(({ id, changeId }) => {
        const isBlocked = id === 'V-1' && sent.flat().filter((one) => one === 'V-1').length <= times;
        return {
          changeId,
          status: isBlocked ? 'REJECTED' : 'APPLIED',
          error: isBlocked ? blocked : null,
          change: null,
        };
      });
      return { data: { push: { results } } };
    };
  }

  test('is pushed again alone: the rest of its batch is done', async () => {
    const sent: string[][] = [];
    const faults: string[] = [];
    const take = takeLate(sent, 2);
    let isTaken = (): void => undefined;
    const taken = new Promise<void>((resolve) => (isTaken = resolve));
    const replication = replicate([], (changes) => {
      if (sent.length === 2) isTaken();
      return take(changes);
    });
    replication.error$.subscribe(({ parameters }) => void faults.push(String(parameters.errors?.[0]?.message)));
    await visits.bulkInsert(['V-1', 'V-2', 'V-3'].map((id) => ({ id, isUrgent: true })));
    await taken;
    await replication.awaitInSync();
    expect(sent).toEqual([['V-1', 'V-2', 'V-3'], ['V-1'], ['V-1']]);
    expect(faults).toEqual(['wait', 'wait']);
    expect((await visits.findOne('V-1').exec()).isUrgent).toBe(true);
  });

  test('is passed by an edit that was made later, for which it may wait', async () => {
    const sent: string[][] = [];
    let isTaken = (): void => undefined;
    const taken = new Promise<void>((resolve) => (isTaken = resolve));
    const replication = replicate([], (changes) => {
      sent.push(changes.map(({ id }) => id));
      if (sent.length === 1) void visits.insert({ id: 'V-2', isUrgent: true });
      const isBlocked = !sent.flat().includes('V-2');
      if (!isBlocked) isTaken();
      const [status, error] = isBlocked ? ['REJECTED', blocked] : ['APPLIED', null];
      const results = changes.map(({ changeId }) => ({ changeId, status, error, change: null }));
      return { data: { push: { results } } };
    });
    await visits.insert({ id: 'V-1', isUrgent: true });
    await taken;
    await replication.awaitInSync();
    expect(new Set(sent.at(-1))).toEqual(new Set(['V-1', 'V-2']));
  });

  test('is taken into an edit on top of it, which may be what lets it pass', async () => {
    const taken: unknown[] = [];
    const replication = replicate([['V-1']], async (changes) => {
      const results = changes.map(({ changeId, json = {} }) => {
        const isBlocked = !('note' in json);
        if (!isBlocked) taken.push(json);
        const status = isBlocked ? 'REJECTED' : 'APPLIED';
        return { changeId, status, error: isBlocked ? blocked : null, change: null };
      });
      return { data: { push: { results } } };
    });
    await replication.awaitInitialReplication();
    const visit = (await visits.findOne('V-1').exec(true)) as RxDocument;
    let isTold = (): void => undefined;
    const told = new Promise<void>((resolve) => (isTold = resolve));
    replication.error$.subscribe(() => isTold());
    await visit.incrementalPatch({ isUrgent: true });
    await told;
    await visit.getLatest().incrementalPatch({ note: 'ring' });
    await replication.awaitInSync();
    expect(taken).toEqual([{ isUrgent: true, note: 'ring' }]);
  });

  test('lets pages that come meanwhile through, once it is taken at the latest', async () => {
    const sent: string[][] = [];
    const take = takeLate(sent, 2);
    const replication = replicate(
      [['V-1'], [], ['V-1', 'V-9']],
      (changes) => {
        if (sent.length === 0) replication.reSync();
        return take(changes);
      },
      { hasMore: () => false },
    );
    await replication.awaitInitialReplication();
    await (await visits.findOne('V-1').exec()).incrementalPatch({ isUrgent: true });
    await replication.awaitInSync();
    await replication.awaitInSync();
    expect([sent.length, (await visits.findOne('V-9').exec())?.id]).toEqual([3, 'V-9']);
  });

  test('waits for a while alone only, and each time once', () => {
    const repeats = repeatRows(visits);
    const [late, other] = ['late', 'other'].map((changeId) => ({ changeId }) as SentChange) as [SentChange, SentChange];
    const tell = () =>
      repeats.tell(
        { newDocumentState: { id: 'V-1' } },
        { ...late, status: 'REJECTED', error: null, change: null },
        'id',
      );
    tell();
    repeats.pause([late, other]);
    tell();
    expect(() => repeats.pause([late])).toThrow('refused for now');
    repeats.pause([late]);
  });

  test('keeps what it was made from, and its change id', async () => {
    const sent: string[][] = [];
    const changes: SentChange[] = [];
    const take = takeLate(sent, 2);
    const replication = replicate([['V-1']], (given) => {
      changes.push(...given);
      return take(given);
    });
    await replication.awaitInitialReplication();
    await (await visits.findOne('V-1').exec()).incrementalPatch({ isUrgent: true });
    await replication.awaitInSync();
    expect(changes.map(({ baseVersion, json }) => [baseVersion, json])).toEqual(
      Array.from({ length: 3 }, () => ['e.0', { isUrgent: true }]),
    );
    expect(new Set(changes.map(({ changeId }) => changeId)).size).toBe(1);
  });

  test('is the same one after a restart', async () => {
    const changes: SentChange[] = [];
    let isBlocked = (): void => undefined;
    const blockedOnce = new Promise<void>((resolve) => (isBlocked = resolve));
    const first = replicate([['V-1']], (given) => {
      changes.push(...given);
      if (changes.length === 2) isBlocked();
      return takeLate([], 9)(given);
    });
    await first.awaitInitialReplication();
    await (await visits.findOne('V-1').exec()).incrementalPatch({ isUrgent: true });
    await blockedOnce;
    await first.cancel();
    const second = replicate([['V-2']], (given) => {
      changes.push(...given);
      return takeLate([], 0)(given);
    });
    await second.awaitInSync();
    expect(changes.slice(1)).toEqual([changes[0], changes[0]]);
    expect((await visits.findOne('V-1').exec()).isUrgent).toBe(true);
  });

  test('is refused in the end as any other', async () => {
    const refused: (string | null)[] = [];
    const change = { collection: 'visits', id: 'V-1', version: 'e.0', kind: 'UPSERT', pending: false, json: null };
    let answers = 0;
    const replication = replicate(
      [['V-1']],
      (given) => {
        answers += 1;
        const error = answers < 3 ? blocked : { ...blocked, code: 'SOURCE_REFUSED', retryable: false };
        const results = given.map(({ changeId }) => ({
          changeId,
          status: 'REJECTED',
          error,
          change,
        }));
        return { data: { push: { results } } };
      },
      { onRefused: ({ id }) => void refused.push(id) },
    );
    await replication.awaitInitialReplication();
    await (await visits.findOne('V-1').exec()).incrementalPatch({ isUrgent: true });
    await replication.awaitInSync();
    expect([answers, refused]).toEqual([3, ['V-1']]);
    // Its body cannot be read now: it shows what was there before the edit.
    const { isUrgent, tidegate } = (await visits.findOne('V-1').exec()).toJSON() as Record<string, unknown>;
    expect([isUrgent, tidegate]).toMatchObject([false, { version: 'e.0', refused: { code: 'SOURCE_REFUSED' } }]);
    expect(tidegate).not.toHaveProperty('isAwaited');
  });
});
