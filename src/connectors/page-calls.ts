import type { ReadUrgency } from './call-queue.js';
import type { CollectionParts } from './collection-parts.js';
import { readPages } from './page-reader.js';
import { readResult } from './pending-result.js';
import type { PageAnswer, PageArguments } from './paging.js';
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
    /** Must the source itself show each row, whatever the tag of an earlier answer? Absent: no. */
    readonly isFresh?: boolean;
  },
) => AsyncGenerator<PageAnswer, void>;

export function createPageCalls(parts: Pick<CollectionParts, 'deps' | 'guard' | 'transport' | 'skew'>): PageCalls {
  const { transport, skew } = parts;
  return (urgency, operation, args, signal, { from = null, isRepeatable = true, isFresh = false } = {}) =>
    readPages(operation.paging, async (pageArgs, next) => {
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
}
