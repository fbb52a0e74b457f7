import type { Fields, SourceKey } from '../../src/core/change.js';
import { valueText, type Collection } from '../../src/core/collection.js';
import type { Clock } from '../../src/core/ports.js';
import type {
  Observation,
  SourceCollection,
  SourceFacts,
  SourceWrite,
  SourceWriteOutcome,
} from '../../src/core/source-port.js';
import { fittingFields } from './scripted-source.js';

/** What can become of one request. `office` after it: the back office changes the same field before anybody looks. */
export const FATES = [
  'answered',
  'requestLost',
  'replyLost',
  'refused',
  'late',
  'replyLost, office',
  'requestLost, office',
] as const;
/**
 * More that can become of the request of a create which carries nothing of ours. `rival` after it: somebody else makes a record with its
 * natural key; `moved`: the back office gives what it made another one.
 */
export const ALIKE_FATES = [
  'answered',
  'requestLost',
  'replyLost',
  'refused',
  'late',
  'replyLost, office',
  'requestLost, rival',
  'replyLost, rival',
] as const;
export type RequestFate = (typeof FATES)[number] | (typeof ALIKE_FATES)[number] | 'replyLost, moved';

/** A source with a journal that keeps what its facts declare, and nothing else. */
export interface DoubtfulSource extends SourceCollection {
  /** The idempotency keys of the writes that took effect, in order. */
  readonly journal: string[];
  readonly rows: Map<string, { fields: Fields; version: number; madeBy: string | null }>;
  /** Called before each request; says what becomes of it. */
  fateOf: (attempt: number) => RequestFate;
  /** What a source that lies about itself does differently. */
  readonly lies: { forgetsKeys?: boolean; keepsVersions?: boolean };
  /** Does it refuse a create whose natural key it has? */
  refusesTwins: boolean;
}

/** Requests live exactly as long as a source may let them; a late one takes effect in the last millisecond of that. */
export const LIFETIME_MS = 20_000;

export function createDoubtfulSource(
  collection: Collection,
  clock: Clock,
  facts: SourceFacts,
  showsVersions: boolean,
): DoubtfulSource {
  const rows: DoubtfulSource['rows'] = new Map();
  const journal: string[] = [];
  const done = new Map<string, Observation | null>();
  let attempts = 0;

  function show(key: string): Observation {
    const row = rows.get(key);
    const sourceVersion = showsVersions && row !== undefined ? `v${row.version}` : null;
    return { sourceKey: key as SourceKey, fields: fittingFields(collection, row?.fields ?? {}), sourceVersion };
  }

  /** The answer of the first call under this key, for a source that remembers keys. */
  function answeredBefore({ idempotencyKey }: SourceWrite): SourceWriteOutcome | null {
    const known = done.get(idempotencyKey);
    const remembers = facts.idempotencyKeyLifetimeMs !== undefined && source.lies.forgetsKeys !== true;
    return known === undefined || !remembers ? null : { kind: 'applied', observation: known };
  }

  function take(write: SourceWrite): SourceWriteOutcome {
    const first = answeredBefore(write);
    if (first !== null) return first;
    const key = write.sourceKey ?? `made-${rows.size + 1}`;
    const row = rows.get(key);
    if (write.kind === 'create') {
      if (row !== undefined) return { kind: 'refused', message: 'the key is taken', field: null };
      if (source.refusesTwins && alike(write.fields).length > 0)
        return { kind: 'refused', message: 'there is such a visit', field: null };
      rows.set(key, { fields: write.fields, version: 1, madeBy: write.idempotencyKey });
    } else {
      if (row === undefined) return { kind: 'stale' };
      const guards = write.kind === 'update' ? facts.updateGuard : facts.deleteGuard;
      if (guards === 'version' && write.guard !== `v${row.version}`) return { kind: 'stale' };
      const version = row.version + (source.lies.keepsVersions === true ? 0 : 1);
      if (write.kind === 'delete') rows.delete(key);
      else rows.set(key, { ...row, fields: { ...row.fields, ...write.fields }, version });
    }
    journal.push(write.idempotencyKey);
    const observation = write.kind === 'delete' ? null : show(key);
    done.set(write.idempotencyKey, observation);
    return { kind: 'applied', observation };
  }

  /** The keys of those with the same values of the natural key. */
  function alike(fields: Fields): readonly string[] {
    const names = facts.naturalKey?.fields ?? [];
    return [...rows].flatMap(([key, row]) =>
      names.every((name) => valueText(row.fields[name]) === valueText(fields[name])) ? [key] : [],
    );
  }

  function rival({ fields }: SourceWrite): void {
    if (source.refusesTwins && alike(fields).length > 0) return;
    const made = { ...fields, note: 'of a rival' };
    rows.set(`made-${rows.size + 1}`, { fields: made, version: 1, madeBy: null });
  }

  function office(): void {
    for (const [key, row] of rows) {
      if (row.fields['note'] === 'alive') continue;
      const fields = { ...row.fields, note: `office ${row.version}` };
      rows.set(key, { ...row, fields, version: row.version + 1 });
    }
  }

  const lost: SourceWriteOutcome = { kind: 'unknown', reason: 'connection reset' };
  const answers: { readonly [Fate in RequestFate]: (write: SourceWrite) => SourceWriteOutcome } = {
    answered: take,
    requestLost: () => lost,
    replyLost(write) {
      take(write);
      return lost;
    },
    // It does not remember refusals: the first request may still come. It judges before it looks the key up, unless it says otherwise.
    refused: (write) =>
      (facts.checksKeyFirst === true ? answeredBefore(write) : null) ?? {
        kind: 'refused',
        message: 'the visit is closed',
        field: 'note',
      },
    late(write) {
      void clock.wait(facts.callTimeoutMs + LIFETIME_MS - 1).then(() => take(write));
      return lost;
    },
    'replyLost, office': (write) => {
      take(write);
      office();
      return lost;
    },
    'requestLost, rival': (write) => {
      rival(write);
      return lost;
    },
    'replyLost, rival': (write) => {
      take(write);
      rival(write);
      return lost;
    },
    'replyLost, moved': (write) => {
      take(write);
      for (const row of rows.values())
        if (row.madeBy === write.idempotencyKey) row.fields = { ...row.fields, route: '8' };
      return lost;
    },
    'requestLost, office': () => {
      office();
      return lost;
    },
  };

  const source: DoubtfulSource = {
    collection,
    facts,
    journal,
    rows,
    lies: {},
    refusesTwins: false,
    fateOf: () => 'answered',
    isDown: () => false,
    async *readChanges() {},
    async *scan() {},
    readOne: async (key) => (rows.has(key) ? show(key) : 'absent'),
    async lookUp(idempotencyKey) {
      const found = [...rows].find(([, row]) => row.madeBy === idempotencyKey);
      return found === undefined ? 'absent' : show(found[0]);
    },
    ...(facts.naturalKey === undefined ? {} : { findAlike: async (fields: Fields) => alike(fields).map(show) }),
    write: async (write) => answers[source.fateOf(++attempts)](write),
  };
  return source;
}
