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

const CHANGE = `
  intentNo changeId user device collection id kind state error { code message field retryable } blockedBy fields
  call { kind sourceKey fields guard } known attempts acceptedAt editedAt dueAt`;
const RESULT = 'changeId status error { code message field retryable }';

export const READ_OUTBOX = `
  query ($states: [OpenState!], $collection: String, $after: ID, $limit: Int) {
    outbox(states: $states, collection: $collection, after: $after, limit: $limit) { changes { ${CHANGE} } next }
    outboxCounts { pending sent inDoubt parked oldestAcceptedAt }
  }`;

export const READ_CONFLICTS = `
  query ($after: ID, $limit: Int) {
    conflicts(after: $after, limit: $limit) {
      conflicts {
        user device changeId collection id error { code message field retryable }
        conflict { kind baseVersion fields yours theirs { version changedAt kind pending json } }
      }
      next
    }
  }`;

export const RETRY = `
  mutation ($intentNo: ID!, $mayApplyTwice: Boolean) {
    retryChange(intentNo: $intentNo, mayApplyTwice: $mayApplyTwice) { ${CHANGE} }
  }`;

export const REJECT = `
  mutation ($intentNo: ID!, $reason: String!) { rejectChange(intentNo: $intentNo, reason: $reason) { ${RESULT} } }`;

export const SETTLE = `
  mutation ($intentNo: ID!, $sourceKey: String) { settleChange(intentNo: $intentNo, sourceKey: $sourceKey) { ${RESULT} } }`;

export const DISMISS = `
  mutation ($device: ID!, $changeId: ID!, $user: String) {
    dismissConflict(device: $device, changeId: $changeId, user: $user)
  }`;

export const REAPPLY = `
  mutation ($device: ID!, $changeId: ID!, $user: String) {
    reapplyConflict(device: $device, changeId: $changeId, user: $user) { ${RESULT} }
  }`;
