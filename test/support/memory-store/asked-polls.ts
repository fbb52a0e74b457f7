import type { AskedPollStore } from '../../../src/core/asked-poll-port.js';
import { recordKey, type TenantTables } from './tables.js';

/** Polls that webhooks ask for. */
export function createAskedPolls(ports: {
  readonly tablesOf: (tenant: string) => TenantTables;
  readonly forWriting: (tenant: string) => TenantTables;
}): AskedPollStore {
  const { tablesOf, forWriting } = ports;
  return {
    async askPoll(tenant, collection, keys, nowMs) {
      const { rechecks, askedPolls } = forWriting(tenant);
      const before = askedPolls.get(collection) ?? { askedNo: 0, pollNo: null };
      const askedNo = before.askedNo + 1;
      let isWhole = keys.length === 0;
      for (const sourceKey of new Set(keys)) {
        const key = recordKey(collection, sourceKey);
        if (rechecks.has(key)) isWhole = true;
        else rechecks.set(key, { collection, sourceKey, reason: 'a webhook named it', notBeforeMs: nowMs });
      }
      askedPolls.set(collection, { askedNo, pollNo: isWhole ? askedNo : before.pollNo });
    },
    async countAsked(tenant) {
      return new Map([...tablesOf(tenant).askedPolls].map(([name, { askedNo }]) => [name, askedNo]));
    },
    async readAsked(tenant, collection) {
      return tablesOf(tenant).askedPolls.get(collection)?.pollNo ?? null;
    },
    async noteAnswered(tenant, collection, askedNo) {
      const { askedPolls } = forWriting(tenant);
      const asked = askedPolls.get(collection);
      if (asked !== undefined && asked.pollNo !== null && asked.pollNo <= askedNo)
        askedPolls.set(collection, { ...asked, pollNo: null });
    },
  };
}
