import { describe } from '../core/field.js';
import { CallFault } from './fault.js';
import { bodyByTypes, urlLiteral } from './odata-literal.js';
import type { EntitySet } from './odata-model.js';
import type { ODataPlan } from './odata-plan.js';
import type { ODataOperation } from './odata.js';
import type { PageArguments } from './paging.js';
import type { RestBase } from './rest-request.js';
import type { Sought, WriteCall } from './transport.js';

/** What every call says: this protocol, JSON with the notes that are needed, numbers of 64 bits and decimals as texts. */
export const JSON_TYPE = 'application/json;odata.metadata=minimal;IEEE754Compatible=true';
export const ODATA_HEADERS = { accept: JSON_TYPE, 'odata-maxversion': '4.0' } as const;

type Query = Readonly<Record<string, string>>;

/**
 * A list: the declared filter, and that of what changed.
 *
 * @throws CallFault notSent - the property of the filter has no such value
 */
export function listPath(base: RestBase, operation: ODataOperation, plan: ODataPlan, args: PageArguments): string {
  const since = Object.entries(args).map(([property, value]) => comparison(plan, property, 'ge', String(value)));
  const filters = [...(operation.filter === null ? [] : [operation.filter]), ...since];
  // In order of change, and among equals in the order of the key, so that pages have one order.
  const order = Object.keys(args).length === 0 ? operation.orderBy : [...Object.keys(args), ...plan.set.type.keys];
  return pathOf(base, encoded(plan.set.name), {
    ...plan.shape,
    ...(filters.length === 0
      ? {}
      : { $filter: filters.length === 1 ? (filters[0] as string) : filters.map((one) => `(${one})`).join(' and ') }),
    ...(order === null ? {} : { $orderby: [...new Set([order].flat())].join(',') }),
    ...(operation.counts ? { $count: 'true' } : {}),
  });
}

/** One entity; null: its key is of another type, so that the service cannot have it. @throws CallFault notSent - it has other parts */
export function entityPath(base: RestBase, plan: ODataPlan, key: readonly string[], isRead: boolean): string | null {
  const predicate = keyPredicate(plan, key);
  return predicate === null ? null : pathOf(base, `${encoded(plan.set.name)}${predicate}`, isRead ? plan.shape : {});
}

/**
 * The entities that hold a reference: two of them are one too many; or those that hold the values of a natural key.
 *
 * @throws CallFault notSent - they cannot hold it
 */
export function findPath(base: RestBase, operation: ODataOperation, plan: ODataPlan, sought: Sought): string {
  const isByReference = 'reference' in sought;
  const filter = isByReference
    ? comparison(plan, operation.foundBy ?? '', 'eq', sought.reference)
    : sought.alike.map(({ member, value }) => comparison(plan, member, 'eq', value)).join(' and ');
  return pathOf(base, encoded(plan.set.name), {
    ...plan.shape,
    $filter: filter,
    ...(isByReference ? { $top: '2' } : {}),
  });
}

/** Where a create goes. */
export function setPath(base: RestBase, plan: ODataPlan): string {
  return pathOf(base, encoded(plan.set.name), {});
}

/** `('x')`, or `(Order='x',Line=1)`: quotes doubled, the rest percent-encoded. */
function keyPredicate({ model, set, keyNames }: ODataPlan, key: readonly string[]): string | null {
  if (key.length !== keyNames.length) {
    throw unsendable(`expected a key of ${keyNames.length} parts for ${set.name}, got ${key.length}`);
  }
  const parts: string[] = [];
  for (const [index, name] of keyNames.entries()) {
    const literal = urlLiteral(model.kindOf(set.type.properties.get(name)?.type ?? ''), key[index] ?? '');
    if (literal === null) return null;
    parts.push(keyNames.length === 1 ? encoded(literal) : `${encoded(name)}=${encoded(literal)}`);
  }
  return `(${parts.join(',')})`;
}

/** The parts of the key that an entity's address ends with, by the key's properties; null: it is none of this set. */
export function keyOfAddress({ model, set, keyNames }: ODataPlan, address: string): Record<string, string> | null {
  // Some write it without percent signs: a slash may be one of the key's own.
  const at = new RegExp(`^(?:.*?/)?${set.name}\\((.*)\\)$`, 's').exec(decoded(address) ?? address);
  const predicate = at?.[1] ?? null;
  if (predicate === null) return null;
  const found: Record<string, string> = {};
  const part = /(?:([\p{L}\p{N}_]+)=)?((?:[\w.]*'(?:[^']|'')*')|[^',=]+)(?:,|$)/uy;
  for (let match = part.exec(predicate); match !== null && match[0] !== ''; match = part.exec(predicate)) {
    const [, name = keyNames[0] ?? '', literal = ''] = match;
    const quoted = /'(.*)'$/s.exec(literal)?.[1];
    found[name] = quoted === undefined ? literal : quoted.replaceAll("''", "'");
    if (part.lastIndex >= predicate.length) break;
  }
  const isWhole =
    Object.keys(found).length === keyNames.length &&
    keyNames.every((name) => {
      const kind = model.kindOf(set.type.properties.get(name)?.type ?? '');
      return name in found && urlLiteral(kind, found[name] ?? '') !== null;
    });
  return isWhole ? found : null;
}

/** What a write sends besides the headers of its source. */
export function writeHeaders(
  { set }: { readonly set: EntitySet },
  { does, answers }: Pick<ODataOperation, 'does' | 'answers'>,
  { guard, idempotency }: WriteCall,
): Query {
  // Without it an update of an entity that is gone would make it again.
  const anyVersion = does === 'update' || (does === 'remove' && set.isGuarded) ? '*' : null;
  const ifMatch = guard ?? anyVersion;
  return {
    'odata-version': '4.0',
    ...(does === 'remove' ? {} : { 'content-type': JSON_TYPE }),
    ...(does === 'remove' ? {} : { prefer: `return=${answers === 'record' ? 'representation' : 'minimal'}` }),
    ...(ifMatch === null ? {} : { 'if-match': ifMatch }),
    ...(idempotency?.header === undefined ? {} : { [idempotency.header]: idempotency.key }),
  };
}

/** The body of a write; null: it has none. @throws UnsendableValue - a property cannot hold its value */
export function writeBody(
  operation: ODataOperation,
  { model, set }: ODataPlan,
  { body, key }: WriteCall,
): string | null {
  if (operation.does === 'remove' || body === null) return null;
  const purpose = operation.does === 'insert' ? 'create' : operation.method === 'PUT' ? 'put' : 'patch';
  const typed = bodyByTypes(model, set.type, body, purpose);
  const { keyIn } = operation;
  return JSON.stringify(keyIn === null || key === null ? typed : { ...typed, [keyIn]: key[0] });
}

/** Where the next page is: relative to what the answer says that it is relative to, at our source and nowhere else. */
export function linkedPath(base: RestBase, requested: string, context: unknown, next: string): string {
  const asked = `${base.origin}${requested}`;
  const stated = typeof context === 'string' && URL.canParse(context, asked) ? new URL(context, asked) : null;
  // A service behind a proxy may take its own host for another one; a query alone can only be the list's own.
  const from = stated?.origin === base.origin && !next.startsWith('?') ? stated.href : asked;
  if (!URL.canParse(next, from)) throw unbelievable('expected the address of the next page, got none');
  const url = new URL(next, from);
  if (url.origin !== base.origin) throw unbelievable(`expected the next page at ${base.origin}, got ${url.origin}`);
  return `${url.pathname}${url.search}`;
}

function unbelievable(message: string): CallFault {
  return new CallFault('badAnswer', message, { sourceIsSick: false });
}

function comparison({ model, set }: ODataPlan, property: string, operator: 'eq' | 'ge', value: string): string {
  const type = set.type.properties.get(property)?.type ?? '';
  const literal = urlLiteral(model.kindOf(type), value);
  if (literal === null)
    throw unsendable(`expected a value of ${type || 'a known type'} for ${property}, got ${describe(value)}`);
  return `${property} ${operator} ${literal}`;
}

function pathOf({ prefix }: RestBase, segment: string, query: Query): string {
  const options = Object.entries(query).map(([name, value]) => `${name}=${encoded(value)}`);
  return `${prefix}/${segment}${options.length === 0 ? '' : `?${options.join('&')}`}`;
}

function encoded(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch (cause) {
    throw new CallFault('notSent', 'expected a text of whole characters, got half of one', {
      cause,
      sourceIsSick: false,
    });
  }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function unsendable(message: string): CallFault {
  return new CallFault('notSent', message, { sourceIsSick: false });
}
