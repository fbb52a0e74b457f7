import { parse, type DocumentNode } from 'graphql';
import { SyncError } from '../core/errors.js';
import { MAX_TOKENS, misfitOf } from './document-limits.js';

/** What a client asks for, as it came: nothing of it is checked yet. */
export interface AskedOperation {
  readonly query?: unknown;
  readonly variables?: unknown;
}

/** Longest document, characters: 1,000 tokens of ordinary length are a tenth of it, the rest is for comments. */
const MAX_DOCUMENT_LENGTH = 100_000;
/** Documents that are known to be within the limits, those used last. */
const MAX_KNOWN = 200;
const MAX_KNOWN_LENGTH = 20_000;
/** A list of so many items costs no more than 20 ms, whatever a push may have: which variable holds changes is not known here. */
const CHEAP_LIST_LENGTH = 1_000;

/**
 * Refuses what would cost more than anybody who syncs needs, before it is validated and before variables are read: a validator takes
 * quadratic time for fields of one name, and each item of a list is copied (10,000 changes: 200 ms).
 *
 * @param maxChanges of one push; other lists may have as many items, and 1,000 in any case
 * @returns throws SyncError BAD_REQUEST, LIMIT_EXCEEDED; what is no document is left to GraphQL, which words it
 */
export function createDocumentGate(maxChanges: number): (operation: AskedOperation) => void {
  const maxListLength = Math.max(maxChanges, CHEAP_LIST_LENGTH);
  const known = new Set<string>();

  function checkDocument(query: string): void {
    if (known.delete(query)) {
      known.add(query);
      return;
    }
    if (query.length > MAX_DOCUMENT_LENGTH) {
      throw new SyncError(
        'BAD_REQUEST',
        `query: expected at most ${MAX_DOCUMENT_LENGTH} characters, got ${query.length}`,
      );
    }
    const document = parsed(query);
    const misfit = document === null ? null : misfitOf(document);
    if (misfit !== null) throw new SyncError('BAD_REQUEST', misfit);
    if (document === null || query.length > MAX_KNOWN_LENGTH) return;
    known.add(query);
    const [oldest] = known;
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
  }

  return ({ query, variables }) => {
    if (typeof query === 'string') checkDocument(query);
    for (const [name, value] of Object.entries(typeof variables === 'object' ? (variables ?? {}) : {})) {
      if (!Array.isArray(value) || value.length <= maxListLength) continue;
      throw new SyncError(
        'LIMIT_EXCEEDED',
        `${name}: expected at most ${maxListLength} in one push, got ${value.length}`,
      );
    }
  };
}

function parsed(query: string): DocumentNode | null {
  try {
    return parse(query, { maxTokens: MAX_TOKENS, noLocation: true });
  } catch {
    return null;
  }
}
