import type { Collection } from '../core/collection.js';
import { describe } from '../core/field.js';
import { sourceKeyParts } from '../core/id.js';
import type { SourceCollection, SourceWrite } from '../core/source-port.js';
import { countdown } from '../core/time-passed.js';
import type { CollectionParts } from './collection-parts.js';
import { CallFault, outcomeOfFault, reasonOf, WRITE_CALLS } from './fault.js';
import { createWriter } from './series-run.js';
import type { Reads } from './source-reads.js';
import type { WriteCall } from './transport.js';
import { compileGuard, memberValue } from './write-guard.js';
import { createPreparing, type Prepared, type Settled } from './write-preparing.js';
import { createSettling } from './write-settling.js';

/** The part of a write's time that reads before the call may take: the call itself always has the rest. */
const PREPARING_PART = 0.5;
/** The part of a write's time that is kept free at its end, so that what is known to be done is told in time. */
const MARGIN_PART = 0.1;
/** A write ends this long before its caller's deadline: the caller hears what became of it, not that it is late. */
const EARLIER_MS = 50;

/**
 * The writing half of a collection: one call, made once, and what it came to (R11). Faults become outcomes; nothing is
 * thrown. Reads before the call have no effect, so their failure is `notSent`. A repeat with the same idempotency key, guard
 * and fields sends the very same request.
 */
export function createWrites(
  parts: CollectionParts & { readonly collection: Collection } & Pick<Reads, 'readRowWithin' | 'probe'>,
): SourceCollection['write'] {
  const { where, collection, definition, guard, deps } = parts;
  const { create, update, remove, idempotencyKey: idempotent } = definition.write ?? {};
  const operations = { create, update, delete: remove } as const;
  const writeGuard = compileGuard(definition);
  const bodyGuard = typeof definition.write?.guard === 'object' ? definition.write.guard : null;
  const prepare = createPreparing(parts, writeGuard);
  const settle = createSettling(parts);
  const send = createWriter(parts);

  /** Null: the version cannot be sent, and nothing goes out unguarded. */
  function callOf(write: SourceWrite, { body, guard: version }: Prepared): WriteCall | null {
    const { header, argument } = idempotent ?? {};
    const guardText = version === null || writeGuard === null ? null : writeGuard.textOf(version);
    if (version !== null && guardText === null) return null;
    const member = version === null ? null : (writeGuard?.member ?? null);
    const versionIn = member === null || version === null ? {} : { [member]: memberValue(version, bodyGuard?.as) };
    return {
      purpose: write.kind,
      key: write.sourceKey === null ? null : sourceKeyParts(write.sourceKey),
      body: { ...body, ...versionIn },
      guard: guardText,
      guardHeader: writeGuard?.header ?? null,
      conflictOn: version === null ? [] : (writeGuard?.conflictOn ?? []),
      idempotency:
        idempotent === undefined
          ? null
          : {
              key: write.idempotencyKey,
              ...(header === undefined ? {} : { header }),
              ...(argument === undefined ? {} : { argument }),
            },
    };
  }

  return async (write, signal, callerLeftMs = () => Infinity) => {
    const operation = operations[write.kind];
    if (operation === undefined) {
      return { kind: 'refused', message: `${collection.name}: the source takes no ${write.kind}`, field: null };
    }
    const called = WRITE_CALLS[write.kind];
    const ownLeftMs = countdown(deps.clock, guard.timeoutMs);
    const leftMs = (): number => Math.min(ownLeftMs(), callerLeftMs() - EARLIER_MS);
    const totalMs = leftMs();
    if (totalMs <= 0)
      return { kind: 'notSent', reason: `${where} ${called}: no time was left for it`, retryAfterMs: null };
    let prepared: Prepared | Settled;
    try {
      // A source that was away is tried with a read first: a write that it swallows would be in doubt.
      if (guard.isProbeDue()) await parts.probe(write.sourceKey, totalMs * PREPARING_PART, signal);
      prepared = await prepare(write, operation, totalMs * PREPARING_PART, signal);
    } catch (thrown) {
      const retryAfterMs = thrown instanceof CallFault ? thrown.retryAfterMs : null;
      return { kind: 'notSent', reason: reasonOf(where, called, thrown), retryAfterMs };
    }
    if ('kind' in prepared) return prepared;
    const call = callOf(write, prepared);
    if (call === null) {
      const message = `${collection.name}: expected a version that is a time with a zone, got ${describe(prepared.guard)}`;
      return { kind: 'refused', message, field: null };
    }
    try {
      const answer = await send(operation, call, leftMs, signal);
      return await settle(write, operation, answer, () => leftMs() - totalMs * MARGIN_PART, signal);
    } catch (thrown) {
      if (thrown instanceof CallFault) return outcomeOfFault(where, called, thrown);
      return { kind: 'unknown', reason: reasonOf(where, called, thrown) };
    }
  };
}
