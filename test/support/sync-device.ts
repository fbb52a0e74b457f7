import { createHash } from 'node:crypto';
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
  /** Hands edits over, as made now if they do not say when: one that may be pushed again does (R7). @returns their fates, in order */
  push(edits: readonly PushedEdit[]): Promise<readonly Fate[]>;
  held(collection: string, id: string): Held;
  /** Collections of which it does not hold what it must; null: there is something to pull first. */
  drifted(): Promise<readonly string[] | null>;
  /** Pulls a collection alone from the start, and replaces it. */
  mend(collection: string): Promise<void>;
  /** Its store goes wrong: a record is another one, or (null) gone. */
  damage(key: string, held: Held | null): void;
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

const CHECK = `query ($since: Checkpoint!, $collections: [String!]) {
  check(since: $since, collections: $collections) { isCurrent collections { collection count hash } }
}`;

interface CollectionCheck {
  readonly collection: string;
  readonly count: number;
  readonly hash: string;
}

interface Check {
  readonly isCurrent: boolean;
  readonly collections: readonly CollectionCheck[];
}

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

  function differs({ collection, count, hash }: CollectionCheck): boolean {
    const versions = [...records].filter(([key]) => key.startsWith(`${collection} `)).map(([, { version }]) => version);
    const sum = versions.reduce(
      (total, version) => total + createHash('sha256').update(version).digest().readBigUInt64BE(),
      0n,
    );
    return versions.length !== count || BigInt.asUintN(64, sum).toString(16).padStart(16, '0') !== hash;
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
    async drifted() {
      const { check } = await ask<{ readonly check: Check }>(CHECK, { since: checkpoint, collections });
      return check.isCurrent ? check.collections.filter(differs).map((one) => one.collection) : null;
    },
    async mend(collection) {
      const copy = createSyncDevice(name, urlOf, [collection], user);
      await copy.pull();
      for (const key of [...records.keys()]) if (key.startsWith(`${collection} `)) records.delete(key);
      for (const [key, record] of copy.records) records.set(key, record);
    },
    damage(key, held) {
      if (held === null) records.delete(key);
      else records.set(key, held);
    },
    held(collection, id) {
      const record = records.get(`${collection} ${id}`);
      if (record === undefined) throw new Error(`expected ${name} to hold ${id} of ${collection}`);
      return record;
    },
  };
  return device;
}
