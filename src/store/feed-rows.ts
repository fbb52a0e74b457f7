import type { Seq } from '../core/change.js';
import type { ScopeSet } from '../core/scope.js';
import { quote } from './change-sql.js';

/** So many scopes share a page: each of them is first asked for a few times its share only. */
const MANY_SCOPES = 8;
const SHARES = 4;

/**
 * The relation `rows`: one row more than the page takes, of every pair in the order of seq. Asked of many pairs, a page's worth of each
 * would be read for every page; a few times its share is enough unless one of them has much more than others. What is known to be whole
 * ends where the first of the shares ends that was filled.
 */
export function filledRowsSql(tenant: string, set: ScopeSet, after: Seq, upTo: Seq, room: number): string {
  const merged = (most: number): string => `
          select m.seq, m.record_no, m.filled
          from pairs p cross join lateral (
            select seq, record_no, row_number() over (order by seq) = ${most} as filled from membership
            where tenant = ${quote(tenant)} and collection = p.c and scope = p.s and not "left" and seq > ${after} and seq <= ${upTo}
            order by seq limit ${most}
          ) m`;
  const once = set.length > 1 ? 'group by seq, record_no' : '';
  const ofAll = (source: string): string =>
    `select seq, record_no from ${source} ${once} order by seq limit ${room + 1}`;
  if (set.length <= MANY_SCOPES)
    return `
        rows as materialized (${ofAll(`(${merged(room + 1)}) a`)})`;
  return `
        shares as materialized (${merged(Math.ceil((SHARES * (room + 1)) / set.length))}),
        whole as materialized (
          ${ofAll('(select * from shares where seq <= coalesce((select min(seq) from shares where filled), 9223372036854775807)) a')}
        ),
        enough as materialized (
          select not exists (select from shares where filled) or (select count(*) from whole) > ${room} as yes
        ),
        rows as materialized (
          select * from whole where (select yes from enough)
          union all
          (${ofAll(`(${merged(room + 1)}) a where not (select yes from enough)`)})
        )`;
}

/** Looked for record by record: of `not exists` the planner may make one reading of the whole table. */
export function noneOf(select: string): string {
  return `(${select} limit 1) is null`;
}

export function pairsSql(set: ScopeSet): string {
  if (set.length === 0) return 'select null::text, null::text where false';
  return `values ${set.map((pair) => `(${quote(pair.collection)}, ${quote(pair.scope)})`).join(', ')}`;
}
