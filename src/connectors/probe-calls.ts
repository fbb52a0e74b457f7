import type { SourceKey } from '../core/change.js';
import type { Clock } from '../core/ports.js';
import type { ExaminedCollection } from './examined-collection.js';
import { CallFault } from './fault.js';
import { readPages } from './page-reader.js';
import type { PageAnswer, PageArguments, Paging } from './paging.js';
import type { Operation, RowAnswer, WriteAnswer, WriteCall } from './transport.js';

/** Reads that one collection's examination may make. Where a source gives tickets, each is asked for as its connector says. */
export const MOST_READS = 30;

/** The calls of one examination: counted, timed, and no more than allowed. */
export interface ProbeCalls {
  /**
   * Pages as the source gave them, from the first one on. `fault`: what ended the reading before its time; null: nothing.
   *
   * @param from a link that leads to the first page; absent or null: the operation does
   */
  pages(operation: Operation, args: PageArguments, most: number, from?: string | null): Promise<ReadPages>;
  /** @throws CallFault */
  row(key: SourceKey): Promise<RowAnswer | 'absent'>;
  /** @throws CallFault */
  write(operation: Operation, call: WriteCall): Promise<WriteAnswer>;
  /** How long each call took, ms. */
  readonly tookMs: readonly number[];
}

export interface ReadPages {
  readonly pages: readonly PageAnswer[];
  /** The source says, or shows, that nothing comes after these. */
  readonly isComplete: boolean;
  readonly fault: CallFault | null;
}

export function createProbeCalls(examined: ExaminedCollection, clock: Clock, signal: AbortSignal): ProbeCalls {
  const tookMs: number[] = [];

  async function timed<T>(call: () => Promise<T>): Promise<T> {
    if (tookMs.length >= MOST_READS)
      throw new CallFault('notSent', `${MOST_READS} calls were made, no more are allowed`, { sourceIsSick: false });
    const beganMs = clock.monotonicMs();
    try {
      return await call();
    } finally {
      tookMs.push(clock.monotonicMs() - beganMs);
    }
  }

  return {
    tookMs,
    async pages(operation, args, most, from = null) {
      const pages: PageAnswer[] = [];
      const reader = readPages(withoutShortEnd(operation.paging), async (pageArgs, next) => {
        if (pages.length >= most) throw new Enough();
        const page = await timed(() => examined.readPage(operation, { ...args, ...pageArgs }, next ?? from, signal));
        pages.push(page);
        return page;
      });
      try {
        let isLast = false;
        while (!isLast) isLast = (await reader.next()).done === true;
        return { pages, isComplete: true, fault: null };
      } catch (thrown) {
        if (thrown instanceof Enough) return { pages, isComplete: false, fault: null };
        if (thrown instanceof CallFault) return { pages, isComplete: false, fault: thrown };
        throw thrown;
      }
    },
    row: (key) => timed(() => examined.readRow(key, signal)),
    write: (operation, call) => timed(() => examined.write(operation, call, signal)),
  };
}

/** As many pages were read as were asked for. */
class Enough extends Error {}

/** Whether a short page is the last one is to be found out, so the next one is asked for. */
function withoutShortEnd(paging: Paging): Paging {
  return 'shortPageEnds' in paging ? { ...paging, shortPageEnds: false } : paging;
}

/** Why not even one page came, in words; null: one did. */
export function unanswered({ pages, fault }: ReadPages): string | null {
  if (pages.length > 0) return null;
  return fault === null ? 'no answer' : faultText(fault);
}

/** What a row shows; null: nothing that could be read. */
export function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof CallFault) return null;
    throw thrown;
  }
}

/** What went wrong, without what the source says itself and without values: these may be anybody's. */
export function faultText({ status, message, kind }: CallFault): string {
  if (status !== null) return `an answer with status ${status}`;
  if (kind === 'notSent') return message;
  return message
    .replace(/^asked for the record .*/s, 'another record')
    .replace(/(to have a key, got) .*/s, '$1 none')
    .replace(/(the page after) .* (repeats)/s, '$1 a value $2')
    .replace(/(rows have the \S+) .*/s, '$1 of each other')
    .replace(/^it says (\d+):.*/s, 'an answer with status $1');
}
