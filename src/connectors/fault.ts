import { SyncError, type FieldError } from '../core/errors.js';
import { RecordMisfit } from '../core/misfit.js';
import type { SourceWriteOutcome } from '../core/source-port.js';

/** How sure we are that a call had no effect, and whose trouble it is. */
export type FaultKind =
  /** Not one byte of the request was written, or the source says that it did nothing (R11: may be sent again). */
  | 'notSent'
  /** Timeout, reset, 5xx: it may have taken effect. */
  | 'unknown'
  /** An answer came, but not one that can be believed: HTML, half a body, another shape. */
  | 'badAnswer';

interface FaultOptions {
  readonly cause?: unknown;
  readonly retryAfterMs?: number | null;
  readonly sourceIsSick?: boolean;
  readonly status?: number | null;
  readonly isExpired?: boolean;
  readonly call?: CallName | null;
}

/** A connector's calls, as its facts name them. */
export type CallName =
  | 'read.list'
  | 'read.one'
  | 'read.changes'
  | 'read.delta'
  | 'write.create'
  | 'write.update'
  | 'write.remove'
  | 'write.reference.lookUp'
  | 'write.naturalKey.lookUp';

export const WRITE_CALLS: Readonly<Record<'create' | 'update' | 'delete', CallName>> = {
  create: 'write.create',
  update: 'write.update',
  delete: 'write.remove',
};

/** A source that asks for a longer pause is asked again after this long all the same, ms. */
export const LONGEST_PAUSE_MS = 300_000;

/** A call that came to nothing that can be used. Never leaves this folder: reads turn it into SOURCE_UNAVAILABLE. */
export class CallFault extends Error {
  readonly kind: FaultKind;
  readonly retryAfterMs: number | null;
  /** Is the source itself in trouble? Only that counts for the breaker. */
  readonly sourceIsSick: boolean;
  /** The HTTP status that the source answered with; null: it gave none, or it says nothing. */
  readonly status: number | null;
  /** The connector says that what the source was asked with, a token or a link, is no longer known there. */
  readonly isExpired: boolean;
  /** Which call it is of; null: whoever made the call knows. */
  readonly call: CallName | null;

  constructor(kind: FaultKind, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CallFault';
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.sourceIsSick = options.sourceIsSick ?? true;
    this.status = options.status ?? null;
    this.isExpired = options.isExpired ?? false;
    this.call = options.call ?? null;
  }
}

/** The same fault, of this call: for what is read on the way to another one. */
export function faultOfCall(call: CallName, thrown: unknown): unknown {
  if (!(thrown instanceof CallFault) || thrown.call !== null) return thrown;
  const { kind, message, cause, retryAfterMs, sourceIsSick, status, isExpired } = thrown;
  return new CallFault(kind, message, { cause, retryAfterMs, sourceIsSick, status, isExpired, call });
}

/** What a source's answer means, as `classify` of a connector may say it. */
export type Classification =
  /** An ordinary success. */
  | { readonly kind: 'fine' }
  /** The record is not there. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'stale' }
  /** `field` and `fields` in the source's names; they are told in ours. */
  | {
      readonly kind: 'refused';
      readonly message: string;
      readonly field: string | null;
      readonly fields?: readonly FieldError[];
    }
  | { readonly kind: 'notProcessed'; readonly reason: string; readonly retryAfterMs: number | null }
  | { readonly kind: 'unknown'; readonly reason: string }
  /** Of a list of changes: the token or link is no longer known. */
  | { readonly kind: 'expired' };

/** The guard did not fit: somebody else changed the record. */
export function stale(): Classification {
  return { kind: 'stale' };
}

/**
 * The source said no for good; the message is shown to the user.
 *
 * @param fields what it says of single fields. Absent: what is found in the answer
 */
export function refused(message: string, field: string | null = null, fields?: readonly FieldError[]): Classification {
  return { kind: 'refused', message, field, ...(fields === undefined ? {} : { fields }) };
}

/** The record does not exist (a source's way to say 404). */
export function absent(): Classification {
  return { kind: 'absent' };
}

/** The source did certainly nothing; the call may be made again. */
export function notProcessed(reason: string, retryAfterMs: number | null = null): Classification {
  return { kind: 'notProcessed', reason, retryAfterMs };
}

/** It may or may not have happened. */
export function unknownOutcome(reason: string): Classification {
  return { kind: 'unknown', reason };
}

/** The source no longer knows the token or the link of its changes (`read.delta`), or so far back in its log of deletions, which it usually says with 410: all is read again. */
export function expired(): Classification {
  return { kind: 'expired' };
}

/** An answer that looks like a failure but is none. */
export function fine(): Classification {
  return { kind: 'fine' };
}

/** The six things a connector asks a source for. */
export type CallPurpose = 'list' | 'one' | 'lookUp' | 'create' | 'update' | 'delete';

/** Does a call only read? */
export function isRead(purpose: CallPurpose): boolean {
  return purpose === 'list' || purpose === 'one' || purpose === 'lookUp';
}

/** An answer as `classify` sees it. */
export interface SourceAnswer {
  readonly purpose: CallPurpose;
  /** HTTP status. */
  readonly status: number;
  /** Parsed JSON, or the SOAP fault's detail (without a fault: the answer) as nested texts; null when there is none. */
  readonly body: unknown;
  /** What the source says about it, as far as one can tell. */
  readonly message: string;
  /** The code of a SOAP fault without its prefix, like `Client`, or `Sender.Unknown` for a subcode of SOAP 1.2; null: it is none. */
  readonly code: string | null;
}

/** Says what an answer means where the standard rules do not know it; undefined leaves it to them. */
export type Classify = (answer: SourceAnswer) => Classification | undefined;

/** Longest text of a source that is handed on to a device, in characters. */
const MAX_MESSAGE = 500;

/** A source's text as it may be shown: one line, no control characters, not too long. */
export function shownText(text: string): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  return (line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}…` : line).toWellFormed();
}

/** HTTP's own way to say that what was there once is no longer known. */
const GONE = 410;

/** Does a list's fault say that the source no longer knows the place from which it was asked? */
export function isForgotten(thrown: unknown, expiredOn: readonly number[] = []): boolean {
  if (!(thrown instanceof CallFault)) return false;
  return thrown.isExpired || thrown.status === GONE || expiredOn.includes(thrown.status ?? GONE);
}

/** What a write came to when its call ended in a fault. */
export function outcomeOfFault(where: string, call: CallName, fault: CallFault): SourceWriteOutcome {
  const reason = reasonOf(where, call, fault);
  return fault.kind === 'notSent'
    ? { kind: 'notSent', reason, retryAfterMs: fault.retryAfterMs }
    : { kind: 'unknown', reason };
}

/** What a reader gets when its call ended in a fault; a record that does not fit stays one. */
export function unavailable(where: string, call: CallName, thrown: unknown): SyncError {
  if (thrown instanceof RecordMisfit) return new RecordMisfit(where, thrown.record, thrown, call);
  if (thrown instanceof SyncError) return thrown;
  return new SyncError('SOURCE_UNAVAILABLE', reasonOf(where, call, thrown), { cause: thrown });
}

/** Why something that was thrown came to nothing, as it may be told: of which source, collection and call. */
export function reasonOf(where: string, call: CallName, thrown: unknown): string {
  if (thrown instanceof SyncError) return thrown.message;
  const made = thrown instanceof CallFault ? (thrown.call ?? call) : call;
  return `${where} ${made}: ${whyOf(thrown)}`;
}

/** The same without where, for those who tell that themselves. */
export function whyOf(thrown: unknown): string {
  return thrown instanceof CallFault || thrown instanceof SyncError
    ? thrown.message
    : 'unexpected fault of the connector';
}
