import { GatewayFault, type Fate, type Gateway, type PulledPage, type SentChange } from '../../src/client/gateway.js';
import type { LocalStore, StoreWrites } from '../../src/client/local-store.js';
import { createMemoryStore, type MemoryContents } from '../../src/client/memory-store.js';
import { isRefused, type OutboxEntry } from '../../src/client/outbox-entry.js';
import { shownFields } from '../../src/client/overlay.js';
import type { AskedPage } from '../../src/client/page-rules.js';
import { createSyncEngine, type SyncEngine } from '../../src/client/sync-engine.js';
import type { Fields, RecordId } from '../../src/core/change.js';
import type { Session } from '../../src/core/session.js';
import { fullShape } from '../../src/core/shape.js';
import type { PullPage } from '../../src/pull/pull.js';
import {
  changesOf,
  keyOf,
  MOST_PAGES,
  see,
  sessionOf,
  type DeviceWitness,
  type HeldRow,
  type Seen,
  type WatchedDevice,
} from './device.js';
import type { LocalChange } from './local-change.js';
import { isNewEpoch } from './network.js';
import type { World } from './world.js';
import { firstSyncState } from '../support/first-sync-state.js';

const SHAPE = fullShape(['patients', 'visits']);
/** Most changes of one push. */
const BATCH = 5;

/** Faults that somebody could make in the client, between its engine and what it stands on. */
export interface SdkFaults {
  /** What is written instead. @param pages applied so far */
  readonly writes?: (writes: StoreWrites, pages: number) => StoreWrites;
  /** What is sent instead. */
  readonly sent?: (change: SentChange) => SentChange;
  /** A push does not say which epoch the device knows. */
  readonly isEpochHidden?: boolean;
  /** A late page is taken to continue whatever checkpoint there is. */
  readonly isLateTaken?: boolean;
  /** Edits that were sent are not shown any more. */
  readonly isSentHidden?: boolean;
}

/** A device that the client makes: its engine on a store in memory, with the world's network for its gateway. */
export class SdkDevice implements WatchedDevice {
  readonly name: string;
  scopes: readonly string[] = ['a', 'b'];
  readonly seen: Seen = new Map();
  private readonly contents: MemoryContents;
  private readonly store: LocalStore;
  private readonly changes = new Map<string, LocalChange>();
  /** By the checkpoints that each goes on from and leads to. */
  private readonly pages = new Map<string, PullPage>();
  private readonly limits = { changes: BATCH, characters: 1_000_000, page: 100 };
  private readonly witness: DeviceWitness;
  private readonly world: World;
  private readonly faults: SdkFaults;
  private engine: SyncEngine;
  private applied = 0;
  private asked = 0;

  constructor(name: string, witness: DeviceWitness, world: World, faults: SdkFaults = {}) {
    this.name = name;
    this.witness = witness;
    this.world = world;
    this.faults = faults;
    this.contents = { state: firstSyncState(name), records: new Map(), entries: new Map() };
    this.store = this.watched(createMemoryStore(this.contents));
    this.engine = this.start();
  }

  get rows(): ReadonlyMap<string, HeldRow> {
    const rows = new Map<string, HeldRow>();
    for (const held of this.contents.records.values()) {
      for (const { collection, id, version, fields, isPending } of held.values())
        rows.set(keyOf({ collection, id }), { collection, id: id as RecordId, version, fields, pending: isPending });
    }
    return rows;
  }

  get outbox(): readonly LocalChange[] {
    return [...this.contents.entries.values()]
      .filter((entry) => !isRefused(entry))
      .map((entry) => this.changeOf(entry));
  }

  session(): Session {
    return sessionOf(this);
  }

  shown(key: string): Fields | null {
    const at = key.indexOf(' ');
    const [collection, id] = [key.slice(0, at), key.slice(at + 1)];
    const own = [...this.contents.entries.values()].filter((entry) => keyOf(entry) === key);
    const laid = this.faults.isSentHidden === true ? own.filter((entry) => !entry.isSent) : own;
    return shownFields(this.contents.records.get(collection)?.get(id), laid);
  }

  keys(): readonly string[] {
    return [...new Set([...this.rows.keys(), ...[...this.contents.entries.values()].map(keyOf)])];
  }

  async edit(change: LocalChange): Promise<void> {
    const { changeId, collection, id, kind, isCreate, baseVersion, changedAtMs } = change;
    const fields = kind === 'DELETE' ? null : change.fields;
    const changedAt = new Date(changedAtMs).toISOString();
    this.changes.set(changeId, change);
    see(this.seen, keyOf(change), change.fields);
    await this.engine.add(async () => ({ changeId, collection, id, kind, fields, isCreate, baseVersion, changedAt }));
    this.witness.shows(this);
  }

  push(): Promise<void> {
    return this.reached(async () => {
      await this.engine.push();
    });
  }

  pull(limit: number): Promise<void> {
    this.limits.page = limit;
    this.asked = 0;
    return this.reached(() => this.engine.pull());
  }

  async forget(): Promise<void> {
    await this.engine.beginAgain();
    this.witness.shows(this);
  }

  /** The app starts anew, over what it keeps. */
  restart(): void {
    this.engine = this.start();
  }

  private start(): SyncEngine {
    return createSyncEngine({
      store: this.store,
      gateway: this.gateway(),
      nowMs: () => this.world.sim.nowMs(),
      newId: () => this.world.newId(),
      limits: this.limits,
      news: {
        changed: () => undefined,
        told: (entries) => {
          for (const entry of entries)
            if (entry.status !== 'UNANSWERED' && entry.status !== null)
              this.changes.get(entry.changeId)?.hear(entry.status);
          this.witness.shows(this);
        },
        reset: () => undefined,
        revoked: () => this.world.judge.fail(`${this.name} was revoked, and nobody did that`),
      },
    });
  }

  /** What no answer comes to is tried again by the next step; anything else is a fault of the client. */
  private async reached(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      if (!(thrown instanceof GatewayFault) || thrown.code !== 'UNREACHABLE') throw thrown;
    }
  }

  private gateway(): Gateway {
    const { network } = this.world;
    return {
      pull: async ({ since, limit }) => {
        if ((this.asked += 1) > MOST_PAGES) throw new Error(`(i) a round of ${this.name} does not end`);
        const session = this.session();
        const final = this.finalIds();
        const page = await network.request(
          this,
          'pull',
          (node) => node.pull(session, { since, collections: null, limit, shape: SHAPE }),
          // What comes after it was given up is looked at all the same: another tab may have asked for it.
          (late) => this.world.watch(this.applyLate({ since, final }, late)),
        );
        if (page === null) throw lost();
        return this.pageOf(page, since);
      },
      push: async (_device, changes, sentAt, epoch) => {
        const batch = changes.map((change) => this.changes.get(change.changeId) as LocalChange);
        const session = this.session();
        const known = this.faults.isEpochHidden === true ? null : epoch;
        const sent = changes.map((change) => this.faults.sent?.(change) ?? change);
        const results = await network
          .request(
            this,
            'push',
            async (node) => {
              const answered = await node.push.push(session, sent.map(asPushed), Date.parse(sentAt), known);
              this.world.tell(
                () => `${this.name} is told ${answered.map((one) => `${one.changeId} ${one.status}`).join(', ')}`,
              );
              void this.world.judge.told(this, batch, answered, epoch ?? null);
              return answered;
            },
            () => undefined,
          )
          .catch((thrown: unknown) => {
            throw isNewEpoch(thrown) ? new GatewayFault('NEW_EPOCH', 'the gateway was restored') : thrown;
          });
        if (results === null) throw lost();
        return results.map((result, at): Fate => ({ ...result, changeId: batch[at]?.changeId ?? '' }));
      },
      check: () => Promise.reject(lost()),
    };
  }

  private async applyLate(asked: AskedPage, page: PullPage): Promise<void> {
    const since = this.faults.isLateTaken === true ? (this.contents.state?.checkpoint ?? null) : asked.since;
    await this.engine.apply({ ...asked, since }, this.pageOf(page, since));
  }

  private pageOf(page: PullPage, since: string | null): PulledPage {
    this.pages.set(`${since} ${page.checkpoint}`, page);
    return { ...page, changes: changesOf(page) };
  }

  /** Tells the judge of each page that is kept. */
  private watched(store: LocalStore): LocalStore {
    return {
      ...store,
      commit: async (given, ifRevision) => {
        const writes = this.faults.writes?.(given, this.applied) ?? given;
        const before = this.contents.state?.checkpoint ?? null;
        if (!(await store.commit(writes, ifRevision))) return false;
        const page = this.pages.get(`${before} ${writes.state?.checkpoint}`);
        if (writes.seen === undefined || page === undefined) return true;
        this.applied += 1;
        const changes = changesOf(page);
        for (const change of changes) if (change.json !== null) see(this.seen, keyOf(change), change.json);
        this.witness.applied(this, page, changes, before);
        this.witness.shows(this);
        return true;
      },
    };
  }

  private finalIds(): ReadonlySet<string> {
    const entries = [...this.contents.entries.values()];
    return new Set(
      entries.filter(({ status }) => status === 'APPLIED' || status === 'MERGED').map((one) => one.changeId),
    );
  }

  private changeOf({ changeId, status }: OutboxEntry): LocalChange {
    const change = this.changes.get(changeId) as LocalChange;
    change.status = status === 'UNANSWERED' ? null : status;
    return change;
  }
}

function lost(): GatewayFault {
  return new GatewayFault('UNREACHABLE', 'no answer came');
}

function asPushed({ json, sentEpoch, ...change }: SentChange) {
  return { ...change, fields: json ?? null, sentEpoch: sentEpoch ?? null };
}
