import type { FeedHead, FeedReader } from '../core/feed-port.js';
import type { Clock } from '../core/ports.js';
import type { ObservedBatch } from '../core/source-port.js';

/** Where and when a read began: `(epoch, head)` of the feed before its request was sent (specification part 5), and the time. */
export interface ObservationToken extends Pick<FeedHead, 'epoch' | 'head'> {
  readonly askedMs: number;
}

/** What a token is made of. */
export interface TokenPorts {
  readonly store: Pick<FeedReader, 'readHead'>;
  readonly clock: Clock;
}

/** The token of a request that is sent now. @throws SyncError UNAVAILABLE */
export async function readToken({ store, clock }: TokenPorts, tenant: string): Promise<ObservationToken> {
  const { epoch, head } = await store.readHead(tenant);
  return { epoch, head, askedMs: clock.nowMs() };
}

/**
 * The batches of a read, each with the token noted before its own request was sent. Ends at once when the signal aborts, also
 * while a source does not answer; a read that is left early is told so.
 *
 * @throws the signal's reason, and whatever the read throws
 */
export async function* observedBatches(
  ports: TokenPorts,
  tenant: string,
  read: AsyncIterable<ObservedBatch>,
  signal: AbortSignal,
): AsyncGenerator<{ readonly token: ObservationToken; readonly batch: ObservedBatch }, void> {
  const batches = read[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const token = await readToken(ports, tenant);
      const step: IteratorResult<ObservedBatch, unknown> = await unlessAborted(batches.next(), signal);
      if (step.done === true) {
        ended = true;
        return;
      }
      yield { token, batch: step.value };
    }
  } finally {
    // Not waited for: a generator that hangs in a request answers only after it.
    if (!ended) void Promise.resolve(batches.return?.()).catch(() => undefined);
  }
}

/** What the work gives, or a rejection with the signal's reason as soon as it aborts; the work itself is not ended. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    const leave = (): void => signal.removeEventListener('abort', stop);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(leave);
  });
}
