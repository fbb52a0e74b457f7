import type { Epoch, Seq } from '../core/change.js';
import type { FeedAdvance } from '../core/feed-port.js';
import type { Clock, Log } from '../core/ports.js';
import { restoreProof, seenAfter, type FoundFeed, type SeenFeed } from '../core/witness.js';
import type { Connection, Database } from './database.js';
import type { WitnessFile } from './witness-file.js';

const LOOK_EVERY_MS = 1_000;

/** Looks whether the database was restored since it was last seen (F5, specification part 8). */
export interface RestoreWatch {
  /**
   * For each new connection, before it serves anybody: a database that was away may have come back older. Nothing before `start`.
   *
   * @throws whatever the connection throws: it must not serve
   */
  admit(connection: Connection): Promise<void>;
  /** The first look, then one each second; what was seen is kept in the file. */
  start(database: Database): Promise<void>;
  /** A feed advanced: its head is seen. */
  saw(advance: FeedAdvance): void;
  /** What was seen of a tenant's feed: a new epoch goes past it. */
  seenOf(tenant: string): SeenFeed | undefined;
  /** Looks and keeps what was seen once more. Before the database is closed. */
  close(): Promise<void>;
}

/** @param file null: what was seen is gone with the process */
export function createRestoreWatch(ports: {
  readonly clock: Clock;
  readonly log: Log;
  readonly file: WitnessFile | null;
}): RestoreWatch {
  const { clock, log, file } = ports;
  const closing = new AbortController();
  const seen = new Map<string, SeenFeed>();
  /** The epoch's name by tenant: advances carry it. */
  const epochs = new Map<string, Epoch>();
  let isStarted = false;
  let isNamelessTold = false;
  let isBlind = false;
  let keptText = '';
  let watching: Promise<void> | null = null;

  /** One look; a feed that is proven older than it was seen begins a new epoch before the look ends. */
  async function look(connection: Connection): Promise<void> {
    // Seen before the query is sent: what others see meanwhile may be later than its answer.
    const before = new Map(seen);
    let found = await readFeeds(connection);
    let wasRestored = false;
    for (const feed of found) {
      const proof = restoreProof(feed, before.get(feed.tenant));
      if (proof === null) continue;
      const epoch = await beginEpoch(connection, feed.tenant, feed.epoch, before.get(feed.tenant));
      const { tenant, head } = feed;
      // Another look that was under way at the same time may have found it too.
      if (epochs.get(tenant) !== epoch) {
        const details = { tenant, proof, head, seenHead: before.get(tenant)?.head ?? null, epoch };
        log.error('the feed was restored from a backup: a new epoch begins', details);
      }
      epochs.set(tenant, epoch);
      wasRestored = true;
    }
    if (wasRestored) found = await readFeeds(connection);
    for (const feed of found) note(feed);
  }

  function note(feed: FoundFeed): void {
    const { tenant, epoch, identity } = feed;
    seen.set(tenant, seenAfter(seen.get(tenant), feed));
    epochs.set(tenant, epoch);
    if (identity !== null || isNamelessTold) return;
    isNamelessTold = true;
    log.warn('the database does not tell its identity: a restore shows by heads and by checkpoints of devices only');
  }

  async function keep(): Promise<void> {
    const text = JSON.stringify([...seen]);
    if (file === null || text === keptText) return;
    keptText = text;
    await file.write(seen);
  }

  async function lookThrough(database: Database): Promise<void> {
    const connection = await database.connect();
    let broken: Error | undefined;
    try {
      await look(connection);
    } catch (thrown) {
      throw (broken = thrown as Error);
    } finally {
      connection.release(broken);
    }
  }

  async function watch(database: Database): Promise<void> {
    while (!closing.signal.aborted) {
      await keep();
      await clock.wait(LOOK_EVERY_MS, closing.signal).catch(() => undefined);
      // Once more at the end. The database may be away: the connection that finds it again looks first.
      try {
        await lookThrough(database);
        isBlind = false;
      } catch (thrown) {
        // Told once, not each second.
        if (!isBlind) log.warn('whether the database was restored cannot be seen now', { reason: String(thrown) });
        isBlind = true;
      }
    }
    await keep();
  }

  return {
    admit: (connection) => (isStarted ? look(connection) : Promise.resolve()),
    async start(database) {
      for (const [tenant, one] of file?.read() ?? []) seen.set(tenant, one);
      await lookThrough(database);
      // A tenant that is not there has nothing that could be older: the database was made anew.
      for (const tenant of seen.keys()) if (!epochs.has(tenant)) seen.delete(tenant);
      isStarted = true;
      watching = watch(database);
    },
    saw({ tenant, epoch, head }) {
      const before = seen.get(tenant);
      if (before !== undefined && epochs.get(tenant) === epoch && head > before.head)
        seen.set(tenant, { ...before, head });
    },
    seenOf: (tenant) => seen.get(tenant),
    async close() {
      closing.abort(new Error('the store closes'));
      await watching;
    },
  };
}

/**
 * Begins a new epoch if `from` is still in force, past everything that was seen: one transaction (specification part 8).
 *
 * @returns the epoch that is in force now
 */
export async function beginEpoch(
  connection: Connection,
  tenant: string,
  from: Epoch,
  past: Partial<Pick<SeenFeed, 'head' | 'epochNo'>> = {},
): Promise<Epoch> {
  await connection.query('begin');
  // It may touch many rows; the limits of the hot path are not for it.
  await connection.query('set local statement_timeout = 0; set local lock_timeout = 0');
  const { rows } = await connection.query<{ epoch: string }>('select tidegate_new_epoch($1, $2, $3, $4) as epoch', [
    tenant,
    from,
    past.head ?? 0,
    past.epochNo ?? 0,
  ]);
  await connection.query('commit');
  return rows[0]?.epoch as Epoch;
}

async function readFeeds(connection: Connection): Promise<readonly FoundFeed[]> {
  const { rows } = await connection.query<{
    id: string;
    epoch: string;
    epoch_no: number;
    head: number;
    pg_identity: string | null;
    identity: string | null;
    position: number | null;
  }>(
    `select id, epoch, epoch_no, head, pg_identity,
       (select tidegate_identity()) as identity, (select tidegate_position()) as position
     from tenant`,
  );
  return rows.map((row) => ({
    tenant: row.id,
    epoch: row.epoch as Epoch,
    epochNo: row.epoch_no,
    head: row.head as Seq,
    notedIdentity: row.pg_identity,
    identity: row.identity,
    position: row.position,
  }));
}
