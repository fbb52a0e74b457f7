import type { Epoch, Seq } from '../core/change.js';
import type { Announcer, FeedAdvance } from '../core/feed-port.js';
import type { Clock, Log } from '../core/ports.js';
import { scopeSet, type ScopePair } from '../core/scope.js';
import { openBus } from './bus.js';
import { storeFault, type Database } from './database.js';

/** Announcements of a node go out at most this often, the first after a rest at once (F15: never inside the feed's transaction). */
const ANNOUNCE_EVERY_MS = 20;
/** Heads are compared this often: a lost announcement is made good by it. */
const COMPARE_EVERY_MS = 1_000;
/** NOTIFY's payload may have 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900;
/** More never fit: of commits that wait to be told, as while the line is silent, no more is kept. */
const MOST_TOLD = 200;

/** The announcer of a node: hears and tells which feeds advanced. */
export interface NodeAnnouncer extends Announcer {
  /** A commit of this node: listeners here at once, other nodes at once or, where one was told just before, within 20 ms. */
  tell(advance: FeedAdvance): void;
  close(): Promise<void>;
}

/**
 * @param options.url as the bus takes it
 * @param options.node tells our own announcements from others'
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
  /** The end of the announcements that are under way; null: none are. */
  let announcing: Promise<void> | null = null;
  let announcedAtMs = Number.NEGATIVE_INFINITY;
  let isUntold = false;

  function spread(advance: FeedAdvance): void {
    const known = heads.get(advance.tenant);
    if (known === undefined || advance.head > known) heads.set(advance.tenant, advance.head);
    // Another node's announcement may be on its way still, or lost: the comparison of heads would not show it any more.
    if (known !== undefined && advance.after > known && !gaps.has(advance.tenant)) gaps.set(advance.tenant, false);
    for (const listener of listeners) listener(advance);
  }

  /** One after the other, until nothing is left to tell. Each tells all tenants that advanced, in one transaction. */
  async function announce(): Promise<void> {
    while (outgoing.size > 0) {
      const restMs = announcedAtMs + ANNOUNCE_EVERY_MS - clock.monotonicMs();
      if (restMs > 0) await clock.wait(restMs, closing.signal).catch(() => undefined);
      announcedAtMs = clock.monotonicMs();
      const texts = [...outgoing.values()].map((advance) => encode(node, advance));
      outgoing.clear();
      await bus.tell(texts).then(
        () => (isUntold = false),
        (cause: unknown) => {
          // Told once, not fifty times a second.
          if (!isUntold) log.warn('announce: not told to other nodes, they compare heads', { cause: String(cause) });
          isUntold = true;
        },
      );
    }
    announcing = null;
  }

  function hear(text: string): void {
    const heard = decode(text);
    if (heard !== null && heard.node !== node) spread(heard.advance);
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

  const bus = await openBus({ url: options.url, clock, log, hear });
  const comparing = compareHeads();

  return {
    onAdvance(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tell(advance) {
      spread(advance);
      outgoing.set(advance.tenant, merge(outgoing.get(advance.tenant), advance));
      announcing ??= announce();
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
      await Promise.all([comparing, announcing]);
      await bus.close();
    },
  };
}

/** Two advances of one tenant as one: what either touched, and no author where they differ. */
function merge(earlier: FeedAdvance | undefined, later: FeedAdvance): FeedAdvance {
  if (earlier === undefined) return later;
  const pairs = earlier.touched === null || later.touched === null ? null : [...earlier.touched, ...later.touched];
  const touched = pairs !== null && pairs.length > MOST_TOLD ? null : pairs;
  // Others' commits between the two are not in it: whoever hears it must see the gap.
  const after = earlier.head === later.after ? earlier.after : later.after;
  return { ...later, after, touched, receipts: [...earlier.receipts, ...later.receipts].slice(-MOST_TOLD) };
}

/** What does not fit is left out: what was touched first, since others can compare it; a receipt that moved nothing they cannot see. */
function encode(node: string, advance: FeedAdvance): string {
  const texts = [{}, { touched: null }, { touched: null, receipts: [] }].map((less) =>
    JSON.stringify({ node, advance: { ...advance, ...less } }),
  );
  return texts.find((text) => Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES) ?? (texts.at(-1) as string);
}

function decode(payload: string): { readonly node: string; readonly advance: FeedAdvance } | null {
  try {
    return JSON.parse(payload) as { readonly node: string; readonly advance: FeedAdvance };
  } catch {
    // Somebody else's text on our channel.
    return null;
  }
}
