import type { AuditRow, AuditStore } from '../core/audit.js';
import { queryRows, type Database } from './database.js';

interface ChainRow {
  readonly anchor_no: number;
  readonly anchor_hash: string;
  readonly head_no: number;
  readonly head_hash: string;
  readonly rows: readonly AuditRow[];
}

/** The audit log: see `AuditStore`. Low-rate, so its statements are planned for each call. */
export function auditStore(database: Database): AuditStore {
  return {
    async appendAudit(tenant, { user, device, action, collection, subject, outcome, count, outcomeOf }) {
      const [place] = await queryRows<{ no: number; hash: string }>(database, {
        text: 'select no, hash from tidegate_append_audit($1, $2, $3, $4, $5, $6, $7, $8, $9)',
        values: [tenant, user, device, action, collection, subject, outcome, count, outcomeOf],
      });
      return place as { no: number; hash: string };
    },

    async readAudit(tenant, { after, limit }) {
      const [chain] = await queryRows<ChainRow>(database, {
        text: `
          select c.anchor_no, c.anchor_hash, c.head_no, c.head_hash, (
            select coalesce(json_agg(r order by r.no), '[]') from (
              select a.no, tidegate_audit_time(a.at) as at, a.user_id as "user", a.device, a.action, a.collection, a.subject, a.outcome,
                a.count, a.outcome_of as "outcomeOf", a.previous, a.hash
              from audit a where a.tenant = $1 and a.no > $2 order by a.no limit $3
            ) r
          ) as rows
          from audit_chain c where c.tenant = $1`,
        values: [tenant, after, limit],
      });
      if (chain === undefined) return { anchor: { no: 0, hash: '' }, head: { no: 0, hash: '' }, rows: [] };
      return {
        anchor: { no: chain.anchor_no, hash: chain.anchor_hash },
        head: { no: chain.head_no, hash: chain.head_hash },
        rows: chain.rows,
      };
    },

    async forgetAudit(tenant, olderThanMs) {
      const [row] = await queryRows<{ forgotten: number }>(database, {
        text: 'select tidegate_forget_audit($1, $2) as forgotten',
        values: [tenant, new Date(olderThanMs).toISOString()],
      });
      return row?.forgotten ?? 0;
    },
  };
}
