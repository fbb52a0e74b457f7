const FATE = `changeId status error { code message field retryable fields { field message } } blockedBy
    conflict { kind baseVersion fields yours theirs { version json } }`;

export const PULL_DOCUMENT = `query TidegatePull($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) {
    changes { collection id version kind pending mine json unavailable { code } }
    receipts { ${FATE} }
    checkpoint hasMore reset resetReason complete epoch
  }
}`;

export const PUSH_DOCUMENT = `mutation TidegatePush($changes: [ChangeInput!]!, $sentAt: DateTime, $epoch: String) {
  push(changes: $changes, sentAt: $sentAt, epoch: $epoch) { results { ${FATE} } }
}`;

export const CHECK_DOCUMENT = `query TidegateCheck($since: Checkpoint!, $collections: [String!]) {
  check(since: $since, collections: $collections) { isCurrent collections { collection count hash } }
}`;

export const HINTS_DOCUMENT = `subscription TidegateHints($collections: [String!]) { hints(collections: $collections) { collections } }`;

/**
 * The operations of this release, as a gateway that executes only trusted documents has to know them. They ask for every field as `json`,
 * so that one document serves every collection, and pages leave the gateway as they are kept.
 */
export const DOCUMENTS = {
  pull: PULL_DOCUMENT,
  push: PUSH_DOCUMENT,
  check: CHECK_DOCUMENT,
  hints: HINTS_DOCUMENT,
} as const;
