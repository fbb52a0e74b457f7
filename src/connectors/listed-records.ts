import type { SourceKey } from '../core/change.js';
import { sourceKeyParts } from '../core/id.js';
import type { CollectionParts } from './collection-parts.js';
import type { ReadUrgency } from './call-queue.js';
import { CallFault } from './fault.js';
import type { PageCalls } from './page-calls.js';
import type { PageAnswer } from './paging.js';
import { readResult } from './pending-result.js';
import { isFlagged } from './row-flag.js';
import type { Operation, RowAnswer, RowTags } from './transport.js';

/** Reads that wait for their turns at once; how many go is the guard's matter. */
const AT_ONCE = 8;

/**
 * The pages of a list that shows keys only, with each record as its own read shows it; under the version that is known of it, where a
 * source takes one (304). A record that is gone by then is not on its page.
 */
export function withRecords(parts: CollectionParts, one: Operation, pages: PageCalls): PageCalls {
  const { definition, mapping, transport } = parts;
  const { delta } = definition.read;

  return async function* (urgency, operation, args, signal, more = {}) {
    const listed = pages(urgency, operation, args, signal, { ...more, keyOf: mapping.listedKeyOf });
    for await (const answer of listed) {
      const isGone = (row: unknown): boolean =>
        answer.removed?.has(row) === true || (delta?.removed !== undefined && isFlagged(row, delta.removed));
      const keys = answer.rows.filter((row) => !isGone(row)).map((row) => mapping.listedKeyOf(row));
      const isTagged = definition.version === 'etag' && more.isFresh !== true;
      const known = isTagged && more.known !== undefined ? await more.known(keys) : NOTHING_KNOWN;
      const found = await readEach(keys, known, urgency, signal);
      yield filled(answer, found, (row) => (isGone(row) ? null : mapping.listedKeyOf(row)));
    }
  };

  async function readEach(
    keys: readonly SourceKey[],
    known: ReadonlyMap<SourceKey, string>,
    urgency: ReadUrgency,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<SourceKey, Found>> {
    const found = new Map<SourceKey, Found>();
    const waiting = [...new Set(keys)];
    async function readOn(): Promise<void> {
      for (let key = waiting.shift(); key !== undefined; key = waiting.shift())
        found.set(key, await read(key, known.get(key) ?? null, urgency, signal));
    }
    await Promise.all(Array.from({ length: AT_ONCE }, readOn));
    return found;
  }

  async function read(key: SourceKey, tag: string | null, urgency: ReadUrgency, signal: AbortSignal): Promise<Found> {
    const keyParts = sourceKeyParts(key);
    const { readRowUnless } = transport;
    const answer = await readResult<Found>(
      parts,
      urgency,
      (deadline) =>
        tag === null || readRowUnless === undefined
          ? transport.readRow(one, keyParts, deadline)
          : readRowUnless(one, keyParts, tag, deadline),
      signal,
    );
    if (typeof answer === 'string') return answer;
    const shown = mapping.keyOf(answer.row);
    if (shown === key) return answer;
    throw new CallFault('badAnswer', `asked for the record ${key}, got ${shown}`);
  }
}

type Found = RowAnswer | 'absent' | 'unchanged';

const NOTHING_KNOWN: ReadonlyMap<SourceKey, string> = new Map();

/** What the list itself shows of a record, like the time of its change, stays where its own read does not show it. */
function filled(
  answer: PageAnswer,
  found: ReadonlyMap<SourceKey, Found>,
  keyOf: (row: unknown) => SourceKey | null,
): PageAnswer {
  const rows: unknown[] = [];
  const tags = new Map<unknown, RowTags>();
  const unchanged: SourceKey[] = [];
  const listed: unknown[] = [];
  for (const row of answer.rows) {
    const key = keyOf(row);
    const one = key === null ? null : (found.get(key) ?? 'absent');
    if (key !== null && one === 'unchanged') {
      unchanged.push(key);
      listed.push(row);
    } else if (one === null) rows.push(row);
    else if (typeof one === 'object') {
      const whole = { ...(typeof row === 'object' ? row : {}), ...(one.row as object) };
      rows.push(whole);
      if (one.tag !== null) tags.set(whole, one.tag);
    }
  }
  const { digest: _ofTheList, ...rest } = answer;
  return { ...rest, rows, tags, unchanged: { keys: unchanged, rows: listed } };
}
