import type { RecordView } from '../core/record-port.js';
import type { SourceWrite, SourceWriteOutcome } from '../core/source-port.js';
import { idempotencyKeyOf } from './confirmed-change.js';
import type { DeliveryTarget, DeliveryTools } from './delivery-tools.js';
import type { HeldIntent } from './held-intent.js';
import { payloadOf, type NotedCall } from './noted-call.js';
import type { Noted } from './send-notes.js';

/** A call that is to be made, and what its note says besides. */
export interface CallToMake {
  readonly write: Omit<SourceWrite, 'idempotencyKey'>;
  readonly noted: Omit<NotedCall, 'kind' | 'sourceKey' | 'fields'>;
  /** What it comes to, as a look before it shows: it is not made. Absent: nobody knows. */
  readonly known?: SourceWriteOutcome | null;
  /** Is it still right to make it now? Asked once more when its turn has come. Absent: it always is. */
  readonly isRight?: () => boolean;
}

/** What came of wanting to call. */
export type Called =
  /** The call was made. `call` and `guard` are as noted, `sinceDeadlineMs` is as in `LeasedIntent`, `view` the record as it is then. */
  | {
      readonly kind: 'made';
      readonly outcome: SourceWriteOutcome;
      readonly call: NotedCall;
      readonly guard: string | null;
      readonly sinceDeadlineMs: number;
      readonly view: RecordView;
    }
  /** The record moved since the decision: decide again. */
  | { readonly kind: 'moved' }
  /** The intent is another holder's. */
  | { readonly kind: 'lost' }
  /** No call was made. */
  | { readonly kind: 'notMade'; readonly retryInMs: number };

/**
 * One call to a source: its turn, the durable note, the call, made once (R11). A process that stood still since the note does not begin it
 * any more, and the source looks once more in the tick in which the request leaves; one that gets no answer in time does not wait for it (F13).
 *
 * @param delayMs how long to wait where the store could not be reached
 */
export async function callSource(
  tools: DeliveryTools,
  { source, slots }: DeliveryTarget,
  held: HeldIntent,
  view: RecordView,
  { write, noted: rest, known = null, isRight = () => true }: CallToMake,
  delayMs: () => number,
): Promise<Called> {
  const { intent } = held;
  const { facts } = source;
  if (!(await slots.take())) return { kind: 'notMade', retryInMs: 0 };
  try {
    // Nobody knows how long it waited for its turn. From here on its deadline counts.
    if (!isRight()) return { kind: 'notMade', retryInMs: 0 };
    let noted: Noted;
    try {
      noted = await tools.note(intent.tenant, {
        intentNo: intent.intentNo,
        fence: intent.fence,
        collection: intent.collection,
        id: intent.id,
        expected: { seq: view.seq, mark: view.mark },
        payload: payloadOf(write, rest),
        guard: write.guard,
        deadlineMs: facts.callTimeoutMs,
      });
    } catch (thrown) {
      // Written or not: no call was made, so that it is known to have had no effect.
      tools.log.info('a note before a call could not be written', { ...held.nameOf(), reason: String(thrown) });
      return { kind: 'notMade', retryInMs: delayMs() };
    }
    if (noted.kind === 'lost') return { kind: 'lost' };
    if (noted.kind === 'stale') return { kind: 'moved' };
    held.happened('noted');
    const { deadline } = noted;
    try {
      // A process that stood still since the note must not begin a call that others take for ended (F13).
      if (deadline.leftMs() <= 0) return { kind: 'notMade', retryInMs: 0 };
      const outcome = known ?? (await call());
      const sinceDeadlineMs = deadline.overForMs();
      const { kind, sourceKey, fields, guard } = write;
      const after = { ...view, mark: view.mark + 1 };
      return { kind: 'made', outcome, call: { kind, sourceKey, fields, ...rest }, guard, sinceDeadlineMs, view: after };
    } finally {
      deadline.leave();
    }

    async function call(): Promise<SourceWriteOutcome> {
      const late = { kind: 'unknown', reason: `no answer within ${facts.callTimeoutMs} ms` } as const;
      try {
        const idempotencyKey = idempotencyKeyOf(tools.hash, intent);
        const answered = source.write({ ...write, idempotencyKey }, deadline.signal, () => deadline.leftMs());
        return await Promise.race([answered, deadline.over.then(() => late)]);
      } catch (thrown) {
        tools.log.error('a source threw instead of answering', { ...held.nameOf(), reason: String(thrown) });
        return { kind: 'unknown', reason: 'the call ended in a fault' };
      }
    }
  } finally {
    slots.give();
  }
}
