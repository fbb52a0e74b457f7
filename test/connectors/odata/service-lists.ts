import type { Asked, ODataService, Reply } from './odata-service.js';
import { ordered, parseFilter, type Filter } from './service-query.js';
import { shown } from './service-rows.js';
import { SETS, type PropertyType, type SetSchema } from './service-schema.js';
import { ServiceFault, type Entity, type StoredEntity } from './service-store.js';

const PAGE = 100;

/** A list, page by page: `$filter`, `$orderby`, `$count`, `odata.maxpagesize`, and delta links for those who track changes. */
export function answerList(service: ODataService, oldestDelta: number, set: string, asked: Asked): Reply {
  const schema = SETS[set] as SetSchema;
  const { query, headers } = asked;
  for (const name of query.keys()) {
    if (!KNOWN.has(name)) throw new ServiceFault(400, 'BadOption', `there is no ${name}`);
  }
  if (query.has('$deltatoken')) return answerDelta(service, oldestDelta, set, asked);
  const tracks = query.has('$trackedfrom') || (headers.prefer ?? '').includes('odata.track-changes');
  const isIn = filterOf(query, schema);
  const order = [...(query.get('$orderby')?.split(',') ?? []), ...schema.keys];
  const all = service.store.all(set).filter(({ entity }) => isIn(entity));
  const sorted = all.toSorted((a, b) => byOrder(schema, order, a.entity, b.entity));
  const after = JSON.parse(query.get('$skiptoken') ?? 'null') as Entity | null;
  const rest = after === null ? sorted : sorted.filter(({ entity }) => byOrder(schema, order, entity, after) > 0);
  const size = Math.min(pageSize(String(headers.prefer)), Number(query.get('$top') ?? Infinity));
  const rows = rest.slice(0, size);
  const last = rows.at(-1)?.entity;
  const isLast = rows.length === rest.length || query.has('$top') || last === undefined;
  /** Where changes are tracked from: when the first page was made. */
  const from = Number(query.get('$trackedfrom') ?? service.store.head());
  return listReply(service, set, asked, rows, {
    ...(query.get('$count') === 'true' && after === null ? { '@odata.count': all.length } : {}),
    ...(isLast
      ? tracks
        ? { '@odata.deltaLink': link(service, set, query, { $deltatoken: String(from) }) }
        : {}
      : {
          // Relative to the context, as the format allows.
          '@odata.nextLink': link({ url: '' }, set, query, {
            $skiptoken: JSON.stringify(Object.fromEntries(order.map((one) => [nameIn(one), last[nameIn(one)]]))),
            ...(tracks ? { $trackedfrom: String(from) } : {}),
          }).slice(1),
        }),
  });
}

const KNOWN = new Set(
  ['select', 'expand', 'filter', 'orderby', 'count', 'top', 'skiptoken', 'deltatoken', 'trackedfrom'].map(
    (one) => `$${one}`,
  ),
);

/** What changed since a delta link was given out: entities as they are now, and removed ones with their reason. */
function answerDelta(service: ODataService, oldestDelta: number, set: string, asked: Asked): Reply {
  const { query, headers } = asked;
  const from = Number(query.get('$deltatoken'));
  if (!(from >= oldestDelta)) throw new ServiceFault(410, 'Gone', 'this delta link is over');
  const [to = service.store.head(), skip = 0] = query.get('$skiptoken')?.split(':').map(Number) ?? [];
  const isIn = filterOf(query, SETS[set] as SetSchema);
  const keys = service.store.changedKeys(set, from, to);
  const size = pageSize(String(headers.prefer));
  const rows = keys.slice(skip, skip + size).map((key): Entity => {
    const found = service.store.get(set, key);
    if (found !== undefined && isIn(found.entity)) return shown(service, set, found, asked);
    const id = `${set}(${key.map((part) => (typeof part === 'string' ? `'${part.replaceAll("'", "''")}'` : String(part))).join(',')})`;
    return {
      '@odata.context': `${service.url}/$metadata#${set}/$deletedEntity`,
      id: encodeURI(id),
      reason: found === undefined ? 'deleted' : 'changed',
    };
  });
  const isLast = skip + size >= keys.length;
  const note = isLast
    ? { '@odata.deltaLink': link(service, set, query, { $deltatoken: String(to) }) }
    : {
        '@odata.nextLink': link(service, set, query, { $deltatoken: String(from), $skiptoken: `${to}:${skip + size}` }),
      };
  const body = { '@odata.context': `${service.url}/$metadata#${set}/$delta`, value: rows, ...note };
  return { status: 200, body };
}

function listReply(
  service: ODataService,
  set: string,
  asked: Asked,
  rows: readonly StoredEntity[],
  notes: object,
): Reply {
  const value = rows.map((row) => shown(service, set, row, asked));
  return { status: 200, body: { '@odata.context': `${service.url}/$metadata#${set}`, ...notes, value } };
}

function link(
  service: { readonly url: string },
  set: string,
  query: URLSearchParams,
  more: Readonly<Record<string, string>>,
): string {
  const kept = [...query].filter(([name]) => ['$select', '$expand', '$filter', '$orderby'].includes(name));
  const parts = [...kept, ...Object.entries(more)].map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `${service.url}/${set}?${parts.join('&')}`;
}

function filterOf(query: URLSearchParams, schema: SetSchema): Filter {
  const text = query.get('$filter');
  return text === null ? () => true : parseFilter(text, schema);
}

function pageSize(prefer: string): number {
  return Math.min(PAGE, Number(/odata\.maxpagesize=(\d+)/.exec(prefer)?.[1] ?? PAGE));
}

function byOrder(schema: SetSchema, order: readonly string[], a: Entity, b: Entity): number {
  for (const one of order) {
    const name = nameIn(one);
    const type = schema.properties[name] as PropertyType;
    const [x, y] = [ordered(type, a[name]), ordered(type, b[name])];
    if (x !== y) return (x ?? -Infinity) < (y ?? -Infinity) === one.endsWith(' desc') ? 1 : -1;
  }
  return 0;
}

/** The property of an item of `$orderby`, like `Note desc`. */
function nameIn(item: string): string {
  return item.split(' ')[0] ?? item;
}
