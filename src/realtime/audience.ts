import { scopeSet, type ScopePair, type ScopeSet } from '../core/scope.js';
import { deviceOf, type DeviceKey, type Session } from '../core/session.js';

/** Who listens, and to what. */
export interface Member {
  readonly session: Session;
  readonly collections: ReadonlySet<string>;
}

/**
 * The listeners of one tenant, found by what they may see: a commit costs those who see what it touched, not everybody who listens. A member is kept
 * once for each of its scopes, whatever the number of collections: 200 scopes of 10 collections would be 2,000 places.
 */
export class Audience<M extends Member> {
  private readonly byScope = new NameIndex<M>();
  /** Sessions that see every scope there is. */
  private readonly everywhere = new Set<M>();
  private readonly byDevice = new NameIndex<M>();
  private readonly members = new Set<M>();
  private listedScopes = 0;

  /** Scopes of all members that list them. */
  get places(): number {
    return this.listedScopes;
  }

  get size(): number {
    return this.members.size;
  }

  add(member: M): void {
    const { grant } = member.session;
    if (this.members.has(member)) return;
    this.members.add(member);
    if (grant.kind === 'every') this.everywhere.add(member);
    else {
      this.listedScopes += grant.scopes.length;
      for (const scope of grant.scopes) this.byScope.add(scope, member);
    }
    const device = deviceOf(member.session);
    if (device !== null) this.byDevice.add(deviceText(device), member);
  }

  /** Leaves nothing behind. Safe to repeat. */
  remove(member: M): void {
    const { grant } = member.session;
    if (!this.members.delete(member)) return;
    if (grant.kind === 'every') this.everywhere.delete(member);
    else {
      this.listedScopes -= grant.scopes.length;
      for (const scope of grant.scopes) this.byScope.remove(scope, member);
    }
    const device = deviceOf(member.session);
    if (device !== null) this.byDevice.remove(deviceText(device), member);
  }

  /** Those who may see records of a pair by its name and listen to its collection. */
  *of({ collection, scope }: ScopePair): Iterable<M> {
    for (const member of this.byScope.of(scope)) if (member.collections.has(collection)) yield member;
  }

  /** Those who may see records of a scope by its name, in whatever collection they listen to. */
  inScope(scope: string): Iterable<M> {
    return this.byScope.of(scope);
  }

  countIn(scope: string): number {
    return this.byScope.count(scope);
  }

  /** Those who see every scope: what they may see has no list. */
  seeingEverything(): Iterable<M> {
    return this.everywhere;
  }

  /** The listeners of a device. */
  ofDevice(device: DeviceKey): Iterable<M> {
    return this.byDevice.of(deviceText(device));
  }

  /** Every pair that somebody listens to by name. */
  listened(): ScopeSet {
    const pairs = new Map<string, ScopePair>();
    for (const [scope, members] of this.byScope.entries()) {
      const collections = new Set<string>();
      for (const member of members) for (const collection of member.collections) collections.add(collection);
      for (const collection of collections) pairs.set(`${collection} ${scope}`, { collection, scope });
    }
    return scopeSet(pairs.values());
  }

  all(): readonly M[] {
    return [...this.members];
  }
}

/** Members by name. Most names have one member, which then stands for itself: a set of its own is five times as large. */
class NameIndex<M extends object> {
  private readonly names = new Map<string, M | Set<M>>();

  add(name: string, member: M): void {
    const there = this.names.get(name);
    if (there === undefined) this.names.set(name, member);
    else if (there instanceof Set) there.add(member);
    else if (there !== member) this.names.set(name, new Set([there, member]));
  }

  remove(name: string, member: M): void {
    const there = this.names.get(name);
    if (there instanceof Set) there.delete(member);
    if (there === member || (there instanceof Set && there.size === 0)) this.names.delete(name);
  }

  of(name: string): Iterable<M> {
    return membersOf(this.names.get(name));
  }

  count(name: string): number {
    const there = this.names.get(name);
    if (there === undefined) return 0;
    return there instanceof Set ? there.size : 1;
  }

  *entries(): Iterable<readonly [name: string, members: Iterable<M>]> {
    for (const [name, there] of this.names) yield [name, membersOf(there)];
  }
}

function membersOf<M extends object>(there: M | Set<M> | undefined): Iterable<M> {
  if (there === undefined) return [];
  return there instanceof Set ? there : [there];
}

function deviceText({ user, device }: DeviceKey): string {
  return JSON.stringify([user, device]);
}
