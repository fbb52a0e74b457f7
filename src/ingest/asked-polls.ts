import type { AskedPollStore } from '../core/asked-poll-port.js';
import type { SourceKey } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import type { RecordStore } from '../core/record-port.js';
import type { SourceCollection } from '../core/source-port.js';

/** A node looks this often whether another one was asked for a poll: the longest way of a webhook to the node that polls. */
export const LOOK_EVERY_MS = 1_000;
/** More records than this that are named at once are found by a poll. */
const MOST_KEYS = 50;

/** Polls that webhooks ask for: joined, noted in the store, and brought to the node that polls. */
export interface AskedPolls {
  /**
   * Something changed at the source. The first call of a while is noted at once, what comes within the window after it is noted
   * together at its end. Safe to repeat; never throws: what cannot be noted is found by the next poll.
   *
   * @param keys the records that changed; null: not known, a poll is needed
   */
  ask(collection: string, keys: readonly SourceKey[] | null): void;
  /** Begins to look for what other nodes were asked. A second call does nothing. */
  start(): void;
  stop(): Promise<void>;
}

/** What was asked within a window: keys, or null for a poll. */
type Gathered = Set<SourceKey> | null;

/** @param options.wake the loop of a collection, which does nothing on a node that does not poll it */
export function createAskedPolls(
  ports: {
    readonly store: Pick<AskedPollStore, 'askPoll' | 'countAsked'> & Pick<RecordStore, 'readHashes'>;
    readonly clock: Clock;
    readonly log: Log;
  },
  options: {
    readonly tenant: string;
    readonly sources: readonly Pick<SourceCollection, 'collection' | 'facts'>[];
    readonly wake: (collection: string) => void;
  },
): AskedPolls {
  const { store, clock, log } = ports;
  const { tenant, wake } = options;
  const hooked = options.sources.filter(({ facts }) => facts.webhookWindowMs !== undefined);
  const byName = new Map(hooked.map((source) => [source.collection.name, source]));
  const gathered = new Map<string, Gathered>();
  const windows = new Map<string, Promise<void>>();
  const closing = new AbortController();
  let looking: Promise<void> | null = null;

  async function runWindow(name: string, windowMs: number): Promise<void> {
    // One after the other: what is gathered while the store takes long is not lost, and not noted twice.
    while (!closing.signal.aborted && gathered.has(name)) {
      const asked = gathered.get(name) ?? null;
      gathered.delete(name);
      await note(name, asked).catch((thrown: unknown) =>
        log.warn('webhook: not noted, the next poll finds what changed', {
          collection: name,
          code: SyncError.from(thrown).code,
        }),
      );
      await clock.wait(windowMs, closing.signal).catch(() => undefined);
    }
    windows.delete(name);
  }

  async function note(name: string, asked: Gathered): Promise<void> {
    const nowMs = clock.nowMs();
    const known = asked === null ? [] : await knownOf(name, [...asked]);
    if (known.length > 0) await store.askPoll(tenant, name, known, nowMs);
    if (asked === null || known.length < asked.size) await store.askPoll(tenant, name, [], nowMs);
    wake(name);
  }

  /** What polls never showed is theirs to show: a record that `list` leaves out must not come in by its key. */
  async function knownOf(name: string, keys: readonly SourceKey[]): Promise<readonly SourceKey[]> {
    const marks = await store.readHashes(tenant, name, keys);
    return keys.filter((key) => marks.get(key)?.deleted === false);
  }

  async function look(): Promise<void> {
    let seen: ReadonlyMap<string, number> = new Map();
    while (!closing.signal.aborted) {
      const counts = await store.countAsked(tenant).catch((thrown: unknown) => {
        log.warn('webhook: what other nodes were asked is not known', { code: SyncError.from(thrown).code });
        return seen;
      });
      for (const [name, count] of counts) if (count !== seen.get(name)) wake(name);
      seen = counts;
      await clock.wait(LOOK_EVERY_MS, closing.signal).catch(() => undefined);
    }
  }

  return {
    ask(collection, keys) {
      const source = byName.get(collection);
      if (source === undefined || keys?.length === 0 || closing.signal.aborted) return;
      const { readOne, deletions, webhookWindowMs = 0 } = source.facts;
      // Where nothing is ever deleted, a 404 for a key must not be asked for either.
      const canRead = readOne && deletions !== 'none';
      const before = gathered.get(collection);
      const all = keys === null || !canRead || before === null ? null : new Set([...(before ?? []), ...keys]);
      gathered.set(collection, all !== null && all.size > MOST_KEYS ? null : all);
      if (!windows.has(collection)) windows.set(collection, runWindow(collection, webhookWindowMs));
    },
    start() {
      if (byName.size > 0) looking ??= look();
    },
    async stop() {
      closing.abort(new Error('the gateway stops'));
      await Promise.all([looking, ...windows.values()]);
    },
  };
}
