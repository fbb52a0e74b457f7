import type { ResetReason } from '../core/checkpoint.js';
import type { ClientChance, ClientClock } from './client-clock.js';
import type { Digest } from './drift-check.js';
import type { Fetch, Headers } from './exchange.js';
import type { Gateway } from './gateway.js';
import type { HintTransport } from './hints.js';
import type { LocalStore } from './local-store.js';
import type { OutboxEntry } from './outbox-entry.js';
import type { PushLimits } from './portions.js';
import type { Pace } from './sync-loop.js';
import type { Triggers } from './triggers.js';

/** What a sync client is made of. Everything but `url` and `store` has a default. */
export interface SyncClientOptions {
  /** Absolute, `http:` or `https:`, of the gateway's `/graphql`; hints go to the same address by `ws:` or `wss:`. */
  readonly url: string;
  /** What is kept here, of one user and one client at a time; `close()` of the client closes it. */
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
  /** What makes it worth to sync at once. Absent: the page's `online` and `visibilitychange`, which React Native does not have. */
  readonly triggers?: Triggers;
  /** What the app wants to hear of, after it is kept; what one of these throws is told in `status.error`. */
  readonly on?: SyncEvents;
  /** How often, ms; what is absent: `intervalMs` 300,000, `retryMs` 1,000, `mostRetryMs` 300,000. */
  readonly pace?: Partial<Pace>;
  /** Sizes: of a push 250 `changes` and 500,000 `characters`, of a `page` 1,000 changes (at most 5,000). */
  readonly limits?: Partial<PushLimits> & { readonly page?: number };
  /** After which time a request is given up, ms: 30,000. It may have taken effect; a repeat tells. */
  readonly timeoutMs?: number;
  /** How requests are made. Absent: the machine's `fetch`. */
  readonly fetch?: Fetch;
  /** Another way to the gateway than HTTP. */
  readonly gateway?: Gateway;
  /** SHA-256, for `check`. Absent: the machine's, which React Native does not have. */
  readonly digest?: Digest;
  /** Time, for tests. Absent: the machine's. */
  readonly clock?: ClientClock;
  /** Chance, of which ids and pauses are made. Absent: the machine's, `crypto` where it is. */
  readonly chance?: ClientChance;
}

/** What an app may want to hear of. Everything is kept before it is told, and stays in the outbox until the app discards it. */
export interface SyncEvents {
  /** Anything that an edit was told, ACCEPTED included; where its status is null, why it waits: `entry.error`. */
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
