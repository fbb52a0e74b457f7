import { renderBody, valueText, type Collection } from '../core/collection.js';
import type { Fields, SourceKey } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import type { Observation, SourceWrite, SourceWriteOutcome } from '../core/source-port.js';
import type { CollectionParts } from './collection-parts.js';
import { roundedIn } from './rounded-number.js';
import { WRITE_CALLS } from './fault.js';
import type { Reads } from './source-reads.js';
import type { Operation, RowAnswer } from './transport.js';
import { createSecondWatch, type WriteGuard } from './write-guard.js';

/** What a write is sent with, after the reads that it needs. */
export interface Prepared {
  readonly body: Readonly<Record<string, unknown>>;
  /** The version that guards it; null: none. */
  readonly guard: string | null;
}

/** Something the source does not offer, or that cannot be sent. */
export type Settled = Exclude<SourceWriteOutcome, { readonly kind: 'applied' }>;

/**
 * What comes before a write: its body, and the reads that it needs. The source's own state is read to lay the changes over it, where no
 * version of it is known, where the version counts seconds, and where nothing guards the write: then a record that is not as it was
 * decided on is stale. That narrows the race with others, and cannot close it.
 *
 * @throws CallFault - a read failed; nothing was sent
 */
export function createPreparing(
  parts: CollectionParts & { readonly collection: Collection; readonly readRowWithin: Reads['readRowWithin'] },
  writeGuard: WriteGuard | null,
): (write: SourceWrite, operation: Operation, withinMs: number, signal: AbortSignal) => Promise<Prepared | Settled> {
  const { where, collection, definition, mapping, readRowWithin, deps } = parts;
  const { read } = definition;
  const { reference } = definition.write ?? {};
  const watch = createSecondWatch();
  const everyName = collection.fields.map(({ name }) => name);

  /** Where a guard is declared nothing goes out without one: it could overwrite what somebody else wrote, unseen. */
  function withoutVersion(): Settled {
    return {
      kind: 'refused',
      message: `${collection.name}: the source gave no version to guard the change`,
      field: null,
    };
  }

  /** Is what the source holds the state that the change was decided on? */
  function isTheStateMeant(write: SourceWrite, seen: Observation): boolean {
    if (seen.fields === null) return false;
    if (write.guard !== null && seen.sourceVersion !== null) return write.guard === seen.sourceVersion;
    if (write.isAsKnown !== undefined) return write.isAsKnown(seen.fields, everyName);
    return write.current !== null && renderBody(collection, write.current) === renderBody(collection, seen.fields);
  }

  /** The same of what the write would overwrite, which is all that matters where no version tells. */
  function isOverwritingWhatWasMeant(write: SourceWrite, operation: Operation, seen: Observation): boolean {
    const { current } = write;
    if (seen.fields === null) return false;
    const isWhole = write.kind === 'delete' || operation.sends === 'mapped';
    const names = isWhole ? everyName : Object.keys(write.fields);
    if (write.isAsKnown !== undefined) return write.isAsKnown(seen.fields, names);
    if (current === null) return true;
    return names.every((name) => valueText(current[name]) === valueText(seen.fields?.[name]));
  }

  /** A create carries our reference, by which its record can be looked up. */
  function bodyOf({ kind, idempotencyKey }: SourceWrite, fields: Fields): Readonly<Record<string, unknown>> {
    const body = mapping.bodyOf(fields);
    return kind === 'create' && reference !== undefined ? { ...body, [reference.field]: idempotencyKey } : body;
  }

  /** Null: the record does not fit its declaration, so that nothing of it can be compared. */
  function observed({ row, tag }: RowAnswer, mustFit: boolean): Observation | null {
    try {
      return mapping.observe(row, tag);
    } catch (thrown) {
      if (mustFit || !(thrown instanceof SyncError)) throw thrown;
      deps.log.warn('written without a comparison, the record does not fit', { collection: where });
      return null;
    }
  }

  /** A version that counts seconds, when its second is over and the fields are those that were meant. */
  function bySecond(
    write: SourceWrite,
    operation: Operation,
    found: RowAnswer,
    seen: Observation,
    version: string,
  ): Settled | null {
    if (!isOverwritingWhatWasMeant(write, operation, seen)) return { kind: 'stale' };
    const waitMs = watch.waitMs(write.sourceKey ?? '', version, found.tag, deps.clock.monotonicMs());
    if (waitMs === 0) return null;
    const reason = `${where} ${WRITE_CALLS[write.kind]}: it was changed a moment ago, and its version counts seconds`;
    return { kind: 'notSent', reason, retryAfterMs: waitMs };
  }

  async function compared(
    write: SourceWrite,
    key: SourceKey,
    operation: Operation,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Settled | null> {
    const found = await readRowWithin(key, withinMs, signal);
    // Whether a deletion is done by somebody else's is what its own call finds out.
    if (found === 'absent') return write.kind === 'delete' ? null : { kind: 'stale' };
    const seen = observed(found, false);
    return seen === null || isOverwritingWhatWasMeant(write, operation, seen) ? null : { kind: 'stale' };
  }

  return async (write, operation, withinMs, signal) => {
    const key = write.sourceKey;
    const guards = operation.guarded && writeGuard !== null && write.kind !== 'create';
    const merges = write.kind === 'update' && operation.sends === 'merged';
    const version = guards ? write.guard : null;
    const isRepeat = write.isRepeat === true;
    const readsSeconds = guards && writeGuard.countsSeconds && read.one !== undefined && !isRepeat;
    if (key === null || !(merges || readsSeconds || (guards && version === null))) {
      // A repeat is the very same request, whatever the record has become.
      const compares = !guards && write.kind !== 'create' && read.one !== undefined && !isRepeat;
      const fault = compares && key !== null ? await compared(write, key, operation, withinMs, signal) : null;
      if (fault !== null) return fault;
      const whole = write.kind === 'update' && operation.sends !== 'changed';
      return { guard: version, body: bodyOf(write, whole ? { ...write.current, ...write.fields } : write.fields) };
    }
    if (read.one === undefined) return withoutVersion();
    // The source's own state is needed: to lay the changes over it, or because no version of it is known or believed.
    const found = await readRowWithin(key, withinMs, signal);
    if (found === 'absent') return { kind: 'stale' };
    const seen = mapping.observe(found.row, found.tag);
    if (!isTheStateMeant(write, seen)) return { kind: 'stale' };
    const seenVersion = guards ? (seen.sourceVersion ?? version) : null;
    if (guards && seenVersion === null) return withoutVersion();
    if (readsSeconds && seenVersion !== null) {
      const fault = bySecond(write, operation, found, seen, seenVersion);
      if (fault !== null) return fault;
    }
    const changes = bodyOf(write, write.fields);
    const rounded = merges ? roundedIn(found.row) : null;
    if (rounded !== null) {
      // Laid over the row that we hold, the change would bring the source a number that it never had.
      const message = `${collection.name}: the source's own record has a number in ${rounded} that JSON does not keep, so it is not sent back`;
      return { kind: 'refused', message, field: null };
    }
    return {
      guard: seenVersion,
      body: merges ? { ...(found.row as object), ...changes } : changes,
    };
  };
}
