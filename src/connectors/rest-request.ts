import { StartupError } from '../core/errors.js';
import { CallFault } from './fault.js';
import type { HttpHead } from './http-client.js';
import type { PageArguments } from './paging.js';
import { memberAt, type RestAnswer } from './rest-answer.js';
import type { RestOperation } from './rest.js';
import type { WriteCall } from './transport.js';

/** Where a source is: its origin, and the path that all of its paths are put behind. */
export interface RestBase {
  readonly origin: string;
  readonly prefix: string;
}

/** @param key what messages call it. @throws StartupError config - the base URL is none */
export function parseBase(baseUrl: string, key = 'baseUrl'): RestBase {
  try {
    const { protocol, search, username, origin, pathname } = new URL(baseUrl);
    if ((protocol === 'http:' || protocol === 'https:') && search === '' && username === '') {
      return { origin, prefix: pathname.replace(/\/+$/, '') };
    }
  } catch {
    // Told below, like other texts that do not fit.
  }
  // What stands before the host or behind the query may be a password.
  const shown = baseUrl.replace(/\/\/[^/]*@/, '//…@').replace(/\?.*$/s, '?…');
  throw new StartupError(
    'config',
    `${key}: expected an address like https://erp.example.com/api without user and query, got "${shown}"`,
  );
}

/** What a call's path and query are filled with. */
export interface PathValues {
  readonly key?: readonly string[] | null;
  readonly args?: PageArguments;
  readonly reference?: string;
  /** Other values, by the names that stand in braces. */
  readonly named?: Readonly<Record<string, string>>;
}

/**
 * Keys go into the path percent-encoded; those that a server would take as "this folder" or "the one above" not at all.
 *
 * @throws CallFault notSent - no such path can be made
 */
export function pathOf({ prefix }: RestBase, operation: RestOperation, values: PathValues): string {
  const { key = null, args = {}, reference, named = {} } = values;
  const texts = new Map(Object.entries({ ...named, ...(reference === undefined ? {} : { reference }) }));
  const path = operation.path.replace(PLACE, (_match, name: string, index: string | undefined) => {
    const whole = name === 'key' && key?.length === 1 ? key[0] : texts.get(name);
    const part = index === undefined ? whole : key?.[Number(index)];
    if (part === undefined || part === '' || part === '.' || part === '..') {
      throw new CallFault('notSent', 'expected a key that can stand in a path', { sourceIsSick: false });
    }
    return encodeURIComponent(part);
  });
  const query = Object.entries({ ...operation.query, ...args })
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(filled(value, texts))}`)
    .join('&');
  if (query === '') return `${prefix}${path}`;
  return `${prefix}${path}${path.includes('?') ? '&' : '?'}${query}`;
}

/** Stands for a create's reference in the path or the query of its look-up. */
export const REFERENCE = '{reference}';

/** A name in braces, in a path or a query, that a value takes the place of. */
const PLACE = /\{([A-Za-z_]\w*)(?:\.(\d+))?\}/g;

/** A query may have braces of its own: what is no name of a value stays. */
function filled(value: string | number, texts: ReadonlyMap<string, string>): string | number {
  return String(value).replace(PLACE, (match, name: string) => texts.get(name) ?? match);
}

/** What a write sends besides the headers of its source. */
export function writeHeaders({ guard, guardHeader, idempotency }: WriteCall): Readonly<Record<string, string>> {
  return {
    ...(guard === null || guardHeader === null ? {} : { [guardHeader]: guard }),
    ...(idempotency?.header === undefined ? {} : { [idempotency.header]: idempotency.key }),
  };
}

/** The body of a write; null: it has none. */
export function writeBody(operation: RestOperation, { body, key }: WriteCall): string | null {
  if (operation.method === 'DELETE' || body === null) return null;
  if (operation.keyIn === null || key === null) return JSON.stringify(body);
  return JSON.stringify({ ...body, [operation.keyIn]: key.length === 1 ? key[0] : key });
}

/** The target of rel="next" in a Link header, still relative to the page it came with. */
function nextLink(head: HttpHead, path: string): string | null {
  const links = (head.headers.get('link') ?? '').matchAll(
    /<([^>]*)>((?:\s*;\s*[^\s=;,]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)/g,
  );
  for (const [, target = '', parameters = ''] of links) {
    const [, quoted, plain] = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]*))/i.exec(parameters) ?? [];
    const kinds = (quoted ?? plain ?? '').toLowerCase().split(/\s+/);
    if (kinds.includes('next')) return absolute(target, path);
  }
  return null;
}

/** What leads from this page to the next one, by the paging of its list; null: this is the last one. */
export function nextOf({ paging }: RestOperation, { head, body }: RestAnswer, path: string): string | null {
  switch (paging.kind) {
    case 'link':
      return nextLink(head, path);
    case 'nextUrl':
      return absolute(textIn(memberAt(body, paging.from)), path);
    case 'token':
      return textIn(
        paging.fromHeader === undefined
          ? memberAt(body, paging.from ?? '')
          : head.headers.get(paging.fromHeader.toLowerCase()),
      );
    default:
      return null;
  }
}

function textIn(value: unknown): string | null {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : null;
}

/** An address that may be relative to the page it came with. */
function absolute(address: string | null, path: string): string | null {
  if (address === null) return null;
  const page = new URL(path, 'http://relative').href;
  if (!URL.canParse(address, page))
    throw new CallFault('badAnswer', 'expected the address of the next page, got none that can be read');
  return new URL(address, page).href;
}

/** A source may lead us only through its own pages: elsewhere our credentials are none of anyone's business. */
export function linkedPath({ origin }: RestBase, next: string, what = 'the next page'): string {
  const url = new URL(next, 'http://relative');
  if (url.origin !== origin && url.origin !== 'http://relative') {
    throw new CallFault('badAnswer', `expected ${what} at ${origin}, got ${url.origin}`);
  }
  return `${url.pathname}${url.search}`;
}

/**
 * The token of what comes after a list, or the path of its link, which is ours to keep: whether it leads to the source is looked at now.
 *
 * @throws CallFault badAnswer - it leads elsewhere
 */
export function deltaOf(
  base: RestBase,
  { delta, deltaIn }: RestOperation,
  { head, body }: RestAnswer,
  path: string,
): string | null {
  if (deltaIn === null) return null;
  const found = 'header' in deltaIn ? head.headers.get(deltaIn.header) : memberAt(body, deltaIn.member);
  const text = textIn(found);
  const link = delta === 'link' ? absolute(text, path) : null;
  return link === null ? text : linkedPath(base, link);
}
