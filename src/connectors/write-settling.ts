import type { SourceKey } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import type { Observation, SourceWrite, SourceWriteOutcome } from '../core/source-port.js';
import type { CollectionParts } from './collection-parts.js';
import { durationMs } from './duration.js';
import { isErrorBody } from './error-body.js';
import { reasonOf, WRITE_CALLS } from './fault.js';
import { tellRefusal } from './field-errors.js';
import type { Reads } from './source-reads.js';
import type { Operation, RowAnswer, WriteAnswer } from './transport.js';

/** What a write's answer comes to. @param leftMs what reads after the call may still take */
export type SettleWrite = (
  write: SourceWrite,
  operation: Operation,
  answer: WriteAnswer,
  leftMs: () => number,
  signal: AbortSignal,
) => Promise<SourceWriteOutcome>;

type Done = WriteAnswer & { readonly kind: 'done' };

/**
 * The end of a write: believes an answer only as far as it shows what its connector promises (R11), and reads back what it
 * does not show. Reads after the call can only leave the observation out. Throws nothing.
 */
export function createSettling(
  parts: CollectionParts & { readonly collection: Collection; readonly readRowWithin: Reads['readRowWithin'] },
): SettleWrite {
  const { where, collection, definition, mapping, readRowWithin, deps } = parts;
  const { read } = definition;
  /** A read that may show the state before the write would make it look undone. */
  const canReadBack =
    read.one !== undefined && (read.readAfterWrite === undefined || durationMs(read.readAfterWrite) === 0);

  function doubt({ kind }: SourceWrite, reason: string): SourceWriteOutcome {
    return { kind: 'unknown', reason: `${where} ${WRITE_CALLS[kind]}: ${reason}` };
  }

  async function settleDone(
    write: SourceWrite,
    operation: Operation,
    answer: Done,
    leftMs: () => number,
    signal: AbortSignal,
  ): Promise<SourceWriteOutcome> {
    if (!answer.isBare && tellsOfFailure(operation, answer.row)) {
      return doubt(write, 'it says that it is done, and tells of an error in the same answer');
    }
    if (write.kind === 'delete') return { kind: 'applied', observation: null };
    // 204 has no record: nothing is there that could fit.
    const isEmpty = operation.answers === 'nothing' || (answer.isBare && answer.row === undefined);
    const told = isEmpty ? null : readable(write, () => mapping.keyOf(answer.row));
    if (told === null && operation.answers !== 'nothing' && !answer.isBare) {
      const promised = operation.answers === 'record' ? 'the record' : 'its key';
      return doubt(write, `it says that it is done, and does not answer with ${promised}`);
    }
    if (told !== null && write.sourceKey !== null && told !== write.sourceKey) {
      return doubt(write, `wrote ${write.sourceKey}, the answer is ${told}`);
    }
    const key = told ?? write.sourceKey;
    if (key === null) return doubt(write, 'created, but the answer does not say under which key');
    // A source that keeps its answers repeats the first one, whatever the record has become meanwhile.
    const showsRecord = operation.answers === 'record' && answer.showsKeyOnly !== true;
    const isCurrent = told !== null && showsRecord && write.isRepeat !== true;
    const shown = isCurrent ? readable(write, () => mapping.observe(answer.row, answer.tag)) : null;
    return { kind: 'applied', observation: shown ?? (await readBack(key, leftMs, signal)) ?? asWritten(write, key) };
  }

  function tellsOfFailure({ answers }: Operation, row: unknown): boolean {
    // A record that an author's own `map` reads may have any member.
    const isMapped = definition.map !== undefined && answers === 'record';
    return !isMapped && isErrorBody(row, (member) => mapping.ourName(member) !== null);
  }

  /** What the answer to a finished write holds; null where that does not fit. */
  function readable<T>({ kind }: SourceWrite, read: () => T): T | null {
    try {
      return read();
    } catch (thrown) {
      deps.log.warn('the answer to a write does not fit', {
        collection: where,
        reason: reasonOf(where, WRITE_CALLS[kind], thrown),
      });
      return null;
    }
  }

  /** A 404 for a deletion means done only if the record is really not there (some say 404 for "not yours"). */
  async function settleGone(
    write: SourceWrite,
    leftMs: () => number,
    signal: AbortSignal,
  ): Promise<SourceWriteOutcome> {
    if (read.one === undefined || write.sourceKey === null) return { kind: 'applied', observation: null };
    let found: RowAnswer | 'absent';
    try {
      found = await readRowWithin(write.sourceKey, leftMs(), signal);
    } catch (thrown) {
      // The deletion itself was answered with "not there": it did nothing, whatever became of this read.
      return { kind: 'notSent', reason: reasonOf(where, 'read.one', thrown), retryAfterMs: null };
    }
    if (found === 'absent') return { kind: 'applied', observation: null };
    return doubt(write, 'the source says that the record is not there, and shows it');
  }

  async function readBack(key: SourceKey, leftMs: () => number, signal: AbortSignal): Promise<Observation | null> {
    if (!canReadBack) return null;
    try {
      const found = await readRowWithin(key, leftMs(), signal);
      return found === 'absent' ? null : mapping.observe(found.row, found.tag);
    } catch (thrown) {
      // The write itself is answered: without the observation its settling takes what was written, or has the record read again.
      deps.log.warn('answered, but not read back', {
        collection: where,
        key,
        reason: reasonOf(where, 'read.one', thrown),
      });
      return null;
    }
  }

  /** Does the source still hold the version that guarded the write? Then a conflict was not about that. */
  async function isAsItWas(write: SourceWrite, leftMs: () => number, signal: AbortSignal): Promise<boolean> {
    if (write.guard === null || write.sourceKey === null) return false;
    const seen = await readBack(write.sourceKey, leftMs, signal);
    return seen?.sourceVersion === write.guard;
  }

  /** A create whose key is all we know of it: what was written stands for its state until the next poll. */
  function asWritten(write: SourceWrite, sourceKey: SourceKey): Observation | null {
    if (write.kind !== 'create') return null;
    const fields = Object.fromEntries(collection.fields.map(({ name }) => [name, write.fields[name] ?? null]));
    return { sourceKey, fields, sourceVersion: null };
  }

  return async (write, operation, answer, leftMs, signal) => {
    switch (answer.kind) {
      case 'done':
        return await settleDone(write, operation, answer, leftMs, signal);
      case 'gone':
        return write.kind === 'delete' ? await settleGone(write, leftMs, signal) : { kind: 'stale' };
      case 'refused':
        if (answer.isConflict === true && !(await isAsItWas(write, leftMs, signal))) return { kind: 'stale' };
        return tellRefusal(answer, answer.said, definition.write?.errors, (name) => mapping.ourName(name));
      case 'stale':
      case 'notSent':
      case 'unknown':
        return answer;
    }
  };
}
