import type { LeasedIntent } from '../core/outbox-port.js';
import type { RecordView } from '../core/record-port.js';
import type { DeliveryTarget, DeliveryTools } from './delivery-tools.js';
import { resolveDoubt } from './doubt.js';
import { doubtOf } from './doubt-means.js';
import { holdIntent, nameOfIntent } from './held-intent.js';

/** Finds calls whose outcome is unknown, of a tenant and every node, and has each looked into. */
export interface DoubtWatch {
  /** Takes what is to be looked into now; what was taken goes on by itself. @throws SyncError UNAVAILABLE */
  look(): Promise<void>;
  /** There will be something to look into after this long. */
  expect(inMs: number): void;
}

/** Without an expectation, leases of others may have run out: the store is asked this often. */
const LOOK_EVERY_MS = 1_000;
/** Doubts that are looked into at once. They hold no slot: reads have the source's own limits. */
const MOST_AT_ONCE = 50;

export function createDoubtWatch(
  tools: DeliveryTools,
  options: {
    readonly tenant: string;
    readonly holder: string;
    readonly leaseMs: number;
    /** Null: the collection is not configured any more. */
    targetOf(collection: string): DeliveryTarget | null;
    withViews(
      intents: readonly LeasedIntent[],
    ): Promise<readonly { readonly intent: LeasedIntent; readonly view: RecordView }[]>;
    /** Work that a stop waits for. */
    track(work: Promise<void>): void;
  },
): DoubtWatch {
  const { clock, log, store } = tools;
  const { tenant, holder, leaseMs } = options;
  let nextMs = Number.NEGATIVE_INFINITY;
  /** Kept apart: a look before this time comes to nothing and must not put it off. */
  let expectedMs = Number.POSITIVE_INFINITY;
  let underway = 0;

  async function resolve(intent: LeasedIntent, view: RecordView): Promise<void> {
    try {
      const target = options.targetOf(intent.collection);
      // Another node's configuration has it, or a later one will.
      if (target === null) return;
      await resolveDoubt(tools, target, holdIntent(tools, target.source, intent), view, doubtOf(intent));
    } catch (thrown) {
      // Its lease brings it back.
      log.warn('a doubt was not resolved', { ...nameOfIntent(intent), reason: String(thrown) });
    } finally {
      underway -= 1;
      // What did not fit before fits now.
      if (underway === MOST_AT_ONCE / 2) nextMs = clock.monotonicMs();
    }
  }

  return {
    async look() {
      const limit = MOST_AT_ONCE - underway;
      if (clock.monotonicMs() < Math.min(nextMs, expectedMs) || limit <= 0) return;
      if (expectedMs <= clock.monotonicMs()) expectedMs = Number.POSITIVE_INFINITY;
      const found = await store.leaseInDoubt({ tenant, holder, leaseMs, limit });
      // A full answer may not be all of it.
      nextMs = clock.monotonicMs() + (found.length < limit ? LOOK_EVERY_MS : 0);
      for (const { intent, view } of await options.withViews(found)) {
        underway += 1;
        options.track(resolve(intent, view));
      }
    },
    expect(inMs) {
      expectedMs = Math.min(expectedMs, clock.monotonicMs() + inMs);
    },
  };
}
