import { checkOptions } from './checked-options.js';
import { deviceChance, deviceClock, uuidBy } from './client-clock.js';
import type { SyncClientOptions, SyncEvents } from './client-options.js';
import { deviceDigest, mendDrift } from './drift-check.js';
import type { Headers } from './exchange.js';
import { keepHintLine } from './hint-line.js';
import { createHttpGateway } from './http-gateway.js';
import { createLiveQueries } from './live-queries.js';
import { createLocalCollection, type LocalCollection } from './local-collection.js';
import type { RecordName } from './local-store.js';
import type { Observed, Stop } from './observed.js';
import { keptFor, openStanding } from './opened-store.js';
import { isRefused, type Edit, type OutboxEntry } from './outbox-entry.js';
import { createOutbox, type Outbox } from './outbox.js';
import { PUSH_LIMITS } from './portions.js';
import { createSyncCycle } from './sync-cycle.js';
import { createSyncEngine } from './sync-engine.js';
import { createSyncLoop, DEFAULT_PACE } from './sync-loop.js';
import { createStatusBoard, type SyncStatus } from './sync-status.js';
import { openTabs } from './tabs.js';
import { pageTriggers } from './triggers.js';
import { createTurns } from './turns.js';

export type { SyncClientOptions, SyncEvents } from './client-options.js';
export type { Fetch } from './exchange.js';
export type { LocalRecord } from './overlay.js';
export type { OutboxEntry } from './outbox-entry.js';
export type { SyncStatus } from './sync-status.js';

/** For a page of an app's support: no field of any record. */
export interface SyncDiagnostics extends SyncStatus {
  /** This installation's id, as the gateway knows it. */
  readonly device: string;
  /** Of its last page; null: nothing was pulled yet. */
  readonly epoch: string | null;
  /** False: the next pull begins an initial sync. */
  readonly hasCheckpoint: boolean;
  /** An operator took its rights away, for ever: it holds nothing any more. */
  readonly isRevoked: boolean;
  /** Entries of the outbox by status; QUEUED are those that wait to be sent. */
  readonly outbox: Readonly<Record<string, number>>;
}

/**
 * One device: its records, its edits and its syncing. Everything but `sync` and `check` works without a network;
 * these two throw CLOSED after `close`.
 *
 * @typeParam Collections the record type of each collection, as generated from the gateway's schema
 */
export interface SyncClient<Collections> {
  /**
   * The records of one collection.
   *
   * @throws GatewayFault VALIDATION - the client was given a list of `collections`, and this name is not in it
   */
  collection<Name extends keyof Collections & string>(name: Name): LocalCollection<Collections[Name]>;
  /** How syncing stands; observed, it is told each state once. */
  readonly status: Observed<SyncStatus>;
  /** The edits that are not in effect yet, or never will be, and what to do with those that were refused. */
  readonly outbox: Outbox;
  /** Syncs by itself from now on: at once, after edits, by hints, by triggers, and at an interval. */
  start(): void;
  /** Pushes, then pulls. @throws GatewayFault why it could not */
  sync(): Promise<void>;
  /** Begins with an initial sync next time. What is held stays until it came again or is swept; unsent edits stay. */
  beginAgain(): Promise<void>;
  /**
   * Does this device hold what it must? What had drifted is pulled anew. Costs a request and a hash of each record's version: once a day.
   *
   * @returns the collections that had drifted; null: nobody can say now, so that it is asked another time
   * @throws GatewayFault
   */
  check(): Promise<readonly string[] | null>;
  /** Where this device stands, for the app's support; no field of any record. */
  diagnostics(): Promise<SyncDiagnostics>;
  /** Ends everything and closes the store. Safe to repeat. */
  close(): Promise<void>;
}

const PAGE_LIMIT = 1_000;
const TIMEOUT_MS = 30_000;

/**
 * Opens a device: local records, an outbox, and the syncing between. Works without a network from the first moment.
 *
 * @throws GatewayFault VALIDATION - an address, or a store, that cannot work; and whatever the store throws when it cannot be read
 */
export async function createSyncClient<
  Collections extends { readonly [Name in keyof Collections]: object } = Record<string, Record<string, unknown>>,
>(options: SyncClientOptions): Promise<SyncClient<Collections>> {
  const checkName = checkOptions(options);
  const { url, hints, on = {}, clock = deviceClock, chance = deviceChance } = options;
  const headers: Headers = options.headers ?? (() => ({}));
  const pace = { ...DEFAULT_PACE, ...options.pace };
  const limits = { ...PUSH_LIMITS, page: PAGE_LIMIT, ...options.limits };
  const nowMs = (): number => clock.nowMs();
  const newId = (): string => uuidBy(chance);
  const opened = await openStanding(options.store, options, newId);
  const store = keptFor(options.user, options.store);
  const board = createStatusBoard(store, opened);
  const queries = createLiveQueries(board.failed);
  const tabs = openTabs(store, (names) => {
    queries.changed(names);
    board.refresh().catch(board.failed);
  });
  const changed = (names: readonly RecordName[] | null): void => {
    queries.changed(names);
    tabs.tell(names);
  };
  const gateway =
    options.gateway ??
    createHttpGateway({
      url,
      headers,
      signIn: options.signIn,
      fetch: options.fetch ?? globalThis.fetch,
      clock,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    });
  const stops: Stop[] = [];
  const stopListening = (): void => {
    for (const stop of stops.splice(0)) stop();
  };
  /** Everything is kept by then: a fault of the app keeps nothing from going on, and no other event from being told. */
  function appHears(tell: () => void): void {
    try {
      tell();
    } catch (thrown) {
      board.failed(thrown);
    }
  }
  const engine = createSyncEngine({
    store,
    gateway,
    nowMs,
    newId,
    limits,
    news: {
      changed,
      told(entries) {
        for (const entry of entries) appHears(() => tellApp(on, entry));
      },
      reset: (reason) => appHears(() => on.reset?.(reason)),
      revoked() {
        stopListening();
        appHears(() => on.revoked?.());
      },
    },
  });
  const cycle = createSyncCycle(engine, store, board);
  const loop = createSyncLoop(() => tabs.alone(cycle), { clock, chance, pace }, board.failed);
  let isStarted = false;

  function start(): void {
    if (isStarted) return;
    isStarted = true;
    loop.start();
    const line =
      hints &&
      keepHintLine({
        transport: hints,
        session: async () => ({
          url: url.replace(/^http/, 'ws'),
          device: (await store.readState())?.device ?? '',
          headers: await headers(),
          collections: options.collections ?? null,
        }),
        clock,
        chance,
        retryMs: pace.retryMs,
        mostRetryMs: pace.mostRetryMs,
        connected: board.listening,
        hinted: () => loop.wake(true),
      });
    const stopTriggers = (options.triggers ?? pageTriggers)(() => {
      line?.retry();
      loop.wake(true);
    });
    stops.push(stopTriggers, () => line?.stop());
  }

  /** One edit at a time: each is made from what those before it left. */
  const editing = createTurns();
  async function add(...given: Parameters<typeof engine.add>): Promise<Edit | null> {
    const edit = await editing(() => engine.add(...given));
    if (edit === null) return null;
    board.say({ pendingCount: board.observed.get().pendingCount + 1 });
    loop.wake(false);
    return edit;
  }

  const parts = { store, queries, nowMs, newId, add };
  return {
    collection(name) {
      checkName(name);
      return createLocalCollection<Collections[typeof name]>(name, parts);
    },
    status: board.observed,
    outbox: createOutbox({ ...parts, engine, wake: () => loop.wake(true), discarded: board.refresh }),
    start,
    sync() {
      engine.release();
      return loop.run();
    },
    beginAgain: () => engine.beginAgain(),
    check() {
      const drift = { store, gateway, digest: options.digest ?? deviceDigest, page: limits.page, changed };
      return loop.alone(() => tabs.alone(() => mendDrift(drift)));
    },
    async diagnostics() {
      const { state, entries } = await store.readSync();
      const outbox: Record<string, number> = {};
      for (const { status: fate } of entries) outbox[fate ?? 'QUEUED'] = (outbox[fate ?? 'QUEUED'] ?? 0) + 1;
      return {
        ...board.observed.get(),
        device: state?.device ?? '',
        epoch: state?.epoch ?? null,
        hasCheckpoint: (state?.checkpoint ?? null) !== null,
        isRevoked: state?.isRevoked ?? false,
        outbox,
      };
    },
    async close() {
      stopListening();
      await loop.stop();
      queries.stop();
      tabs.close();
      await store.close();
    },
  };
}

function tellApp(on: SyncEvents, entry: OutboxEntry): void {
  on.fate?.(entry);
  if (entry.status === 'CONFLICT') on.conflict?.(entry);
  else if (isRefused(entry)) on.rejected?.(entry);
  else if (entry.status === 'PARKED') on.parked?.(entry);
  else if (entry.status === 'UNANSWERED') on.unanswered?.(entry);
}
