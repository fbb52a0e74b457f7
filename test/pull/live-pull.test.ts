import { fullShape } from '../../src/core/shape.js';
import { VISITS } from '../contract/store/world.js';
import fc from '../support/properties.js';
import type { PullPage } from '../../src/pull/pull.js';
import { createLiveClinic } from './live-clinic.js';
import { changesOf } from './model/device-model.js';

const UNAVAILABLE = { code: 'SOURCE_UNAVAILABLE', retryable: true };

test('F29: what is kept of a record is its key, version, scopes and digests, and equal values of two records look different', async () => {
  const { clinic, source, store } = await createLiveClinic();
  source.put('1', { note: 'asthma', route: '1' });
  source.put('2', { note: 'asthma', route: '1' });
  await clinic.poller.round(VISITS);
  const [one, two] = [await clinic.record('1'), await clinic.record('2')];
  expect(one).toMatchObject({ sourceKey: '1', vis: null });
  const [a, b] = [one, two].map(({ body }) => JSON.parse(body ?? '') as Record<string, unknown>);
  expect(a).toEqual({
    note: expect.stringMatching(/^[\w-]{22}$/) as unknown,
    route: expect.stringMatching(/^[\w-]{22}$/) as unknown,
    $: { scopes: ['route:1'], by: ['route'] },
  });
  expect(b?.['note']).not.toBe(a?.['note']);
  // Defence in depth: what would keep a value is a fault.
  const next = { ...one, body: '{"note":"asthma","route":"1"}', vis: null, scopes: [], throughUs: false };
  const write = { collection: VISITS, id: one.id, expected: one, next };
  await expect(store.commit(clinic.world.tenant, [write])).rejects.toThrow('expected no field value');
  const restated = { id: one.id, expected: one, body: next.body, hash: '', vis: null };
  await expect(store.restate(clinic.world.tenant, VISITS, [restated])).rejects.toThrow('expected no field value');
});

test('F29: stamps work on digests: only the field that changed conflicts', async () => {
  const { clinic, source } = await createLiveClinic();
  source.put('1', { note: 'asthma', route: '1' });
  await clinic.poller.round(VISITS);
  source.put('1', { note: 'burns', route: '1' });
  await clinic.poller.round(VISITS);
  const { stamps, seq } = await clinic.record('1');
  expect(stamps['note']).toEqual({ seq, writer: expect.any(String) as unknown });
  expect(stamps['route']).toBeUndefined();
});

test('R2: a page goes on over records that cannot be read, says so, and each comes again with its body', async () => {
  const live = await createLiveClinic();
  const { clinic, source } = live;
  for (const key of ['1', '2', '3']) source.put(key);
  await clinic.poller.round(VISITS);
  const phone = live.phone('1');
  source.before = (call, key) => {
    if (call === 'read' && key === '2') throw new Error('no answer');
  };
  const page = await phone.page();
  expect(page.told.map(({ id, json, unavailable }) => ({ id, note: json?.['note'], unavailable }))).toEqual([
    { id: '1', note: 'note of 1', unavailable: undefined },
    { id: '2', note: undefined, unavailable: UNAVAILABLE },
    { id: '3', note: 'note of 3', unavailable: undefined },
  ]);
  expect(page).toMatchObject({ hasMore: false, complete: false });
  expect(changesOf(live.asked[0] as PullPage).map(({ json }) => json)).toEqual([null, null, null]);
  expect((await phone.page()).told).toEqual([]);
  source.before = () => undefined;
  await live.settle();
  const [again] = await phone.pull();
  expect(again).toMatchObject({ id: '2', json: { note: 'note of 2', route: '1' } });
  expect((await phone.page()).complete).toBe(true);
});

test('R2: a record found gone or moved away at the live read is not shown, is looked at again, and no deletion is made of it', async () => {
  const live = await createLiveClinic();
  const { clinic, source } = live;
  for (const key of ['1', '2', '3']) source.put(key);
  await clinic.poller.round(VISITS);
  source.remove('1');
  source.put('2', { note: 'not for you', route: '2' });
  const phone = live.phone('1');
  expect((await phone.page()).told.map(({ id }) => id)).toEqual(['3']);
  expect((await clinic.record('1')).deleted).toBe(false);
  clinic.clock.advance(2_000);
  await live.owed.look();
  expect((await clinic.rechecks()).map(({ sourceKey }) => sourceKey)).toEqual(['1', '2']);
  await live.settle();
  await phone.pull();
  expect([...phone.held.keys()]).toEqual(['3']);
  const other = live.phone('2');
  await other.pull();
  expect(other.held).toEqual(new Map([['2', 'not for you']]));
});

test('R2: a body that is older than the state known here, as a lagging replica shows it, comes again', async () => {
  const live = await createLiveClinic();
  const { clinic, source } = live;
  source.put('1', { note: 'new', route: '1' });
  await clinic.poller.round(VISITS);
  source.put('1', { note: 'old', route: '1' });
  const phone = live.phone('1');
  await phone.pull();
  expect(phone.held.get('1')).toBe('old');
  source.put('1', { note: 'new', route: '1' });
  clinic.clock.advance(2_000);
  await live.owed.look();
  await phone.pull();
  expect(phone.held.get('1')).toBe('new');
});

test('a source that does not answer in time costs a pull no more than its time', async () => {
  const live = await createLiveClinic();
  const { clinic, source } = live;
  for (const key of ['1', '2', '3', '4', '5']) source.put(key);
  await clinic.poller.round(VISITS);
  source.before = () => new Promise(() => undefined);
  const page = live.phone('1').page();
  await clinic.rest();
  clinic.clock.advance(10_000);
  expect((await page).told.map(({ unavailable }) => unavailable)).toEqual(Array(5).fill(UNAVAILABLE));
  // As many reads at once as the source takes, and none after the time was over.
  expect(source.calls.filter((call) => call === 'read')).toHaveLength(source.facts.concurrency);
});

test('a source that is too slow for a page gets shorter ones, and longer ones again once it is not', async () => {
  const live = await createLiveClinic();
  const { clinic, source } = live;
  for (let n = 0; n < 400; n++) source.put(String(n));
  await clinic.poller.round(VISITS);
  const phone = live.phone('1');
  let answered = 0;
  source.before = () => (answered++ < 30 ? undefined : new Promise(() => undefined));
  const first = phone.page();
  await clinic.rest();
  clinic.clock.advance(10_000);
  expect((await first).count).toBe(200);
  source.before = () => undefined;
  const counts = [await phone.page(), await phone.page(), await phone.page()].map(({ count }) => count);
  expect(counts).toEqual([30, 60, 110]);
});

test('a page of live bodies is short, and not the end; another shape is a fault', async () => {
  const live = await createLiveClinic();
  const { clinic, source } = live;
  for (let n = 0; n < 205; n++) source.put(String(n));
  await clinic.poller.round(VISITS);
  const phone = live.phone('1');
  const page = await phone.page(5_000);
  expect(page).toMatchObject({ count: 200, hasMore: true });
  await phone.pull();
  expect(phone.held.size).toBe(205);
  await expect(phone.page(5_001)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  const { tenant, nurse } = clinic.world;
  const session = { ...nurse, tenant, grant: { kind: 'every' } } as const;
  const other = { since: null, collections: null, limit: 1, shape: fullShape([VISITS], 'other') };
  await expect(live.pull(session, other)).rejects.toMatchObject({ code: 'INTERNAL' });
});

test('R13: a record as it now stands is read live: shown in its scopes, null outside, and without a body while its source is down', async () => {
  const live = await createLiveClinic();
  const { clinic, source } = live;
  source.put('1', { note: 'asthma', route: '1' });
  await clinic.poller.round(VISITS);
  expect(await live.current('1', '1')).toMatchObject({ json: { note: 'asthma', route: '1' } });
  expect(await live.current('2', '1')).toBeNull();
  source.put('1', { note: 'moved', route: '2' });
  expect(await live.current('1', '1')).toBeNull();
  live.isDown = true;
  expect(await live.current('1', '1')).toMatchObject({ json: null, unavailable: UNAVAILABLE });
});

test('R1, R4: whatever a source does while devices pull, in the end each holds exactly what is in its route', async () => {
  const key = fc.constantFrom('1', '2', '3');
  const route = fc.constantFrom('1', '2');
  const step = fc.oneof(
    fc.record({ does: fc.constant('put' as const), key, route, note: fc.constantFrom('a', 'b') }),
    fc.record({ does: fc.constant('remove' as const), key }),
    fc.record({ does: fc.constantFrom('down', 'up', 'poll', 'look', 'wait') }),
    fc.record({ does: fc.constant('pull' as const), route }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const live = await createLiveClinic();
      const { clinic, source } = live;
      const phones = { '1': live.phone('1'), '2': live.phone('2') };
      const pull = async (at: '1' | '2'): Promise<void> => {
        for (const { kind, json } of await phones[at].pull())
          if (kind === 'UPSERT' && json !== null) expect(json['route']).toBe(at);
      };
      for (const one of steps) {
        if (one.does === 'put') source.put(one.key, { note: one.note, route: one.route });
        else if (one.does === 'remove') source.remove(one.key);
        else if (one.does === 'pull') await pull(one.route);
        else if (one.does === 'poll') await clinic.poller.round(VISITS).catch(() => undefined);
        else if (one.does === 'look') await live.owed.look();
        else if (one.does === 'wait') clinic.clock.advance(3_000);
        else live.isDown = one.does === 'down';
      }
      live.isDown = false;
      // A record that nothing else could confirm the others by (F7).
      source.put('canary', { note: 'here', route: '9' });
      for (let rounds = 0; rounds < 3; rounds++) {
        clinic.clock.advance(3_600_000);
        await live.settle();
        await pull('1');
        await pull('2');
      }
      for (const at of ['1', '2'] as const) {
        const own = source.keys().filter((one) => source.fieldsOf(one)?.['route'] === at);
        const expected = Object.fromEntries(own.map((one) => [one, source.fieldsOf(one)?.['note']]));
        expect(Object.fromEntries(phones[at].held)).toEqual(expected);
      }
    }),
    { numRuns: 60 },
  );
});
