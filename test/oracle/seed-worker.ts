import { parentPort, workerData } from 'node:worker_threads';
import { drawPlan } from './plan.js';
import { run } from './run.js';
import type { SeedOutcome, SeedRange } from './seed-runs.js';

// Takes one seed after the other until none is left; several of these share the counter, so that no core rests.
const { first, count, taken } = workerData as SeedRange;
const isSdk = process.env['DEVICE'] === 'sdk';
const counter = new Int32Array(taken);
/** Told together, since a message costs as much as a good part of a seed; what failed is told at once. */
const TOLD_AT_ONCE = 20;
let ended: SeedOutcome[] = [];
for (let at = Atomics.add(counter, 0, 1); at < count; at = Atomics.add(counter, 0, 1)) {
  const { breach } = await run(drawPlan(first + at), { isSdk });
  ended.push({ seed: first + at, breach });
  if (breach === null && ended.length < TOLD_AT_ONCE) continue;
  parentPort?.postMessage(ended);
  ended = [];
}
parentPort?.postMessage(ended);
