import type { SourceKey } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import type { Clock } from '../core/ports.js';
import { fieldsShown, type Observation, type SourceCollection } from '../core/source-port.js';

/** How one record is found at its source: by key, or by the idempotency key of the create that made it. */
export type Finding = { readonly key: SourceKey } | { readonly idempotencyKey: string };

/**
 * One read of a record at its source, within the time of a call. A record that the source calls deleted is absent.
 *
 * @throws SyncError SOURCE_UNAVAILABLE - it did not answer, or not properly, or not in time; VALIDATION - the record does not
 * fit its declaration
 */
export async function readCopy(
  clock: Clock,
  source: SourceCollection,
  finding: Finding,
): Promise<Observation | 'absent'> {
  const found = await readOnce(clock, source, finding);
  return found === 'absent' || fieldsShown(found) === null ? 'absent' : found;
}

/** The same; a record that the source calls deleted is told from one that it does not have. */
export async function readOnce(
  clock: Clock,
  source: SourceCollection,
  finding: Finding,
): Promise<Observation | 'absent'> {
  return withinCall(clock, source, (signal) => ask(source, finding, signal));
}

/** A read that has the time of a call. @throws SyncError SOURCE_UNAVAILABLE - its time was over; and what it throws */
export async function withinCall<T>(
  clock: Clock,
  source: SourceCollection,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { callTimeoutMs } = source.facts;
  const time = new AbortController();
  const answered = new AbortController();
  const over = clock.wait(callTimeoutMs, answered.signal).then(() => {
    const late = new SyncError(
      'SOURCE_UNAVAILABLE',
      `${source.collection.source}: no answer within ${callTimeoutMs} ms`,
    );
    time.abort(late);
    throw late;
  });
  over.catch(() => undefined);
  try {
    return await Promise.race([read(time.signal), over]);
  } finally {
    answered.abort(new Error('the read has ended'));
  }
}

async function ask(source: SourceCollection, finding: Finding, signal: AbortSignal): Promise<Observation | 'absent'> {
  if ('key' in finding) return source.readOne(finding.key, signal);
  if (source.lookUp === undefined) throw new SyncError('INTERNAL', `${source.collection.name}: expected a look-up`);
  return source.lookUp(finding.idempotencyKey, signal);
}
