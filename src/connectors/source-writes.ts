import type { Fields } from '../core/change.js';
import { renderBody, type Collection } from '../core/collection.js';
import { sourceKeyParts } from '../core/id.js';
import type { Observation, SourceCollection, SourceWrite, SourceWriteOutcome } from '../core/source-port.js';
import type { CollectionParts } from './collection-parts.js';
import { CallFault, outcomeOfFault } from './fault.js';
import type { Reads } from './source-reads.js';
import type { Operation, WriteCall } from './transport.js';
import { createSettling, reasonOf } from './write-settling.js';

/** What a write is sent with, after the reads that it needs. */
interface Prepared {
  readonly body: Readonly<Record<string, unknown>>;
  readonly guard: string | null;
}

/** Something the source does not offer, or that cannot be sent. */
type Settled = Exclude<SourceWriteOutcome, { readonly kind: 'applied' }>;

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
  const { where, collection, definition, mapping, guard, transport, readRowWithin, deps } = parts;
  const { read } = definition;
  const { create, update, remove, idempotencyKey: idempotent, reference } = definition.write ?? {};
  const operations = { create, update, delete: remove } as const;
  const settle = createSettling(parts);

  async function prepare(
    write: SourceWrite,
    operation: Operation,
    withinMs: number,
    signal: AbortSignal,
  ): Promise<Prepared | Settled> {
    const key = write.sourceKey;
    const takesGuard = operation.guarded && definition.write?.guard !== undefined && write.kind !== 'create';
    const merges = write.kind === 'update' && operation.sends === 'merged';
    const version = takesGuard ? write.guard : null;
    if (key === null || !(merges || (takesGuard && version === null))) {
      const whole = write.kind === 'update' && operation.sends !== 'changed';
      return { guard: version, body: bodyOf(write, whole ? { ...write.current, ...write.fields } : write.fields) };
    }
    if (read.one === undefined) return withoutVersion();
    // The source's own state is needed: to lay the changes over it, or because no version of it is known.
    const found = await readRowWithin(key, withinMs * PREPARING_PART, signal);
    if (found === 'absent') return { kind: 'stale' };
    const seen = mapping.observe(found.row, found.tag);
    if (!isTheStateMeant(write, seen)) return { kind: 'stale' };
    const seenVersion = takesGuard ? (seen.sourceVersion ?? version) : null;
    if (takesGuard && seenVersion === null) return withoutVersion();
    const changes = bodyOf(write, write.fields);
    return {
      guard: seenVersion,
      body: merges ? { ...(found.row as object), ...changes } : changes,
    };
  }

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
    return write.current !== null && renderBody(collection, write.current) === renderBody(collection, seen.fields);
  }

  /** A create carries our reference, by which its record can be looked up. */
  function bodyOf({ kind, idempotencyKey }: SourceWrite, fields: Fields): Readonly<Record<string, unknown>> {
    const body = mapping.bodyOf(fields);
    return kind === 'create' && reference !== undefined ? { ...body, [reference.field]: idempotencyKey } : body;
  }

  /** A version kept as a member goes into a tag in quotes, as HTTP wants it; an ETag has them already. */
  function asGuard(version: string | null): string | null {
    const isPlain = definition.write?.guard === 'ifMatch' && definition.version !== 'etag';
    return version !== null && isPlain ? `"${version}"` : version;
  }

  function callOf(write: SourceWrite, { body, guard: version }: Prepared): WriteCall {
    const { header, argument } = idempotent ?? {};
    return {
      purpose: write.kind,
      key: write.sourceKey === null ? null : sourceKeyParts(write.sourceKey),
      body,
      guard: asGuard(version),
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

  return async (write, signal, withinMs = Infinity) => {
    const operation = operations[write.kind];
    if (operation === undefined) {
      return { kind: 'refused', message: `${collection.name}: the source takes no ${write.kind}`, field: null };
    }
    const totalMs = Math.min(guard.timeoutMs, withinMs - EARLIER_MS);
    if (totalMs <= 0) return { kind: 'notSent', reason: `${where}: no time was left for the call`, retryAfterMs: null };
    const endsAtMs = deps.clock.monotonicMs() + totalMs;
    const leftMs = (): number => endsAtMs - deps.clock.monotonicMs();
    let prepared: Prepared | Settled;
    try {
      // A source that was away is tried with a read first: a write that it swallows would be in doubt.
      if (guard.isProbeDue()) await parts.probe(write.sourceKey, totalMs * PREPARING_PART, signal);
      prepared = await prepare(write, operation, totalMs, signal);
    } catch (thrown) {
      const retryAfterMs = thrown instanceof CallFault ? thrown.retryAfterMs : null;
      return { kind: 'notSent', reason: `${where}: ${reasonOf(thrown)}`, retryAfterMs };
    }
    if ('kind' in prepared) return prepared;
    const call = callOf(write, prepared);
    try {
      const answer = await guard.write((deadline) => transport.write(operation, call, deadline), signal, leftMs());
      return await settle(write, operation, answer, () => leftMs() - totalMs * MARGIN_PART, signal);
    } catch (thrown) {
      if (thrown instanceof CallFault) return outcomeOfFault(thrown);
      return { kind: 'unknown', reason: `${where}: ${reasonOf(thrown)}` };
    }
  };
}
