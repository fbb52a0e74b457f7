import { until } from '../support/until.js';
import { openOffice, type Office } from './office.js';
import { openReplicacheReplica, type ReplicacheReplica } from './replicache-replica.js';

const VISITS = 40;

let office: Office;
const open = new Set<ReplicacheReplica>();

beforeAll(async () => {
  office = await openOffice({ visits: VISITS, patienceMs: 300 });
});

afterEach(async () => {
  await office.network.set({ kind: 'pass' });
  for (const replica of open) await replica.close();
  open.clear();
});

afterAll(() => office.stop());

function replica(options: Omit<Parameters<typeof openReplicacheReplica>[0], 'urlOf'> = {}): ReplicacheReplica {
  // Sockets go past the network: a proxy that is closed resets them in the middle of a word.
  const urlOf = (): string => (options.hears === true ? office.gatewayUrl : office.network.url);
  const opened = openReplicacheReplica({ urlOf, ...options });
  open.add(opened);
  return opened;
}

async function synced(options: Parameters<typeof replica>[0] = {}): Promise<ReplicacheReplica> {
  const opened = replica(options);
  expect(await opened.sync()).toBe(true);
  return opened;
}

/** Syncs until what is true of the replica is what the test says. */
const syncUntil = (phone: ReplicacheReplica, fact: string, look: () => Promise<boolean>): Promise<void> =>
  until(fact, async () => {
    await phone.sync();
    return look();
  });

/** Both hold the same, to the last field. */
async function equalsSource(phone: ReplicacheReplica): Promise<boolean> {
  const held = await phone.all();
  const same = [...office.system.visits.values()].filter((visit) => {
    const fields = held.get(visit.id)?.fields;
    return fields?.['note'] === visit.note && fields['route'] === visit.route;
  });
  return held.size === office.system.visits.size && same.length === held.size;
}

const writesOf = (id: string): number => office.system.journal.filter((entry) => entry.id === id).length;

test('R1: an initial sync in pages of seven brings every record, and shows none before all are there', async () => {
  const phone = replica({ pageSize: 7 });
  const shown = new Set<number>();
  phone.rep.subscribe(
    (tx) => tx.scan({ prefix: 'visits/' }).keys().toArray(),
    (keys) => void shown.add(keys.length),
  );
  await phone.sync();
  expect(await equalsSource(phone)).toBe(true);
  await until('the app shows them', async () => shown.has(VISITS));
  expect([...shown].filter((count) => count !== 0)).toEqual([VISITS]);
});

test('R10: while a source is down edits stay as they were made, and are done only when it has them; others go on', async () => {
  const phone = await synced();
  const reader = await synced();
  office.system.isBusy = true;
  await phone.edit('V-18', { note: 'written during the outage' });
  await phone.sync();
  expect([await phone.pending(), phone.fates, await phone.note('V-18')]).toEqual([1, [], 'written during the outage']);
  // Others are shown it as pending.
  await syncUntil(reader, 'the overlay', async () => (await reader.all()).get('V-18')?.isPending === true);
  await phone.edit('V-20', { note: null });
  await phone.sync();
  expect([await phone.pending(), phone.fates.map(({ status }) => status)]).toEqual([2, ['REJECTED']]);
  // It is settled, and not laid over the record any more, although the first one is still open.
  expect(await phone.note('V-20')).toBe('planned');
  office.system.isBusy = false;
  await syncUntil(phone, 'it is settled', async () => (await phone.pending()) === 0);
  expect([writesOf('V-18'), phone.fates.map(({ status }) => status)]).toEqual([1, ['REJECTED', 'APPLIED']]);
  await syncUntil(phone, 'all is confirmed', () => equalsSource(phone));
});

test('F5, F25: after a restore of the gateway a device begins again, keeps its unsent edits, and applies nothing twice', async () => {
  const phone = await synced();
  office.system.isBusy = true;
  await phone.edit('V-22', { note: 'accepted before the restore' });
  await phone.sync();
  await office.network.set({ kind: 'refuse' });
  await phone.edit('V-24', { note: 'made before the restore' });
  const { epoch } = await office.ask('{ epoch }');
  await office.ask('mutation ($from: String!) { newEpoch(from: $from) }', { from: epoch as string });
  office.system.remove('V-26');
  await office.network.set({ kind: 'pass' });
  office.system.isBusy = false;
  await syncUntil(phone, 'all is settled', async () => (await phone.pending()) === 0);
  await syncUntil(phone, 'the replica equals the source', () => equalsSource(phone));
  // Nobody can tell any more what the other one was made from (specification part 3): its user is shown it.
  // A fate may be told twice, by a receipt.
  const told = new Map([...phone.fates].reverse().map((fate) => [fate.changeId, fate]));
  expect([...told.values()].map(({ status, edit }) => [status, edit?.id]).sort()).toEqual([
    ['APPLIED', 'V-22'],
    ['CONFLICT', 'V-24'],
  ]);
  expect([writesOf('V-22'), writesOf('V-24'), await phone.note('V-22')]).toEqual([1, 0, 'accepted before the restore']);
});

test('R18: a hint makes a pull, and so does a push that is settled: nobody has to ask', async () => {
  const phone = await synced({ hears: true });
  office.system.put('V-32', { note: 'hinted' });
  await until('the hint is followed', async () => (await phone.note('V-32')) === 'hinted');
  await phone.edit('V-34', { note: 'by itself' });
  await until('the edit is settled', async () => (await phone.pending()) === 0);
  expect(writesOf('V-34')).toBe(1);
});

test('a revoked device is wiped, its own edits with it, and the app is told', async () => {
  const phone = await synced();
  await phone.edit('V-36', { note: 'never sent' });
  const device = await phone.rep.clientGroupID;
  await office.ask('mutation ($device: ID!) { revokeDevice(device: $device) { state } }', { device });
  await phone.sync();
  await phone.sync();
  expect([(await phone.all()).size, phone.isRevoked, await phone.pending(), writesOf('V-36')]).toEqual([0, true, 0, 0]);
});

describe('two tabs of one phone', () => {
  test('R7: push and pull at once; each edit has one effect, and each tab comes to show it', async () => {
    const [first, second] = [await synced({ name: 'tabs', hears: true }), await synced({ name: 'tabs', hears: true })];
    expect(await first.rep.clientGroupID).toBe(await second.rep.clientGroupID);
    for (let n = 0; n < 5; n += 1) {
      await Promise.all([first.edit('V-1', { note: `first ${n}` }), second.edit('V-3', { note: `second ${n}` })]);
      await Promise.all([first.sync(), second.sync()]);
    }
    const isSettled = async (tab: ReplicacheReplica): Promise<boolean> =>
      (await tab.pending()) === 0 && (await tab.note('V-1')) === 'first 4' && (await tab.note('V-3')) === 'second 4';
    await until('both are settled', async () => (await isSettled(first)) && (await isSettled(second)));
    expect([office.system.visits.get('V-1')?.note, office.system.visits.get('V-3')?.note]).toEqual([
      'first 4',
      'second 4',
    ]);
  });
});
