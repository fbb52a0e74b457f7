import { SyncError } from '../core/errors.js';
import type { IngestStore } from '../core/ingest-port.js';
import type { Clock, Log } from '../core/ports.js';
import { FenceLost } from './fenced-commit.js';
import type { BatchContext } from './ingest.js';

/** A poller's lease lives this long and is renewed while work goes on; a dead node's work is taken over after it. */
export const POLL_LEASE_MS = 30_000;

/** What one node does under a lease; several works of the same holder share it. */
export interface LeasedWork {
  /**
   * Takes the lease, and renews it as long as the work takes. Work that lost it is ended at once through its controller: nothing that it reads
   * can be written any more.
   *
   * @returns null while another node holds the lease
   */
  run<T>(
    lease: string,
    controller: AbortController,
    work: (fence: BatchContext['fence'], signal: AbortSignal) => Promise<T>,
  ): Promise<T | null>;
}

export function createLeasedWork(
  ports: { readonly store: Pick<IngestStore, 'acquireLease'>; readonly clock: Clock; readonly log: Log },
  { tenant, holder }: { readonly tenant: string; readonly holder: string },
): LeasedWork {
  const { store, clock, log } = ports;

  async function renew(fence: BatchContext['fence'], work: AbortController, over: AbortSignal): Promise<void> {
    while (!over.aborted && !work.signal.aborted) {
      const isTime = await clock.wait(POLL_LEASE_MS / 3, over).then(
        () => true,
        () => false,
      );
      if (!isTime || over.aborted) return;
      try {
        const lease = await store.acquireLease(tenant, fence.name, holder, POLL_LEASE_MS);
        if (lease?.fence !== fence.fence) work.abort(new FenceLost(fence.name));
      } catch (thrown) {
        // The next commit shows whether the lease still holds.
        log.warn('poll: the lease was not renewed', { lease: fence.name, code: SyncError.from(thrown).code });
      }
    }
  }

  return {
    async run(name, controller, work) {
      controller.signal.throwIfAborted();
      const lease = await store.acquireLease(tenant, name, holder, POLL_LEASE_MS);
      if (lease === null) return null;
      const fence = { name, fence: lease.fence };
      const over = new AbortController();
      const renewal = renew(fence, controller, over.signal);
      try {
        return await work(fence, controller.signal);
      } finally {
        over.abort(new Error('the work is over'));
        await renewal;
      }
    },
  };
}
