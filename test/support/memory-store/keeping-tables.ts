import type { KeepingStore, OwedBody, Storage } from '../../../src/core/keeping.js';
import type { Clock } from '../../../src/core/ports.js';
import type { TenantTables } from './tables.js';

type Owed = OwedBody & { readonly tenant: string; readonly notBeforeMs: number };

/** @returns how many */
type ForgetOwed = (tenant: string, collection: string, ids: readonly string[]) => number;

/** What is kept for collections whose values are not. */
export function createKeepingTables(ports: {
  readonly clock: Clock;
  readonly tablesOf: (tenant: string) => TenantTables;
}): { readonly keeping: KeepingStore; readonly forgetOwed: ForgetOwed } {
  const { clock, tablesOf } = ports;
  const storages = new Map<string, Storage>();
  const secrets = new Map<string, string>();
  const owed = new Map<string, Owed>();
  let owedNo = 0;

  const numbered = (tenant: string, owedNos: readonly number[]): readonly (readonly [string, Owed])[] =>
    [...owed].filter(([, one]) => one.tenant === tenant && owedNos.includes(one.owedNo));

  const keeping: KeepingStore = {
    async keepAs(tenant, collection, storage) {
      const key = `${tenant} ${collection}`;
      const hasRecords = [...tablesOf(tenant).records.values()].some((record) => record.collection === collection);
      const known = storages.get(key) ?? (hasRecords ? 'snapshot' : storage);
      storages.set(key, known);
      return known;
    },
    async keepSecret(tenant, name, text) {
      const known = secrets.get(`${tenant} ${name}`) ?? text;
      secrets.set(`${tenant} ${name}`, known);
      return known;
    },
    async replaceSecret(tenant, name, before, after) {
      if (secrets.get(`${tenant} ${name}`) === before) secrets.set(`${tenant} ${name}`, after);
    },
    async readTexts(tenant, collection, after, limit) {
      return [...tablesOf(tenant).records.values()]
        .filter((one) => one.collection === collection && (after === null || one.id > after))
        .filter(({ body, vis }) => body !== null || vis !== null)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .slice(0, limit)
        .map(({ id, seq, mark, body, vis, hash }) => ({ id, expected: { seq, mark }, body, vis, hash }));
    },
    async rewriteTexts(tenant, collection, texts) {
      const { records } = tablesOf(tenant);
      for (const { id, expected, ...text } of texts) {
        for (const [key, record] of records) {
          const isIt = record.collection === collection && record.id === id;
          if (isIt && record.seq === expected.seq && record.mark === expected.mark)
            records.set(key, { ...record, ...text });
        }
      }
    },
    async oweBodies(tenant, bodies, delayMs) {
      for (const { collection, id, seq } of bodies) {
        const key = `${tenant} ${collection} ${id}`;
        const later = Math.max(seq, owed.get(key)?.seq ?? 0);
        const notBeforeMs = owed.get(key)?.notBeforeMs ?? clock.nowMs() + delayMs;
        owed.set(key, { tenant, collection, id, seq: later, owedNo: ++owedNo, notBeforeMs });
      }
    },
    async dueBodies(tenant, collection, limit) {
      return [...owed.values()]
        .filter((one) => one.tenant === tenant && one.collection === collection && one.notBeforeMs <= clock.nowMs())
        .sort((a, b) => a.notBeforeMs - b.notBeforeMs || a.owedNo - b.owedNo)
        .slice(0, limit)
        .map(({ collection: name, id, seq, owedNo: no }) => ({ collection: name, id, seq, owedNo: no }));
    },
    async deferBodies(tenant, owedNos, delayMs) {
      for (const [key, one] of numbered(tenant, owedNos))
        owed.set(key, { ...one, notBeforeMs: clock.nowMs() + delayMs });
    },
    async settleBodies(tenant, owedNos) {
      for (const [key] of numbered(tenant, owedNos)) owed.delete(key);
    },
    async owingCollections(tenant) {
      return new Set([...owed.values()].filter((one) => one.tenant === tenant).map(({ collection }) => collection));
    },
  };
  return {
    keeping,
    forgetOwed: (tenant, collection, ids) => ids.filter((id) => owed.delete(`${tenant} ${collection} ${id}`)).length,
  };
}
