import type { Collection } from '../core/collection.js';
import type { FeedHead, FeedSnapshot } from '../core/feed-port.js';
import { hiddenScope } from '../core/overlay.js';
import { referenceFields } from '../core/reference.js';
import { scopeSet, type ScopePair, type ScopeSet } from '../core/scope.js';
import { deviceOf, type DeviceKey, type Session } from '../core/session.js';

/** Sets kept ready, each way: those of the sessions that ask most often. */
const CACHED_SETS = 1_000;

/** What sessions may see, as the sets that checkpoints cover. Equal sets come as the same object as long as they are cached. */
export interface SessionScopes {
  /** On a snapshot: the pairs of this session in these collections (sorted names). */
  allowedOn(snapshot: FeedSnapshot, session: Session, collections: readonly string[]): Promise<ScopeSet>;
  /**
   * The same without a snapshot, or null when that takes one. A session of every scope gains a pair only by a commit, and
   * that moves the head: what was read at a head holds as long as the head stands there.
   */
  allowedAt(feed: FeedHead, session: Session, collections: readonly string[]): ScopeSet | null;
}

/**
 * @param collections of which a device may create records that refer to others which devices create: while such a reference has no
 * key, its record may be in the hidden scope of its device, which that device's sessions always have (F21)
 */
export function createSessionScopes(collections: readonly Collection[]): SessionScopes {
  const creatable = new Set(collections.filter(({ writes }) => writes.create).map(({ name }) => name));
  const hiding = new Set(
    collections
      .filter(
        (one) => creatable.has(one.name) && referenceFields(one).some(({ references }) => creatable.has(references)),
      )
      .map(({ name }) => name),
  );
  const listed = new Map<string, ScopeSet>();
  /** A session that is used again is recognised by its list: the text of 1,000 scopes takes 60 us. */
  const recognised = new WeakMap<readonly string[], Map<string, ScopeSet>>();
  const every = new Map<string, { readonly feed: FeedHead; readonly set: ScopeSet }>();

  function listedPairs(scopes: readonly string[], names: readonly string[], device: DeviceKey | null): ScopeSet {
    const own = device === null ? [] : names.filter((name) => hiding.has(name));
    const hidden = device === null || own.length === 0 ? null : hiddenScope(device);
    const list = JSON.stringify([names, hidden]);
    const sets = recognised.get(scopes) ?? new Map<string, ScopeSet>();
    recognised.set(scopes, sets);
    const known = sets.get(list);
    if (known !== undefined) return known;
    const key = JSON.stringify([names, scopes, hidden]);
    const pairs =
      listed.get(key) ?? scopeSet([...pairsOf(names, scopes), ...(hidden === null ? [] : pairsOf(own, [hidden]))]);
    remember(listed, key, pairs);
    remember(sets, list, pairs);
    return pairs;
  }

  function allowedAt(feed: FeedHead, session: Session, collections: readonly string[]): ScopeSet | null {
    if (session.grant.kind === 'listed') return listedPairs(session.grant.scopes, collections, deviceOf(session));
    const known = every.get(everyKey(session, collections));
    return known?.feed.epoch === feed.epoch && known.feed.head === feed.head ? known.set : null;
  }

  return {
    allowedAt,
    async allowedOn(snapshot, session, collections) {
      const known = allowedAt(snapshot.feed, session, collections);
      if (known !== null) return known;
      const set = await snapshot.everyPair(collections);
      remember(every, everyKey(session, collections), { feed: snapshot.feed, set });
      return set;
    },
  };
}

function pairsOf(names: readonly string[], scopes: readonly string[]): readonly ScopePair[] {
  return names.flatMap((collection) => scopes.map((scope) => ({ collection, scope })));
}

function everyKey(session: Session, collections: readonly string[]): string {
  return JSON.stringify([session.tenant, collections]);
}

function remember<Value>(cache: Map<string, Value>, key: string, value: Value): void {
  cache.delete(key);
  const oldest = cache.size >= CACHED_SETS ? cache.keys().next().value : undefined;
  if (oldest !== undefined) cache.delete(oldest);
  cache.set(key, value);
}
