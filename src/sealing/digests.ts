import { createHmac } from 'node:crypto';
import type { Fields, SourceKey } from '../core/change.js';
import { valueText, type Collection } from '../core/collection.js';
import { KEPT, knownOf, type Keeping } from '../core/keeping.js';

/** Characters of a digest: 132 bits. */
const DIGEST_LENGTH = 22;
const DIGEST = /^[A-Za-z0-9_-]{22}$/;

/**
 * The collection as everything that keeps its records sees it: digests in the place of values, and scopes as they were computed when the
 * record was seen whole.
 *
 * @param collection as its connector declares it
 * @param secret never in the store as it is: whoever has it can try values
 */
export function keptCollection(collection: Collection, secret: Uint8Array): Collection {
  return {
    ...collection,
    visibility: 'confirmed',
    keeping: createKeeping(collection, secret),
    scopesOf(fields) {
      const known = knownOf(fields);
      if (known !== null) return known.scopes ?? [''];
      return scopesAndReads(collection, fields).scopes ?? [''];
    },
  };
}

/** Is this text a kept body: digests and nothing else? */
export function isKeptBody(collection: Collection, body: string): boolean {
  const kept = JSON.parse(body) as Fields;
  const declared = collection.fields.map(({ name }) => name);
  return (
    knownOf(kept) !== null &&
    Object.entries(kept).every(([name, value]) => {
      if (name === KEPT) return true;
      return declared.includes(name) && typeof value === 'string' && DIGEST.test(value);
    })
  );
}

function createKeeping(collection: Collection, secret: Uint8Array): Keeping {
  const keyed = (parts: readonly string[]): string =>
    createHmac('sha256', secret).update(JSON.stringify(parts)).digest('base64url').slice(0, DIGEST_LENGTH);

  // With the record's key: equal values of two records must not show that they are equal, or the rarer one tells itself.
  function digest(key: SourceKey, fields: Fields): Fields {
    const names = Object.keys(fields);
    return Object.fromEntries(
      names.map((name) => [name, keyed([collection.name, key, name, valueText(fields[name])])]),
    );
  }

  return {
    digest,
    digestWhole(key, fields) {
      const whole = Object.fromEntries(collection.fields.map(({ name }) => [name, fields[name] ?? null]));
      return { ...digest(key, whole), [KEPT]: { ...scopesAndReads(collection, whole) } };
    },
    fingerprint: (text) => keyed([collection.name, text]),
  };
}

/**
 * The scopes of a record, and the fields that its rule looked at. A rule is a pure function of the record: while these stay as they are,
 * so do its scopes.
 */
function scopesAndReads(
  collection: Collection,
  fields: Fields,
): { readonly scopes: readonly string[] | null; readonly by: readonly string[] } {
  const seen = new Set<string | symbol>();
  const watched = new Proxy(fields, {
    get(target, name) {
      seen.add(name);
      return target[name as string];
    },
    has(target, name) {
      seen.add(name);
      return name in target;
    },
    getOwnPropertyDescriptor(target, name) {
      seen.add(name);
      return Object.getOwnPropertyDescriptor(target, name);
    },
  });
  let scopes: readonly string[] | null;
  try {
    scopes = [...collection.scopesOf(watched)];
  } catch {
    // What it threw may tell a value.
    scopes = null;
  }
  return { scopes, by: collection.fields.map(({ name }) => name).filter((name) => seen.has(name)) };
}
