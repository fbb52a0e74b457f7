import type { RecordId, Seq } from '../../src/core/change.js';
import type { HintOutcome, PhoneHint } from '../../src/core/phone-hint-port.js';
import type { HintWindows } from '../../src/core/phone-port.js';
import type { Store } from '../../src/core/store-port.js';
import { createHintDelivery, HINTS_LEASE } from '../../src/realtime/hint-delivery.js';
import { systemClock } from '../../src/server/clock.js';
import { openDatabase } from '../../src/store/database.js';
import { openStore } from '../../src/store/open.js';
import { shown, VISITS } from '../contract/store/world.js';
import { silentLog, startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { until } from '../support/until.js';

const TENANT = 'clinic';
/** 10,000 take a minute: `PHONES=10000 npm run jest -- test/store/due-phones`. */
const PHONES = Number(process.env['PHONES'] ?? 1_000);
const WINDOWS: HintWindows = { ANDROID: 3_600_000, IOS: 3_600_000, WEB: 3_600_000, staleMs: 3_600_000 };
const LEASE_MS = 1_500;

let postgres: TestPostgres;
let url: string;
let stores: readonly [Store, Store];

beforeAll(async () => {
  postgres = await startTestPostgres();
  url = await postgres.freshDatabase();
  const open = () => openStore({ url, clock: systemClock, log: silentLog });
  stores = [await open(), await open()];
  await stores[0].openTenant(TENANT);
  const database = await openDatabase(url);
  // As many sets of scopes as a tenth of the phones: wards.
  await database.query(
    `insert into phone (tenant, user_id, device, platform, token, registered_at, scopes)
     select $1, 'user ' || n, 'phone', 'ANDROID', 'token ' || n, now(), 'ward ' || n % ($2::integer / 10) from generate_series(1, $2) as n`,
    [TENANT, PHONES],
  );
  await database.query(
    `insert into phone_scope (tenant, hash, scope)
     select $1, 'ward ' || n, scope from generate_series(0, $2::integer / 10 - 1) as n, unnest(array['all', 'ward ' || n]) as scope`,
    [TENANT, PHONES],
  );
  await database.end();
});

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await postgres.stop();
});

const show = (id: string, scope: string) =>
  stores[0].commit(TENANT, [
    {
      collection: VISITS,
      id: id as RecordId,
      expected: { seq: 0 as Seq, mark: 0 },
      next: { ...shown(id), scopes: [scope] },
    },
  ]);

test('H4, H5: a node that ends with hints in its hands loses none and doubles none; another one goes on when its lease is over', async () => {
  const handed: PhoneHint[] = [];
  const settled: PhoneHint[] = [];
  let ended = 0;
  const start = (
    store: Store,
    holder: string,
    answer: (hints: readonly PhoneHint[]) => Promise<readonly HintOutcome[]>,
  ) => {
    const delivery = createHintDelivery(
      {
        store,
        sender: {
          send: (hints) => {
            handed.push(...hints);
            return answer(hints);
          },
        },
        leased: {
          async run(name, controller, work) {
            const lease = await store.acquireLease(TENANT, name, holder, LEASE_MS);
            if (lease === null) return null;
            return work({ name, fence: lease.fence }, controller.signal);
          },
        },
        clock: { ...systemClock, wait: (ms, signal) => systemClock.wait(ms / 20, signal) },
        chance: () => 0,
        log: silentLog,
        counts: null,
      },
      {
        tenant: TENANT,
        holder,
        collections: [VISITS],
        windows: WINDOWS,
        escalation: { afterMs: 1e9, staleAfterMs: 1e9, hasNotice: false },
      },
    );
    delivery.start();
    return delivery;
  };
  // It takes a batch in each of its hands and is never heard of again.
  const north = start(stores[0], 'north', () => {
    ended += 1;
    return new Promise(() => undefined);
  });
  await until(
    'the first node has the lease',
    async () => (await stores[1].acquireLease(TENANT, HINTS_LEASE, 'nobody', 1)) === null,
  );
  await show('v1', 'all');
  await until('it has hints in its hands', async () => ended === 4);
  const south = start(stores[1], 'south', async (hints) => {
    settled.push(...hints);
    return hints.map(() => ({ kind: 'sent' }));
  });
  await until('every phone was handed over', async () => handed.length >= PHONES);
  await south.stop();
  // Not to its end, which it never comes to.
  void north.stop();
  expect(new Set(handed.map(({ token }) => token)).size).toBe(PHONES);
  expect(handed).toHaveLength(PHONES);
  expect(settled).toHaveLength(PHONES - 400);
  // What the first one had in its hands is still due: for the end of its window.
  expect(await stores[1].countPhones(TENANT)).toMatchObject({ due: 400, oldestDueAtMs: null });
});

test('marking and taking go by keys and indices: what they cost follows what is due', async () => {
  const [store] = stores;
  const lease = await store.acquireLease(TENANT, HINTS_LEASE, 'south', 600_000);
  const fence = { name: HINTS_LEASE, fence: lease?.fence ?? -1 };
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const beganMs = performance.now();
    const answer = await work();
    if (process.env['PHONES'] !== undefined) console.log(`${what}: ${(performance.now() - beganMs).toFixed(1)} ms`);
    return answer;
  };
  const mark = () => store.markDue(TENANT, fence, { collections: [VISITS], upTo: Number.MAX_SAFE_INTEGER as Seq });
  await timed('nothing moved', mark);
  await show('v2', 'ward 3');
  expect(await timed('one ward moved', mark)).toBe(10);
  await show('v3', 'all');
  expect(await timed('everybody’s scope moved', mark)).toBe(PHONES);
  const database = await openDatabase(url);
  // Their windows are over.
  await database.query("update phone set next_at = 'epoch' where tenant = $1", [TENANT]);
  await database.query('analyze phone');
  const { taken } = await timed('a hundred are taken', () =>
    store.takeDue(TENANT, { windows: { ...WINDOWS, ANDROID: 0 }, limit: 100 }),
  );
  expect(taken).toHaveLength(100);
  await timed('a hundred are settled', () =>
    store.settleHints(
      TENANT,
      taken.map((hint) => ({ ...hint, kind: 'sent' })),
    ),
  );
  const { rows } = await database.query<{ 'QUERY PLAN': string }>(
    "explain select 1 from phone p where tenant = 'clinic' and due_at is not null and next_at <= now() order by next_at limit 100",
  );
  await database.end();
  expect(rows.map((row) => row['QUERY PLAN']).join('\n')).toMatch(/phone_due[\s\S]*Index Cond: .*next_at/);
});
