import type { CallPlace } from './transport.js';
import { REFERENCE } from './rest-request.js';
import type { RestOperation } from './rest.js';

type Method = RestOperation['method'];

/** What each call is made with. Reads are always sent as GET; a deletion by POST is some source's own way. */
const METHODS: Readonly<Record<CallPlace, readonly Method[]>> = {
  list: ['GET'],
  one: ['GET'],
  lookUp: ['GET'],
  create: ['POST'],
  update: ['PATCH', 'PUT', 'POST'],
  delete: ['DELETE', 'POST'],
  step: ['POST', 'PUT', 'PATCH', 'DELETE'],
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
 * @param names of a look-up by natural key: the fields; null: it is by reference. Of a step: what earlier calls keep
 */
export function misfitOfRest(
  operation: RestOperation,
  purpose: CallPlace,
  keyParts: number | null,
  names: readonly string[] | null = null,
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
  if (purpose === 'step') return misfitOfStep(places, keyParts, names ?? []);
  if (names !== null) return misfitOfSought(places, names);
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

/** What no earlier call keeps would be sent with its braces. */
function misfitOfStep(places: readonly string[], keyParts: number | null, names: readonly string[]): string | null {
  for (const place of places) {
    for (const [braced, name = ''] of place.matchAll(/\{([^{}]*)\}/g)) {
      const isKey = /^key(\.\d+)?$/.test(name);
      if (isKey && keyParts !== 0) continue;
      if (!names.includes(name)) return `expected ${names.join(', ') || 'nothing'} in braces, got ${braced}`;
    }
  }
  return null;
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
function misfitOfKey(path: string, purpose: CallPlace, keyParts: number | null): string | null {
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
