import { GraphQLClient } from 'graphql-request';

/** A record as a device holds it. */
export interface Held {
  readonly version: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A change as these devices ask for it. */
export interface PulledChange {
  readonly collection: string;
  readonly id: string;
  readonly kind: 'UPSERT' | 'DELETE' | 'REVOKE';
  readonly version: string;
  readonly pending: boolean;
  readonly mine: readonly string[];
  readonly json: Readonly<Record<string, unknown>> | null;
}

/** The fate of a pushed change: a push's result, or the receipt that came later. */
export interface Fate {
  readonly changeId: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string; readonly field: string | null } | null;
  readonly change?: Pick<PulledChange, 'version' | 'json'> | null;
}

export interface PulledPage {
  readonly changes: readonly PulledChange[];
  readonly receipts: readonly Fate[];
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly reset: boolean;
  readonly complete: boolean;
  readonly epoch: string;
}

/** A pushed change without what every change has. */
export type PushedEdit = Readonly<Record<string, unknown>> & { readonly changeId: string; readonly id: string };

/** An app's store as the protocol asks of it: records and checkpoint move together, page by page. */
export interface SyncDevice {
  readonly name: string;
  /** By collection and id, like `visits V-1`. */
  readonly records: ReadonlyMap<string, Held>;
  /** Final fates and PARKED ones that came by receipt. */
  readonly receipts: ReadonlyMap<string, Fate>;
  readonly checkpoint: string | null;
  /** The epoch of the last page; null before the first. */
  readonly epoch: string | null;
  /** Rounds that began anew although a checkpoint was given. */
  readonly resets: number;
  /** One page, applied. @param through the gateway to ask; its own by default */
  page(limit: number, through?: string): Promise<PulledPage>;
  /** Pages until there is no more; what came, in order. */
  pull(limit?: number): Promise<readonly PulledChange[]>;
  /** Hands edits over as made now. @returns their fates, in order */
  push(edits: readonly PushedEdit[]): Promise<readonly Fate[]>;
  held(collection: string, id: string): Held;
}

const PULL = `query ($since: Checkpoint, $collections: [String!], $limit: Int) {
  pull(since: $since, collections: $collections, limit: $limit) {
    changes { collection id kind version pending mine json }
    receipts { changeId status error { code message field } }
    checkpoint hasMore reset complete epoch
  }
}`;
const PUSH = `mutation ($changes: [ChangeInput!]!, $sentAt: DateTime) {
  push(changes: $changes, sentAt: $sentAt) {
    results { changeId status error { code message field } change { version json } }
  }
}`;

/**
 * @param urlOf where its gateway is: another address after a restart
 * @param user one of development mode; absent: the developer
 */
export function createSyncDevice(
  name: string,
  urlOf: () => string,
  collections: readonly string[] | null = null,
  user?: string,
): SyncDevice {
  const records = new Map<string, Held>();
  const receipts = new Map<string, Fate>();
  let checkpoint: string | null = null;
  let epoch: string | null = null;
  let resets = 0;

  function ask<Answer>(query: string, variables: object, url = urlOf()): Promise<Answer> {
    const authorization = user === undefined ? {} : { authorization: `Bearer ${user}` };
    return new GraphQLClient(`${url}/graphql`, {
      headers: { 'tidegate-device': name, ...authorization },
    }).request<Answer>(query, variables);
  }

  function apply(page: PulledPage): void {
    if (page.reset) {
      records.clear();
      resets += 1;
    }
    for (const { collection, id, kind, version, json } of page.changes) {
      if (kind === 'UPSERT' && json !== null) records.set(`${collection} ${id}`, { version, json });
      else records.delete(`${collection} ${id}`);
    }
    for (const receipt of page.receipts) receipts.set(receipt.changeId, receipt);
    checkpoint = page.checkpoint;
    epoch = page.epoch;
  }

  const device: SyncDevice = {
    name,
    records,
    receipts,
    get checkpoint() {
      return checkpoint;
    },
    get epoch() {
      return epoch;
    },
    get resets() {
      return resets;
    },
    async page(limit, through) {
      const variables = { since: checkpoint, collections, limit };
      const { pull } = await ask<{ readonly pull: PulledPage }>(PULL, variables, through);
      apply(pull);
      return pull;
    },
    async pull(limit = 1_000) {
      const changes: PulledChange[] = [];
      for (;;) {
        const page = await device.page(limit);
        changes.push(...page.changes);
        if (!page.hasMore) return changes;
      }
    },
    async push(edits) {
      const now = new Date().toISOString();
      const changes = edits.map((edit) => ({ kind: 'UPSERT', changedAt: now, ...edit }));
      const answer = await ask<{ readonly push: { readonly results: readonly Fate[] } }>(PUSH, {
        changes,
        sentAt: now,
      });
      return answer.push.results;
    },
    held(collection, id) {
      const record = records.get(`${collection} ${id}`);
      if (record === undefined) throw new Error(`expected ${name} to hold ${id} of ${collection}`);
      return record;
    },
  };
  return device;
}
