import { setFlagsFromString } from 'node:v8';

/** By how much the heap may outgrow what is alive in it until all of it is collected, percent: what V8 allows a program that is busy. */
const GROWTH_PERCENT = 200;

/**
 * Lets this process collect its whole heap less often. The heap of a gateway is 40 MB, and for a program that is idle most of the time V8
 * adds 8 MB until it marks everything again; pages, which are outside of the heap, count towards that. So a gateway that had been idle
 * collected everything once or more in each first sync of 10,000 records: 75 ms of CPU beside the 25 that the sync takes. V8 reads this flag at each
 * collection, so that it may be set late. A safe repeat.
 *
 * @param given arguments of Node's own; whoever gives the flag among them has decided
 */
export function letHeapGrow(given: readonly string[] = process.execArgv): void {
  if (given.some((argument) => /^--heap[-_]growing[-_]percent/.test(argument))) return;
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
}
