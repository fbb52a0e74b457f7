import { collection, field, keyset, link, nextUrl, offset, page, token } from '../../src/connectors/define.js';
import type { Paging } from '../../src/connectors/paging.js';
import { get } from '../../src/connectors/rest.js';
import type { Fields } from '../../src/core/change.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { ToySource } from '../ingest/toy-source.js';
import type { Asked, Reply, ScriptedSource } from './scripted-source.js';

const SIZE = 3;

/** Ways to divide the list of visits, as a connector declares them. */
export const PAGINGS = {
  whole: { kind: 'whole' },
  page: page({ numberIn: 'page', size: SIZE, sizeIn: 'size' }),
  shortPage: page({ numberIn: 'page', size: SIZE, sizeIn: 'size', shortPageEnds: true }),
  offset: offset({ fromIn: 'from', size: SIZE, sizeIn: 'size' }),
  overlap: offset({ fromIn: 'from', size: SIZE, sizeIn: 'size', overlap: 1 }),
  wideOverlap: offset({ fromIn: 'from', size: SIZE, sizeIn: 'size', overlap: 2 }),
  keyset: keyset({ by: 'id', afterIn: 'after', inclusive: true, size: SIZE, sizeIn: 'size' }),
  exclusive: keyset({ by: 'id', afterIn: 'after', inclusive: false, size: SIZE, sizeIn: 'size' }),
  link: link(),
  token: token({ in: 'token', from: 'next' }),
  nextUrl: nextUrl({ from: 'next' }),
} as const satisfies Record<string, Paging>;
export type PagingName = keyof typeof PAGINGS;

/**
 * How the source answers one request: well; not at all (a status, a reset, a body that breaks off); with an error, or a page, that calls itself a
 * success; with the page before, with fewer rows than it has, with one of them twice.
 */
export const TRICKS = ['well', '503', 'reset', 'cut', 'errorBody', 'html', 'again', 'short', 'twice'] as const;
export type Trick = (typeof TRICKS)[number];

type Row = Fields & { readonly id: string };

/**
 * The visits of a toy source behind the real REST kit: over HTTP, in pages, with a trick for each request.
 *
 * @param how.mostRows it gives no more rows at once than this, whatever it is asked for
 */
export function servePaged(
  http: ScriptedSource,
  toy: ToySource,
  name: PagingName,
  {
    total,
    mostRows,
    nextTrick,
  }: { readonly total: boolean; readonly mostRows: () => number; readonly nextTrick: () => Trick },
): SourceCollection {
  const paging: Paging = PAGINGS[name];
  /** The page before, of the list that is being read. */
  let before: Reply | null = null;

  /** In an order that holds, where that is what the paging asks of its source. */
  const rows = (): readonly Row[] => {
    const list = (toy.isBlank ? [] : toy.keys()).map((id) => ({ id, ...toy.fieldsOf(id) }));
    const isSorted = paging.kind === 'keyset' || !toy.facts.readOne;
    return isSorted ? list.toSorted((a, b) => (a.id < b.id ? -1 : 1)) : list;
  };

  function listed(query: URLSearchParams, trick: Trick): Reply {
    const all = rows();
    const cap = mostRows();
    const size = Number(query.get('size') ?? SIZE);
    const after = query.get('after') ?? '';
    const isBehind = ({ id }: Row): boolean => (name === 'exclusive' ? id > after : id >= after);
    // Where a short page ends the list its size is honoured.
    const stride = name === 'shortPage' ? SIZE : Math.min(SIZE, cap);
    const from = Number(query.get('from') ?? query.get('token') ?? (Number(query.get('page') ?? 1) - 1) * stride);
    const found =
      paging.kind === 'whole'
        ? all
        : paging.kind === 'keyset'
          ? all.filter(isBehind).slice(0, size)
          : all.slice(from, from + size);
    // A keyset that gives only the row with its value again says that there is no other.
    const least = paging.kind === 'keyset' ? 2 : 1;
    const most = Math.max(
      least,
      trick === 'short' ? Math.min(cap, found.length - 1) : name === 'shortPage' ? SIZE : cap,
    );
    const shown = paging.kind === 'whole' && trick !== 'short' ? found : found.slice(0, most);
    const items = trick === 'twice' ? [...shown, ...shown.slice(0, 1)] : shown;
    const next = from + shown.length < all.length ? from + shown.length : null;
    const path = `/api/visits?from=${next}`;
    return {
      rows: {
        items,
        ...(total ? { total: all.length } : {}),
        ...(name === 'token' ? { next } : name === 'nextUrl' && next !== null ? { next: path } : {}),
      },
      ...(name === 'link' && next !== null ? { headers: { link: `<${path}>; rel="next"` } } : {}),
    };
  }

  const one = (id: string): Reply => {
    const fields = toy.isBlank ? undefined : toy.fieldsOf(id);
    return fields === undefined ? { status: 404, rows: { error: 'no such visit' } } : { rows: { id, ...fields } };
  };

  http.answer = async ({ path, query }: Asked): Promise<Reply> => {
    const id = path.startsWith('/api/visits/') ? decodeURIComponent(path.slice('/api/visits/'.length)) : null;
    const failed = await Promise.resolve(toy.before(id === null ? 'page' : 'read', id)).then(
      () => false,
      () => true,
    );
    if (failed) return { status: 503 };
    const trick = nextTrick();
    if (trick === '503') return { status: 503 };
    if (trick === 'reset') return { resets: true };
    if (trick === 'errorBody') return { rows: { error: 'the database is locked' } };
    if (trick === 'html') return { headers: { 'content-type': 'text/html' }, body: '<html>Please log in</html>' };
    if (id === null && trick === 'again' && before !== null) return before;
    const reply = id === null ? listed(query, trick) : one(id);
    if (id === null) before = reply;
    return trick === 'cut' ? { ...reply, cutAt: 5 } : reply;
  };

  const reads = {
    list: get('/visits', { rows: 'items', paging, ...(total ? { total: 'total' } : {}) }),
    ...(toy.facts.readOne ? { one: get('/visits/{key}') } : {}),
  };
  const visits = collection({
    type: 'Visit',
    key: 'id',
    keysReused: false,
    fields: { note: field.string(), route: field.string() },
    read: reads,
  });
  const [kit] = http.open({ visits }) as [SourceCollection];
  const { changes, deletions, readOne, scanPaging } = kit.facts;
  return {
    ...toy,
    // How it is read the kit says; how it is written is the toy's.
    facts: { ...toy.facts, changes, deletions, readOne, scanPaging },
    scan(signal) {
      before = null;
      // Whatever it said before, the source is asked again.
      http.advance(600_000);
      return kit.scan(signal);
    },
    readOne: (key, signal) => kit.readOne(key, signal),
    isDown: () => kit.isDown(),
  };
}
