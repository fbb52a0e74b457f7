import { setMaxListeners } from 'node:events';
import { SyncError } from '../core/errors.js';
import type { Chance } from '../core/ports.js';
import { createReferenceMap } from '../core/reference-map.js';
import type { SourceCollection } from '../core/source-port.js';
import { FenceLost } from './fenced-commit.js';
import type { IngestPorts } from './ingest.js';
import { createLeasedWork, POLL_LEASE_MS } from './leased-work.js';
import { createSeenPages } from './seen-pages.js';
import { backoffMs, newPace, type Pace } from './pace.js';
import type { PollShare } from './poll-share.js';
import { runRound, type RoundResult, type RoundTask } from './round.js';
import type { ToldGone } from './told-gone.js';
import { scanBeside } from './whole-scan.js';

/** A node that polls elsewhere asks after this time at the latest whether its help is needed. */
export const ASK_AGAIN_MS = POLL_LEASE_MS / 3;
/** A node that gave a collection to another one asks for it again after this time: by then each other one has asked. */
const GIVEN_MS = 2 * ASK_AGAIN_MS;

/** Keeps the feed up to date with its sources: one loop per collection, one node at a time, and scans beside it. What is more than its share a node gives away. */
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

/** A scan that goes on beside rounds. */
interface Beside {
  /** As in `BatchContext`. */
  readonly toldGone: ToldGone;
  readonly ended: Promise<unknown>;
}

export function createPoller(
  ports: Omit<IngestPorts, 'references' | 'pages'> & { readonly chance: Chance },
  options: {
    readonly tenant: string;
    readonly holder: string;
    readonly sources: readonly SourceCollection[];
    /** Absent: what is polled here stays here. */
    readonly share?: PollShare;
  },
): Poller {
  const { store, clock, log, chance } = ports;
  const { tenant, holder, share } = options;
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
  const resting = new Map<string, { readonly controller: AbortController; readonly isFirm: boolean }>();
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
  function leasedRound(
    source: SourceCollection,
    pace: Pace,
    task: Omit<RoundTask, 'toldGone'>,
  ): Promise<RoundResult | null> {
    const beside = scans.get(source.collection.name);
    const told = beside === undefined ? task : { ...task, mayScan: false, toldGone: beside.toldGone };
    return stoppable((controller) =>
      leased.run(leaseOf(source), controller, (fence, signal) => {
        pace.fence = fence.fence;
        return runRound(ingestPorts, tenant, source, fence, told, signal);
      }),
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
      pace.scanRestsUntilMs = clock.monotonicMs() + backoffMs(source.facts.scanEveryMs, pace.scanFailures, chance);
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
      const restMs = await leasedRound(source, pace, task).then(
        (result) => restAfter(source, pace, result),
        (thrown: unknown) => restAfterFault(source, pace, thrown),
      );
      const isFirm = pace.failures > 0 || pace.givenFence !== null;
      const isWoken = asked.has(name) || (woken.has(name) && !isFirm);
      if (!stopped && !isWoken) await rest(name, restMs, isFirm);
    }
  }

  async function restAfter(source: SourceCollection, pace: Pace, result: RoundResult | null): Promise<number> {
    pace.failures = 0;
    await noteShare(source, pace, result !== null);
    if (result === null) return askAgainMs();
    const { scan, restMs } = result;
    if (scan === 'due') void beginScan(source, pace);
    else if (scan !== 'not due') noteScan(source, pace, scan);
    return (await giveAway(source, pace)) ? GIVEN_MS : restMs;
  }

  /** Not all in step, or the same one would always be the first. */
  function askAgainMs(): number {
    return ASK_AGAIN_MS * (1 - chance() / 2);
  }

  async function noteShare({ collection: { name } }: SourceCollection, pace: Pace, isHere: boolean): Promise<void> {
    share?.note(tenant, name, isHere);
    // Its next holder after us are we again.
    const isUnwanted = isHere && pace.fence - 1 === pace.givenFence;
    pace.givenFence = null;
    if (isUnwanted) await share?.unwanted();
  }

  /** Lets another node poll it, if more is polled here than this process's share. @returns whether it did */
  async function giveAway(source: SourceCollection, pace: Pace): Promise<boolean> {
    const { name } = source.collection;
    const mayGive = share !== undefined && !stopped && !scans.has(name) && !asked.has(name);
    if (!mayGive || !(await share.give(tenant, name))) return false;
    pace.givenFence = pace.fence;
    log.info('poll: given to another gateway', { collection: name });
    await release(source);
    return true;
  }

  async function release(source: SourceCollection): Promise<void> {
    await store
      .releaseLease(tenant, leaseOf(source), holder)
      .catch((thrown: unknown) =>
        log.warn('poll: the lease runs out by itself', { lease: leaseOf(source), cause: String(thrown) }),
      );
  }

  async function restAfterFault(source: SourceCollection, pace: Pace, thrown: unknown): Promise<number> {
    if (stopped) return 0;
    await noteShare(source, pace, !(thrown instanceof FenceLost));
    if (thrown instanceof FenceLost) {
      log.info('poll: another node took over', { collection: source.collection.name });
      return askAgainMs();
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
    return backoffMs(source.facts.pollEveryMs, pace.failures, chance);
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

  /** @param isFirm not ended by `wake` */
  function rest(name: string, ms: number, isFirm: boolean): Promise<void> {
    return stoppable(async (controller) => {
      resting.set(name, { controller, isFirm });
      await clock.wait(ms, controller.signal).catch(() => undefined);
      resting.delete(name);
    });
  }

  function wake(collection: string): void {
    if (!byName.has(collection)) return;
    woken.add(collection);
    const rests = resting.get(collection);
    if (rests?.isFirm === false) rests.controller.abort(new Error('woken'));
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
      const pace = newPace();
      const result = await leasedRound(source, pace, { now: true, mayScan: true });
      const fault = result?.scan === 'due' ? await beginScan(source, pace) : result?.scan;
      if (fault instanceof Error) throw fault;
      // What a scan beside put on the recheck list.
      if (result?.scan === 'due') await leasedRound(source, pace, { now: false, mayScan: false });
    },
    async stop() {
      stopped = true;
      for (const controller of running) controller.abort(stopReason());
      await Promise.all(loops);
      await Promise.all([...scans.values()].map(({ ended }) => ended));
      for (const source of byName.values()) await release(source);
    },
  };
}

function stopReason(): Error {
  return new Error('the gateway stops');
}
