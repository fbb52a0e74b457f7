import type { ChangeKind, Fields, PushKind } from '../core/change.js';
import type { ResetReason } from '../core/checkpoint.js';
import type { ChangeError, ErrorCode } from '../core/errors.js';
import type { PushStatus } from '../core/intent.js';
import type { EntryConflict } from './outbox-entry.js';

/** One change of a page. */
export interface PulledChange {
  readonly collection: string;
  readonly id: string;
  readonly version: string;
  readonly kind: ChangeKind;
  readonly pending: boolean;
  /** Null for tombstones, and where `unavailable` says why. */
  readonly json: Fields | null;
  readonly unavailable?: { readonly code: string } | null;
  /** ChangeIds of this device that the state is known to contain; not all of them. Absent: none is known. */
  readonly mine?: readonly string[];
}

/** What became of one pushed change: a push's result, or its receipt. */
export interface Fate {
  readonly changeId: string;
  readonly status: PushStatus;
  readonly error?: ChangeError | null;
  readonly blockedBy?: string | null;
  readonly conflict?: EntryConflict | null;
}

/** One answer of pull. */
export interface PulledPage {
  readonly changes: readonly PulledChange[];
  readonly receipts: readonly Fate[];
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly reset: boolean;
  readonly resetReason?: ResetReason | null;
  readonly complete: boolean;
  readonly epoch: string;
}

/** One change as it is sent. */
export interface SentChange {
  readonly changeId: string;
  readonly collection: string;
  readonly id: string;
  readonly kind: PushKind;
  readonly baseVersion: string | null;
  readonly changedAt: string;
  readonly json?: Fields;
  readonly sentEpoch?: string;
}

/** What a device must hold of each collection. */
export interface CheckAnswer {
  readonly isCurrent: boolean;
  readonly collections: readonly { readonly collection: string; readonly count: number; readonly hash: string }[];
}

/** What a device asks with: its place, and the list that belongs to it. */
export interface PlaceRequest {
  readonly device: string;
  readonly since: string | null;
  readonly collections: readonly string[] | null;
}

/** The way to a gateway. All of it is safe to repeat. Every fault is a `GatewayFault`. */
export interface Gateway {
  pull(request: PlaceRequest & { readonly limit: number }): Promise<PulledPage>;
  /**
   * @param epoch the one that the device knows; absent: nothing is refused because of it
   * @returns one fate per change, in their order
   * @throws GatewayFault NEW_EPOCH - another one is in force, and nothing was taken: pull first (F5)
   */
  push(device: string, changes: readonly SentChange[], sentAt: string, epoch?: string | null): Promise<readonly Fate[]>;
  check(request: PlaceRequest): Promise<CheckAnswer>;
}

/** UNREACHABLE: no answer came, or none of a gateway's. CLOSED: this client was closed, or its store belongs to another user now. LOCAL_STORE: the device's own storage failed. */
export type FaultCode = ErrorCode | 'UNREACHABLE' | 'CLOSED' | 'LOCAL_STORE';

/** A request that failed as a whole, or something that this client cannot do. */
export class GatewayFault extends Error {
  readonly code: FaultCode;
  /** The gateway asks to wait so long; undefined: it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: FaultCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.name = 'GatewayFault';
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Ours as it is; anything else is `code`. */
  static from(thrown: unknown, code: FaultCode): GatewayFault {
    if (thrown instanceof GatewayFault) return thrown;
    return new GatewayFault(code, thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown });
  }
}
