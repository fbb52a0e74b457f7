import type { Chance, Clock, HashText, Log } from '../core/ports.js';
import type { KnownChange, OpenIntent } from '../core/record-port.js';
import { createReferenceMap } from '../core/reference-map.js';
import { deviceOf, type Session } from '../core/session.js';
import type { SourceCollection } from '../core/source-port.js';
import { createAccept, type AcceptStore } from './accept.js';
import type { Opened } from './acceptance.js';
import type { DeliveryStore } from './delivery-tools.js';
import { createFates, type Expectation, type Fate } from './fates.js';
import { createOutbox, LEASE_MS } from './outbox.js';
import { createOverlays } from './overlays.js';
import type { PushedChange, PushResult } from './pushed-change.js';

/** Takes devices' changes in, makes them durable, and brings them to their sources. */
export interface Push {
  /**
   * One result per change, in order; safe to repeat (R7). Waits at most `patienceMs` for the sources (R10).
   *
   * @param sentAtMs the device's clock at sending, ms since 1970; null: its clock is taken as right
   * @param knownEpoch the one that the device knows; null: it does not say
   * @throws SyncError DEVICE_REQUIRED, DEVICE_EVICTED, DEVICE_REVOKED, UNAVAILABLE - what was accepted before is durable all the same;
   * NEW_EPOCH - another epoch than the known one is in force, and nothing was taken (F5)
   */
  push(
    session: Session,
    changes: readonly PushedChange[],
    sentAtMs: number | null,
    knownEpoch?: string | null,
  ): Promise<readonly PushResult[]>;
  /** Looks for due changes now: an operator made one due, or settled what others waited for. */
  wake(): void;
  /** Starts delivering what waits: due intents of every node, and calls whose holder is gone. */
  start(): void;
  /** No new call is begun; calls under way end or reach their deadline; leases are released. */
  stop(): Promise<void>;
}

/** How long a change waits for a record that nobody knows, unless configured. */
const PARENT_PATIENCE_MS = 900_000;

/**
 * The use case of push: accept, then delivery at once by the accepting node, and an outbox for everything that must wait.
 *
 * @param options.tenant whose sessions push here, and whose changes are delivered
 * @param options.holder this process, named in leases
 * @param options.patienceMs how long a push waits for its sources before it answers ACCEPTED
 */
export function createPush(
  ports: {
    readonly store: AcceptStore & DeliveryStore;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly hash: HashText;
    readonly log: Log;
  },
  options: {
    readonly tenant: string;
    readonly sources: readonly SourceCollection[];
    readonly holder: string;
    readonly patienceMs: number;
    /** How long a change waits for a record that it refers to and that nobody knows (F18); absent: 15 minutes. */
    readonly parentPatienceMs?: number;
  },
): Push {
  const { tenant, holder, patienceMs } = options;
  const fates = createFates(ports.clock);
  const references = createReferenceMap(ports.store, options.sources);
  const { parentPatienceMs = PARENT_PATIENCE_MS } = options;
  const outbox = createOutbox({ ...ports, fates, references }, { ...options, parentPatienceMs });
  const collections = options.sources.map((source) => source.collection);
  const overlays = createOverlays({ ...ports, references }, { tenant, collections, patienceMs });
  const accept = createAccept(
    { ...ports, references },
    {
      collections,
      lease: { holder, leaseMs: LEASE_MS, canTake: (collection) => outbox.canTake(collection) },
    },
  );

  /** Is an outcome to be hoped for within the patience? */
  function isWorthWaiting({ intent, view, isLeased }: Opened): boolean {
    if (isLeased) return true;
    if (!outbox.canTake(intent.collection)) return false;
    const earlier = view.intents.filter((other) => other.intentNo < intent.intentNo);
    return earlier.every((other) => other.state === 'PENDING' || other.state === 'SENT');
  }

  /** What became of changes of which nobody told here: another process may have called for them when this one could not (R10). */
  async function keptFates(session: Session, untold: readonly OpenIntent[]): Promise<Map<string, Fate>> {
    const device = deviceOf(session);
    if (device === null || untold.length === 0) return new Map();
    try {
      const asked = untold.map(({ changeId }) => changeId);
      const { known } = await ports.store.readChanges(device, asked);
      return new Map(known.filter(({ status }) => status !== 'ACCEPTED').map((one) => [one.changeId, fateOf(one)]));
    } catch (thrown) {
      // They are kept all the same, and receipts will tell.
      ports.log.info('what became of changes could not be read', { reason: String(thrown) });
      return new Map();
    }
  }

  return {
    async push(session, changes, sentAtMs, knownEpoch = null) {
      const opened = new Map<number, Opened>();
      let expected: Expectation;
      let waited: readonly OpenIntent[];
      let results: readonly PushResult[];
      try {
        results = await accept(session, changes, { sentAtMs, knownEpoch }, opened);
        waited = [...opened.values()].filter(isWorthWaiting).map(({ intent }) => intent);
        expected = fates.expect(waited.map(({ intentNo }) => intentNo));
      } finally {
        // Also when the store failed half-way: what was accepted is durable, and is on its way from now on.
        for (const { intent, view, isLeased } of opened.values()) {
          if (isLeased) outbox.deliver(intent, view);
          else outbox.waits(intent);
        }
      }
      const told = await expected.gather(patienceMs);
      const untold = waited.filter(({ intentNo }) => !told.has(intentNo));
      const became = await keptFates(session, untold);
      for (const { changeId, intentNo } of waited) {
        const fate = told.get(intentNo);
        if (fate !== undefined && fate.status !== 'ACCEPTED') became.set(changeId, fate);
      }
      const made = [...opened.values()].map(({ intent }) => intent);
      // Before the answer: the author's next pull must show what it is told is safe.
      await overlays.show(made.filter(({ seq, changeId }) => seq === null && !became.has(changeId)));
      return results.map((result) => {
        const fate = result.status === 'ACCEPTED' ? became.get(result.changeId) : undefined;
        return fate === undefined ? result : { ...result, ...fate, blockedBy: fate.blockedBy ?? null };
      });
    },
    wake: () => outbox.wake(),
    start() {
      outbox.start();
      overlays.start();
    },
    async stop() {
      await Promise.all([outbox.stop(), overlays.stop()]);
    },
  };
}

function fateOf({ status, error, blockedBy }: KnownChange): Fate {
  return { status, error, ...(blockedBy === null ? {} : { blockedBy }) };
}
