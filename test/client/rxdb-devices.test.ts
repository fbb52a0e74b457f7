import { randomUUID } from 'node:crypto';
import type { RxCollection, RxDatabase } from 'rxdb';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import type { RxReplicationState } from 'rxdb/plugins/replication';
import { tidegateReplication, type RefusedEdit, type TidegatePlace } from '../../src/client/rxdb.js';
import { until } from '../support/until.js';
import { openGlueWard, type GlueWard } from './glue-ward.js';
import { openVisits } from './rxdb-visits.js';

let database: RxDatabase;
let visits: RxCollection;
let ward: GlueWard;
let replication: RxReplicationState<unknown, unknown>;
let refused: RefusedEdit[];
let device: string;
let revoked: unknown[];
let user: string;

beforeEach(async () => {
  ({ database, visits } = await openVisits('devices'));
  ward = openGlueWard(['V-1', 'V-2', 'V-3']);
  refused = [];
  device = 'phone';
  revoked = [];
  user = 'nadia';
  replicate();
  await replication.awaitInitialReplication();
});
afterEach(() => database.remove());

function replicate(): void {
  const options = tidegateReplication({
    collection: visits,
    url: 'http://ward.example/graphql',
    device,
    headers: () => ({ authorization: user }),
    hints: false,
    fetch: ward.fetch,
    onRefused: (edit) => void refused.push(edit),
    onRevoked: (failed) => void revoked.push(failed),
    onEvicted: () => (device = `${device}+`),
  });
  replication = replicateGraphQL({ ...options, retryTime: 5 }) as unknown as typeof replication;
}

async function edit(id: string, fields: object): Promise<void> {
  await (await visits.findOne(id).exec(true)).incrementalPatch(fields);
}

async function restart(): Promise<void> {
  await replication.cancel();
  await database.close();
  ({ database, visits } = await openVisits('devices'));
  replicate();
}

/** Pushes arrive, and nobody here hears of it. */
async function loseAnswer(make: () => Promise<unknown>): Promise<void> {
  const before = ward.pushes.length;
  ward.network = 'losesAnswers';
  await make();
  await until('it was sent', async () => ward.pushes.length > before);
  ward.network = 'gone';
}

function evict(): void {
  ward.evicted.add('phone');
  ward.network = 'sound';
}

async function inSync(): Promise<void> {
  for (let times = 0; times < 2; times += 1) {
    await replication.awaitInSync();
    replication.reSync();
  }
  await replication.awaitInSync();
  // RxDB is at rest a moment before it has handed over what it was told last: a look at its storage is behind that.
  await visits.count().exec();
  await replication.awaitInSync();
}

const unanswered = () => refused.map(({ id, status }) => [id, status]);
const shown = async (id: string) => {
  const { note, minutes } = ((await visits.findOne(id).exec())?.toJSON() ?? {}) as Record<string, unknown>;
  return { note, minutes };
};
const said = () => ward.taken.map(({ json }) => json);

describe.each([false, true])('F11: a device id that is no more (the app was started anew: %s)', (isRestarted) => {
  test('what was sent is told and not sent again', async () => {
    await loseAnswer(() => edit('V-1', { note: 'sent' }));
    ward.write('V-1', { note: 'by the office since then' });
    if (isRestarted) await restart();
    evict();
    await inSync();
    expect(unanswered()).toEqual([['V-1', 'UNANSWERED']]);
    expect(refused[0]).toMatchObject({ edit: { note: 'sent' }, error: { code: 'DEVICE_EVICTED' } });
    expect(said()).toEqual([{ note: 'sent' }]);
    expect(await shown('V-1')).toMatchObject({ note: 'by the office since then' });
    await edit('V-1', { note: 'once more' });
    await inSync();
    expect(said()).toEqual([{ note: 'sent' }, { note: 'once more' }]);
    expect(ward.pushes.at(-1)?.device).toBe('phone+');
  });

  test('what was edited on top of it goes on alone', async () => {
    await loseAnswer(() => edit('V-1', { note: 'sent' }));
    ward.write('V-1', { note: 'by the office since then' });
    if (isRestarted) await restart();
    await edit('V-1', { minutes: 5 });
    evict();
    await inSync();
    expect(unanswered()).toEqual([['V-1', 'UNANSWERED']]);
    expect(said()).toEqual([{ note: 'sent' }, { minutes: 5 }]);
    expect(await shown('V-1')).toEqual({ note: 'by the office since then', minutes: 5 });
  });

  test.each([true, false])('a new record is shown as the gateway has it (it was taken: %s)', async (isTaken) => {
    const id = randomUUID();
    if (!isTaken) ward.refuse = () => 'RECORD_BLOCKED';
    await loseAnswer(() => visits.insert({ id, note: 'new' }));
    if (isRestarted) await restart();
    await edit(id, { minutes: 5 });
    ward.refuse = () => null;
    evict();
    await inSync();
    expect(new Set(unanswered().map(String))).toEqual(new Set([`${id},UNANSWERED`]));
    expect(ward.taken.length).toBe(isTaken ? 1 : 0);
    expect(await shown(id)).toEqual({ note: isTaken ? 'new' : undefined, minutes: undefined });
  });

  test('a deletion that was sent is told, and the record is here again', async () => {
    ward.refuse = () => 'RECORD_BLOCKED';
    await loseAnswer(async () => (await visits.findOne('V-1').exec(true)).incrementalRemove());
    ward.refuse = () => null;
    if (isRestarted) await restart();
    evict();
    await inSync();
    expect(unanswered()).toEqual([['V-1', 'UNANSWERED']]);
    expect(await shown('V-1')).toMatchObject({ note: 'as planned' });
    expect(ward.taken).toEqual([]);
  });
});

test('F11: a place of another device id begins again: its edits may have been told, and their records passed over', async () => {
  const options = tidegateReplication({ collection: visits, url: 'http://ward.example/graphql', device: 'new' });
  const build = options.pull?.queryBuilder;
  const beginning = (await build?.(undefined, 1)) as unknown as {
    readonly variables: { readonly from: TidegatePlace };
  };
  const place = { ...beginning.variables.from, since: '5', isFilling: false };
  expect(await build?.(place, 1)).toMatchObject({ variables: { from: { since: '5' } } });
  expect(await build?.({ ...place, device: 'old' }, 1)).toMatchObject({
    variables: { from: { since: null, lineage: 2, isFilling: true, device: 'new' } },
  });
});

describe('F11: what was certainly never sent goes on under the new id', () => {
  test('made while another one waited for its answer', async () => {
    await loseAnswer(() => edit('V-1', { note: 'sent' }));
    await edit('V-2', { note: 'never sent' });
    evict();
    await inSync();
    expect(unanswered()).toEqual([['V-1', 'UNANSWERED']]);
    expect(said()).toEqual([{ note: 'sent' }, { note: 'never sent' }]);
  });

  test('in the push that hears of it', async () => {
    evict();
    await edit('V-1', { note: 'first' });
    await inSync();
    expect([unanswered(), said()]).toEqual([[], [{ note: 'first' }]]);
    expect(ward.pushes.map((push) => push.device)).toEqual(['phone', 'phone+']);
  });

  test('an id that stands for another device’s change is a copied backup: it goes out from a new device', async () => {
    ward.refuse = (_change, by) => (by === 'phone' ? 'KEY_REUSED' : null);
    await edit('V-1', { note: 'mine' });
    await inSync();
    expect([refused, said()]).toEqual([[], [{ note: 'mine' }]]);
    expect(await shown('V-1')).toMatchObject({ note: 'mine' });
  });
});

test('a device that was revoked removes what it holds, sends nothing, and asks nobody any more', async () => {
  ward.isRevoked = true;
  await edit('V-1', { note: 'never sent' });
  await until('it was told', async () => revoked.length > 0);
  const { asked } = ward;
  await database.close();
  ({ database, visits } = await openVisits('devices'));
  expect([revoked, await visits.count().exec(), ward.taken, ward.asked]).toEqual([[null], 0, [], asked]);
});

test.each([false, true])(
  "F24: another user's credentials push nothing of a collection, are told nothing of it and bring nothing into it (the app was started anew: %s)",
  async (isRestarted) => {
    ward.network = 'gone';
    await edit('V-1', { note: "nadia's" });
    if (isRestarted) await restart();
    const faults: unknown[] = [];
    user = 'omar';
    ward.refuse = () => 'SOURCE_REFUSED';
    ward.network = 'sound';
    replication.error$.subscribe(({ parameters }) => void faults.push(parameters['direction']));
    replication.reSync();
    await until('it was tried', async () => faults.length > 2);
    expect([ward.pushes, refused]).toEqual([[], []]);
    user = 'nadia';
    ward.refuse = () => null;
    await inSync();
    expect(said()).toEqual([{ note: "nadia's" }]);
  },
);
