import pg from 'pg';
import type { Epoch, Seq } from '../core/change.js';
import type { Announcer, FeedAdvance } from '../core/feed-port.js';
import type { Clock, Log } from '../core/ports.js';
import { scopeSet, type ScopePair } from '../core/scope.js';
import { applicationName } from './postmaster.js';
import { storeFault, type Database } from './database.js';

const CHANNEL = 'tidegate_advance';
/** Announcements of a node go out at most this often (F15: never inside the feed's transaction). */
const ANNOUNCE_EVERY_MS = 20;
/** Heads are compared this often: a lost announcement is made good by it. */
const COMPARE_EVERY_MS = 1_000;
const RECONNECT_AFTER_MS = 1_000;
/** NOTIFY's payload may have 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900;

/** The announcer of a node: hears and tells which feeds advanced. */
export interface NodeAnnouncer extends Announcer {
  /** A commit of this node: listeners here at once, other nodes within 20 ms. */
  tell(advance: FeedAdvance): void;
  close(): Promise<void>;
}

/**
 * @param url for a connection of its own: LISTEN needs a session, not a transaction pooler
 * @param node tells our own announcements from others'
 */
export async function openAnnouncer(
  database: Database,
  options: { readonly url: string; readonly node: string; readonly clock: Clock; readonly log: Log },
): Promise<NodeAnnouncer> {
  const { clock, log, node } = options;
  const listeners = new Set<(advance: FeedAdvance) => void>();
  const heads = new Map<string, Seq>();
  /** Tenants of which a commit was heard that does not follow the one heard before; true: since the comparison before. */
  const gaps = new Map<string, boolean>();
  const outgoing = new Map<string, FeedAdvance>();
  const closing = new AbortController();
  let client: pg.Client | null = null;
  let sending: Promise<void> | null = null;
  let relistening: Promise<void> | null = null;

  function spread(advance: FeedAdvance): void {
    const known = heads.get(advance.tenant);
    if (known === undefined || advance.head > known) heads.set(advance.tenant, advance.head);
    // Another node's announcement may be on its way still, or lost: the comparison of heads would not show it any more.
    if (known !== undefined && advance.after > known && !gaps.has(advance.tenant)) gaps.set(advance.tenant, false);
    for (const listener of listeners) listener(advance);
  }

  async function send(): Promise<void> {
    await clock.wait(ANNOUNCE_EVERY_MS, closing.signal).catch(() => undefined);
    const advances = [...outgoing.values()];
    outgoing.clear();
    sending = null;
    for (const advance of advances) {
      await database
        .query('select pg_notify($1, $2)', [CHANNEL, encode(node, advance)])
        .catch((cause: unknown) =>
          log.warn('announce: not told to other nodes, they compare heads', { cause: String(cause) }),
        );
    }
  }

  function hear(payload: string | undefined): void {
    const heard = decode(payload ?? '');
    if (heard !== null && heard.node !== node) spread(heard.advance);
  }

  async function listen(): Promise<void> {
    const next = new pg.Client({ connectionString: options.url, application_name: applicationName() });
    next.on('notification', (message) => hear(message.payload));
    next.on('error', () => undefined);
    try {
      await next.connect();
      await next.query(`listen ${CHANNEL}`);
    } catch (cause) {
      await next.end().catch(() => undefined);
      throw cause;
    }
    if (closing.signal.aborted) {
      await next.end().catch(() => undefined);
      return;
    }
    // Only of a connection that listened: the driver also says `end` of one that never came up, and each would begin another loop.
    next.once('end', () => {
      relistening = relisten();
    });
    client = next;
  }

  async function relisten(): Promise<void> {
    client = null;
    while (!closing.signal.aborted) {
      await clock.wait(RECONNECT_AFTER_MS, closing.signal).catch(() => undefined);
      if (closing.signal.aborted) return;
      const connected = await listen().then(
        () => true,
        () => false,
      );
      if (connected) return;
    }
  }

  async function compareHeads(): Promise<void> {
    while (!closing.signal.aborted) {
      await clock.wait(COMPARE_EVERY_MS, closing.signal).catch(() => undefined);
      if (closing.signal.aborted || listeners.size === 0) continue;
      const rows = await database
        .query<{ id: string; epoch: string; head: number }>({
          name: 'compare_heads',
          text: 'select id, epoch, head from tenant',
        })
        .then(
          (answer) => answer.rows,
          () => [],
        );
      for (const row of rows) {
        const known = heads.get(row.id);
        const isGapOld = gaps.get(row.id) === true;
        if (gaps.has(row.id)) gaps.set(row.id, true);
        if (known === undefined) heads.set(row.id, row.head as Seq);
        else if (row.head > known || isGapOld) {
          gaps.delete(row.id);
          const [after, head] = [known, Math.max(row.head, known) as Seq];
          spread({ tenant: row.id, epoch: row.epoch as Epoch, after, head, touched: null, receipts: [] });
        }
      }
    }
  }

  await listen();
  const comparing = compareHeads();

  return {
    onAdvance(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(advance) {
      spread(advance);
      outgoing.set(advance.tenant, merge(outgoing.get(advance.tenant), advance));
      sending ??= send();
    },
    async changedPairs(tenant, pairs, after) {
      if (pairs.length === 0) return [];
      try {
        const { rows } = await database.query<ScopePair>({
          name: 'changed_pairs',
          text: `select p.collection, p.scope from jsonb_to_recordset($2::jsonb) as p (collection text, scope text)
            where exists (
              select 1 from membership m
              where m.tenant = $1 and m.collection = p.collection and m.scope = p.scope and m.seq > $3
            )`,
          values: [tenant, JSON.stringify(pairs), after],
        });
        return scopeSet(rows);
      } catch (cause) {
        throw storeFault(cause);
      }
    },
    async close() {
      closing.abort(new Error('the store closes'));
      client?.removeAllListeners('end');
      await Promise.all([comparing, sending, relistening]);
      await client?.end();
    },
  };
}

/** Two advances of one tenant as one: what either touched, and no author where they differ. */
function merge(earlier: FeedAdvance | undefined, later: FeedAdvance): FeedAdvance {
  if (earlier === undefined) return later;
  const touched = earlier.touched === null || later.touched === null ? null : [...earlier.touched, ...later.touched];
  // Others' commits between the two are not in it: whoever hears it must see the gap.
  const after = earlier.head === later.after ? earlier.after : later.after;
  return { ...later, after, touched, receipts: [...earlier.receipts, ...later.receipts] };
}

function encode(node: string, advance: FeedAdvance): string {
  const whole = JSON.stringify({ node, advance });
  if (Buffer.byteLength(whole) <= MAX_PAYLOAD_BYTES) return whole;
  return JSON.stringify({ node, advance: { ...advance, touched: null, receipts: [] } });
}

function decode(payload: string): { readonly node: string; readonly advance: FeedAdvance } | null {
  try {
    return JSON.parse(payload) as { readonly node: string; readonly advance: FeedAdvance };
  } catch {
    // Somebody else's text on our channel.
    return null;
  }
}
