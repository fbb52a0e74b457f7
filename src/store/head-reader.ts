import type { Epoch, Seq } from '../core/change.js';
import type { FeedHead } from '../core/feed-port.js';
import { storeFault, type Database } from './database.js';

interface Round {
  readonly tenants: Set<string>;
  readonly heads: Promise<ReadonlyMap<string, FeedHead>>;
}

/**
 * Reads heads for many callers with few queries: while one query is under way, later callers gather for the next, so that
 * each gets a head that was read after it asked (F17).
 */
export function headReader(database: Database): (tenant: string) => Promise<FeedHead> {
  let running: Promise<unknown> | null = null;
  let next: Round | null = null;

  async function readHeads(tenants: ReadonlySet<string>): Promise<ReadonlyMap<string, FeedHead>> {
    try {
      const { rows } = await database.query<{ id: string; epoch: string; head: number; horizon: number }>({
        name: 'read_heads',
        text: 'select id, epoch, head, horizon from tenant where id = any ($1)',
        values: [[...tenants]],
      });
      return new Map(
        rows.map(({ id, epoch, head, horizon }) => [
          id,
          { epoch: epoch as Epoch, head: head as Seq, horizon: horizon as Seq },
        ]),
      );
    } catch (cause) {
      throw storeFault(cause);
    }
  }

  function open(): Round {
    const tenants = new Set<string>();
    const heads = (running ?? Promise.resolve()).then(() => {
      next = null;
      const query = readHeads(tenants);
      running = query.catch(() => undefined);
      return query;
    });
    return { tenants, heads };
  }

  return async (tenant) => {
    next ??= open();
    next.tenants.add(tenant);
    const head = (await next.heads).get(tenant);
    if (head === undefined) throw storeFault(new Error(`tenant "${tenant}" is not open`));
    return head;
  };
}
