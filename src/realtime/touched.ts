import type { TouchedPair } from '../core/feed-port.js';
import { sameDevice, type DeviceKey } from '../core/session.js';
import type { Audience, Member } from './audience.js';

/** A listener, and the device that it is, if it is one. */
export interface Touchable extends Member {
  readonly device: DeviceKey | null;
}

type Offer<M> = (member: M, collection: string) => void;

/**
 * Offers to each listener the collections in which a commit touched what it may see; to the author not its own unaltered change (R18). Costs the
 * listeners of what was touched, or all listeners once, whichever is less: a commit that touches 2,000 scopes of 10 collections, each seen by 500 of
 * 5,000 listeners, would be 10 million offers, nearly all of what is due already.
 */
export function offerTouched<M extends Touchable>(
  audience: Audience<M>,
  touched: readonly TouchedPair[],
  offer: Offer<M>,
): void {
  const byScope = new Map<string, TouchedPair[]>();
  for (const pair of touched) {
    const pairs = byScope.get(pair.scope);
    if (pairs === undefined) byScope.set(pair.scope, [pair]);
    else pairs.push(pair);
  }
  let meetings = 0;
  for (const [scope, pairs] of byScope) meetings += audience.countIn(scope) * pairs.length;
  if (meetings <= audience.places) offerByScope(audience, byScope, offer);
  else offerByMember(audience, byScope, new Set(touched.map(({ collection }) => collection)), offer);
  offerToAllSeeing(audience, touched, offer);
}

type PairsByScope = ReadonlyMap<string, readonly TouchedPair[]>;

function offerByScope<M extends Touchable>(audience: Audience<M>, byScope: PairsByScope, offer: Offer<M>): void {
  for (const [scope, pairs] of byScope) {
    for (const member of audience.inScope(scope)) {
      for (const { collection, author } of pairs) if (concerns(member, collection, author)) offer(member, collection);
    }
  }
}

/** Looks through the scopes of each until nothing more can be due for it. */
function offerByMember<M extends Touchable>(
  audience: Audience<M>,
  byScope: PairsByScope,
  collections: ReadonlySet<string>,
  offer: Offer<M>,
): void {
  for (const member of audience.all()) {
    const { grant } = member.session;
    if (grant.kind === 'every') continue;
    const wanted = new Set([...collections].filter((name) => member.collections.has(name)));
    for (const scope of grant.scopes) {
      if (wanted.size === 0) break;
      for (const { collection, author } of byScope.get(scope) ?? []) {
        if (!wanted.has(collection) || isOwn(author, member.device)) continue;
        wanted.delete(collection);
        offer(member, collection);
      }
    }
  }
}

/** Once for a collection, however many of its scopes were touched. */
function offerToAllSeeing<M extends Touchable>(
  audience: Audience<M>,
  touched: readonly TouchedPair[],
  offer: Offer<M>,
): void {
  for (const [collection, author] of authors(touched)) {
    for (const member of audience.seeingEverything())
      if (concerns(member, collection, author)) offer(member, collection);
  }
}

/** The one device that wrote what moved in a collection; null: there are several, or others. */
function authors(touched: readonly TouchedPair[]): ReadonlyMap<string, DeviceKey | null> {
  const byCollection = new Map<string, DeviceKey | null>();
  for (const { collection, author } of touched) {
    const other = byCollection.get(collection);
    byCollection.set(collection, other === undefined || isOwn(author, other) ? author : null);
  }
  return byCollection;
}

function concerns({ collections, device }: Touchable, collection: string, author: DeviceKey | null): boolean {
  return collections.has(collection) && !isOwn(author, device);
}

function isOwn(author: DeviceKey | null, device: DeviceKey | null): boolean {
  return author !== null && device !== null && sameDevice(author, device);
}
