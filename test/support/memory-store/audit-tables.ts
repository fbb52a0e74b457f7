import { createHash } from 'node:crypto';
import {
  AUDITED,
  auditText,
  placeText,
  type AuditEntry,
  type AuditRow,
  type AuditStore,
} from '../../../src/core/audit.js';
import type { Clock } from '../../../src/core/ports.js';
import type { TenantTables } from './tables.js';

/** The audit log of each tenant. */
export function createAuditTables(ports: {
  readonly clock: Clock;
  readonly tablesOf: (tenant: string) => TenantTables;
  readonly forWriting: (tenant: string) => TenantTables;
}): AuditStore {
  const { clock, tablesOf, forWriting } = ports;

  function append(tenant: string, entry: AuditEntry): AuditRow {
    const tables = forWriting(tenant);
    const { anchor, rows } = tables.audit;
    const { no, hash: previous } = rows.at(-1) ?? anchor;
    const row = { ...entry, no: no + 1, at: new Date(clock.nowMs()).toISOString(), previous };
    const added = { ...row, hash: createHash('sha256').update(auditText(tenant, row)).digest('hex') };
    tables.audit = { anchor, rows: [...rows, added] };
    return added;
  }

  return {
    async appendAudit(tenant, entry) {
      const { no, hash } = append(tenant, entry);
      return { no, hash };
    },
    async readAudit(tenant, { after, limit }) {
      const { anchor, rows } = tablesOf(tenant).audit;
      const { no, hash } = rows.at(-1) ?? anchor;
      return { anchor, head: { no, hash }, rows: rows.filter((row) => row.no > after).slice(0, limit) };
    },
    async forgetAudit(tenant, olderThanMs) {
      const { rows } = tablesOf(tenant).audit;
      const young = rows.findIndex(({ at }) => Date.parse(at) >= olderThanMs);
      const old = young < 0 ? rows : rows.slice(0, young);
      const last = old.at(-1);
      if (last === undefined || old.every(({ action }) => action === AUDITED.forget)) return 0;
      const anchor = { no: last.no, hash: last.hash };
      forWriting(tenant).audit = { anchor, rows: rows.slice(old.length) };
      const about = { user: null, device: null, collection: null, outcome: 'DONE', outcomeOf: null };
      append(tenant, { ...about, action: AUDITED.forget, subject: placeText(anchor), count: old.length });
      return old.length;
    },
  };
}
