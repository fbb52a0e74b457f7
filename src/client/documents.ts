const FATE = `changeId status error { code message field retryable fields { field message } } blockedBy
    conflict { kind baseVersion fields yours theirs { version json } }`;

/** One page of what changed: variables `since` (null: from the start), `collections` (null: all) and `limit` (1 to 5,000). Safe to repeat. */
export const PULL_DOCUMENT = `query TidegatePull($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) {
    changes { collection id version kind pending mine json unavailable { code } }
    receipts { ${FATE} }
    checkpoint hasMore reset resetReason complete epoch
  }
}`;

/** Changes to the gateway: variables `changes`, `sentAt` (ISO 8601) and `epoch`. A repeat under the same ids gets the stored answers (R7). */
export const PUSH_DOCUMENT = `mutation TidegatePush($changes: [ChangeInput!]!, $sentAt: DateTime, $epoch: String) {
  push(changes: $changes, sentAt: $sentAt, epoch: $epoch) { results { ${FATE} } }
}`;

/** What a device must hold, count and hash by collection: variables `since` and `collections`, as in its last pull. Safe to repeat. */
export const CHECK_DOCUMENT = `query TidegateCheck($since: Checkpoint!, $collections: [String!]) {
  check(since: $since, collections: $collections) { isCurrent collections { collection count hash } }
}`;

/** Names of collections in which something changed, for as long as the line is open: variable `collections` (null: all). See R18. */
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
