/** Headers by which a gateway knows who asks. */
export type Credentials = Readonly<Record<string, string>>;

/** As much of a page as is looked at here. */
interface Page {
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly reset: boolean;
}

/** A page, and whether it was asked for before its reader did: then it may not know what happened in between. */
export type ReadPage<Read extends Page> = Read & { readonly isAhead: boolean };

/** Pages of pull, the next one asked for while the last one is worked in. */
export interface PagesAhead<Read extends Page> {
  /**
   * The page behind a place. What was read ahead is only used where the place, and who asks, are exactly those that it was asked with;
   * and where it is no reset, which is asked for anew.
   *
   * @throws what `ask` throws; what fails ahead is asked for anew
   */
  read(since: string | null): Promise<ReadPage<Read>>;
  /** What was asked for ahead is given up and used by nobody. */
  drop(): void;
}

interface Parts<Read extends Page> {
  readonly ask: (since: string | null) => Promise<Read>;
  /** @param dropped aborts when nobody wants it any more */
  readonly askAhead: (since: string, who: Credentials, dropped: AbortSignal) => Promise<Read>;
  /** Of a request that would be made now. */
  readonly credentials: () => Promise<Credentials>;
  readonly nowMs: () => number;
  /** What was asked for longer ago is not used. */
  readonly keepMs: number;
}

interface Ahead<Read> {
  readonly since: string;
  readonly who: string;
  readonly askedAtMs: number;
  /** Null: it failed. */
  readonly page: Promise<Read | null>;
  readonly dropped: AbortController;
}

/** At most one page is read ahead. To ask acknowledges nothing, so that one which is not used does no harm. */
export function readAhead<Read extends Page>(parts: Parts<Read>): PagesAhead<Read> {
  const { ask, askAhead, credentials, nowMs, keepMs } = parts;
  let ahead: Ahead<Read> | null = null;
  let lastWho: string | null = null;

  function begin(since: string, given: Credentials, who: string): void {
    const dropped = new AbortController();
    const page = askAhead(since, given, dropped.signal).catch(() => null);
    ahead = { since, who, askedAtMs: nowMs(), page, dropped };
  }

  async function take(since: string | null, who: string): Promise<Read | null> {
    const known = ahead;
    if (known === null || known.since !== since || known.who !== who) return null;
    const page = await known.page;
    // Dropped meanwhile, or the device has slept.
    if (ahead !== known || Math.abs(nowMs() - known.askedAtMs) > keepMs) return null;
    return page === null || page.reset ? null : page;
  }

  function drop(): void {
    ahead?.dropped.abort();
    ahead = null;
  }

  return {
    drop,
    async read(since) {
      const given = await credentials().catch(() => null);
      const who = JSON.stringify(given);
      const taken = await take(since, who);
      drop();
      const page = taken ?? (await ask(since));
      // Where each request has credentials of its own nothing that is read ahead could be used.
      const isSteady = lastWho === null || lastWho === who;
      lastWho = who;
      if (page.hasMore && given !== null && isSteady) begin(page.checkpoint, given, who);
      return { ...page, isAhead: taken !== null };
    },
  };
}
