import { GatewayFault, type Fate, type Gateway, type PulledChange, type PulledPage } from '../../src/client/gateway.js';

const EPOCH = 'modelled';

/** A state of a record, as the feed has it. */
interface State {
  readonly seq: number;
  readonly id: string;
  readonly value: string;
  /** The device's changes that it contains, by the seq of their settling. */
  readonly own: ReadonlyMap<string, number>;
}

interface Place {
  readonly seq: number;
  /** Null: the initial sync is over. */
  readonly fillAt: number | null;
  readonly head: number | null;
}

interface Accepted {
  readonly changeId: string;
  readonly id: string;
  readonly value: string;
}

/**
 * A gateway in a few lines, one collection of one scope, by parts 1 and 4 of the protocol's specification: fills, main ranges up to a fixed
 * head, receipts behind the rows that have their effect, and pages that were read ahead. What a push brings is settled at once or later;
 * changes never conflict.
 */
export class FeedModel {
  /** Something of the list is not read for the first time yet: no round is complete. */
  isPriming = false;
  /** What is pushed waits for `settle`. */
  isSlow = false;
  /** The next request with a checkpoint begins anew. */
  isExpired = false;
  /** Pages until no answer comes any more. */
  pagesLeft = Number.POSITIVE_INFINITY;
  limit = 2;
  /** Every value of each record, in order. */
  readonly history = new Map<string, string[]>();
  private readonly latest = new Map<string, State>();
  private readonly receipts: { readonly seq: number; readonly changeId: string }[] = [];
  private readonly accepted: Accepted[] = [];
  private readonly ahead = new Map<string, PulledPage>();
  private seq = 0;

  /** Somebody else writes. */
  write(id: string, value: string): void {
    this.append(id, value, null);
  }

  /** The oldest change that waits takes effect. */
  settle(): void {
    const next = this.accepted.shift();
    if (next !== undefined) this.append(next.id, next.value, next.changeId);
  }

  gateway(): Gateway {
    return {
      pull: async ({ since }) => {
        if (this.pagesLeft <= 0) throw new GatewayFault('UNREACHABLE', 'no answer came');
        this.pagesLeft -= 1;
        const ready = since === null || this.isExpired ? undefined : this.ahead.get(since);
        const page = ready ?? this.page(since);
        this.ahead.clear();
        if (page.hasMore) {
          const next = this.page(page.checkpoint);
          if (next.hasMore) this.ahead.set(page.checkpoint, next);
        }
        return page;
      },
      push: async (_device, changes) =>
        changes.map(({ changeId, id, json }): Fate => {
          this.accepted.push({ changeId, id, value: String(json?.['value']) });
          if (this.isSlow) return { changeId, status: 'ACCEPTED' };
          while (this.accepted.length > 0) this.settle();
          return { changeId, status: 'APPLIED' };
        }),
      check: () => Promise.reject(new GatewayFault('UNREACHABLE', 'nobody checks')),
    };
  }

  private append(id: string, value: string, changeId: string | null): void {
    const own = new Map(this.latest.get(id)?.own);
    this.seq += 1;
    if (changeId !== null) {
      own.set(changeId, this.seq);
      this.receipts.push({ seq: this.seq, changeId });
    }
    this.latest.set(id, { seq: this.seq, id, value, own });
    this.history.set(id, [...(this.history.get(id) ?? []), value]);
  }

  private page(since: string | null): PulledPage {
    const reset = since !== null && this.isExpired;
    if (reset) this.isExpired = false;
    const begun: Place =
      since === null || reset ? { seq: this.seq, fillAt: 0, head: null } : (JSON.parse(since) as Place);
    const mineAfter = begun.fillAt === null ? begun.seq : 0;
    const changes: PulledChange[] = [];
    const receipts: Fate[] = [];
    /** @returns where it came to */
    const take = (after: number, upTo: number): number => {
      const rows = [...this.latest.values()]
        .filter(({ seq }) => seq > after && seq <= upTo)
        .sort((a, b) => a.seq - b.seq);
      const taken = rows.slice(0, this.limit - changes.length);
      for (const { seq, id, value, own } of taken) {
        const mine = [...own].filter(([, settled]) => settled > mineAfter).map(([changeId]) => changeId);
        const what = { collection: 'visits', id, version: `${EPOCH}.${seq}`, kind: 'UPSERT', pending: false } as const;
        changes.push({ ...what, mine, json: { value } });
      }
      return taken.length === rows.length ? upTo : (taken.at(-1)?.seq ?? after);
    };
    const tell = (after: number, upTo: number): void => {
      for (const { seq, changeId } of this.receipts)
        if (seq > after && seq <= upTo) receipts.push({ changeId, status: 'APPLIED' });
    };
    const answer = (place: Place, hasMore: boolean): PulledPage => ({
      changes,
      receipts,
      checkpoint: JSON.stringify(place),
      hasMore,
      reset,
      complete: !hasMore && place.seq === this.seq && !this.isPriming,
      epoch: EPOCH,
    });
    let { seq } = begun;
    if (begun.fillAt !== null) {
      const fillAt = take(begun.fillAt, seq);
      if (fillAt < seq) return answer({ ...begun, fillAt }, true);
      tell(0, seq);
    }
    const head = begun.head ?? this.seq;
    for (const upTo of [head, this.seq]) {
      if (seq >= upTo || changes.length >= this.limit) continue;
      const reached = take(seq, upTo);
      tell(seq, reached);
      seq = reached;
    }
    return answer({ seq, fillAt: null, head: seq < head ? head : null }, seq < head);
  }
}
