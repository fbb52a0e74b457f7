import type { PullRequest } from '../../src/pull/pull.js';
import { readAhead } from '../../src/pull/read-ahead.js';
import { createManualClock } from '../support/manual-clock.js';
import { createPullingClinic, said, SHAPE, type PullingClinic } from './pulling-clinic.js';

const clock = createManualClock();

function request(since: string | null, limit = 2): PullRequest {
  return { since, collections: null, limit, shape: SHAPE };
}

async function clinicOf(visits: number): Promise<PullingClinic> {
  const clinic = await createPullingClinic();
  for (let n = 1; n <= visits; n++) await clinic.world.show(`v${n}`, ['route:1']);
  return clinic;
}

test('a round read ahead has the pages that it has without, each read once, and no page is read behind the last', async () => {
  const clinic = await clinicOf(7);
  const session = clinic.session({ kind: 'listed', scopes: ['route:1'] });
  const plain: string[][] = [];
  for (let since: string | null = null, more = true; more;) {
    const page = await clinic.pull(session, request(since));
    plain.push([...said(page)]);
    [since, more] = [page.checkpoint, page.hasMore];
  }
  const before = clinic.snapshots();
  const { pull: ahead } = readAhead(clinic.pull, clock);
  const read: string[][] = [];
  for (let since: string | null = null, more = true; more;) {
    const page = await ahead(session, request(since));
    read.push([...said(page)]);
    [since, more] = [page.checkpoint, page.hasMore];
  }
  expect(read).toEqual(plain);
  // Only the last page of the round, which has nothing behind it, is read again when it is asked for.
  expect(clinic.snapshots() - before).toBe(plain.length + 1);
});

test('R2: what is committed before the last page is asked for is in it, although that page was read ahead', async () => {
  const clinic = await clinicOf(3);
  const session = clinic.session({ kind: 'listed', scopes: ['route:1'] });
  const { pull: ahead } = readAhead(clinic.pull, clock);
  const first = await ahead(session, request(null));
  expect(first.hasMore).toBe(true);
  // By now the next page has been read.
  await new Promise((resolve) => setImmediate(resolve));
  await clinic.world.show('v4', ['route:1']);
  const last = await ahead(session, request(first.checkpoint, 2));
  expect([said(last), last.hasMore]).toEqual([['UPSERT v3', 'UPSERT v4'], false]);
});

test('R4: a session that lost a scope meanwhile is given nothing that was read for the old one', async () => {
  const clinic = await clinicOf(6);
  const { pull: ahead } = readAhead(clinic.pull, clock);
  const first = await ahead(clinic.session({ kind: 'listed', scopes: ['route:1'] }), request(null));
  const next = await ahead(clinic.session({ kind: 'listed', scopes: [] }), request(first.checkpoint));
  expect(said(next)).toEqual(['REVOKE v1', 'REVOKE v2']);
});

test('R2: a repeated request is read anew, and a page that was not asked for in time is forgotten', async () => {
  const clinic = await clinicOf(6);
  const session = clinic.session({ kind: 'listed', scopes: ['route:1'] });
  const { pull: ahead } = readAhead(clinic.pull, clock);
  const first = await ahead(session, request(null));
  const second = await ahead(session, request(first.checkpoint));
  expect(said(await ahead(session, request(first.checkpoint)))).toEqual(said(second));
  const before = clinic.snapshots();
  clock.advance(5_001);
  await ahead(session, request(second.checkpoint));
  expect(clinic.snapshots() - before).toBeGreaterThanOrEqual(1);
});

test('behind a page that is asked for over and over the next one is read once, until it is forgotten or the feed moves', async () => {
  const clinic = await clinicOf(6);
  const session = clinic.session({ kind: 'listed', scopes: ['route:1'] });
  const { pull: ahead } = readAhead(clinic.pull, clock);
  const readBy = async (asks: number): Promise<number> => {
    const before = clinic.snapshots();
    for (let asked = 0; asked < asks; asked++) await ahead(session, request(null));
    return clinic.snapshots() - before;
  };
  expect(await readBy(5)).toBe(5 + 1);
  clock.advance(5_001);
  expect(await readBy(5)).toBe(5 + 1);
  await clinic.world.show('v7', ['route:1']);
  expect(await readBy(5)).toBe(5 + 1);
});

test('what was read ahead is given to nobody once it is to be forgotten', async () => {
  const clinic = await clinicOf(6);
  const session = clinic.session({ kind: 'listed', scopes: ['route:1'] });
  const ahead = readAhead(clinic.pull, clock);
  const first = await ahead.pull(session, request(null));
  await new Promise((resolve) => setImmediate(resolve));
  await clinic.world.lose('v3');
  ahead.forget();
  expect(said(await ahead.pull(session, request(first.checkpoint)))).toEqual(['UPSERT v4', 'UPSERT v5']);
});

test('a page that could not be read ahead is read when it is asked for, and its fault is told then', async () => {
  const clinic = await clinicOf(4);
  const session = clinic.session({ kind: 'listed', scopes: ['route:1'] });
  let failures = 0;
  const { pull: ahead } = readAhead(async (who, asked) => {
    if (asked.since !== null && failures++ === 0) throw new Error('database away');
    return clinic.pull(who, asked);
  }, clock);
  const first = await ahead(session, request(null));
  expect(said(await ahead(session, request(first.checkpoint)))).toEqual(['UPSERT v3', 'UPSERT v4']);
  expect(failures).toBeGreaterThan(1);
});
