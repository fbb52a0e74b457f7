import {
  auditText,
  checkChain,
  placeText,
  type AuditEntry,
  type AuditPage,
  type AuditPlace,
} from '../../../src/core/audit.js';
import { hashText } from '../../../src/server/telemetry.js';
import { FAR_FUTURE_MS, type World } from './world.js';

const ENTRY: AuditEntry = {
  ...{ user: 'dispatcher', device: null, action: 'settleChange', collection: null, subject: '17' },
  ...{ outcome: 'BEGUN', count: 1, outcomeOf: null },
};

/** The audit log: a hash chain for each tenant. */
export function auditPromises(begin: () => Promise<World>): void {
  const whole = ({ store, tenant }: World): Promise<AuditPage> => store.readAudit(tenant, { after: 0, limit: 1_000 });
  const faultOf = (tenant: string, page: AuditPage): string | null => {
    const check = checkChain(tenant, page, hashText, null);
    for (const row of page.rows) {
      const fault = check.take(row);
      if (fault !== null) return fault;
    }
    return check.end();
  };

  test('attack 36: every row has the hash of its own text and of the row before it, whatever it holds', async () => {
    const world = await begin();
    const { store, tenant } = world;
    const odd: readonly Partial<AuditEntry>[] = [
      {},
      { user: null, collection: '', subject: '1:a,-,', count: 7 },
      { user: 'Zoë 👩🏽‍⚕️', device: 'a\'b\\c"', subject: '\u2028\t\n', outcome: 'DONE', outcomeOf: 1 },
    ];
    const places: AuditPlace[] = [];
    for (const one of odd) places.push(await store.appendAudit(tenant, { ...ENTRY, ...one }));
    const page = await whole(world);
    expect(page.rows).toMatchObject(odd.map((one, at) => ({ ...ENTRY, ...one, ...places[at], no: at + 1 })));
    expect(page.rows.map((row) => row.hash)).toEqual(page.rows.map((row) => hashText(auditText(tenant, row))));
    expect(page.rows.map((row) => row.previous)).toEqual(['', ...page.rows.slice(0, -1).map((row) => row.hash)]);
    expect([page.anchor, page.head]).toEqual([{ no: 0, hash: '' }, places.at(-1)]);
    for (const { at } of page.rows) expect(new Date(at).toISOString()).toBe(at);
    expect(faultOf(tenant, page)).toBeNull();
  });

  test('attack 36: whoever appends at the same time, the chain stays one', async () => {
    const world = await begin();
    const { store, tenant } = world;
    await Promise.all(
      Array.from({ length: 24 }, (_, at) => store.appendAudit(tenant, { ...ENTRY, subject: String(at) })),
    );
    const page = await whole(world);
    expect(page.rows.map(({ no }) => no)).toEqual(Array.from({ length: 24 }, (_, at) => at + 1));
    expect(new Set(page.rows.map(({ subject }) => subject)).size).toBe(24);
    expect(faultOf(tenant, page)).toBeNull();
  });

  test('rows are read page by page; a tenant without any has none, and each has a chain of its own', async () => {
    const [world, other] = [await begin(), await begin()];
    const { store, tenant } = world;
    expect(await whole(world)).toEqual({ anchor: { no: 0, hash: '' }, head: { no: 0, hash: '' }, rows: [] });
    for (let at = 0; at < 3; at++) await store.appendAudit(tenant, ENTRY);
    await store.appendAudit(other.tenant, ENTRY);
    const page = await store.readAudit(tenant, { after: 1, limit: 1 });
    expect(page.rows.map(({ no }) => no)).toEqual([2]);
    expect(page.head.no).toBe(3);
    const others = await whole(other);
    expect(others.rows.map(({ no }) => no)).toEqual([1]);
    expect(others.head.hash).not.toBe((await whole(world)).rows[0]?.hash);
  });

  test('attack 36: what is forgotten by age leaves an anchor that a row of the chain names', async () => {
    const world = await begin();
    const { store, tenant } = world;
    expect(await store.forgetAudit(tenant, FAR_FUTURE_MS)).toBe(0);
    for (let at = 0; at < 3; at++) await store.appendAudit(tenant, ENTRY);
    const before = await whole(world);
    expect(await store.forgetAudit(tenant, 0)).toBe(0);
    expect(await whole(world)).toEqual(before);

    expect(await store.forgetAudit(tenant, FAR_FUTURE_MS)).toBe(3);
    const after = await whole(world);
    expect(after.anchor).toEqual(before.head);
    expect(after.rows).toMatchObject([
      { no: 4, user: null, action: 'forget', subject: placeText(before.head), count: 3, previous: before.head.hash },
    ]);
    expect(faultOf(tenant, after)).toBeNull();
    await store.appendAudit(tenant, ENTRY);
    expect(faultOf(tenant, await whole(world))).toBeNull();
  });

  test('rows that only say what was forgotten bring about no more of them', async () => {
    const { store, tenant } = await begin();
    await store.appendAudit(tenant, ENTRY);
    expect(await store.forgetAudit(tenant, FAR_FUTURE_MS)).toBe(1);
    expect(await store.forgetAudit(tenant, FAR_FUTURE_MS)).toBe(0);
    await store.appendAudit(tenant, ENTRY);
    expect(await store.forgetAudit(tenant, FAR_FUTURE_MS)).toBe(2);
  });
}
