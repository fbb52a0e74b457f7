import { setMaxListeners } from 'node:events';
import type { Chance, Clock, HashText, Log } from '../core/ports.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { RecordView } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import type { SourceCollection } from '../core/source-port.js';
import { createCallPace, type CallPace } from './call-pace.js';
import { createCallSlots, type CallSlots } from './call-slots.js';
import { deliverIntent } from './deliver.js';
import type { DeliveryStore, DeliveryTarget, DeliveryTools } from './delivery-tools.js';
import { createDoubtWatch } from './doubt-watch.js';
import type { Fates } from './fates.js';
import { isItsTurn, nameOfIntent } from './held-intent.js';
import { createPreparation } from './preparation.js';
import { createSendNotes } from './send-notes.js';
import { createSettling } from './settling.js';

/** Delivers a tenant's accepted changes: those handed over by accept at once, all others when they are due. */
export interface Outbox {
  /** Could an intent of this collection be called for soon? Then accept leases it for this node. */
  canTake(collection: string): boolean;
  /** Begins the delivery of an intent that is leased to this node and first in its lane. */
  deliver(intent: LeasedIntent, view: RecordView): void;
  /**
   * An intent was accepted and is not leased. What it waits for (F18) is delivered here, so that it goes on at once; where it is to be
   * found out whether its source is back, it does that now, and nobody waits for it.
   */
  waits(intent: Pick<LeasedIntent, 'collection' | 'waitsFor'>): void;
  /** Looks for due intents now. */
  wake(): void;
  /** Begins to look for due intents of every node, and for calls whose outcome is unknown. */
  start(): void;
  /** No new call is begun; resolves when those under way have ended and their leases are released. */
  stop(): Promise<void>;
}

/** How long an intent stays this node's before its call is noted; then any node may take it. */
export const LEASE_MS = 30_000;
/** Intents that may wait in this process for a call to one source: what can be called for within a lease. */
const MOST_WAITING = 1_000;
/** Intents that others wait for, remembered here; the rest is found by looking. */
const MOST_AWAITED = 10_000;
const FIRST_IDLE_MS = 250;
const LONGEST_IDLE_MS = 2_000;

/** One source: calls at once are counted over all of its collections. */
interface Lane {
  readonly collections: readonly SourceCollection[];
  readonly concurrency: number;
  readonly slots: CallSlots;
  readonly pace: CallPace;
  /** More was due than could be leased. */
  hasMore: boolean;
}

export function createOutbox(
  ports: {
    readonly store: DeliveryStore;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly hash: HashText;
    readonly log: Log;
    readonly fates: Fates;
    readonly references: ReferenceMap;
  },
  options: {
    readonly tenant: string;
    readonly sources: readonly SourceCollection[];
    readonly holder: string;
    readonly parentPatienceMs: number;
  },
): Outbox {
  const { store, clock, log } = ports;
  const { tenant, holder } = options;
  const sources = new Map(options.sources.map((source) => [source.collection.name, source]));
  const lanes = lanesOf(options.sources, clock);
  const stopping = new AbortController();
  // Every delivery may wait with it; past ten listeners Node prints a warning of a leak.
  setMaxListeners(0, stopping.signal);
  const running = new Set<Promise<void>>();
  /** Intents for which others wait. */
  const awaited = new Set<number>();
  let nap = new AbortController();
  let idleMs = FIRST_IDLE_MS;
  let loop: Promise<void> | null = null;

  const tools: DeliveryTools = {
    ...ports,
    prepare: createPreparation(ports, options),
    note: createSendNotes(store, clock),
    settling: createSettling(ports, {
      stopping: stopping.signal,
      wakeDependants({ intentNo, collection }, hasNext) {
        // Where more is due than can be called for, what is due now waits for its turn like the rest.
        const lane = lanes.get(sources.get(collection)?.collection.source ?? '');
        if (awaited.delete(intentNo) || (hasNext && lane?.hasMore !== true)) wake();
      },
    }),
    staleAnswers: new Map(),
    stopping: stopping.signal,
    retryLater(waitsFor) {
      if (waitsFor !== null) awaits(waitsFor);
      wakeInTime();
    },
    lookLater(lookInMs) {
      doubts.expect(lookInMs);
      wakeInTime();
    },
  };
  const doubts = createDoubtWatch(tools, { tenant, holder, leaseMs: LEASE_MS, targetOf, withViews, track });

  function wake(): void {
    idleMs = FIRST_IDLE_MS;
    nap.abort(new Error('woken'));
  }

  /** Something's time may come before a long nap is over. */
  function wakeInTime(): void {
    if (idleMs > FIRST_IDLE_MS) wake();
  }

  function awaits(intentNo: number): void {
    if (awaited.size < MOST_AWAITED) awaited.add(intentNo);
  }

  function laneOf(source: SourceCollection): Lane {
    return lanes.get(source.collection.source) as Lane;
  }

  function targetOf(collection: string): DeliveryTarget | null {
    const source = sources.get(collection);
    return source === undefined ? null : { source, slots: laneOf(source).slots };
  }

  function track(work: Promise<void>): void {
    const tracked = work.finally(() => void running.delete(tracked));
    running.add(tracked);
  }

  async function run(target: DeliveryTarget, intent: LeasedIntent, view: RecordView): Promise<void> {
    try {
      await deliverIntent(tools, target, intent, view);
    } catch (thrown) {
      // Its lease brings it back: as due if no call was noted, else as in doubt.
      log.warn('a delivery was broken off', { ...nameOfIntent(intent), reason: String(thrown) });
    }
    const lane = laneOf(target.source);
    lane.pace.ended();
    // Half of the room at a time, so that a long outbox is not leased one by one.
    if (lane.hasMore && roomOf(lane) * 2 >= lane.concurrency + lane.pace.lately()) wake();
  }

  function deliver(intent: LeasedIntent, view: RecordView): void {
    const target = targetOf(intent.collection);
    if (target !== null) track(run(target, intent, view));
  }

  /** Due intents of one source, no more than can be called for soon. */
  async function leaseDue(lane: Lane): Promise<readonly LeasedIntent[]> {
    const up = lane.collections.filter((source) => !source.isDown());
    const limit = roomOf(lane);
    if (up.length === 0 || limit <= 0) return [];
    const names = up.map((source) => source.collection.name);
    const leased = await store.leaseIntents({ tenant, collections: names, holder, leaseMs: LEASE_MS, limit });
    lane.hasMore = leased.length === limit;
    return leased;
  }

  async function deliverDue(): Promise<number> {
    const due = (await Promise.all([...lanes.values()].map(leaseDue))).flat();
    for (const { intent, view } of await withViews(due)) deliver(intent, view);
    return due.length;
  }

  /** Intents with their records; those that are not first in their lane any more are another's by now. */
  async function withViews(
    intents: readonly LeasedIntent[],
  ): Promise<readonly { readonly intent: LeasedIntent; readonly view: RecordView }[]> {
    const views = intents.length === 0 ? [] : await store.readRecords(tenant, intents);
    const found = intents.map((intent, at) => ({ intent, view: views[at] as RecordView }));
    return found.filter(({ intent, view }) => isItsTurn(view, intent));
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Before the look, so that being woken meanwhile is not lost.
      nap = new AbortController();
      try {
        const found = await deliverDue();
        await doubts.look();
        if (found > 0) idleMs = FIRST_IDLE_MS;
      } catch (thrown) {
        log.warn('the outbox could not be looked through', { reason: String(thrown) });
      }
      if (stopping.signal.aborted) return;
      const restMs = idleMs;
      idleMs = Math.min(LONGEST_IDLE_MS, idleMs * 2);
      await clock.wait(restMs, nap.signal).catch(() => undefined);
    }
  }

  return {
    canTake(name) {
      const source = sources.get(name);
      if (source === undefined || stopping.signal.aborted || source.isDown()) return false;
      // A push does not wait for an answer that may not come: the outbox finds out whether the source is back.
      if (source.isProbeDue?.() === true) return false;
      return laneOf(source).slots.free() > -MOST_WAITING;
    },
    deliver,
    waits({ collection, waitsFor }) {
      if (waitsFor !== null) awaits(waitsFor);
      else if (sources.get(collection)?.isProbeDue?.() === true) wake();
    },
    wake,
    start() {
      loop ??= work();
    },
    async stop() {
      stopping.abort(new Error('the outbox is stopping'));
      nap.abort(new Error('the outbox is stopping'));
      for (const { slots } of lanes.values()) slots.close();
      await loop;
      while (running.size > 0) await Promise.all(running);
    },
  };
}

function lanesOf(sources: readonly SourceCollection[], clock: Clock): ReadonlyMap<string, Lane> {
  const bySource = new Map<string, SourceCollection[]>();
  for (const source of sources) {
    const name = source.collection.source;
    bySource.set(name, [...(bySource.get(name) ?? []), source]);
  }
  return new Map(
    [...bySource].map(([name, collections]) => {
      const { concurrency: calls = 1, batch } = collections[0]?.facts ?? {};
      const concurrency = calls * (batch?.size ?? 1);
      const slots = createCallSlots(concurrency);
      return [name, { collections, concurrency, slots, pace: createCallPace(clock), hasMore: false }];
    }),
  );
}

/** Intents that may be leased now: free calls, and what will be called for soon. */
function roomOf({ slots, pace }: Lane): number {
  return slots.free() + Math.min(MOST_WAITING, pace.lately());
}
