import { pairKey, scopeSet, type ScopePair, type ScopeSet } from '../core/scope.js';
import { deviceOf, type DeviceKey, type Session } from '../core/session.js';

/** Who listens, and to what. */
export interface Member {
  readonly session: Session;
  readonly collections: ReadonlySet<string>;
}

/**
 * The listeners of one tenant, found by what they listen to: a commit costs what it touched, not everybody who listens.
 */
export class Audience<M extends Member> {
  private readonly byPair = new Map<string, Set<M>>();
  private readonly pairs = new Map<string, ScopePair>();
  /** Sessions that see every scope there is, by collection. */
  private readonly everywhere = new Map<string, Set<M>>();
  private readonly byDevice = new Map<string, Set<M>>();
  private readonly members = new Set<M>();

  get size(): number {
    return this.members.size;
  }

  add(member: M): void {
    this.members.add(member);
    for (const [index, key] of this.placesOf(member)) index.set(key, (index.get(key) ?? new Set()).add(member));
    for (const pair of listedPairs(member)) this.pairs.set(pairKey(pair), pair);
  }

  /** Leaves nothing behind. Safe to repeat. */
  remove(member: M): void {
    this.members.delete(member);
    for (const [index, key] of this.placesOf(member)) {
      const there = index.get(key);
      there?.delete(member);
      if (there?.size !== 0) continue;
      index.delete(key);
      if (index === this.byPair) this.pairs.delete(key);
    }
  }

  /** Those who may see records of a pair and listen to its collection. */
  *of(pair: ScopePair): Iterable<M> {
    yield* this.byPair.get(pairKey(pair)) ?? [];
    yield* this.everywhere.get(pair.collection) ?? [];
  }

  /** Those who see every scope, with their collections: what they may see has no list. */
  *seeingEverything(): Iterable<readonly [collection: string, members: ReadonlySet<M>]> {
    yield* this.everywhere;
  }

  /** The listeners of a device. */
  ofDevice(device: DeviceKey): Iterable<M> {
    return this.byDevice.get(deviceText(device)) ?? [];
  }

  /** Every pair that somebody listens to by name. */
  listened(): ScopeSet {
    return scopeSet(this.pairs.values());
  }

  all(): readonly M[] {
    return [...this.members];
  }

  private *placesOf(member: M): Iterable<readonly [Map<string, Set<M>>, string]> {
    for (const pair of listedPairs(member)) yield [this.byPair, pairKey(pair)];
    if (member.session.grant.kind === 'every')
      for (const collection of member.collections) yield [this.everywhere, collection];
    const device = deviceOf(member.session);
    if (device !== null) yield [this.byDevice, deviceText(device)];
  }
}

function* listedPairs({ session: { grant }, collections }: Member): Iterable<ScopePair> {
  if (grant.kind === 'every') return;
  for (const collection of collections) for (const scope of grant.scopes) yield { collection, scope };
}

function deviceText({ user, device }: DeviceKey): string {
  return JSON.stringify([user, device]);
}
