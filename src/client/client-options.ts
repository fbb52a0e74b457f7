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
