import {
  collection,
  createSource,
  defineConnector,
  deletesByFlag,
  field,
  keyset,
  offset,
  type AnyCollectionDefinition,
  type Source,
} from '../../src/connectors/define.js';
import { examineCollection, type Examination } from '../../src/connectors/examination.js';
import { createAnswerWatch } from '../../src/connectors/probe-answers.js';
import { get, patch, rest } from '../../src/connectors/rest.js';
import type { SourceKey } from '../../src/core/change.js';
import { seededChance } from '../support/seeded-chance.js';
import { startScripted, type Asked, type Reply } from './scripted-source.js';
import { eagerDeps } from './soap/eager-deps.js';

export const NOW_MS = Date.parse('2026-03-10T12:00:00.000Z');

/** One thing that a source does otherwise than its connector says. */
export interface Habits {
  readonly ignoresFilter?: boolean;
  readonly excludes?: boolean;
  /** The filter takes a moment for this much later (negative: earlier), ms. */
  readonly filterShiftMs?: number;
  /** Its rows show times that are this far from the truth, ms. */
  readonly stampShiftMs?: number;
  /** The filter counts in such steps, ms. */
  readonly filterStepMs?: number;
  /** Rows show their times rounded down to so much. */
  readonly stampStepMs?: number;
  /** Which order rows of a list come in. */
  readonly listOrder?: 'byNote' | 'turning';
  readonly changesOrder?: 'byId';
  /** This record is never among what changed. */
  readonly hides?: string;
  readonly mostRows?: number;
  readonly ignoresSize?: boolean;
  readonly absentIs?: Reply;
  readonly listedIsAbsent?: boolean;
  readonly oneDiffers?: Readonly<Record<string, unknown>>;
  readonly rowDiffers?: Readonly<Record<string, unknown>>;
  readonly hidesTag?: boolean;
  /** Its lists show keys and times of change only. */
  readonly listsKeys?: boolean;
  readonly acceptsStale?: boolean;
  readonly total?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly refusesFirst?: boolean;
}

export interface Visit {
  readonly id: string;
  readonly note: string;
  readonly minutes: number;
  readonly version: number;
  readonly changedMs: number;
}

/** Neither notes nor times go up with the ids. */
export const VISITS: readonly Visit[] = Array.from({ length: 50 }, (_, at) => ({
  id: `V-${String(at + 1).padStart(4, '0')}`,
  note: `Frau Geheim ${(at * 7) % 50}`,
  minutes: at,
  version: 3 + at,
  changedMs: NOW_MS - 86_400_000 + ((at * 17) % 50) * 61_234,
}));

export const LIST = get('/visits', {
  rows: 'rows',
  total: 'total',
  paging: keyset({ by: 'id', afterIn: 'after', inclusive: false, sizeIn: 'limit', size: 20 }),
});
const CHANGES = get('/visits', {
  rows: 'rows',
  query: { sort: 'changed' },
  paging: offset({ fromIn: 'from', sizeIn: 'limit', size: 20 }),
});

/** Visits as their source really is, without habits. */
export function visits(
  more: Partial<AnyCollectionDefinition['read']> = {},
  changes: object = {},
): AnyCollectionDefinition {
  return collection({
    type: 'Visit',
    key: 'id',
    version: 'version',
    fields: { note: field.string({ required: true }), minutes: field.int() },
    read: {
      list: LIST,
      one: get('/visits/{key}'),
      changes: {
        param: 'since',
        stamp: 'updatedAt',
        precision: '1ms',
        inclusive: true,
        ordered: true,
        maxTransaction: '1s',
        list: CHANGES,
        ...changes,
      },
      deletes: deletesByFlag({ member: 'deleted' }),
      ...more,
    },
    write: { update: patch('/visits/{key}', { answers: 'nothing' }), guard: 'ifMatch' },
  });
}

export interface Examined extends Examination {
  /** Facts that are contradicted. */
  readonly wrong: readonly string[];
  /** All that is told. */
  readonly text: string;
  readonly asked: readonly Asked[];
}

/** Examines a real HTTP source with these habits. */
export function examined(
  habits: Habits,
  definition: AnyCollectionDefinition = visits(),
  named: string | null = null,
): Promise<Examined> {
  let beginnings = 0;
  return examinedBy((asked) => answerOf(asked, habits, asked.query.has('after') ? 0 : beginnings++), definition, named);
}

/** Examines a real HTTP source that answers so. */
export async function examinedBy(
  answer: (asked: Asked) => Reply,
  definition: AnyCollectionDefinition,
  named: string | null = null,
): Promise<Examined> {
  const scripted = await startScripted(NOW_MS);
  scripted.answer = answer;
  const { clock } = eagerDeps(NOW_MS);
  const chance = seededChance(1);
  const watch = createAnswerWatch(clock);
  const silent = (): void => undefined;
  let source: Source | null = null;
  try {
    const connector = defineConnector({
      source: 'clinic',
      transport: rest({ baseUrl: scripted.url }),
      collections: { visits: definition },
    });
    const log = { debug: silent, info: silent, warn: silent, error: silent };
    source = createSource(connector, { clock, chance, log, answered: watch.note });
    const [one] = source.examined;
    if (one === undefined) throw new Error('expected a collection');
    const tools = { clock, chance, watch };
    const found = await examineCollection(one, tools, named as SourceKey | null, new AbortController().signal);
    const wrong = found.findings.filter(({ verdict }) => verdict === 'contradicts').map(({ fact }) => fact);
    return { ...found, wrong, text: JSON.stringify(found), asked: scripted.asked };
  } finally {
    await source?.close();
    await scripted.close();
  }
}

function answerOf(asked: Asked, habits: Habits, nth: number): Reply {
  const headers = { date: new Date(NOW_MS).toUTCString(), ...habits.headers };
  if (habits.refusesFirst === true && nth === 0 && !asked.query.has('after'))
    return { status: 429, headers: { ...headers, 'retry-after': '0' } };
  const [, , key] = asked.path.split('/');
  if (key === undefined) return { rows: listOf(asked.query, habits, nth), headers };
  const visit = VISITS.find(({ id }) => id === key);
  if (visit === undefined || (habits.listedIsAbsent === true && asked.method === 'GET'))
    return { headers, ...(habits.absentIs ?? { status: 404, rows: {} }) };
  if (asked.method === 'PATCH') {
    const isCurrent = asked.headers['if-match'] === `"${visit.version}"`;
    return { headers, status: isCurrent || habits.acceptsStale === true ? 204 : 412, body: '' };
  }
  const tag = habits.hidesTag === true ? {} : { etag: `"${visit.version}"` };
  return { rows: { ...rowOf(visit, habits), ...habits.oneDiffers }, headers: { ...headers, ...tag } };
}

function listedOf(visit: Visit, habits: Habits): object {
  const { id, updatedAt, ...rest } = rowOf(visit, habits) as Readonly<Record<string, unknown>>;
  return habits.listsKeys === true ? { id, updatedAt } : { id, updatedAt, ...rest };
}

function listOf(
  query: URLSearchParams,
  habits: Habits,
  nth: number,
): { readonly rows: readonly unknown[]; readonly total?: number } {
  const size = Math.min(
    habits.ignoresSize === true ? 30 : Number(query.get('limit') ?? 1_000),
    habits.mostRows ?? 1_000,
  );
  const since = query.get('since');
  const step = habits.filterStepMs ?? 1;
  const sinceMs = since === null ? null : momentOf(since) + (habits.filterShiftMs ?? 0);
  const fits = ({ id, changedMs }: Visit): boolean => {
    if (sinceMs === null || habits.ignoresFilter === true) return true;
    if (id === habits.hides) return false;
    const [at, from] = [Math.floor(changedMs / step), Math.floor(sinceMs / step)];
    return habits.excludes === true ? at > from : at >= from;
  };
  const all = VISITS.filter(fits);
  if (query.get('sort') === 'changed') {
    if (habits.changesOrder === undefined) all.sort((a, b) => a.changedMs - b.changedMs);
    const from = Number(query.get('from') ?? 0);
    return { rows: all.slice(from, from + size).map((visit) => listedOf(visit, habits)) };
  }
  if (habits.listOrder === 'byNote') all.sort((a, b) => (a.note < b.note ? -1 : 1));
  const after = query.get('after') ?? '';
  const rest = all.filter(({ id }) => id > after);
  const page = rest.slice(0, size).map((visit) => listedOf(visit, habits));
  if (habits.listOrder === 'turning' && nth % 2 === 1) page.reverse();
  return { rows: page, ...(habits.total === undefined ? {} : { total: habits.total }) };
}

/** Texts without a zone are taken for UTC. */
function momentOf(text: string): number {
  return Date.parse(/Z$/.test(text) ? text : `${text}Z`);
}

function rowOf({ changedMs, ...visit }: Visit, habits: Habits): Record<string, unknown> {
  const { stampShiftMs = 0, stampStepMs = 1 } = habits;
  const updatedAt = new Date(Math.floor((changedMs + stampShiftMs) / stampStepMs) * stampStepMs).toISOString();
  return { ...visit, updatedAt, deleted: false, ...habits.rowDiffers };
}
