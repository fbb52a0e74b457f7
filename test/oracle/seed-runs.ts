import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** What a worker is given: `taken` counts the seeds that have a worker already. */
export interface SeedRange {
  readonly first: number;
  readonly count: number;
  readonly taken: SharedArrayBuffer;
}

/** What became of one seed; null: every promise was kept. */
export interface SeedOutcome {
  readonly seed: number;
  readonly breach: string | null;
}

/** A run makes little that lasts: with room for it, collecting what it left costs a third less. */
const YOUNG_MB = 64;

/**
 * Runs the plans of `count` seeds from `first` on, on every core, in no particular order.
 *
 * @throws whatever a run threw: a fault of the oracle, not a broken promise
 */
export async function runSeeds(first: number, count: number, done: (outcome: SeedOutcome) => void): Promise<void> {
  const range: SeedRange = { first, count, taken: new SharedArrayBuffer(4) };
  const workers = Math.min(availableParallelism(), count);
  await Promise.all(Array.from({ length: workers }, () => runWorker(range, done)));
}

function runWorker(range: SeedRange, done: (outcome: SeedOutcome) => void): Promise<void> {
  const worker = new Worker(new URL('./seed-worker.js', import.meta.url), {
    workerData: range,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  worker.on('message', (outcomes: readonly SeedOutcome[]) => outcomes.forEach(done));
  return new Promise((resolve, reject) => {
    worker.once('error', reject).once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`a worker of the oracle ended with ${code}`));
    });
  });
}
