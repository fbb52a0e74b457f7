import { collection, createSource, defineConnector, field, type RowFilter } from '../../src/connectors/define.js';
import { changedSince, entity, entitySet, trackedChanges, update as odataUpdate } from '../../src/connectors/odata.js';
import { get, patch, post } from '../../src/connectors/rest.js';
import { call, soap } from '../../src/connectors/soap.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { startCare } from './odata/care-under-test.js';
import { startScripted } from './scripted-source.js';
import { eagerDeps } from './soap/eager-deps.js';
import { answered, faulted, startNotes } from './soap/notes-source.js';

/** A visit as the source has it; those that are done are no records of the collection. */
export interface KeptVisit {
  readonly note: string;
  readonly done: boolean;
}

/** A real server, of whose visits a collection has those that are open, and what people do in the source itself. */
export interface FilteredWard {
  readonly visits: SourceCollection;
  put(key: string, visit: KeptVisit): void;
  get(key: string): KeptVisit | undefined;
  remove(key: string): void;
  /** The next write takes effect, and its answer is lost. */
  loseNextAnswer(): void;
  /** How many writes took effect. */
  writes(): number;
  close(): Promise<void>;
}

const FIELDS = { type: 'Visit', key: 'id', version: 'version' } as const;

/** Over REST: the list is filtered by its query, single reads are not. */
export async function restWard(
  filter: RowFilter = { done: false },
  sees: 'open' | 'all' = 'open',
): Promise<FilteredWard> {
  const rows = new Map<string, KeptVisit & { readonly id: string; readonly version: number }>();
  const source = await startScripted();
  let written = 0;
  let isLosing = false;
  const put = (id: string, visit: Partial<KeptVisit>): object => {
    const before = rows.get(id);
    const row = { note: '', done: false, ...before, ...visit, id, version: (before?.version ?? 0) + 1 };
    rows.set(id, row);
    return row;
  };
  source.answer = ({ method, path, query, body, headers }) => {
    const id = path.split('/')[3];
    if (method === 'GET' && id === undefined)
      return {
        rows: [...rows.values()].filter((row) => query.get('done') === null || String(row.done) === query.get('done')),
      };
    if (method === 'POST') {
      written += 1;
      return { status: 201, rows: put(`N-${rows.size}`, JSON.parse(body) as KeptVisit) };
    }
    const row = rows.get(id ?? '');
    if (row === undefined) return { status: 404, rows: {} };
    if (method === 'GET') return { rows: row };
    if (headers['if-match'] !== `"${row.version}"`) return { status: 412, rows: {} };
    written += 1;
    const saved = put(row.id, JSON.parse(body) as KeptVisit);
    const isLost = isLosing;
    isLosing = false;
    return isLost ? { resets: true } : { rows: saved };
  };
  const [visits] = source.open({
    visits: collection({
      ...FIELDS,
      fields: { note: field.string(), done: field.boolean() },
      read: {
        list: get('/visits', sees === 'open' ? { query: { done: 'false' } } : {}),
        one: get('/visits/{key}'),
        filter,
        pollEvery: '5s',
      },
      write: { create: post('/visits'), update: patch('/visits/{key}'), guard: 'ifMatch', maxRequestLifetime: '1s' },
    }),
  });
  return {
    visits: visits as SourceCollection,
    put,
    get: (id) => rows.get(id),
    remove: (id) => void rows.delete(id),
    loseNextAnswer: () => void (isLosing = true),
    writes: () => written,
    close: () => source.close(),
  };
}

/** Over OData: lists by `$filter`, and by delta links where they are asked for. */
export async function odataWard(by: 'changes' | 'delta'): Promise<FilteredWard> {
  const care = await startCare();
  const { store } = care.service;
  const $filter = 'Done eq false';
  const list = entitySet('Visits', { filter: $filter });
  const visits = care.open({
    visits: collection({
      type: 'Visit',
      key: 'ID',
      version: 'etag',
      fields: { note: field.string({ from: 'Note' }), done: field.boolean({ from: 'Done' }) },
      read: {
        list,
        one: entity('Visits'),
        filter: { Done: false },
        ...(by === 'delta'
          ? { delta: trackedChanges('Visits', { filter: $filter }) }
          : { changes: changedSince('LastModified', { precision: '1ms', maxTransaction: '0s' }) }),
      },
      write: { update: odataUpdate('Visits'), guard: 'ifMatch', maxRequestLifetime: '1s' },
    }),
  })[0] as SourceCollection;
  const entityOf = (key: string): Readonly<Record<string, unknown>> | undefined => store.get('Visits', [key])?.entity;
  return {
    visits,
    put: (key, { note, done }) =>
      void store.put('Visits', [key], { Status: 'Planned', Note: note, Done: done }, entityOf(key) !== undefined),
    get: (key) => {
      const found = entityOf(key);
      return found && { note: String(found['Note']), done: found['Done'] === true };
    },
    remove: (key) => store.remove('Visits', [key]),
    loseNextAnswer: () => undefined,
    writes: () => care.service.asked.filter(({ method }) => method === 'PATCH').length,
    close: () => care.close(),
  };
}

/** Over SOAP: everything comes as text, and the list shows the open ones. */
export async function soapWard(): Promise<FilteredWard> {
  const rows = new Map<string, KeptVisit & { readonly version: number }>();
  const notes = await startNotes();
  let written = 0;
  const put = (id: string, visit: Partial<KeptVisit>): void => {
    const before = rows.get(id);
    rows.set(id, { note: '', done: false, ...before, ...visit, version: (before?.version ?? 0) + 1 });
  };
  const xml = (id: string): string => {
    const { note, done, version } = rows.get(id) as KeptVisit & { readonly version: number };
    return `<note><id>${id}</id><version>${version}</version><title>${note}</title><pinned>${done}</pinned></note>`;
  };
  const valueIn = (body: string, name: string): string | undefined => new RegExp(`:${name}>([^<]*)<`).exec(body)?.[1];
  notes.answer = ({ body }) => {
    if (body.includes('ListNotes')) {
      const open = [...rows].filter(([, { done }]) => !done).map(([id]) => xml(id));
      return { body: answered('ListNotes', `<notes>${open.join('')}</notes>`) };
    }
    const id = valueIn(body, 'id') ?? '';
    if (body.includes('GetNote')) return { body: answered('GetNote', rows.has(id) ? xml(id) : '') };
    if (valueIn(body, 'version') !== String(rows.get(id)?.version))
      return { status: 500, body: faulted('S:Client.Stale', 'another version') };
    written += 1;
    const [title, pinned] = [valueIn(body, 'title'), valueIn(body, 'pinned')];
    put(id, {
      ...(title === undefined ? {} : { note: title }),
      ...(pinned === undefined ? {} : { done: pinned === 'true' }),
    });
    return { body: answered('SaveNote', xml(id)) };
  };
  const opened = createSource(
    defineConnector({
      source: 'office',
      transport: soap({ wsdl: `${notes.url}/notes?wsdl`, endpoint: `${notes.url}/notes` }),
      collections: {
        visits: collection({
          ...FIELDS,
          fields: { note: field.string({ from: 'title' }), done: field.boolean({ from: 'pinned' }) },
          read: {
            list: call('ListNotes', { rows: 'notes.note' }),
            one: call('GetNote', { keyIn: 'id', rows: 'note', emptyIsAbsent: true }),
            filter: { pinned: false },
            pollEvery: '5s',
          },
          write: {
            update: call('SaveNote', { keyIn: 'note.id', versionIn: 'note.version', bodyIn: 'note', rows: 'note' }),
            guard: 'argument',
          },
        }),
      },
    }),
    eagerDeps(),
  );
  return {
    visits: opened.collections[0] as SourceCollection,
    put,
    get: (id) => rows.get(id),
    remove: (id) => void rows.delete(id),
    loseNextAnswer: () => undefined,
    writes: () => written,
    async close() {
      await opened.close();
      await notes.close();
    },
  };
}
