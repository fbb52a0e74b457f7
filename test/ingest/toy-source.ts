import type { Fields, SourceKey } from '../../src/core/change.js';
import { SyncError } from '../../src/core/errors.js';
import type { FieldDefinition } from '../../src/core/field.js';
import { RecordMisfit, type MisfitRecord } from '../../src/core/misfit.js';
import type { Observation, ObservedBatch, SourceCollection, SourceFacts } from '../../src/core/source-port.js';
import { VISITS } from '../contract/store/world.js';

export type SourceCall = 'changes' | 'page' | 'read';

/** What the source did, in order; the journal that deletions are judged by. */
export interface JournalEntry {
  readonly what: 'put' | 'remove' | 'flag';
  readonly key: string;
  readonly at: number;
}

/** A small plain source: visits by key, each with the number of its last change as its version. */
export interface ToySource extends SourceCollection {
  /** Takes a visit, new or changed. */
  put(key: string, fields?: Fields): void;
  remove(key: string): void;
  /** Deleted, but still delivered with its flag. */
  flag(key: string): void;
  /** It is shown in a way that does not fit, until it is put again. */
  spoil(key: string, reason?: string): void;
  has(key: string): boolean;
  fieldsOf(key: string): Fields | undefined;
  keys(): readonly string[];
  /** Moves a visit to another place of the list, as a sort by something else than the key does. */
  moveTo(key: string, place: number): void;
  readonly journal: readonly JournalEntry[];
  /** The journal's clock. */
  readonly time: () => number;
  readonly calls: SourceCall[];
  /** Runs before each call is answered; throwing is the source's failing. */
  before: (call: SourceCall, key: string | null) => void | Promise<void>;
  /** Runs while an answer is on its way: it was made before, and is true of that time. */
  sent: (call: SourceCall) => void | Promise<void>;
  /** It no longer knows where we were: the next poll is given everything that is there. */
  hasForgotten: boolean;
  /** As while its application is deployed anew: every list is empty, every key is 404. */
  isBlank: boolean;
}

export const CLINIC_FACTS: SourceFacts = {
  changes: 'updatedSince',
  pollEveryMs: 5_000,
  scanEveryMs: 3_600_000,
  deletions: 'scan',
  readOne: true,
  scanPaging: 'keyset',
  createKey: 'device',
  keysReused: false,
  updateGuard: 'version',
  deleteGuard: 'version',
  callTimeoutMs: 1_000,
  concurrency: 2,
};

interface Row {
  readonly key: string;
  readonly fields: Fields;
  readonly changed: number;
  readonly flagged: boolean;
  /** Why it does not fit. */
  readonly unfit?: string;
}

const text = (name: string) => ({ name, type: 'string' as const, list: false, required: false, writable: true });

export function createToySource(
  facts: Partial<SourceFacts> = {},
  {
    name = VISITS,
    pageSize = 3,
    fields = [],
  }: { readonly name?: string; readonly pageSize?: number; readonly fields?: readonly FieldDefinition[] } = {},
): ToySource {
  const all: SourceFacts = { ...CLINIC_FACTS, ...facts };
  const journal: JournalEntry[] = [];
  let rows: readonly Row[] = [];
  let time = 0;

  function write(what: JournalEntry['what'], key: string, row: Row | null): void {
    journal.push({ what, key, at: time });
    const place = rows.findIndex((one) => one.key === key);
    if (place < 0) rows = row === null ? rows : [...rows, row];
    else rows = row === null ? rows.toSpliced(place, 1) : rows.toSpliced(place, 1, row);
  }

  async function answered(call: SourceCall, key: string | null, signal: AbortSignal): Promise<void> {
    source.calls.push(call);
    await source.before(call, key);
    if (signal.aborted) throw unavailable('the caller gave up');
  }

  const shownRows = (isFeed = false): readonly Row[] => {
    const showsFlagged = all.deletions === 'flag' || (all.deletions === 'feed' && isFeed);
    return source.isBlank ? [] : rows.filter((row) => showsFlagged || !row.flagged);
  };

  async function* pages(signal: AbortSignal): AsyncGenerator<ObservedBatch, void> {
    const size = all.scanPaging === 'whole' ? Infinity : pageSize;
    let after = '';
    for (let from = 0; ; from += pageSize) {
      await answered('page', null, signal);
      const list = shownRows();
      const ordered = list.toSorted((a, b) => (a.key < b.key ? -1 : 1)).filter((row) => row.key > after);
      const page = all.scanPaging === 'offset' ? list.slice(from, from + size) : ordered.slice(0, size);
      await source.sent('page');
      if (page.length > 0) yield shown(page);
      if (page.length < size) return;
      after = page.at(-1)?.key ?? after;
    }
  }

  async function* changes(cursor: string | null, signal: AbortSignal): AsyncGenerator<ObservedBatch, void> {
    const isForgotten = cursor !== null && source.hasForgotten;
    source.hasForgotten = false;
    let since = isForgotten ? -1 : Number(cursor ?? -1);
    for (;;) {
      await answered('changes', null, signal);
      const from = since;
      const page = shownRows(!isForgotten)
        .filter((row) => row.changed > from)
        .toSorted((a, b) => a.changed - b.changed)
        .slice(0, pageSize);
      await source.sent('changes');
      if (page.length === 0 && isForgotten) yield { observations: [], cursor: String(since), needsScan: true };
      if (page.length === 0) return;
      since = page.at(-1)?.changed ?? since;
      yield { ...shown(page), cursor: String(since) };
    }
  }

  const source: ToySource = {
    collection: {
      name,
      type: 'Visit',
      source: 'clinic',
      fields: [text('note'), text('route'), ...fields],
      policy: 'mergeFields',
      writes: { create: true, update: true, delete: true },
      scopesOf: (fields) => [`route:${String(fields['route'])}`],
    },
    facts: all,
    isDown: () => false,
    readChanges: changes,
    scan: pages,
    async readOne(key, signal) {
      await answered('read', key, signal);
      const row = source.isBlank ? undefined : rows.find((one) => one.key === key);
      await source.sent('read');
      if (row === undefined || (row.flagged && all.deletions !== 'flag')) return 'absent';
      if (row.unfit !== undefined) throw new RecordMisfit(name, misfitOf(row, row.unfit));
      return observed(row);
    },
    write: () => Promise.reject(new Error('tests write through put')),
    put(key, fields = { note: `note of ${key}`, route: '1' }) {
      time += 1;
      write('put', key, { key, fields, changed: time, flagged: false });
    },
    remove(key) {
      time += 1;
      write('remove', key, null);
    },
    flag(key) {
      time += 1;
      write('flag', key, { key, fields: {}, changed: time, flagged: true });
    },
    spoil(key, unfit = 'expected a text from the source, got a number') {
      time += 1;
      write('put', key, { key, fields: {}, changed: time, flagged: false, unfit });
    },
    has: (key) => rows.some((row) => row.key === key && !row.flagged),
    fieldsOf: (key) => rows.find((row) => row.key === key && !row.flagged)?.fields,
    keys: () => rows.filter((row) => !row.flagged).map((row) => row.key),
    moveTo(key, place) {
      const row = rows.find((one) => one.key === key);
      if (row !== undefined) rows = rows.filter((one) => one !== row).toSpliced(place, 0, row);
    },
    journal,
    time: () => time,
    calls: [],
    before: () => undefined,
    sent: () => undefined,
    hasForgotten: false,
    isBlank: false,
  };
  return source;
}

export function unavailable(message: string): SyncError {
  return new SyncError('SOURCE_UNAVAILABLE', message);
}

function shown(rows: readonly Row[]): ObservedBatch {
  return {
    observations: rows.filter((row) => row.unfit === undefined).map(observed),
    misfits: rows.flatMap((row) => (row.unfit === undefined ? [] : [misfitOf(row, row.unfit)])),
  };
}

function misfitOf({ key }: Row, reason: string): MisfitRecord {
  return { sourceKey: key as SourceKey, field: 'note', reason };
}

function observed(row: Row): Observation {
  return {
    sourceKey: row.key as SourceKey,
    fields: row.flagged ? null : row.fields,
    sourceVersion: String(row.changed),
  };
}
