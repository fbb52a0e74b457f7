import { SyncError } from '../core/errors.js';
import type { Clock } from '../core/ports.js';
import type { Session } from '../core/session.js';

/** How much one user may ask of this process; all its devices together, and a machine by its key. */
export interface RequestRate {
  /** Counts one request over HTTP, one operation on a socket, or one socket. @throws SyncError RATE_LIMITED */
  take(who: Pick<Session, 'tenant' | 'user'>): void;
}

/** Users that are counted at once. Whoever was not seen for longest is forgotten first, and has its whole burst again. */
const MOST_USERS = 10_000;

/** For development mode, in which everybody is one user. */
export const UNLIMITED: RequestRate = { take: () => undefined };

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

  return {
    take({ tenant, user }) {
      const name = JSON.stringify([tenant, user]);
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
  };
}
