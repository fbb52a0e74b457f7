/** What the gateway answers of an error. */
export interface AnsweredError {
  readonly code: string;
  readonly message: string;
}

/** `OutboxChange` of the API. */
export interface AnsweredChange {
  readonly intentNo: string;
  readonly changeId: string;
  readonly user: string;
  readonly device: string;
  readonly collection: string;
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly error: AnsweredError | null;
  readonly blockedBy: string | null;
  readonly fields: object | null;
  readonly call: { readonly kind: string; readonly sourceKey: string | null; readonly fields: object } | null;
  readonly known: string;
  readonly attempts: number;
  readonly acceptedAt: string;
  readonly editedAt: string;
  readonly dueAt: string | null;
}

/** `outbox` and `outboxCounts` of the API. */
export interface AnsweredOutbox {
  readonly outbox: { readonly changes: readonly AnsweredChange[]; readonly next: string | null };
  readonly outboxCounts: {
    readonly pending: number;
    readonly sent: number;
    readonly inDoubt: number;
    readonly parked: number;
    readonly oldestAcceptedAt: string | null;
  };
}

/** `KeptConflict` of the API. */
export interface AnsweredConflict {
  readonly user: string;
  readonly device: string;
  readonly changeId: string;
  readonly collection: string;
  readonly id: string;
  readonly conflict: {
    readonly kind: string;
    readonly baseVersion: string | null;
    readonly fields: readonly string[];
    readonly yours: object | null;
    readonly theirs: { readonly version: string; readonly kind: string; readonly json: object | null } | null;
  };
}

/** `PushResult` of the API. */
export interface AnsweredResult {
  readonly changeId: string;
  readonly status: string;
  readonly error: AnsweredError | null;
}
