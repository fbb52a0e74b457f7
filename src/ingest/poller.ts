import { setMaxListeners } from 'node:events';
import { SyncError } from '../core/errors.js';
import type { Chance } from '../core/ports.js';
import { createReferenceMap } from '../core/reference-map.js';
import type { SourceCollection } from '../core/source-port.js';
import { FenceLost } from './fenced-commit.js';
import type { IngestPorts } from './ingest.js';
import { createLeasedWork, POLL_LEASE_MS } from './leased-work.js';
import { createSeenPages } from './seen-pages.js';
import { runRound, type RoundResult, type RoundTask } from './round.js';
import type { ToldGone } from './told-gone.js';
import { scanBeside } from './whole-scan.js';

/** A node that polls elsewhere asks this often whether its help is needed. */
export const ASK_AGAIN_MS = POLL_LEASE_MS / 3;
/** Rest after the first round that failed; it doubles with each further one. */
const FIRST_BACKOFF_MS = 5_000;
/** Longest rest after rounds that failed, or the poll's own interval where that is longer. */
const LONGEST_BACKOFF_MS = 60_000;

/** Keeps the feed up to date with its sources: one loop per collection, one node at a time, and scans beside it. */
export interface Poller {
  /** Starts the loops; a second call does nothing. */
  start(): void;
  /**
   * Polls a collection at once, or right after the round that is under way. Unknown names are ignored; so is the call on a node that
   * does not hold the collection's lease, whose holder polls in its own time.
   */
  pollNow(collection: string): void;
  /**
   * Looks at once, or right after the round that is under way, whether the store has something to do for a collection: a poll that
   * was asked for, a key that is due. Rounds that fail rest as long as before. Unknown names are ignored.
   */
  wake(collection: string): void;
  /**
   * One round of one collection, polled whether it is time or not, and the scan that is due, to its end: for tests and tools. Does nothing while another node holds
   * the lease.
   *
   * @throws SyncError SOURCE_UNAVAILABLE - what was read was not complete; VALIDATION - too much of it does not fit
   * @throws FenceLost - another node took over
   */
  round(collection: string): Promise<void>;
  /** Ends the loops and what they wait for, also a source that does not answer; resolves when the leases are given back. */
  stop(): Promise<void>;
}

/** The pace of one collection's loop. */
interface Pace {
  failures: number;
  scanFailures: number;
  /** A scan that failed rests until then, on the monotonic clock. */
  scanRestsUntilMs: number;
}

/** A scan that goes on beside rounds. */
interface Beside {
  /** As in `BatchContext`. */
  readonly toldGone: ToldGone;
  readonly ended: Promise<unknown>;
}

export function createPoller(
  ports: Omit<IngestPorts, 'references' | 'pages'> & { readonly chance: Chance },
  options: { readonly tenant: string; readonly holder: string; readonly sources: readonly SourceCollection[] },
): Poller {
  const { store, clock, log, chance } = ports;
  const { tenant, holder } = options;
  const ingestPorts: IngestPorts = {
    ...ports,
    references: createReferenceMap(store, options.sources),
    pages: createSeenPages(ports.hash),
  };
  const byName = new Map(options.sources.map((source) => [source.collection.name, source]));
  /** What `stop` ends: rounds and rests. Not AbortSignal.any, which on Node 20 keeps every signal it ever joined. */
  const running = new Set<AbortController>();
  const leased = createLeasedWork(ports, { tenant, holder });
  const scans = new Map<string, Beside>();
  const resting = new Map<string, { readonly controller: AbortController; readonly isBackoff: boolean }>();
  const asked = new Set<string>();
  const woken = new Set<string>();
  const loops: Promise<void>[] = [];
  let stopped = false;

  const leaseOf = (source: SourceCollection): string => `poll:${source.collection.name}`;

  async function stoppable<T>(work: (controller: AbortController) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    // Each call to the source that is under way listens; all of them end with the work.
    setMaxListeners(0, controller.signal);
    if (stopped) controller.abort(stopReason());
    running.add(controller);
    try {
      return await work(controller);
    } finally {
      running.delete(controller);
    }
  }

  /** @returns null while another node holds the lease */
  function leasedRound(source: SourceCollection, task: Omit<RoundTask, 'toldGone'>): Promise<RoundResult | null> {
    const beside = scans.get(source.collection.name);
    const told = beside === undefined ? task : { ...task, mayScan: false, toldGone: beside.toldGone };
    return stoppable((controller) =>
      leased.run(leaseOf(source), controller, (fence, signal) =>
        runRound(ingestPorts, tenant, source, fence, told, signal),
      ),
    );
  }

  /** Begins a scan beside the rounds that follow, if none goes on. @returns its end, which never throws; why it failed, if it did */
  function beginScan(source: SourceCollection, pace: Pace): Promise<unknown> {
    const { name } = source.collection;
    const going = scans.get(name);
    if (going !== undefined) return going.ended;
    const toldGone: ToldGone = new Set();
    const ended = stoppable((controller) =>
      leased.run(leaseOf(source), controller, (fence, signal) =>
        scanBeside(ingestPorts, tenant, source, fence, toldGone, signal),
      ),
    ).then(
      () => noteScan(source, pace, 'complete'),
      (thrown: unknown) => noteScan(source, pace, thrown),
    );
    const looked = ended.finally(() => {
      scans.delete(name);
      // What the scan put on the recheck list, or was asked for meanwhile, is looked at.
      wake(name);
    });
    scans.set(name, { toldGone, ended: looked });
    return looked;
  }

  function noteScan(source: SourceCollection, pace: Pace, outcome: unknown): unknown {
    if (outcome === 'complete') pace.scanFailures = 0;
    else if (!stopped && !(outcome instanceof FenceLost)) {
      pace.scanFailures += 1;
      pace.scanRestsUntilMs = clock.monotonicMs() + backoffMs(source.facts.scanEveryMs, pace.scanFailures);
      tellFault('scan', source, outcome, pace.scanFailures);
    }
    return outcome === 'complete' ? null : outcome;
  }

  async function loop(source: SourceCollection): Promise<void> {
    const { name } = source.collection;
    const pace = newPace();
    while (!stopped) {
      woken.delete(name);
      const task = { now: asked.delete(name), mayScan: clock.monotonicMs() >= pace.scanRestsUntilMs };
      const restMs = await leasedRound(source, task).then(
        (result) => restAfter(source, pace, result),
        (thrown: unknown) => restAfterFault(source, pace, thrown),
      );
      const isBackoff = pace.failures > 0;
      const isWoken = asked.has(name) || (woken.has(name) && !isBackoff);
      if (!stopped && !isWoken) await rest(name, restMs, isBackoff);
    }
  }

  function restAfter(source: SourceCollection, pace: Pace, result: RoundResult | null): number {
    pace.failures = 0;
    if (result === null) return ASK_AGAIN_MS;
    const { scan, restMs } = result;
    if (scan === 'due') void beginScan(source, pace);
    else if (scan !== 'not due') noteScan(source, pace, scan);
    return restMs;
  }

  function restAfterFault(source: SourceCollection, pace: Pace, thrown: unknown): number {
    if (stopped) return 0;
    if (thrown instanceof FenceLost) {
      log.info('poll: another node took over', { collection: source.collection.name });
      return ASK_AGAIN_MS;
    }
    const maintainedMs = source.maintenanceLeftMs?.() ?? 0;
    if (maintainedMs > 0) {
      log.info('poll: rests while the source is being maintained', {
        collection: source.collection.name,
        restMs: maintainedMs,
      });
      return maintainedMs;
    }
    pace.failures += 1;
    tellFault('poll', source, thrown, pace.failures);
    return backoffMs(source.facts.pollEveryMs, pace.failures);
  }

  /** Doubles with each failure; chance keeps collections and nodes from asking a sick source all at once. */
  function backoffMs(everyMs: number, failures: number): number {
    const longestMs = Math.max(LONGEST_BACKOFF_MS, everyMs);
    return Math.min(longestMs, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 20)) * (1 - chance() / 4);
  }

  function tellFault(what: 'poll' | 'scan', source: SourceCollection, thrown: unknown, failures: number): void {
    const { code } = SyncError.from(thrown);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    log.warn(`${what}: no complete answer, trying again`, {
      collection: source.collection.name,
      code,
      message,
      failures,
    });
  }

  function rest(name: string, ms: number, isBackoff: boolean): Promise<void> {
    return stoppable(async (controller) => {
      resting.set(name, { controller, isBackoff });
      await clock.wait(ms, controller.signal).catch(() => undefined);
      resting.delete(name);
    });
  }

  function wake(collection: string): void {
    if (!byName.has(collection)) return;
    woken.add(collection);
    const rests = resting.get(collection);
    if (rests?.isBackoff === false) rests.controller.abort(new Error('woken'));
  }

  return {
    start() {
      if (loops.length > 0 || stopped) return;
      for (const source of byName.values()) loops.push(loop(source));
    },
    pollNow(collection) {
      if (!byName.has(collection)) return;
      asked.add(collection);
      resting.get(collection)?.controller.abort(new Error('polled now'));
    },
    wake,
    async round(collection) {
      const source = byName.get(collection);
      if (source === undefined) {
        const names = [...byName.keys()].join(', ');
        throw new SyncError('BAD_REQUEST', `expected one of ${names}, got ${JSON.stringify(collection)}`);
      }
      const result = await leasedRound(source, { now: true, mayScan: true });
      const fault = result?.scan === 'due' ? await beginScan(source, newPace()) : result?.scan;
      if (fault instanceof Error) throw fault;
      // What a scan beside put on the recheck list.
      if (result?.scan === 'due') await leasedRound(source, { now: false, mayScan: false });
    },
    async stop() {
      stopped = true;
      for (const controller of running) controller.abort(stopReason());
      await Promise.all(loops);
      await Promise.all([...scans.values()].map(({ ended }) => ended));
      for (const source of byName.values()) {
        await store
          .releaseLease(tenant, leaseOf(source), holder)
          .catch((thrown: unknown) =>
            log.warn('poll: the lease runs out by itself', { lease: leaseOf(source), cause: String(thrown) }),
          );
      }
    },
  };
}

function newPace(): Pace {
  return { failures: 0, scanFailures: 0, scanRestsUntilMs: Number.NEGATIVE_INFINITY };
}

function stopReason(): Error {
  return new Error('the gateway stops');
}
