import type { SourceKey } from '../core/change.js';
import type { KnownVersions } from '../core/source-port.js';
import type { ReadUrgency } from './call-queue.js';
import type { CollectionParts } from './collection-parts.js';
import { CallFault } from './fault.js';
import { readPages } from './page-reader.js';
import { readResult } from './pending-result.js';
import { withRows, type PageAnswer, type PageArguments } from './paging.js';
import type { Operation } from './transport.js';

/** The pages of one list, each asked for through the guard when the reader wants it. @throws CallFault */
export type PageCalls = (
  urgency: ReadUrgency,
  operation: Operation,
  args: PageArguments,
  signal: AbortSignal,
  more?: {
    /** A link that leads to the first page; absent, or null: the operation does. */
    readonly from?: string | null;
    /** May a page be asked for again when its answer was lost? Absent: yes. */
    readonly isRepeatable?: boolean;
    /** Versions that are known, for lists of keys; absent: every record is read. */
    readonly known?: KnownVersions;
    /** Must the source itself show each row, whatever the tag of an earlier answer? Absent: no. */
    readonly isFresh?: boolean;
    /** The key of a row that is no record, but tells of one. @throws CallFault - it has none */
    readonly keyOf?: (row: unknown) => SourceKey;
  },
) => AsyncGenerator<PageAnswer, void>;

export function createPageCalls(
  parts: Pick<CollectionParts, 'deps' | 'guard' | 'mapping' | 'transport' | 'skew'>,
): PageCalls {
  const { mapping, transport, skew } = parts;
  return (urgency, operation, args, signal, more = {}) => {
    const { from = null, isRepeatable = true, isFresh = false, keyOf = mapping.keyOf } = more;
    const pages = readPages(operation.paging, async (pageArgs, next) => {
      const answer = await readResult(
        parts,
        urgency,
        (deadline) => transport.readPage(operation, { ...args, ...pageArgs }, next ?? from, deadline, isFresh),
        signal,
        isRepeatable,
      );
      if (answer.serverTimeMs !== null) skew.note(answer.serverTimeMs);
      return answer;
    });
    return withKeys(pages, keyOf);
  };
}

/**
 * A row without a key is no record: nobody can set it aside. The records beside it are shown, and the reading ends with a fault
 * all the same, so that it proves no deletion and its cursor stays (R14). An answer with no other rows is not believed at all.
 */
async function* withKeys(
  pages: AsyncGenerator<PageAnswer, void>,
  keyOf: (row: unknown) => SourceKey,
): AsyncGenerator<PageAnswer, void> {
  const faults: CallFault[] = [];
  let read = 0;
  for await (const answer of pages) {
    const keyed: unknown[] = [];
    for (const row of answer.rows) {
      read += 1;
      try {
        keyOf(row);
        keyed.push(row);
      } catch (thrown) {
        if (!(thrown instanceof CallFault)) throw thrown;
        if (faults.length === 0)
          faults.push(new CallFault('badAnswer', `row ${read}: ${thrown.message}`, { cause: thrown }));
      }
    }
    const [fault] = faults;
    if (fault !== undefined && keyed.length === 0) throw fault;
    yield fault === undefined ? answer : { ...withRows(answer, keyed), isPart: true };
  }
  const [fault] = faults;
  if (fault !== undefined) throw fault;
}

/** Versions to be asked under, where a reader has them. */
export function given(known: KnownVersions | undefined): { readonly known?: KnownVersions } {
  return known === undefined ? {} : { known };
}
