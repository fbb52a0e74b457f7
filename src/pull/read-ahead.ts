import type { Clock } from '../core/ports.js';
import type { Session } from '../core/session.js';
import type { Pull, PullPage, PullRequest } from './pull.js';

/** A page that nobody asked for within this time is forgotten. */
const KEEP_MS = 5_000;
/** Pages kept at once, each of at most 5,000 changes; past it the oldest is forgotten. */
const MOST_PAGES = 32;

/** A pull that reads ahead. */
export interface ReadAhead {
  readonly pull: Pull;
  /** What was read ahead is given to nobody: something in it was erased. */
  forget(): void;
}

interface Ahead {
  readonly page: Promise<PullPage | null>;
  readonly readAtMs: number;
}

/**
 * Reads the page that follows a page before its device asks for it, while that one is still being sent and parsed: an initial
 * sync no longer waits for the database at each page. Only a page with more behind it is given out from here, so that a round
 * never ends on anything older than its last request; and only to a request that is equal in all that decides about it, the
 * session's scopes included. A repeated request is read anew (R2).
 */
export function readAhead(pull: Pull, clock: Clock): ReadAhead {
  const pages = new Map<string, Ahead>();

  const isKept = ({ readAtMs }: Ahead): boolean => clock.monotonicMs() - readAtMs <= KEEP_MS;

  function begin(session: Session, request: PullRequest): void {
    const name = nameOf(session, request);
    const known = pages.get(name);
    // Whoever asks for the same page over and over does not go on behind it: that one page is enough.
    if (known !== undefined && isKept(known)) return;
    const page = pull(session, request).catch(() => null);
    pages.delete(name);
    pages.set(name, { page, readAtMs: clock.monotonicMs() });
    const oldest = pages.size > MOST_PAGES ? pages.keys().next().value : undefined;
    if (oldest !== undefined) pages.delete(oldest);
  }

  async function take(session: Session, request: PullRequest): Promise<PullPage | null> {
    if (request.since === null) return null;
    const name = nameOf(session, request);
    const ahead = pages.get(name);
    pages.delete(name);
    if (ahead === undefined || !isKept(ahead)) return null;
    const page = await ahead.page;
    return page?.hasMore === true && !page.reset ? page : null;
  }

  return {
    async pull(session, request) {
      const page = (await take(session, request)) ?? (await pull(session, request));
      if (page.hasMore) begin(session, { ...request, since: page.checkpoint });
      return page;
    },
    forget: () => pages.clear(),
  };
}

/** Everything that a page depends on. */
function nameOf({ tenant, user, device, grant, isEvicted = false }: Session, request: PullRequest): string {
  const { since, collections, limit, shape } = request;
  const scopes = grant.kind === 'every' ? null : grant.scopes;
  return JSON.stringify([tenant, user, device, isEvicted, scopes, since, collections, limit, shape.key]);
}
