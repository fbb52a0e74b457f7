import { SEQ_ZERO, type Seq } from '../core/change.js';
import type { Announcer, FeedAdvance } from '../core/feed-port.js';
import type { Clock, Log } from '../core/ports.js';
import { deviceOf, type DeviceKey, type Session } from '../core/session.js';
import { Audience } from './audience.js';
import { createHintStream, type HintStream } from './hint-stream.js';
import { createHintWindows, type Hint, type HintWindow } from './hint-windows.js';
import { offerTouched } from './touched.js';

/** Tells listening devices that there is something to pull. */
export interface Hub {
  /**
   * Hints for a session until the iterator is returned. The first one goes out at once, further ones at most one per
   * window, merged; all iterators of a device have one window. A slow consumer loses nothing: hints merge into the one that
   * waits. Who is told the same at the same time gets the same object. After `close` it is at its end.
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
  readonly window: HintWindow;
  readonly stream: HintStream;
}

/** So many pairs are compared at most; with more it costs less to hint everybody. */
const MAX_COMPARED_PAIRS = 50_000;

/**
 * Hints whose scopes changed, after the commit, and who has a receipt waiting (R18). Where it is not known what a commit
 * touched, what may be touched is compared; a hint too many is harmless, none too few is lost here.
 *
 * @param ports.windowMs at most one hint per device in this time, leading and trailing edge
 * @param ports.onSent how long ago what a hint tells was committed, when it has left
 */
export function createHub(ports: {
  readonly announcer: Announcer;
  readonly clock: Clock;
  readonly log: Log;
  readonly windowMs: number;
  readonly onSent?: (sinceMs: number) => void;
}): Hub {
  const { announcer, clock, log, windowMs, onSent = () => undefined } = ports;
  const windows = createHintWindows(clock, windowMs);
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
    const atMs = clock.monotonicMs();
    hintReceipts(audience, advance, atMs);
    if (advance.touched === null) void compare(audience, advance, atMs);
    else offerTouched(audience, advance.touched, ({ stream }, collection) => stream.offer(collection, atMs));
    windows.flush();
  });

  async function compare(
    audience: Audience<Listener>,
    { tenant, epoch, head }: FeedAdvance,
    atMs: number,
  ): Promise<void> {
    const comparedTo = (): Seq => {
      const last = compared.get(tenant);
      return last?.epoch === epoch ? last.head : SEQ_ZERO;
    };
    const after = comparedTo();
    if (head <= after) return;
    // Who comes later pulls after it began to listen.
    hintAll(audience.seeingEverything(), atMs);
    try {
      const asked = audience.listened();
      const isTooMuch = asked.length > MAX_COMPARED_PAIRS;
      if (isTooMuch) hintAll(audience.all(), atMs);
      const changed = isTooMuch || asked.length === 0 ? [] : await announcer.changedPairs(tenant, asked, after);
      if (head > comparedTo()) compared.set(tenant, { epoch, head });
      for (const pair of changed) {
        for (const { stream } of audience.of(pair)) stream.offer(pair.collection, atMs);
      }
    } catch (cause) {
      log.warn('hints: changed scopes could not be read, every listener is hinted', { tenant, cause: String(cause) });
      hintAll(audience.all(), atMs);
    }
    windows.flush();
  }

  return {
    hints(session, collections) {
      const { tenant } = session;
      const audience = audiences.get(tenant) ?? new Audience<Listener>();
      const device = deviceOf(session);
      const [sibling] = device === null ? [] : audience.ofDevice(device);
      const window = sibling?.window ?? windows.open();
      const stream = createHintStream({
        windows,
        window,
        onSent,
        onEnd() {
          audience.remove(listener);
          if (audience.size === 0 && audiences.get(tenant) === audience) audiences.delete(tenant);
        },
      });
      const listener: Listener = { session, device, collections: new Set(collections), window, stream };
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
      windows.close();
      for (const audience of [...audiences.values()]) for (const { stream } of audience.all()) stream.end();
      compared.clear();
    },
  };
}

/** The author is always told of a receipt that waits for it (R18). */
function hintReceipts(audience: Audience<Listener>, { receipts }: FeedAdvance, atMs: number): void {
  for (const { device, collection } of receipts) {
    for (const { collections, stream } of audience.ofDevice(device)) {
      if (collections.has(collection)) stream.offer(collection, atMs);
    }
  }
}

function hintAll(listeners: Iterable<Listener>, atMs: number): void {
  for (const { stream, collections } of listeners) for (const name of collections) stream.offer(name, atMs);
}
