import type { ChangeKind, Fields, PushKind } from '../../core/change.js';
import type { ResetReason } from '../../core/checkpoint.js';
import type { ErrorCode } from '../../core/errors.js';
import type { PushStatus } from '../../core/intent.js';

/** One change of a page. */
export interface PulledChange {
  readonly collection: string;
  readonly id: string;
  readonly version: string;
  readonly kind: ChangeKind;
  readonly pending: boolean;
  /** Null for tombstones, and where the body could not be read now (F29). */
  readonly json: Fields | null;
}

/** Why a change was refused or waits. */
export interface GatewayError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field: string | null;
  readonly retryable: boolean;
}

/** What became of one pushed change: a push's result, or its receipt. */
export interface Fate {
  readonly changeId: string;
  readonly status: PushStatus;
  readonly error: GatewayError | null;
  readonly blockedBy: string | null;
  /** Of a CONFLICT: the fields in which it conflicts, the edit, and the record as it now stands. */
  readonly conflict: {
    readonly fields: readonly string[];
    readonly yours: Fields | null;
    readonly theirs: { readonly version: string; readonly json: Fields | null } | null;
  } | null;
}

/** One answer of pull. */
export interface PulledPage {
  readonly changes: readonly PulledChange[];
  readonly receipts: readonly Fate[];
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly reset: boolean;
  readonly resetReason: ResetReason | null;
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
  readonly json?: unknown;
  readonly sentEpoch?: string;
}

/** The way to a gateway. All of it is safe to repeat. @throws GatewayFault */
export interface Gateway {
  pull(device: string, since: string | null): Promise<PulledPage>;
  /** @returns one fate per change, in their order */
  push(device: string, changes: readonly SentChange[]): Promise<readonly Fate[]>;
}

/** Headers of a request, like `authorization`; asked for before each. */
export type HeaderSource = () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;

/** A request that failed as a whole. UNREACHABLE: no answer came, or none of a gateway's. */
export class GatewayFault extends Error {
  readonly code: ErrorCode | 'UNREACHABLE';

  constructor(code: ErrorCode | 'UNREACHABLE', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'GatewayFault';
    this.code = code;
  }
}

/** Longest wait for an answer: a push waits for its source, 2 s unless configured. */
const TIMEOUT_MS = 60_000;

const FATE = `changeId status error { code message field retryable } blockedBy
  conflict { fields yours theirs { version json } }`;
const PULL = `query ($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) {
    changes { collection id version kind pending json }
    receipts { ${FATE} }
    checkpoint hasMore reset resetReason complete epoch
  }
}`;
const PUSH = `mutation ($changes: [ChangeInput!]!, $sentAt: DateTime) {
  push(changes: $changes, sentAt: $sentAt) { results { ${FATE} } }
}`;

/** @param url of GraphQL, like https://sync.example.com/graphql */
export function createHttpGateway(
  url: string,
  options: { readonly collections: readonly string[]; readonly pageSize: number; readonly headers: HeaderSource },
): Gateway {
  const { collections, pageSize, headers } = options;

  async function ask<Answer>(device: string, query: string, variables: object): Promise<Answer> {
    let answered: { readonly data?: Answer | null; readonly errors?: readonly WireError[] };
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...(await headers()), 'content-type': 'application/json', 'tidegate-device': device },
        body: JSON.stringify({ query, variables }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      answered = (await response.json()) as typeof answered;
    } catch (cause) {
      throw new GatewayFault('UNREACHABLE', `expected an answer of ${url}, got ${String(cause)}`, cause);
    }
    const [error] = answered.errors ?? [];
    if (error !== undefined) throw new GatewayFault(error.extensions?.code ?? 'INTERNAL', error.message);
    if (answered.data === undefined || answered.data === null)
      throw new GatewayFault('UNREACHABLE', `expected an answer of GraphQL from ${url}, got something else`);
    return answered.data;
  }

  return {
    async pull(device, since) {
      const variables = { since, collections, limit: pageSize };
      return (await ask<{ readonly pull: PulledPage }>(device, PULL, variables)).pull;
    },
    async push(device, changes) {
      const variables = { changes, sentAt: new Date().toISOString() };
      return (await ask<{ readonly push: { readonly results: readonly Fate[] } }>(device, PUSH, variables)).push
        .results;
    },
  };
}

interface WireError {
  readonly message: string;
  readonly extensions?: { readonly code?: ErrorCode };
}
