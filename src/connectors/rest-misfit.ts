import type { CallPurpose } from './fault.js';
import { REFERENCE } from './rest-request.js';
import type { RestOperation } from './rest.js';

type Method = RestOperation['method'];

/** What each call is made with. Reads are always sent as GET; a deletion by POST is some source's own way. */
const METHODS: Readonly<Record<CallPurpose, readonly Method[]>> = {
  list: ['GET'],
  one: ['GET'],
  lookUp: ['GET'],
  create: ['POST'],
  update: ['PATCH', 'PUT', 'POST'],
  delete: ['DELETE', 'POST'],
};

const BUILDERS: Readonly<Record<Method, string>> = {
  GET: 'get(…)',
  POST: 'post(…)',
  PUT: 'put(…)',
  PATCH: 'patch(…)',
  DELETE: 'del(…)',
};

/**
 * What is wrong with a REST call in its place, as "expected …, got …"; null: nothing.
 *
 * @param keyParts how many parts the collection's key has; null: only its function knows
 * @param sought of a look-up by natural key: the fields; null: it is by reference
 */
export function misfitOfRest(
  operation: RestOperation,
  purpose: CallPurpose,
  keyParts: number | null,
  sought: readonly string[] | null = null,
): string | null {
  const { method, path } = operation;
  const methods = METHODS[purpose];
  if (!methods.includes(method)) {
    return `expected ${methods.map((one) => BUILDERS[one]).join(' or ')}, got ${BUILDERS[method]}`;
  }
  if (purpose !== 'list' && operation.tagged)
    return 'expected tagged of a list only: a tag that stays could hide a change from the read before a write, got true';
  if (!path.startsWith('/')) return `expected a path that begins with "/", got "${path}"`;
  const places = [path, ...Object.values(operation.query)].map(String);
  if (sought !== null) return misfitOfSought(places, sought);
  const named = places.filter((one) => one.includes(REFERENCE));
  if (purpose === 'lookUp') {
    if (/\{key/.test(path)) return `expected {reference}, since the key is looked for, got "${path}"`;
    return named.length === 1 ? null : `expected {reference} once, in the path or the query, got "${path}"`;
  }
  if (named.length > 0) return `expected no {reference}, which belongs to a look-up, got "${named[0]}"`;
  const strange = /\{(?!key(\.\d+)?\})/.exec(path);
  if (strange !== null) return `expected {key} or {key.0} in the path, got "${path.slice(strange.index)}"`;
  return misfitOfKey(path, purpose, purpose === 'create' && !operation.takesKey ? 0 : keyParts);
}

/** A field that the look-up leaves out would let it find records that are others. */
function misfitOfSought(places: readonly string[], fields: readonly string[]): string | null {
  const named = places.flatMap((place) => [...place.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name));
  const missing = fields.find((field) => !named.includes(field));
  if (missing !== undefined) return `expected {${missing}} in the path or the query, got "${places[0]}" without it`;
  const other = named.find((name) => !fields.includes(name));
  return other === undefined ? null : `expected one of ${fields.join(', ')} in braces, got {${other}}`;
}

/** A path that cannot be filled would fail at every call. */
function misfitOfKey(path: string, purpose: CallPurpose, keyParts: number | null): string | null {
  const named = [...path.matchAll(/\{key(?:\.(\d+))?\}/g)].map(([, index]) => index);
  if (purpose === 'list' || keyParts === 0) {
    return named.length === 0 ? null : `expected a path without a key, since there is none yet, got "${path}"`;
  }
  if (named.length === 0) return purpose === 'create' ? null : `expected {key} in the path, got "${path}"`;
  if (keyParts === null) return null;
  const fits = named.every((index) => (index === undefined ? keyParts === 1 : Number(index) < keyParts));
  if (fits) return null;
  const known = Array.from({ length: keyParts }, (_, index) => `{key.${index}}`).join(' and ');
  return `expected ${keyParts === 1 ? '{key}' : known} in the path, got "${path}"`;
}
