const FATE = `changeId status error { code message field retryable fields { field message } } blockedBy
    conflict { kind baseVersion fields yours theirs { version json } }`;

/**
 * The operations of this release, as a gateway that executes only trusted documents has to know them. They ask for every field as `json`,
 * so that one document serves every collection, and pages leave the gateway as they are kept.
 */
export const DOCUMENTS = {
  pull: `query TidegatePull($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) {
    changes { collection id version kind pending json unavailable { code } }
    receipts { ${FATE} }
    checkpoint hasMore reset resetReason complete epoch
  }
}`,
  push: `mutation TidegatePush($changes: [ChangeInput!]!, $sentAt: DateTime) {
  push(changes: $changes, sentAt: $sentAt) { results { ${FATE} } }
}`,
  check: `query TidegateCheck($since: Checkpoint!, $collections: [String!]) {
  check(since: $since, collections: $collections) { isCurrent collections { collection count hash } }
}`,
  hints: `subscription TidegateHints($collections: [String!]) { hints(collections: $collections) { collections } }`,
} as const;
