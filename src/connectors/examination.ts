import type { SourceKey } from '../core/change.js';
import type { Chance, Clock } from '../core/ports.js';
import type { ExaminedCollection } from './examined-collection.js';
import { answerFindings, type AnswerWatch } from './probe-answers.js';
import { probeChanges } from './probe-changes.js';
import { createProbeCalls } from './probe-calls.js';
import { probeDelta } from './probe-delta.js';
import type { FactFinding } from './probe-finding.js';
import { probeGuard } from './probe-guard.js';
import { probeList } from './probe-list.js';
import { probeLog } from './probe-log.js';
import { probeRecords } from './probe-record.js';

/** What a collection's examination came to. */
export interface Examination {
  readonly findings: readonly FactFinding[];
  /** Requests that were asked of the source, of at most `MOST_READS`. */
  readonly calls: number;
  /** Did the list answer at all? */
  readonly isRead: boolean;
}

/**
 * Tries the declared facts of a collection against its source, one call after the other, and never more than `MOST_READS`. Reads only, but
 * for the update of a record that is named. Throws nothing that a source can cause.
 *
 * @param named the record whose guard is tried; null: none
 */
export async function examineCollection(
  examined: ExaminedCollection,
  tools: { readonly clock: Clock; readonly chance: Chance; readonly watch: AnswerWatch },
  named: SourceKey | null,
  signal: AbortSignal,
): Promise<Examination> {
  const { clock, chance, watch } = tools;
  const calls = createProbeCalls(examined, clock, signal);
  const { sample, findings } = await probeList(examined, calls);
  const found = [...findings];
  if (sample.pages.length > 0) {
    found.push(...(await probeRecords(examined, calls, sample, watch, chance)));
    found.push(...(await probeChanges(examined, calls, sample, watch, clock.nowMs())));
    const { delta, deletes } = examined.definition.read;
    const sourceMs = clock.nowMs() + (watch.skewMs() ?? 0);
    if (delta !== undefined) found.push(...(await probeDelta(examined, delta, calls)));
    if (deletes?.kind === 'log') found.push(...(await probeLog(examined, deletes, calls, sample, sourceMs)));
    found.push(...(await probeGuard(examined, calls, named, chance)));
  }
  const { callTimeoutMs } = examined.source.facts;
  const reach = sample.pages.length > 0 ? answerFindings(watch, calls.tookMs, callTimeoutMs) : [];
  return { findings: [...reach, ...found], calls: calls.tookMs.length, isRead: sample.pages.length > 0 };
}
