import { SyncError } from '../core/errors.js';
import type { Clock } from '../core/ports.js';
import type { Session } from '../core/session.js';
import { createTurns } from '../core/turns.js';

/** How much one user may ask of this process; all its devices together, and a machine by its key. */
export interface RequestRate {
  /** Counts one request over HTTP, one operation on a socket, or one socket. @throws SyncError RATE_LIMITED */
  take(who: Who): void;
  /**
   * Waits for the user's turn: a burst of one user is worked off a few at a time, so that others are answered in between.
   *
   * @returns gives the turn back; safe to repeat
   * @throws SyncError RATE_LIMITED - as many wait already as may come at once
   */
  enter(who: Who): Promise<() => void>;
}

type Who = Pick<Session, 'tenant' | 'user'>;

/** Requests of one user under way; 200 pulls at once kept all others waiting for 0.8 s. */
const MOST_AT_ONCE = 8;
/**
 * Of those that waited so many of a user begin in a second, or twice what it may send in the long run where that is more: faster than pages of an
 * initial sync are read, and slow enough that a burst of 200 leaves more than half of a small machine to the others.
 */
const BEGUN_PER_SECOND = 100;
/** What a user waits for who came when as many waited as may. */
const RETRY_AFTER_MS = 1_000;

/** Users that are counted at once. Whoever was not seen for longest is forgotten first, and has its whole burst again. */
const MOST_USERS = 10_000;

/** For development mode, in which anybody may be anybody. */
export const UNLIMITED: RequestRate = { take: () => undefined, enter: async () => () => undefined };

/**
 * A token bucket for each user of each tenant.
 *
 * @param limits.perSecond in the long run
 * @param limits.burst at once, after a rest
 */
export function createRequestRate(
  { perSecond, burst }: { readonly perSecond: number; readonly burst: number },
  clock: Clock,
): RequestRate {
  /** The user who was seen last stands last. */
  const buckets = new Map<string, { readonly left: number; readonly atMs: number }>();
  const turns = createTurns(MOST_AT_ONCE, { gapMs: 1_000 / Math.max(BEGUN_PER_SECOND, 2 * perSecond), clock });

  return {
    take({ tenant, user }) {
      const name = nameOf(tenant, user);
      const nowMs = clock.monotonicMs();
      const known = buckets.get(name) ?? { left: burst, atMs: nowMs };
      const filled = Math.min(burst, known.left + ((nowMs - known.atMs) / 1_000) * perSecond);
      const left = filled < 1 ? filled : filled - 1;
      buckets.delete(name);
      buckets.set(name, { left, atMs: nowMs });
      const [longestUnseen] = buckets.keys();
      if (buckets.size > MOST_USERS && longestUnseen !== undefined) buckets.delete(longestUnseen);
      if (filled >= 1) return;
      throw new SyncError('RATE_LIMITED', `expected at most ${perSecond} requests a second of one user, got more`, {
        retryAfterMs: Math.ceil(((1 - filled) / perSecond) * 1_000),
      });
    },

    async enter({ tenant, user }) {
      const name = nameOf(tenant, user);
      if (turns.waiting(name) >= burst) {
        throw new SyncError('RATE_LIMITED', `expected at most ${burst} waiting requests of one user, got more`, {
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      return await turns.enter(name);
    },
  };
}

function nameOf(tenant: string, user: string): string {
  return JSON.stringify([tenant, user]);
}
