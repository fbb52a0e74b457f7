/** Names and values of somebody's, as they may be put into a request. */
export interface Foreign {
  readonly checkpoint: string;
  readonly id: string;
  readonly version: string;
  readonly epoch: string;
  readonly changeId: string;
  readonly conflictId: string;
  readonly device: string;
  readonly user: string;
  readonly token: string;
  readonly intentNo: string;
  readonly place: string;
  readonly sourceKey: string;
}

/** One request that names what is not the asker's. */
export interface Probe {
  readonly query: string;
  readonly variables?: object;
}

const PULL = `query ($since: Checkpoint, $collections: [String!]) { pull(since: $since, collections: $collections) {
  changes { id version kind json mine pending } receipts { changeId status change { id } } checkpoint hasMore reset complete epoch } }`;
const PUSH = `mutation ($changes: [ChangeInput!]!) { push(changes: $changes) {
  results { changeId status error { code message field } blockedBy change { id version } conflict { theirs { json } } } epoch } }`;
const INTENT = 'intentNo changeId user device collection id kind state blockedBy fields';
const PROGRESS = 'collection source state records heldDeletions allowedDeletions quarantined';
const AUDIT = 'tenant rows { no action subject outcome hash } next anchor { no } head { no hash }';
const ERASURE = 'erased { states keys marks answers keptEdits listed devices registrations scopes } remains { what }';
const AT = '2026-01-01T08:00:00Z';

/**
 * What is asked of each operation of the schema with names and values that are somebody else's: the place where a new operation is entered.
 * Each probe leaves what it was before, or leaves the same whoever's names it has.
 */
export const PROBES: Readonly<Record<string, (theirs: Foreign) => readonly Probe[]>> = {
  // First: afterwards the asker's own log has the names that it tried.
  'Query.audit': ({ intentNo }) => [
    { query: `{ audit { ${AUDIT} } }` },
    { query: `query ($after: ID) { audit(after: $after) { ${AUDIT} } }`, variables: { after: intentNo } },
  ],
  'Query.pull': ({ checkpoint }) => [
    { query: PULL },
    { query: PULL, variables: { since: checkpoint } },
    { query: PULL, variables: { since: checkpoint, collections: ['visits'] } },
  ],
  'Query.collections': () => [{ query: '{ collections { name source recordCount } }' }],
  'Query.outbox': ({ intentNo }) => [
    { query: `{ outbox { changes { ${INTENT} } next } }` },
    {
      query: `query ($after: ID) { outbox(after: $after) { changes { ${INTENT} } next } }`,
      variables: { after: intentNo },
    },
    { query: `{ outbox(states: [PARKED], collection: "visits") { changes { ${INTENT} } next } }` },
  ],
  'Query.outboxCounts': () => [{ query: '{ outboxCounts { pending sent inDoubt parked } }' }],
  'Query.conflicts': ({ place }) => [
    { query: '{ conflicts { conflicts { user device changeId collection id conflict { yours } } next } }' },
    {
      query: 'query ($after: ID) { conflicts(after: $after) { conflicts { changeId } next } }',
      variables: { after: place },
    },
  ],
  'Query.epoch': () => [{ query: '{ epoch }' }],
  'Query.ingest': () => [{ query: `{ ingest { ${PROGRESS} } }` }],
  'Query.quarantine': () => [{ query: '{ quarantine(collection: "visits") { sourceKey field reason } }' }],
  'Mutation.push': ({ id, version, epoch, changeId, conflictId }) => {
    const change = { collection: 'visits', changedAt: AT };
    const edit = { ...change, kind: 'UPSERT', json: { notes: 'of somebody else' } };
    return [
      { ...edit, changeId: `edit-${changeId}`, id, baseVersion: version },
      { ...edit, changeId, id, baseVersion: version },
      { ...edit, changeId: conflictId, id: 'V-2', baseVersion: version },
      { ...edit, changeId: `later-${changeId}`, id, baseVersion: version, sentEpoch: epoch },
      { ...change, changeId: `delete-${changeId}`, kind: 'DELETE', id, baseVersion: version },
    ].map((one) => ({ query: PUSH, variables: { changes: [one] } }));
  },
  'Mutation.unregisterDevice': () => [{ query: 'mutation { unregisterDevice }' }],
  'Mutation.registerDevice': ({ token }) => [
    {
      query: 'mutation ($token: String!) { registerDevice(platform: ANDROID, token: $token) { id platform } }',
      variables: { token },
    },
    { query: 'mutation { unregisterDevice }' },
  ],
  'Mutation.retryChange': ({ intentNo }) =>
    [false, true].map((mayApplyTwice) => ({
      query: `mutation ($no: ID!, $may: Boolean) { retryChange(intentNo: $no, mayApplyTwice: $may) { ${INTENT} } }`,
      variables: { no: intentNo, may: mayApplyTwice },
    })),
  'Mutation.rejectChange': ({ intentNo }) => [
    {
      query: 'mutation ($no: ID!) { rejectChange(intentNo: $no, reason: "no") { changeId status } }',
      variables: { no: intentNo },
    },
  ],
  'Mutation.settleChange': ({ intentNo, sourceKey }) =>
    [null, sourceKey].map((key) => ({
      query: 'mutation ($no: ID!, $key: String) { settleChange(intentNo: $no, sourceKey: $key) { changeId status } }',
      variables: { no: intentNo, key },
    })),
  'Mutation.dismissConflict': ({ device, conflictId, user }) =>
    [null, user].map((owner) => ({
      query:
        'mutation ($device: ID!, $id: ID!, $user: String) { dismissConflict(device: $device, changeId: $id, user: $user) }',
      variables: { device, id: conflictId, user: owner },
    })),
  'Mutation.reapplyConflict': ({ device, conflictId, user }) =>
    [null, user].map((owner) => ({
      query: `mutation ($device: ID!, $id: ID!, $user: String) {
        reapplyConflict(device: $device, changeId: $id, user: $user) { changeId status error { code message } } }`,
      variables: { device, id: conflictId, user: owner },
    })),
  'Mutation.newEpoch': ({ epoch }) => [
    { query: 'mutation ($from: String!) { newEpoch(from: $from) }', variables: { from: epoch } },
  ],
  'Mutation.scanNow': () => [{ query: `mutation { scanNow(collection: "visits") { ${PROGRESS} } }` }],
  'Mutation.allowDeletions': () => [
    { query: `mutation { allowDeletions(collection: "visits", upTo: 1) { ${PROGRESS} } }` },
  ],
  'Query.check': ({ checkpoint }) => [
    {
      query: 'query ($since: Checkpoint!) { check(since: $since) { isCurrent collections { count hash } } }',
      variables: { since: checkpoint },
    },
  ],
  'Query.devices': ({ user, device }) => [
    { query: '{ devices(user: "west") { devices { user device state } next } }' },
    {
      query: 'query ($after: ID) { devices(after: $after, limit: 1) { devices { user device } next } }',
      variables: { after: `zz-${user}/${device}` },
    },
  ],
  'Mutation.revokeDevice': ({ user, device }) =>
    [null, user].map((owner) => ({
      query: 'mutation ($device: ID!, $user: String) { revokeDevice(device: $device, user: $user) { device state } }',
      variables: { device: `${device}-spare`, user: owner },
    })),
  'Mutation.eraseRecords': ({ id, sourceKey, conflictId }) =>
    [id, sourceKey, conflictId].map((one) => ({
      query: `mutation ($ids: [ID!]!) { eraseRecords(collection: "visits", ids: $ids) {
        ${ERASURE} unknown refused { id error { code message } } } }`,
      variables: { ids: [one] },
    })),
  'Mutation.eraseUser': ({ user, device }) =>
    [`${user}-spare`, device].map((one) => ({
      query: `mutation ($user: String!) { eraseUser(user: $user) { ${ERASURE} } }`,
      variables: { user: one },
    })),
  // Over HTTP it is refused; what comes over a socket is tested by itself.
  'Subscription.hints': () => [{ query: 'subscription { hints { collections } }' }],
};
