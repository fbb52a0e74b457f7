import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startDemoSources } from '../demo/demo-sources.js';
import { median, percentile, report } from './measure.js';
import { quietLog } from './own-store.js';
import { CLINIC_CONFIG, startGateway } from './processes.js';
import { PULL_JSON, pullToEnd, requestsTo, untilIngested, type PulledPage, type Requests } from './requests.js';

const EDITS = Number(process.env['FRESHNESS_EDITS'] ?? 120);
const POLL_EVERY_MS = 2_000;
/** What may come on top of an interval. */
const GOAL_EXTRA_MS = 200;
const MOST_PAUSE_MS = 1_000;
/** Between two pulls: the device's own part in what is measured. */
const PULL_EVERY_MS = 5;

/**
 * Edits in the demo's REST system at random moments, and how long after its answer each of them can be pulled, with visits polled
 * every 2 s by the time of change (goal: one interval and 200 ms at most).
 */
export async function benchFreshness(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-bench-'));
  const demo = await startDemoSources({ folder, log: quietLog });
  const gateway = await startGateway(demo.restUrl, {
    TIDEGATE_CONFIG: CLINIC_CONFIG,
    BENCH_WSDL_URL: demo.wsdlUrl,
    BENCH_SOAP_URL: demo.soapUrl,
  });
  const requests = requestsTo(gateway.url, 'bench', 1);
  const office = requestsTo(demo.restUrl, 'bench', 1);
  await untilIngested(requests, 0);
  const { checkpoint } = await pullToEnd(requests);

  /** When each edit was answered, by the note that it left. */
  const editedAt = new Map<string, number>();
  const stop = new AbortController();
  const pulled = pullEdits(requests, checkpoint, editedAt, stop.signal);
  for (let n = 1; n <= EDITS; n++) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * MOST_PAUSE_MS));
    const notes = `edit ${n}`;
    await office.patch(`/visits/V-${String(n).padStart(5, '0')}`, JSON.stringify({ notes }));
    editedAt.set(notes, performance.now());
  }
  const deadline = setTimeout(() => stop.abort(), 10 * POLL_EVERY_MS);
  const tookMs = await pulled;
  clearTimeout(deadline);
  if (tookMs.length !== EDITS) throw new Error(`expected ${EDITS} edits in pulls, got ${tookMs.length}`);
  report({
    bench: 'freshness: an edit in the source, polled every 2 s',
    edits: EDITS,
    p50Ms: median(tookMs),
    p99Ms: percentile(tookMs, 0.99),
    maxMs: Math.max(...tookMs),
    pollEveryMs: POLL_EVERY_MS,
    goalMs: POLL_EVERY_MS + GOAL_EXTRA_MS,
  });
  await Promise.all([requests.close(), office.close()]);
  await gateway.stop();
  await demo.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Pulls on and on; ends with the last edit. @returns how long after its edit each note came, ms */
async function pullEdits(
  requests: Requests,
  since: string,
  editedAt: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const tookMs = new Map<string, number>();
  let checkpoint = since;
  while (tookMs.size < EDITS && !signal.aborted) {
    const { pull } = await requests.graphql<PulledPage>(PULL_JSON, { since: checkpoint, limit: 1_000 });
    const now = performance.now();
    checkpoint = pull.checkpoint;
    for (const { json } of pull.changes) {
      const notes = json?.['notes'];
      const at = typeof notes === 'string' ? editedAt.get(notes) : undefined;
      // An edit may be pulled before the source's own answer to it is read here.
      if (typeof notes === 'string' && /^edit \d+$/.test(notes) && !tookMs.has(notes))
        tookMs.set(notes, at === undefined ? 0 : now - at);
    }
    await new Promise((resolve) => setTimeout(resolve, PULL_EVERY_MS));
  }
  return [...tookMs.values()];
}
