import type { RxDatabase } from 'rxdb';
import type { SentChange } from '../../src/client/gateway.js';
import type { RefusedEdit } from '../../src/client/rxdb.js';
import { until } from '../support/until.js';
import { openVisits, replicateVisits } from './rxdb-visits.js';

/** A phone whose app was ended after the gateway had accepted edits, and a gateway that was restored since. */

let database: RxDatabase;
afterEach(() => database.remove());

type Status = 'ACCEPTED' | 'CONFLICT' | 'RECORD_BLOCKED';

const results = (changes: readonly SentChange[], status: Status) => {
  const error = { code: status, message: status, field: null, retryable: status === 'RECORD_BLOCKED' };
  const told =
    status === 'RECORD_BLOCKED'
      ? { status: 'REJECTED', error }
      : { status, error: status === 'CONFLICT' ? error : null };
  return {
    data: { push: { results: changes.map(({ changeId }) => ({ changeId, change: null, ...told })), epoch: 'e' } },
  };
};

/** One made, one edited, one removed; all accepted. Then the app is ended. */
async function acceptThree(name: string): Promise<readonly SentChange[]> {
  const sent: SentChange[] = [];
  const opened = await openVisits(name);
  database = opened.database;
  const { visits } = opened;
  const replication = replicateVisits(visits, [['V-1', 'V-2']], (changes) => {
    sent.push(...changes);
    return results(changes, 'ACCEPTED');
  });
  await replication.awaitInitialReplication();
  await visits.insert({ id: 'V-9', note: 'new' });
  await (await visits.findOne('V-1').exec(true)).incrementalPatch({ note: 'ring' });
  await (await visits.findOne('V-2').exec(true)).incrementalRemove();
  await replication.awaitInSync();
  await database.close();
  expect(new Set(sent.map(({ id }) => id))).toEqual(new Set(['V-9', 'V-1', 'V-2']));
  return sent;
}

test('F5: it sends them again to the letter, until they are taken, in the order in which they were made', async () => {
  const sent = await acceptThree('accepted');
  const again: (readonly SentChange[])[] = [];
  const opened = await openVisits('accepted');
  database = opened.database;
  const replication = replicateVisits(
    opened.visits,
    [],
    (changes) => {
      again.push(changes);
      // Nothing is known of the collection until it was read once (F5).
      return results(changes, again.length === 1 ? 'RECORD_BLOCKED' : 'ACCEPTED');
    },
    { newEpoch: 'restored' },
  );
  await until('they are sent again, and accepted', async () => again.length >= 2);
  await replication.awaitInSync();
  expect(again[0]).toEqual(sent);
  expect(again[1]).toEqual(sent);
  expect(sent.map(({ sentEpoch }) => sentEpoch)).toEqual(['e', 'e', 'e']);
});

test('F5: what is refused then is told with the name of its record', async () => {
  await acceptThree('refused');
  const refused: RefusedEdit[] = [];
  const opened = await openVisits('refused');
  database = opened.database;
  replicateVisits(opened.visits, [], (changes) => results(changes, 'CONFLICT'), {
    newEpoch: 'restored',
    onRefused: (one) => void refused.push(one),
  });
  await until('they are told', async () => refused.length >= 3);
  expect(refused.map(({ id, status, edit }) => [id, status, edit]).sort()).toEqual([
    ['V-1', 'CONFLICT', null],
    ['V-2', 'CONFLICT', null],
    ['V-9', 'CONFLICT', null],
  ]);
});
