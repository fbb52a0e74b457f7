import { SyncError } from './errors.js';
import type { ScopeGrant } from './session.js';

/** A collection that declares no scopes has this one. */
export const SCOPE_ALL = 'all';
/** Longest scope name, in characters: it is part of every membership key. */
export const MAX_SCOPE_LENGTH = 200;

/** What a device's data is made of: one scope of one collection (the cover of a checkpoint is a set of these). */
export interface ScopePair {
  readonly collection: string;
  readonly scope: string;
}

/** An ordered set of pairs without repeats: the canonical form, so that equal sets have equal texts. */
export type ScopeSet = readonly ScopePair[];

export const EMPTY_SCOPE_SET: ScopeSet = [];

/** One text per pair; collection names have no blank, so the first blank divides. */
export function pairKey(pair: ScopePair): string {
  return `${pair.collection} ${pair.scope}`;
}

function byKey(a: ScopePair, b: ScopePair): number {
  const left = pairKey(a);
  const right = pairKey(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The canonical set of some pairs: sorted by code units, each once. */
export function scopeSet(pairs: Iterable<ScopePair>): ScopeSet {
  const unique = new Map<string, ScopePair>();
  for (const pair of pairs) unique.set(pairKey(pair), pair);
  return [...unique.values()].sort(byKey);
}

export function union(a: ScopeSet, b: ScopeSet): ScopeSet {
  return scopeSet([...a, ...b]);
}

/** The pairs of `a` that are not in `b`. */
export function difference(a: ScopeSet, b: ScopeSet): ScopeSet {
  const without = new Set(b.map(pairKey));
  return a.filter((pair) => !without.has(pairKey(pair)));
}

/** The text whose hash names a set (checkpoints carry hashes, the store keeps the sets). */
export function scopeSetText(set: ScopeSet): string {
  return JSON.stringify(set.map((pair) => [pair.collection, pair.scope]));
}

/** What no store can keep in a key. */
const UNFIT = /[\u0000-\u001f]|\p{Surrogate}/u;

/** @throws SyncError VALIDATION - a scope rule gave something that cannot be a scope name */
export function checkScopes(collection: string, scopes: readonly unknown[]): readonly string[] {
  const names = new Set<string>();
  for (const scope of scopes) {
    if (typeof scope !== 'string' || scope === '' || scope.length > MAX_SCOPE_LENGTH || UNFIT.test(scope)) {
      throw new SyncError(
        'VALIDATION',
        `${collection}: a scope is a text of 1 to ${MAX_SCOPE_LENGTH} characters without control characters and lone surrogates, got ${JSON.stringify(scope)}`,
      );
    }
    names.add(scope);
  }
  return [...names].sort();
}

/** May this session see a record of these scopes? (R4, R13: also for writing, on the before and the after image.) */
export function grantsAny(grant: ScopeGrant, scopes: readonly string[]): boolean {
  return grant.kind === 'every' ? scopes.length > 0 : scopes.some((scope) => grant.scopes.includes(scope));
}
