/** A document that a command of this program sends to a running gateway. */
export interface OwnOperation {
  readonly document: string;
}

const documents: string[] = [];

function own(document: string): OwnOperation {
  documents.push(document);
  return { document };
}

const CHANGE = `
  intentNo changeId user device collection id kind state error { code message field retryable } blockedBy fields
  call { kind sourceKey fields guard } known attempts acceptedAt editedAt dueAt`;
const RESULT = 'changeId status error { code message field retryable }';

export const READ_OUTBOX = own(`
  query ($states: [OpenState!], $collection: String, $after: ID, $limit: Int) {
    outbox(states: $states, collection: $collection, after: $after, limit: $limit) { changes { ${CHANGE} } next }
    outboxCounts { pending sent inDoubt parked oldestAcceptedAt }
  }`);

export const READ_CONFLICTS = own(`
  query ($after: ID, $limit: Int) {
    conflicts(after: $after, limit: $limit) {
      conflicts {
        user device changeId collection id error { code message field retryable }
        conflict { kind baseVersion fields yours theirs { version changedAt kind pending json } }
      }
      next
    }
  }`);

export const RETRY = own(`
  mutation ($intentNo: ID!, $mayApplyTwice: Boolean) {
    retryChange(intentNo: $intentNo, mayApplyTwice: $mayApplyTwice) { ${CHANGE} }
  }`);

export const REJECT = own(`
  mutation ($intentNo: ID!, $reason: String!) { rejectChange(intentNo: $intentNo, reason: $reason) { ${RESULT} } }`);

export const SETTLE = own(`
  mutation ($intentNo: ID!, $sourceKey: String) { settleChange(intentNo: $intentNo, sourceKey: $sourceKey) { ${RESULT} } }`);

export const DISMISS = own(`
  mutation ($device: ID!, $changeId: ID!, $user: String) {
    dismissConflict(device: $device, changeId: $changeId, user: $user)
  }`);

export const REAPPLY = own(`
  mutation ($device: ID!, $changeId: ID!, $user: String) {
    reapplyConflict(device: $device, changeId: $changeId, user: $user) { ${RESULT} }
  }`);

const PROGRESS =
  '{ collection source state records heldDeletions allowedDeletions quarantined polledAt scannedAt isScanAsked }';

export const READ_INGEST = own(`{ ingest ${PROGRESS} }`);

export const READ_QUARANTINE = own(
  'query ($collection: ID!) { quarantine(collection: $collection) { sourceKey field reason firstSeenAt lastSeenAt } }',
);

export const SCAN_NOW = own(`mutation ($collection: ID!) { done: scanNow(collection: $collection) ${PROGRESS} }`);

export const ALLOW_DELETIONS = own(
  `mutation ($collection: ID!, $upTo: Int!) { done: allowDeletions(collection: $collection, upTo: $upTo) ${PROGRESS} }`,
);

const DEVICE = '{ user device state platform pulledAt hintedAt isStale seenAt revokedAt }';

export const READ_DEVICES = own(
  `query ($user: String, $after: ID) { devices(user: $user, after: $after, limit: 1000) { devices ${DEVICE} next } }`,
);

export const REVOKE_DEVICE = own(
  `mutation ($device: ID!, $user: String!) { revokeDevice(device: $device, user: $user) ${DEVICE} }`,
);

const ERASURE = `{
  erased { states keys marks answers keptEdits listed devices registrations scopes }
  unknown refused { id error { code message field retryable } } remains { what until } }`;

export const ERASE_RECORDS = own(
  `mutation ($collection: ID!, $ids: [ID!]!) { eraseRecords(collection: $collection, ids: $ids) ${ERASURE} }`,
);

export const ERASE_USER = own(`mutation ($user: String!) { eraseUser(user: $user) ${ERASURE} }`);

export const READ_AUDIT = own(`query ($after: ID, $limit: Int) { audit(after: $after, limit: $limit) {
  tenant next anchor { no hash } head { no hash }
  rows { no at user device action collection subject outcome count outcomeOf previous hash } } }`);

export const READ_EPOCH = own('{ epoch }');

export const NEW_EPOCH = own('mutation ($from: String!) { newEpoch(from: $from) }');

/** All of them: a gateway with a list of trusted documents takes these besides. */
export const OWN_DOCUMENTS: readonly string[] = documents;
