import type { SentCall } from '../core/intent.js';
import type { OutboxEntry } from '../core/operator-port.js';

/** What was sent with the last attempt; null: nothing yet. */
export function sentCall({ payload }: Pick<OutboxEntry, 'payload'>): SentCall | null {
  return payload === null ? null : (JSON.parse(payload) as SentCall);
}

/**
 * May sending it again be a second time? Also where no call is remembered: one may have been made in a life of the gateway that was
 * lost with a restore (F5).
 */
export function mayHaveTakenEffect({ attempt, payload, error }: OutboxEntry): boolean {
  return attempt > 0 || payload !== null || error?.code === 'OUTCOME_UNKNOWN';
}

/** What is known of the calls of an open change, in one sentence for people: names and counts, no field values. */
export function describeCall(entry: OutboxEntry): string {
  const call = sentCall(entry);
  const ended = entry.error === null ? '' : `; ${entry.error.message}`;
  if (call === null) return mayHaveTakenEffect(entry) ? `no call of it is remembered${ended}` : 'it was never sent';
  const of = call.sourceKey === null ? '' : ` of ${call.sourceKey}`;
  const guard = entry.guard === null ? 'without a guard' : `guarded by version ${entry.guard}`;
  const fields = Object.keys(call.fields);
  const what = fields.length === 0 ? '' : ` (${fields.join(', ')})`;
  return `${call.kind}${of}${what} was sent ${times(entry.attempt)}, ${guard}${ended}`;
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
