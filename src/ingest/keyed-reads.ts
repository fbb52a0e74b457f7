import type { SourceKey } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import { RecordMisfit } from '../core/misfit.js';
import type { Observation, SourceCollection } from '../core/source-port.js';
import type { IngestPorts } from './ingest.js';
import { unlessAborted } from './observed-batches.js';

/** After so many reads in a row without an answer the rest is left for later: the source is not well. */
const FAULTS_TO_STOP = 3;
/** Records asked for as a canary before the source's 404s count for nothing. */
const CANARIES = 3;

/** What a source says of one key. */
export type Answer = Observation | 'absent' | RecordMisfit;

export function isObservation(answer: Answer): answer is Observation {
  return answer !== 'absent' && !(answer instanceof RecordMisfit);
}

/** As many reads at once as the source allows. A key whose read failed is missing from the map. */
export async function readEach(
  source: SourceCollection,
  keys: readonly SourceKey[],
  signal: AbortSignal,
): Promise<ReadonlyMap<SourceKey, Answer>> {
  const answers = new Map<SourceKey, Answer>();
  const waiting = [...keys];
  let faults = 0;
  async function readOn(): Promise<void> {
    for (let key = waiting.shift(); key !== undefined && faults < FAULTS_TO_STOP; key = waiting.shift()) {
      try {
        answers.set(key, await unlessAborted(source.readOne(key, signal).catch(misfitOr), signal));
        faults = 0;
      } catch (thrown) {
        signal.throwIfAborted();
        if (!(thrown instanceof SyncError)) throw thrown;
        faults += 1;
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, source.facts.concurrency) }, readOn));
  return answers;
}

/** A record that does not fit is an answer; the source is well. */
function misfitOr(thrown: unknown): RecordMisfit {
  if (thrown instanceof RecordMisfit) return thrown;
  throw thrown;
}

/**
 * Does a record that is not among the gone ones still answer, with its own key? (F7) `nobody`: no other is known to be alive.
 *
 * @param alive keys that were seen alive lately, the newest last
 */
export async function askCanary(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  gone: readonly SourceKey[],
  alive: readonly SourceKey[],
  signal: AbortSignal,
): Promise<'answers' | 'silent' | 'nobody'> {
  const without = new Set(gone);
  const seen = alive.filter((key) => !without.has(key)).slice(-CANARIES);
  const candidates = seen.length > 0 ? seen : await knownElsewhere(ports, tenant, source, without);
  if (candidates.length === 0) return 'nobody';
  for (const [key, answer] of await readEach(source, candidates.slice(0, CANARIES), signal)) {
    if (isObservation(answer) && answer.fields !== null && answer.sourceKey === key) return 'answers';
  }
  return 'silent';
}

/** None was seen in this round: any record that is thought to be alive will do, since it has to answer. */
async function knownElsewhere(
  ports: IngestPorts,
  tenant: string,
  source: SourceCollection,
  without: ReadonlySet<SourceKey>,
): Promise<readonly SourceKey[]> {
  const { head } = await ports.store.readHead(tenant);
  const limit = without.size + CANARIES;
  const known = await ports.store.knownKeys(tenant, source.collection.name, head, null, limit);
  return known.filter((key) => !without.has(key));
}
