import type { Clock } from '../core/ports.js';
import { serverTimeOf, type HttpHead } from './http-client.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';

/** Watches the heads of a source's answers while it is examined. */
export interface AnswerWatch {
  /** Is told the head of every answer (`SourceDeps.answered`). */
  readonly note: (head: HttpHead) => void;
  /** Status of the latest answer; null: none came. */
  lastStatus(): number | null;
  /** The source's clock minus ours, ms, median; null: no answer was dated. */
  skewMs(): number | null;
  /** Names of headers that tell of a limit of calls, and how many answers were 429. */
  limits(): { readonly headers: readonly string[]; readonly refusals: number };
}

const LIMIT_HEADER = /^(x-)?ratelimit|^x-rate-limit|^retry-after$/;
const TOO_MANY = 429;

export function createAnswerWatch(clock: Clock): AnswerWatch {
  const headers = new Set<string>();
  const skews: number[] = [];
  let status: number | null = null;
  let refusals = 0;
  return {
    note(head) {
      status = head.status;
      if (status === TOO_MANY) refusals++;
      for (const name of head.headers.keys()) if (LIMIT_HEADER.test(name)) headers.add(name);
      const atMs = serverTimeOf(head);
      if (atMs !== null) skews.push(atMs - clock.nowMs());
    },
    lastStatus: () => status,
    skewMs: () => (skews.length === 0 ? null : medianOf(skews)),
    limits: () => ({ headers: [...headers].sort(), refusals }),
  };
}

/** A clock that differs by more makes `newestWins` and times of change hard to compare, ms. Dates count whole seconds. */
const SKEW_MS = 5_000;

/**
 * How fast the source answers, how its clock stands to ours, and what it says about limits.
 *
 * @param tookMs how long each call took, waiting for its turn included
 */
export function answerFindings(
  watch: AnswerWatch,
  tookMs: readonly number[],
  timeoutMs: number,
): readonly FactFinding[] {
  const findings: FactFinding[] = [];
  if (tookMs.length > 0) {
    const slowestMs = Math.round(Math.max(...tookMs));
    const got = `${tookMs.length} calls, median ${Math.round(medianOf(tookMs))} ms, slowest ${slowestMs} ms`;
    const limit = `at most half of the timeout of ${timeoutMs} ms`;
    findings.push(slowestMs * 2 > timeoutMs ? cannotTell('latency', limit, got) : fits('latency', got));
  }
  const skewMs = watch.skewMs();
  if (skewMs === null) findings.push(cannotTell('clock', 'a Date header', 'none'));
  else if (Math.abs(skewMs) <= SKEW_MS) findings.push(fits('clock', `${Math.round(skewMs / 1_000)} s from ours`));
  else findings.push(cannotTell('clock', `at most ${SKEW_MS / 1_000} s from ours`, `${Math.round(skewMs / 1_000)} s`));
  const { headers, refusals } = watch.limits();
  const told = headers.length === 0 ? 'no header tells of a limit' : `it tells of a limit in ${headers.join(', ')}`;
  if (refusals === 0) findings.push(fits('limit', `${told}, no 429`));
  else
    findings.push(
      contradicts(
        'limit',
        'no 429 within the declared limit',
        `${refusals} answers 429; ${told}`,
        'lower limit.perSecond or limit.concurrent',
      ),
    );
  return findings;
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}
