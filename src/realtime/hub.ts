import { SEQ_ZERO, type Seq } from '../core/change.js';
import type { Announcer, FeedAdvance } from '../core/feed-port.js';
import type { Clock, Log } from '../core/ports.js';
import { deviceOf, sameDevice, type DeviceKey, type Session } from '../core/session.js';
import { Audience } from './audience.js';
import { createHintStream, type Hint, type HintStream } from './hint-stream.js';

/** Tells listening devices that there is something to pull. */
export interface Hub {
  /**
   * Hints for a session until the iterator is returned. The first one goes out at once, further ones at most one per
   * window, merged. A slow consumer loses nothing: hints merge into the one that waits. After `close` it is at its end.
   */
  hints(session: Session, collections: readonly string[]): AsyncIterableIterator<Hint>;
  /** Number of open listeners. */
  listening(): number;
  /** Ends every iterator. Safe to repeat. */
  close(): void;
}

interface Listener {
  readonly session: Session;
  readonly device: DeviceKey | null;
  readonly collections: ReadonlySet<string>;
  readonly stream: HintStream;
}

/**
 * Hints whose scopes changed, after the commit, and who has a receipt waiting (R18). Where it is not known what a commit
 * touched, what may be touched is compared; a hint too many is harmless, none too few is lost here.
 *
 * @param ports.windowMs at most one hint per listener in this time, leading and trailing edge
 */
export function createHub(ports: {
  readonly announcer: Announcer;
  readonly clock: Clock;
  readonly log: Log;
  readonly windowMs: number;
}): Hub {
  const { announcer, clock, log, windowMs } = ports;
  const audiences = new Map<string, Audience<Listener>>();
  /**
   * Up to where each tenant's feed has been compared. Not the newest head that was heard of: another node's commit may be
   * announced after a later one of ours.
   */
  const compared = new Map<string, Pick<FeedAdvance, 'epoch' | 'head'>>();
  let closed = false;

  const unsubscribe = announcer.onAdvance((advance) => {
    const audience = audiences.get(advance.tenant);
    if (audience === undefined) return;
    hintReceipts(audience, advance);
    if (advance.touched === null) void compare(audience, advance);
    else hintTouched(audience, advance.touched);
  });

  async function compare(audience: Audience<Listener>, { tenant, epoch, head }: FeedAdvance): Promise<void> {
    const comparedTo = (): Seq => {
      const last = compared.get(tenant);
      return last?.epoch === epoch ? last.head : SEQ_ZERO;
    };
    const after = comparedTo();
    if (head <= after) return;
    // Who comes later pulls after it began to listen.
    for (const [collection, listeners] of audience.seeingEverything()) {
      for (const listener of listeners) listener.stream.offer(collection);
    }
    try {
      const asked = audience.listened();
      const changed = asked.length === 0 ? [] : await announcer.changedPairs(tenant, asked, after);
      if (head > comparedTo()) compared.set(tenant, { epoch, head });
      for (const pair of changed) {
        for (const listener of audience.of(pair)) listener.stream.offer(pair.collection);
      }
    } catch (cause) {
      log.warn('hints: changed scopes could not be read, every listener is hinted', { tenant, cause: String(cause) });
      for (const { stream, collections } of audience.all()) for (const name of collections) stream.offer(name);
    }
  }

  return {
    hints(session, collections) {
      const { tenant } = session;
      const audience = audiences.get(tenant) ?? new Audience<Listener>();
      const stream = createHintStream(clock, windowMs, () => {
        audience.remove(listener);
        if (audience.size === 0 && audiences.get(tenant) === audience) audiences.delete(tenant);
      });
      const listener = { session, device: deviceOf(session), collections: new Set(collections), stream };
      if (closed) stream.end();
      else {
        audience.add(listener);
        audiences.set(tenant, audience);
      }
      return stream.hints;
    },
    listening: () => [...audiences.values()].reduce((sum, audience) => sum + audience.size, 0),
    close() {
      closed = true;
      unsubscribe();
      for (const audience of [...audiences.values()]) for (const { stream } of audience.all()) stream.end();
      compared.clear();
    },
  };
}

/** The author is not told of its own unaltered change … */
function hintTouched(audience: Audience<Listener>, touched: NonNullable<FeedAdvance['touched']>): void {
  for (const pair of touched) {
    for (const { device, stream } of audience.of(pair)) {
      const isOwn = pair.author !== null && device !== null && sameDevice(pair.author, device);
      if (!isOwn) stream.offer(pair.collection);
    }
  }
}

/** … but always of a receipt that waits for it (R18). */
function hintReceipts(audience: Audience<Listener>, { receipts }: FeedAdvance): void {
  for (const { device, collection } of receipts) {
    for (const { collections, stream } of audience.ofDevice(device)) {
      if (collections.has(collection)) stream.offer(collection);
    }
  }
}
