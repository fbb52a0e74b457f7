import type { KnownVersions, ObservedBatch } from '../core/source-port.js';
import type { CollectionParts } from './collection-parts.js';
import { createDeltaCursors, type DeltaCursor, type DeltaFacts } from './delta.js';
import { CallFault, isForgotten } from './fault.js';
import { given, type PageCalls } from './page-calls.js';
import type { PageArguments } from './paging.js';
import { readRows } from './row-reading.js';
import type { ChangesReader } from './source-reads.js';

/**
 * Changes by the source's own token or link, which is saved with what it brought. Without one, and when the source no longer
 * knows it, everything is read; then deletions since the lost token are for a scan to find.
 */
export function createDeltaReads(parts: CollectionParts, facts: DeltaFacts, pages: PageCalls): ChangesReader {
  const { where, definition, mapping, deps } = parts;
  const list = facts.list ?? definition.read.list;
  const follow = facts.follow ?? list;
  const { param, replayable } = facts;
  const cursors = createDeltaCursors({ list, follow, param });

  async function* readChanges(
    text: string | null,
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, void> {
    const cursor = text === null ? null : cursors.read(text);
    if (cursor?.kind === 'token' && !(yield* readSince(cursor, signal, known))) return;
    if (text !== null) deps.log.warn(whyAgain(cursor), { collection: where });
    yield* readWhole(text !== null, signal);
  }

  async function* readWhole(isAgain: boolean, signal: AbortSignal): AsyncGenerator<ObservedBatch, void> {
    let next: string | null = null;
    for await (const answer of pages('poll', list, {}, signal, { isFresh: true })) {
      next = answer.delta ?? null;
      yield readRows(mapping, answer, 'changes', facts.removed);
    }
    const cursor = cursors.write({ kind: 'token', token: tokenOf(next) });
    yield { observations: [], cursor, ...(isAgain ? { needsScan: true } : {}) };
  }

  /** @returns true if the source no longer knows the token */
  async function* readSince(
    before: DeltaCursor & { readonly kind: 'token' },
    signal: AbortSignal,
    known?: KnownVersions,
  ): AsyncGenerator<ObservedBatch, boolean> {
    const args: PageArguments = param === undefined ? {} : { [param]: before.token };
    const from = param === undefined ? before.token : null;
    let next: string | null = null;
    let isAnswered = false;
    // Committed before the question is sent: if its answer is lost, with us or on its way, nobody asks with this token again.
    if (!replayable) yield { observations: [], cursor: cursors.write({ kind: 'asked' }) };
    try {
      const more = { from, isRepeatable: replayable, ...given(known) };
      for await (const answer of pages('poll', follow, args, signal, more)) {
        isAnswered = true;
        next = answer.delta ?? null;
        yield readRows(mapping, answer, 'changes', facts.removed);
      }
    } catch (thrown) {
      if (!(thrown instanceof CallFault)) throw thrown;
      if (isForgotten(thrown, facts.expiredOn)) return true;
      const isUnasked = !replayable && !isAnswered && thrown.kind === 'notSent';
      if (isUnasked) yield { observations: [], cursor: cursors.write(before) };
      throw thrown;
    }
    const token = tokenOf(next);
    if (token !== before.token || !replayable)
      yield { observations: [], cursor: cursors.write({ kind: 'token', token }) };
    return false;
  }

  function tokenOf(next: string | null): string {
    if (next !== null && next !== '') return next;
    const what = list.delta === 'link' ? 'the link' : 'the token';
    throw new CallFault('badAnswer', `expected the last page to bring ${what} of what comes after, got none`, {
      sourceIsSick: false,
    });
  }

  return readChanges;
}

function whyAgain(cursor: DeltaCursor | null): string {
  switch (cursor?.kind) {
    case 'token':
      return 'the source no longer knows where we were: reading everything again';
    case 'asked':
      return 'the answer to a token that can be asked with once was lost: reading everything again';
    case undefined:
      return 'the cursor is of other calls than those that are declared now: reading everything again';
  }
}
