import type { Epoch, Seq } from './change.js';

/**
 * What a gateway has seen of a tenant's feed and of the database that keeps it. While that is one and the same database, none
 * of its numbers goes back: a later look that finds less is proof of a restore (F5).
 */
export interface SeenFeed {
  /** How many epochs the tenant has had. */
  readonly epochNo: number;
  readonly head: Seq;
  /** Names server, timeline, database and table; null: the server does not tell. */
  readonly identity: string | null;
  /** How far the server's log is durable, bytes; null: the server does not tell. */
  readonly position: number | null;
}

/** A tenant's feed as a look finds it. */
export interface FoundFeed extends SeenFeed {
  readonly tenant: string;
  readonly epoch: Epoch;
  /** The database in which the epoch began; null: never noted. */
  readonly notedIdentity: string | null;
}

/** What proves that a feed was restored. */
export type RestoreProof = 'another database' | 'an older head' | 'an older log';

/**
 * Was the feed restored since it was last seen? An epoch that began since answers for everything before it.
 *
 * @param seen what was seen before the look began; undefined: nothing
 */
export function restoreProof(found: FoundFeed, seen: SeenFeed | undefined): RestoreProof | null {
  if (isOther(found.identity, found.notedIdentity)) return 'another database';
  if (seen === undefined || found.epochNo > seen.epochNo) return null;
  if (isOther(found.identity, seen.identity)) return 'another database';
  if (found.head < seen.head) return 'an older head';
  if (found.position !== null && seen.position !== null && found.position < seen.position) return 'an older log';
  return null;
}

/** What is seen after one more look; looks that were under way at the same time may come in any order. */
export function seenAfter(seen: SeenFeed | undefined, found: SeenFeed): SeenFeed {
  const { epochNo, head, identity, position } = found;
  if (seen === undefined || epochNo > seen.epochNo) return { epochNo, head, identity, position };
  if (epochNo < seen.epochNo) return seen;
  const farther = position === null || seen.position === null ? position : Math.max(position, seen.position);
  return { epochNo, head: Math.max(head, seen.head) as Seq, identity, position: farther };
}

function isOther(identity: string | null, before: string | null): boolean {
  return identity !== null && before !== null && identity !== before;
}
