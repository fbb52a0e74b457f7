import { parentPort, workerData } from 'node:worker_threads';
import { drawPlan } from './plan.js';
import { run } from './run.js';
import type { SeedRange } from './seed-runs.js';

// Takes one seed after the other until none is left; several of these share the counter, so that no core rests.
const { first, count, taken } = workerData as SeedRange;
const counter = new Int32Array(taken);
for (let at = Atomics.add(counter, 0, 1); at < count; at = Atomics.add(counter, 0, 1)) {
  const { breach } = await run(drawPlan(first + at));
  parentPort?.postMessage({ seed: first + at, breach });
}
