import type { Fields, SourceKey } from '../../src/core/change.js';
import { fitObserved, type Collection } from '../../src/core/collection.js';
import { SyncError } from '../../src/core/errors.js';
import type {
  Observation,
  SourceCollection,
  SourceFacts,
  SourceWrite,
  SourceWriteOutcome,
} from '../../src/core/source-port.js';

/** What the source does with its next write; without a word it behaves. */
export type Behaviour =
  | 'apply'
  /** Takes it and answers without the record. */
  | 'applySilently'
  /** Takes it and the answer is lost. */
  | 'applyUnanswered'
  /** The request is lost; nobody can tell it from a lost answer. */
  | 'loseRequest'
  | 'refuse'
  | 'notSent'
  /** Answers only when the call's time is over. */
  | 'hang'
  /** Never answers, whatever its signal says. */
  | 'neverAnswer'
  | 'throw';

export interface ScriptedSource extends SourceCollection {
  /** Every write that reached it, in order. */
  readonly calls: SourceWrite[];
  /** The idempotency keys of the writes that it took, in order. */
  readonly journal: string[];
  readonly rows: Map<string, { fields: Fields; version: number }>;
  /** Behaviours of the next writes. */
  readonly script: Behaviour[];
  isBroken: boolean;
  /** It did not answer, and nobody has asked since whether it is back. */
  isUnasked: boolean;
  /** What the source makes of values on its own. */
  alter: (fields: Fields) => Fields;
  /** Holds writes until they are let go. */
  hold(): () => void;
  /** Calls under way: now, and at most so far. */
  readonly traffic: { now: number; most: number };
  /** The back office changes a record. */
  edit(id: string, fields: Fields): void;
  reads: number;
  /** A record as a read shows it. */
  showAs(key: SourceKey): Observation;
}

const FACTS: SourceFacts = {
  changes: 'list',
  pollEveryMs: 1_000,
  scanEveryMs: 60_000,
  deletions: 'scan',
  readOne: true,
  scanPaging: 'whole',
  createKey: 'device',
  updateGuard: 'version',
  deleteGuard: 'version',
  callTimeoutMs: 5_000,
  concurrency: 4,
};

/** Fields as a source shows them; a test's own misfit is a fault of the test. */
export function fittingFields(collection: Collection, fields: Fields): Fields {
  const fit = fitObserved(collection, fields);
  if (!fit.ok) throw new Error(`${fit.field}: ${fit.reason}`);
  return fit.fields;
}

/** A source in memory that does what its script says and keeps a journal of what it took. */
export function createScriptedSource(collection: Collection, facts: Partial<SourceFacts> = {}): ScriptedSource {
  const rows: ScriptedSource['rows'] = new Map();
  const journal: string[] = [];
  const calls: SourceWrite[] = [];
  const script: Behaviour[] = [];
  const traffic = { now: 0, most: 0 };
  let gate: Promise<void> | null = null;

  function show(key: string): Observation {
    const row = rows.get(key);
    return {
      sourceKey: key as SourceKey,
      fields: fittingFields(collection, row?.fields ?? {}),
      sourceVersion: row === undefined ? null : `v${row.version}`,
    };
  }

  function freeKey(): string {
    let number = rows.size + 1;
    while (rows.has(`made-${number}`)) number += 1;
    return `made-${number}`;
  }

  function take(write: SourceWrite): SourceWriteOutcome {
    const key = write.sourceKey ?? freeKey();
    const row = rows.get(key);
    if (write.kind === 'create') {
      if (row !== undefined) return { kind: 'refused', message: 'the key is taken', field: null };
      rows.set(key, { fields: source.alter(write.fields), version: 1 });
    } else {
      if (row === undefined) return { kind: 'stale' };
      if (write.guard !== null && write.guard !== `v${row.version}`) return { kind: 'stale' };
      if (write.kind === 'delete') rows.delete(key);
      else rows.set(key, { fields: { ...row.fields, ...source.alter(write.fields) }, version: row.version + 1 });
    }
    journal.push(write.idempotencyKey);
    return { kind: 'applied', observation: write.kind === 'delete' ? null : show(key) };
  }

  async function answer(write: SourceWrite, signal: AbortSignal): Promise<SourceWriteOutcome> {
    const behaviour = script.shift() ?? 'apply';
    switch (behaviour) {
      case 'apply':
        return take(write);
      case 'applySilently': {
        const outcome = take(write);
        return outcome.kind === 'applied' ? { kind: 'applied', observation: null } : outcome;
      }
      case 'applyUnanswered':
        take(write);
        return { kind: 'unknown', reason: 'connection reset' };
      case 'loseRequest':
        return { kind: 'unknown', reason: 'connection reset' };
      case 'refuse':
        return { kind: 'refused', message: 'the visit is closed', field: 'note' };
      case 'notSent':
        return { kind: 'notSent', reason: 'connection refused', retryAfterMs: null };
      case 'hang':
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ kind: 'unknown', reason: 'no answer in time' }));
        });
      case 'neverAnswer':
        return new Promise(() => undefined);
      case 'throw':
        throw new Error('a fault of the connector');
    }
  }

  const source: ScriptedSource = {
    collection,
    facts: { ...FACTS, ...facts },
    rows,
    journal,
    calls,
    script,
    traffic,
    isBroken: false,
    isUnasked: false,
    alter: (fields) => fields,
    reads: 0,
    showAs: show,
    isDown: () => source.isBroken,
    isProbeDue: () => source.isUnasked,
    edit(id, fields) {
      const row = rows.get(id);
      rows.set(id, { fields: { ...row?.fields, ...fields }, version: (row?.version ?? 0) + 1 });
    },
    hold() {
      let open = (): void => undefined;
      gate = new Promise((resolve) => (open = resolve));
      return () => {
        gate = null;
        open();
      };
    },
    async *readChanges() {},
    async *scan() {},
    async readOne(key) {
      source.reads += 1;
      if (source.isBroken) throw new SyncError('SOURCE_UNAVAILABLE', 'visits: no answer');
      return rows.has(key) ? show(key) : 'absent';
    },
    async write(write, signal) {
      calls.push(write);
      source.isUnasked = false;
      traffic.now += 1;
      traffic.most = Math.max(traffic.most, traffic.now);
      try {
        if (gate !== null) await gate;
        return await answer(write, signal);
      } finally {
        traffic.now -= 1;
      }
    },
  };
  return source;
}
