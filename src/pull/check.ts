import { resetReason } from '../core/checkpoint.js';
import type { Collection } from '../core/collection.js';
import type { FeedReader } from '../core/feed-port.js';
import type { Session } from '../core/session.js';
import { checkpointTokens } from './checkpoint-token.js';
import { lineages } from './lineage.js';
import { createSessionScopes } from './session-scopes.js';
import type { SigningKeys } from './signing-keys.js';

/** What a device holds of a collection, if nothing went wrong with it. */
export interface CollectionCheck {
  readonly collection: string;
  readonly count: number;
  /** The sum, modulo 2^64, of the first eight bytes of the SHA-256 of each record's version: 16 lower-case hex digits. */
  readonly hash: string;
}

export interface Checked {
  /** False: there is something to pull first, and nothing is said. */
  readonly isCurrent: boolean;
  /** By name; without those whose bodies are not kept here. */
  readonly collections: readonly CollectionCheck[];
}

/**
 * What a device must hold at its checkpoint. Only the latest state of a record is kept, so that is told only while nothing of the device's
 * scopes moved since: exact, or not at all. Safe to repeat; reads no body.
 *
 * @throws SyncError BAD_CHECKPOINT, CHECKPOINT_COLLECTIONS, BAD_REQUEST (unknown collection), UNAVAILABLE
 */
export type Check = (
  session: Session,
  request: { readonly since: string; readonly collections: readonly string[] | null },
) => Promise<Checked>;

const PULL_FIRST: Checked = { isCurrent: false, collections: [] };

export function createCheck(ports: {
  readonly store: FeedReader;
  readonly collections: readonly Collection[];
  readonly keys: SigningKeys;
}): Check {
  const { store, keys } = ports;
  const tokens = checkpointTokens(store, keys);
  const scopes = createSessionScopes(ports.collections);
  const lineageOf = lineages(ports.collections);
  const counted = new Set(
    ports.collections.filter(({ storage }) => storage !== 'metadataOnly').map(({ name }) => name),
  );

  return async (session, { since, collections }) => {
    const { names, lineage } = lineageOf(collections);
    const given = await tokens.read(since, { tenant: session.tenant, user: session.user, lineage });
    if (given.kind === 'unusable') return PULL_FIRST;
    const { state } = given;
    if (state.fill !== null || state.drain !== null || state.head !== null) return PULL_FIRST;
    return store.snapshot(session.tenant, async (snapshot) => {
      if (resetReason(state, snapshot.feed, session.isEvicted === true) !== null) return PULL_FIRST;
      const allowed = await scopes.allowedOn(snapshot, session, names);
      if (tokens.nameOf(allowed) !== tokens.nameOf(state.cover)) return PULL_FIRST;
      const tallies = await snapshot.tally(state.cover, state.seq);
      if (tallies === null) return PULL_FIRST;
      return {
        isCurrent: true,
        collections: names
          .filter((name) => counted.has(name))
          .map((collection) => {
            const { count, sum } = tallies.get(collection) ?? { count: 0, sum: 0n };
            return { collection, count, hash: BigInt.asUintN(64, sum).toString(16).padStart(16, '0') };
          }),
      };
    });
  };
}
