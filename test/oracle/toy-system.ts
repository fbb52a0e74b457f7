import type { Fields, JsonValue, SourceKey } from '../../src/core/change.js';
import type { Observation, SourceWrite, SourceWriteOutcome } from '../../src/core/source-port.js';
import type { CollectionPlan } from './plan.js';

/** A record as the system has it. */
export interface Row {
  readonly key: string;
  readonly fields: Fields;
  readonly version: number;
  /** Place in the order of all changes of the collection: what `updatedSince` goes by. */
  readonly changed: number;
  /** Deleted, but still listed, where deletions are told by a flag. */
  readonly isFlagged: boolean;
  /** The idempotency key of the create that made it; null: its own people did. */
  readonly madeBy: string | null;
}

/** A write through the API that had an effect. Together with the rows it is the truth that everything is judged by. */
export interface Effect {
  readonly atMs: number;
  readonly collection: string;
  readonly key: string;
  readonly kind: SourceWrite['kind'];
  readonly idempotencyKey: string;
  readonly sent: Fields;
  readonly before: Fields | null;
  readonly after: Fields | null;
}

/** A state of a row, and whether a write of ours made it. */
interface Past {
  readonly atMs: number;
  readonly row: Row | null;
  readonly isOurs: boolean;
}

/** Rows of one page of a list. */
export const PAGE_ROWS = 3;

/**
 * A collection of the system of record: knows nothing of the gateway, journals every effect in the turn in which it happens, and
 * shows older states to reads that ask a lagging replica.
 */
export class ToySystem {
  readonly plan: CollectionPlan;
  readonly rows = new Map<string, Row>();
  readonly journal: Effect[] = [];
  /** Told of each effect of the API. */
  onEffect: (effect: Effect) => void = () => undefined;
  private readonly nowMs: () => number;
  private readonly past = new Map<string, Past[]>();
  private readonly answered = new Map<string, { readonly atMs: number; readonly outcome: SourceWriteOutcome }>();
  /** When each change was made, in order. */
  private readonly times: number[] = [];
  private keys = 0;

  private readonly fieldNames: readonly string[];

  constructor(plan: CollectionPlan, hasPatients: boolean, nowMs: () => number) {
    this.plan = plan;
    this.fieldNames = ['note', 'mark', 'route', ...(hasPatients ? ['patient'] : [])];
    this.nowMs = nowMs;
  }

  get isFlagging(): boolean {
    return this.plan.facts.deletions === 'flag';
  }

  /** Rows that are there, in the order in which they came. */
  alive(): readonly Row[] {
    return [...this.rows.values()].filter((row) => !row.isFlagged);
  }

  /** One write as the API takes it: answered before, checked, done and journalled in one turn. */
  take(write: SourceWrite): SourceWriteOutcome {
    const lifetimeMs = this.plan.facts.idempotencyKeyLifetimeMs;
    const earlier = this.answered.get(write.idempotencyKey);
    if (lifetimeMs !== undefined && earlier !== undefined && this.nowMs() - earlier.atMs < lifetimeMs) {
      return earlier.outcome;
    }
    const outcome = this.judge(write) ?? this.apply(write);
    // A guard that did not fit is not an answer for ever: the same write comes again with another one.
    if (outcome.kind === 'applied') this.answered.set(write.idempotencyKey, { atMs: this.nowMs(), outcome });
    return outcome;
  }

  private judge({ kind, sourceKey, guard }: SourceWrite): SourceWriteOutcome | null {
    const row = sourceKey === null ? undefined : this.rows.get(sourceKey);
    if (kind === 'create') {
      return row === undefined ? null : { kind: 'refused', message: `${sourceKey} is taken`, field: null };
    }
    if (row === undefined || row.isFlagged) return { kind: 'stale' };
    return guard === null || guard === `v${row.version}` ? null : { kind: 'stale' };
  }

  private apply(write: SourceWrite): SourceWriteOutcome {
    const { kind, idempotencyKey } = write;
    const key = write.sourceKey ?? `S-${String(++this.keys).padStart(4, '0')}`;
    const before = this.rows.get(key);
    const after =
      kind === 'delete'
        ? this.end(key, true)
        : this.put(key, this.altered(write.fields), kind === 'create' ? idempotencyKey : null, true);
    const effect: Effect = {
      atMs: this.nowMs(),
      collection: this.plan.name,
      key,
      kind,
      idempotencyKey,
      sent: write.fields,
      before: before === undefined || before.isFlagged ? null : before.fields,
      after: after?.fields ?? null,
    };
    this.journal.push(effect);
    this.onEffect(effect);
    return { kind: 'applied', observation: after === null || !this.plan.answersWithRecord ? null : this.shown(after) };
  }

  private altered(fields: Fields): Fields {
    const { note } = fields;
    return this.plan.alters && typeof note === 'string' ? { ...fields, note: `${note}~` } : fields;
  }

  /** Its own people, or the API: a record is new or changed. */
  put(key: string, fields: Fields, madeBy: string | null = null, isOurs = false): Row {
    const before = this.rows.get(key);
    const kept = before === undefined || before.isFlagged ? {} : before.fields;
    const number = this.nextChange();
    const row: Row = {
      key,
      fields: { ...kept, ...fields },
      // Never given twice, also when a key comes back after its row was gone.
      version: number,
      changed: number,
      isFlagged: false,
      madeBy: madeBy ?? before?.madeBy ?? null,
    };
    this.keep(key, row, isOurs);
    return row;
  }

  end(key: string, isOurs = false): null {
    const before = this.rows.get(key);
    if (before === undefined) return null;
    const number = this.nextChange();
    const flagged = { ...before, version: number, changed: number, isFlagged: true };
    this.keep(key, this.isFlagging ? flagged : null, isOurs);
    return null;
  }

  /** What a read of one key shows that asks a replica behind by `lagMs`. */
  read(key: string, lagMs: number): Observation | 'absent' {
    const row = this.rowAt(key, this.nowMs() - lagMs);
    return row === null ? 'absent' : this.shown(row);
  }

  /** The record that a create made, by its idempotency key. */
  find(idempotencyKey: string, lagMs: number): Observation | 'absent' {
    for (const key of this.past.keys()) {
      const row = this.rowAt(key, this.nowMs() - lagMs);
      if (row !== null && row.madeBy === idempotencyKey && !row.isFlagged) return this.shown(row);
    }
    return 'absent';
  }

  /** The records that have these values. */
  findAlike(values: Fields, lagMs: number): readonly Observation[] {
    const isAlike = (row: Row): boolean => Object.entries(values).every(([name, value]) => row.fields[name] === value);
    return this.list(lagMs)
      .filter((row) => !row.isFlagged && isAlike(row))
      .map((row) => this.shown(row));
  }

  list(lagMs: number): readonly Row[] {
    const atMs = this.nowMs() - lagMs;
    return [...this.past.keys()].flatMap((key) => this.rowAt(key, atMs) ?? []);
  }

  shown({ key, fields, version, isFlagged }: Row): Observation {
    const whole = Object.fromEntries(this.fieldNames.map((name): [string, JsonValue] => [name, fields[name] ?? null]));
    return {
      sourceKey: key as SourceKey,
      fields: isFlagged ? null : whole,
      sourceVersion: this.plan.hasVersions ? `v${version}` : null,
    };
  }

  /** The number of the last change that was made at least so long ago: none before it will show itself later. */
  settledChange(lagMs: number): number {
    const untilMs = this.nowMs() - lagMs;
    const at = this.times.findLastIndex((atMs) => atMs <= untilMs);
    return at + 1;
  }

  private nextChange(): number {
    return this.times.push(this.nowMs());
  }

  private keep(key: string, row: Row | null, isOurs: boolean): void {
    if (row === null) this.rows.delete(key);
    else this.rows.set(key, row);
    const entry = { atMs: this.nowMs(), row, isOurs };
    const past = this.past.get(key);
    if (past === undefined) this.past.set(key, [entry]);
    else past.push(entry);
  }

  /** Was there ever a row of this key? */
  hadKey(key: string): boolean {
    return this.past.has(key);
  }

  /** Is a row there now, and was it at every moment of so long? */
  wasThereFor(key: string, ms: number): boolean {
    const sinceMs = this.nowMs() - ms;
    const past = this.past.get(key) ?? [];
    const begun = past.findLastIndex(({ atMs }) => atMs <= sinceMs);
    return begun >= 0 && past.slice(begun).every(({ row }) => row !== null && !row.isFlagged);
  }

  /** A replica that is behind does not show our last writes yet (F30); what the system's own people wrote it shows at once. */
  private rowAt(key: string, atMs: number): Row | null {
    const past = this.past.get(key) ?? [];
    for (let at = past.length - 1; at >= 0; at--) {
      const entry = past[at];
      if (entry !== undefined && (!entry.isOurs || entry.atMs <= atMs)) return entry.row;
    }
    return null;
  }
}
