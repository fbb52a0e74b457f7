import type { ResetReason } from '../core/checkpoint.js';
import { deviceChance, deviceClock, uuidBy, type ClientChance, type ClientClock } from './client-clock.js';
import { deviceDigest, mendDrift, type Digest } from './drift-check.js';
import { createHttpGateway, type Fetch, type Headers } from './http-gateway.js';
import { keepHintLine } from './hint-line.js';
import type { HintTransport } from './hints.js';
import { GatewayFault, type FaultCode, type Gateway } from './gateway.js';
import { createLiveQueries } from './live-queries.js';
import { createLocalCollection, type LocalCollection } from './local-collection.js';
import type { LocalStore } from './local-store.js';
import { createCell, type Observed } from './observed.js';
import { openStanding } from './opened-store.js';
import { isOpen, isRefused, type OutboxEntry } from './outbox-entry.js';
import { createOutbox, type Outbox } from './outbox.js';
import type { PushLimits } from './push-rules.js';
import { createSyncEngine } from './sync-engine.js';
import { createSyncLoop, DEFAULT_PACE, type Pace } from './sync-loop.js';
import { openTabs } from './tabs.js';
import { pageTriggers, type Triggers } from './triggers.js';

export type { Fetch } from './http-gateway.js';
export type { LocalRecord } from './overlay.js';
export type { OutboxEntry } from './outbox-entry.js';

/** What a sync client is made of. Everything but `url` and `store` has a default. */
export interface SyncClientOptions {
  /** Of the gateway's `/graphql`. */
  readonly url: string;
  readonly store: LocalStore;
  /** Names of collections; absent: all that the gateway has. Another list begins an initial sync. */
  readonly collections?: readonly string[];
  /** Whose records these are. When it is another one than last time, everything is wiped before anything is shown (F24). */
  readonly user?: string;
  /** Credentials of each request, like `authorization`. */
  readonly headers?: Headers;
  /** Gets new credentials when the gateway says UNAUTHENTICATED. */
  readonly signIn?: () => Promise<void>;
  /** This installation's id, kept outside of phone backups (F11). Absent: it is made, and kept in the store. */
  readonly device?: string;
  /** Absent: none, and the interval has to do. */
  readonly hints?: HintTransport;
  readonly triggers?: Triggers;
  readonly on?: SyncEvents;
  readonly pace?: Partial<Pace>;
  readonly limits?: Partial<PushLimits> & { readonly page?: number };
  /** After which time a request is given up, ms. */
  readonly timeoutMs?: number;
  readonly fetch?: Fetch;
  /** Another way to the gateway than HTTP. */
  readonly gateway?: Gateway;
  /** SHA-256, for `check`. Absent: the machine's, which React Native does not have. */
  readonly digest?: Digest;
  readonly clock?: ClientClock;
  readonly chance?: ClientChance;
}

/** What an app may want to hear of. Everything is kept before it is told, and stays in the outbox until the app discards it. */
export interface SyncEvents {
  /** Anything that an edit was told, ACCEPTED included. */
  readonly fate?: (entry: OutboxEntry) => void;
  /** Made from a version that is no longer current, and refused: `entry.conflict` has base, theirs and yours. */
  readonly conflict?: (entry: OutboxEntry) => void;
  /** Refused: `entry.error` has the reason. */
  readonly rejected?: (entry: OutboxEntry) => void;
  /** An operator has to settle it; a final fate follows. */
  readonly parked?: (entry: OutboxEntry) => void;
  /** Sent under a device id that is no more: whether it took effect nobody can tell any more. */
  readonly unanswered?: (entry: OutboxEntry) => void;
  /** An initial sync begins; unsent edits stay. */
  readonly reset?: (reason: ResetReason | null) => void;
  /** Everything was removed, for ever. */
  readonly revoked?: () => void;
}

/** How syncing stands. */
export interface SyncStatus {
  /** The last request came through, or a line of hints is open. */
  readonly isConnected: boolean;
  readonly isSyncing: boolean;
  /** When a round last ended, ms since 1970; null: never. */
  readonly lastSyncedAtMs: number | null;
  /** Edits that wait for the gateway or for their source. */
  readonly pendingCount: number;
  /** Why the last try failed; null: it did not. */
  readonly error: { readonly code: FaultCode; readonly message: string } | null;
}

/** For a page of an app's support: no field of any record. */
export interface SyncDiagnostics extends SyncStatus {
  readonly device: string;
  readonly epoch: string | null;
  readonly hasCheckpoint: boolean;
  readonly isRevoked: boolean;
  /** Entries of the outbox by status; QUEUED are those that wait to be sent. */
  readonly outbox: Readonly<Record<string, number>>;
}

/** @typeParam Collections the record type of each collection, as generated from the gateway's schema */
export interface SyncClient<Collections> {
  collection<Name extends keyof Collections & string>(name: Name): LocalCollection<Collections[Name]>;
  readonly status: Observed<SyncStatus>;
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
  diagnostics(): Promise<SyncDiagnostics>;
  /** Ends everything and closes the store. Safe to repeat. */
  close(): Promise<void>;
}

const PUSH_LIMITS: PushLimits = { changes: 250, characters: 500_000 };
const PAGE_LIMIT = 1_000;
const TIMEOUT_MS = 30_000;

/**
 * Opens a device: local records, an outbox, and the syncing between. Works without a network from the first moment.
 *
 * @throws whatever the store throws when it cannot be read
 */
export async function createSyncClient<
  Collections extends { readonly [Name in keyof Collections]: object } = Record<string, Record<string, unknown>>,
>(options: SyncClientOptions): Promise<SyncClient<Collections>> {
  const { url, store, hints, on = {}, clock = deviceClock, chance = deviceChance } = options;
  const headers: Headers = options.headers ?? (() => ({}));
  const pace = { ...DEFAULT_PACE, ...options.pace };
  const nowMs = (): number => clock.nowMs();
  const newId = (): string => uuidBy(chance);
  const opened = await openStanding(store, options, newId);
  const status = createCell<SyncStatus>({
    isConnected: false,
    isSyncing: false,
    lastSyncedAtMs: opened.state.lastSyncedAtMs,
    pendingCount: opened.entries.filter(isOpen).length,
    error: null,
  });
  const say = (part: Partial<SyncStatus>): void => status.set({ ...status.get(), ...part });
  const failed = (thrown: unknown): void => {
    const { code, message } = GatewayFault.from(thrown, 'LOCAL_STORE');
    say({ error: { code, message } });
  };
  const queries = createLiveQueries(failed);
  const tabs = openTabs(store, (names) => queries.changed(names));

  const changed = (names: Parameters<typeof queries.changed>[0]): void => {
    queries.changed(names);
    tabs.tell(names);
  };
  const limits = { ...PUSH_LIMITS, page: PAGE_LIMIT, ...options.limits };
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

  const engine = createSyncEngine({
    store,
    gateway,
    nowMs,
    newId,
    limits,
    news: {
      changed,
      told(entries) {
        for (const entry of entries) tellApp(on, entry);
      },
      reset: (reason) => on.reset?.(reason),
      revoked: () => on.revoked?.(),
    },
  });

  async function readStatus(): Promise<void> {
    const { state, entries } = await store.readSync();
    say({ lastSyncedAtMs: state?.lastSyncedAtMs ?? null, pendingCount: entries.filter(isOpen).length });
  }

  /** Push before pull; what came to be sent meanwhile, and what waited for an epoch, once more. */
  async function cycle(): Promise<boolean> {
    say({ isSyncing: true });
    try {
      const pushed = await engine.push().catch((thrown: unknown) => GatewayFault.from(thrown, 'LOCAL_STORE'));
      // A change that the gateway cannot take keeps nobody from what others did; where there is no network, there is none.
      if (pushed instanceof GatewayFault && pushed.code !== 'INTERNAL') throw pushed;
      await engine.pull();
      if (pushed instanceof GatewayFault) throw pushed;
      if ((await engine.push()) > 0) await engine.pull();
      say({ isConnected: true, error: null });
    } catch (thrown) {
      const fault = GatewayFault.from(thrown, 'LOCAL_STORE');
      say({ isConnected: fault.code !== 'UNREACHABLE' });
      failed(fault);
      throw fault;
    } finally {
      await readStatus().catch(failed);
      say({ isSyncing: false });
    }
    const { entries } = await store.readSync();
    return entries.some((entry) => entry.status === null);
  }

  const loop = createSyncLoop(() => tabs.alone(cycle), { clock, chance, pace }, failed);
  const stops: (() => void)[] = [];
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
        connected: (isConnected) => say({ isConnected }),
        hinted: () => loop.wake(true),
      });
    const stopTriggers = (options.triggers ?? pageTriggers)(() => {
      line?.retry();
      loop.wake(true);
    });
    stops.push(stopTriggers, () => line?.stop());
  }

  const parts = {
    store,
    queries,
    nowMs,
    newId,
    add: async (edit: Parameters<typeof engine.add>[0]) => {
      await engine.add(edit);
      say({ pendingCount: status.get().pendingCount + 1 });
      loop.wake(false);
    },
  };

  return {
    collection: (name) => createLocalCollection<Collections[typeof name]>(name, parts),
    status,
    outbox: createOutbox({ ...parts, engine, wake: () => loop.wake(true), discarded: readStatus }),
    start,
    sync: () => {
      engine.release();
      return loop.run();
    },
    beginAgain: () => engine.beginAgain(),
    check: () =>
      loop.alone(() =>
        tabs.alone(() =>
          mendDrift({ store, gateway, digest: options.digest ?? deviceDigest, page: limits.page, changed }),
        ),
      ),
    async diagnostics() {
      const { state, entries } = await store.readSync();
      const outbox: Record<string, number> = {};
      for (const { status: fate } of entries) outbox[fate ?? 'QUEUED'] = (outbox[fate ?? 'QUEUED'] ?? 0) + 1;
      return {
        ...status.get(),
        device: state?.device ?? '',
        epoch: state?.epoch ?? null,
        hasCheckpoint: (state?.checkpoint ?? null) !== null,
        isRevoked: state?.isRevoked ?? false,
        outbox,
      };
    },
    async close() {
      for (const stop of stops.splice(0)) stop();
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
