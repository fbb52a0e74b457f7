import { parseBody, type Collection } from '../core/collection.js';
import { MAX_ATTEMPTS, retryDelayMs } from '../core/intent.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { RecordView } from '../core/record-port.js';
import { fieldsShown, type Observation, type SourceWriteOutcome } from '../core/source-port.js';
import { lagLeftMs } from '../core/tombstone.js';
import { lookBefore, sightAlike } from './alike.js';
import { refusedBySource } from './answers.js';
import { sightRecord, type Sighting } from './canary.js';
import { idempotencyKeyOf } from './confirmed-change.js';
import { lacksGuard, type DeliveryDecision } from './decide-delivery.js';
import type { DeliveryTarget, DeliveryTools } from './delivery-tools.js';
import { resolveDoubt } from './doubt.js';
import { refuseFollowers } from './followers.js';
import { keepCopy, readOrNot } from './fresh-copy.js';
import { holdIntent } from './held-intent.js';
import { callText, lastCallOf, type NotedCall } from './noted-call.js';
import { judgeRead, laterOf, sets, showsCall } from './read-back.js';
import { callSource, type Called } from './source-call.js';

/** A record that the source says it does not have is asked for again after this long. */
const ABSENT_RETRY_MS = 5_000;

type Send = DeliveryDecision & { readonly kind: 'send' };
type Refuse = DeliveryDecision & { readonly kind: 'refuse' };
type Made = Called & { readonly kind: 'made' };
/** The binding decision has to be made again on this view; null: the delivery is over. */
type Again = RecordView | null;

/**
 * Delivers one leased intent that is first in its lane: the binding decision, the durable note, the call, and what it came
 * to (specification part 4; R9, R11). Ends when the intent is settled, parked, released for a later attempt, left in doubt, or
 * another holder's.
 *
 * @throws SyncError UNAVAILABLE - the store; what was not settled is found again by its lease
 */
export async function deliverIntent(
  tools: DeliveryTools,
  target: DeliveryTarget,
  intent: LeasedIntent,
  seen: RecordView,
): Promise<void> {
  const { staleAnswers } = tools;
  const { source } = target;
  const { collection, facts } = source;
  const held = holdIntent(tools, source, intent);
  let wasRefreshed = false;
  let isOpen = false;

  async function step(view: RecordView): Promise<Again> {
    const prepared = await tools.prepare(source, view, intent);
    switch (prepared.kind) {
      case 'wait':
        return await release(prepared.retryInMs, prepared.waitsFor ?? undefined);
      case 'refuse':
        return await refuse(view, prepared);
      case 'send':
        if (!lacksGuard(source, prepared.write) || wasRefreshed) return await send(view, prepared);
        return await refresh(view);
    }
  }

  async function refuse(view: RecordView, decision: Refuse): Promise<Again> {
    const now = decision.status === 'CONFLICT' ? await refuseFollowers(tools, collection, intent, view) : view;
    // Decided on this view: on a newer one it is to be decided again.
    return (await held.refusedOn(now, { ...decision, by: 'policy' })) ? null : await held.readAgain();
  }

  async function send(view: RecordView, { write, status, error }: Send): Promise<Again> {
    const look = await lookBefore(tools, source, intent, write);
    if (look === 'unread') return await release(delayMs());
    const noted = {
      status,
      ...(error === undefined ? {} : { error }),
      madeOn: view.sourceVersion,
      sentAtMs: tools.clock.nowMs(),
      staleAnswers: staleAnswersSoFar(),
      ...(look === null ? {} : { alike: look.alike }),
    };
    const called = await callSource(tools, target, held, view, { write, noted, known: look?.known ?? null }, delayMs);
    switch (called.kind) {
      case 'lost':
        return null;
      case 'moved':
        return await held.readAgain();
      case 'notMade':
        return await release(called.retryInMs);
      case 'made':
        return await AFTER[called.outcome.kind](called, called.outcome as never);
    }
  }

  /** The whole table of what a call came to. */
  const AFTER: {
    readonly [Kind in SourceWriteOutcome['kind']]: (
      made: Made,
      outcome: SourceWriteOutcome & { readonly kind: Kind },
    ) => Promise<Again>;
  } = {
    async applied({ view, call }, { observation }) {
      await held.applied('applied', view, { write: call, observation, status: call.status, error: call.error });
      return null;
    },
    async refused({ view, call }, refusal) {
      const made = await lookUpEarlier(call);
      if (made === 'unread') return await leave();
      if (made !== 'none' && made !== 'absent') {
        return fieldsShown(made) === null
          ? await parkTaken(view, call, refusal.message)
          : await applyLater(view, call, made);
      }
      const shown = await sightEarlier(view, call);
      // A deletion that is refused because the record is gone may have been done by the call before.
      if (shown === 'unread' || (shown === 'unconfirmed' && call.kind === 'delete')) return await leave();
      if (shown !== 'none' && shown !== 'unconfirmed') {
        const verdict = judgeRead(collection, call, shown).kind;
        if (verdict === 'applied') return await applyLater(view, call, shown);
        // By its own key: it was made by the call before, and changed or deleted since (F4).
        if (call.kind === 'create' && verdict === 'undecided') return await parkTaken(view, call, refusal.message);
      }
      await held.refused('refused', view, { status: 'REJECTED', error: refusedBySource(refusal), by: 'source' });
      return null;
    },
    async unknown({ view, call, sinceDeadlineMs, guard }, { reason }) {
      held.happened('unknown');
      await resolveDoubt(tools, target, held, view, { call, guard, sinceDeadlineMs, reason, isNew: true });
      return null;
    },
    notSent: async (_made, { reason, retryAfterMs }) => {
      tools.log.info('a change could not be sent', { ...held.nameOf(), reason });
      return await release(Math.max(retryAfterMs ?? 0, delayMs()));
    },
    async stale({ view, call }) {
      const shown = await sightEarlier(view, call);
      if (shown === 'unread') return await leave();
      if (shown !== 'none' && shown !== 'unconfirmed' && showsCall(collection, call, shown)) {
        return await applyLater(view, call, shown);
      }
      const answers = staleAnswersSoFar() + 1;
      staleAnswers.set(intent.intentNo, answers);
      // Certainly without effect: no longer SENT, but not due for others while this delivery goes on under its fence.
      if (!(await held.release('stale', facts.callTimeoutMs + ABSENT_RETRY_MS))) return null;
      const now = { ...view, mark: view.mark + 1 };
      return answers < MAX_ATTEMPTS ? await refresh(now) : await giveUp(now, answers);
    },
  };

  async function parkTaken(view: RecordView, call: NotedCall, message: string): Promise<null> {
    held.happened('unknown');
    const told = callText(call, `refused: ${message}`);
    const reason = `${source.collection.source}: ${told}; a call before it may have made the record, which is not as it would be`;
    await held.park('undecided', view, reason);
    return null;
  }

  /** An earlier call of the same change took effect, as a look at the record shows. */
  async function applyLater(view: RecordView, call: NotedCall, shown: Observation | 'absent'): Promise<null> {
    const later = laterOf(call, shown);
    // What only its natural key tells may have been found for another create as well.
    if (call.alike === undefined) await held.applied('applied', view, later);
    else if (!(await held.adopted('applied', view, later))) return await leave();
    return null;
  }

  /**
   * Of a change that was sent before: what the source shows. A refusal, or another version, may be the answer to that earlier call's
   * effect. `none`: it was not, or the record cannot be read.
   */
  async function sightEarlier(view: RecordView, call: NotedCall): Promise<Sighting | 'none'> {
    const key = call.sourceKey ?? view.sourceKey;
    if (intent.attempt === 0 || key === null || !facts.readOne || setsNothing(collection, view, call)) return 'none';
    return await sightRecord(tools, source, intent.tenant, { key });
  }

  /**
   * Of a create that was sent before: the record that its reference or its natural key finds. A refusal may be the answer to that earlier call's effect, also
   * where a look-up did not find it yet. `none`: it was not sent, or cannot be looked up.
   */
  async function lookUpEarlier(call: NotedCall): Promise<Observation | 'absent' | 'unread' | 'none'> {
    const { kind, alike } = call;
    if (intent.attempt === 0 || kind !== 'create') return 'none';
    if (alike !== undefined) {
      const shown = await sightAlike(tools, source, intent, call);
      return shown.kind === 'made' ? shown.observation : shown.kind === 'unread' ? 'unread' : 'none';
    }
    if (facts.lookUp !== true) return 'none';
    return await readOrNot(tools, source, { idempotencyKey: idempotencyKeyOf(tools.hash, intent) });
  }

  /** The source's own copy in the lane, before the next decision. */
  async function refresh(view: RecordView): Promise<Again> {
    const lagMs = lagLeftMs(facts, view, tools.clock.nowMs());
    if (lagMs > 0) return await release(lagMs);
    if (view.sourceKey === null || !facts.readOne) return await release(delayMs());
    const shown = await sightRecord(tools, source, intent.tenant, { key: view.sourceKey });
    if (shown === 'unread') return await release(delayMs());
    // An application that is being redeployed says this of everything (F7).
    if (shown === 'unconfirmed') return await release(ABSENT_RETRY_MS);
    if (shown === 'absent' || shown.fields === null) return await decideGone(view);
    const kept = await keepCopy(tools, source, intent.tenant, view, { ...shown, fields: shown.fields });
    // Moved under it, the record has neither the copy nor its version: sent like that, the change would go without a guard.
    wasRefreshed = kept === 'kept';
    return kept === 'failed' ? await release(delayMs()) : await held.readAgain();
  }

  /** By the rule for edits that meet a record which is gone; the tombstone itself is for a scan to write (R14). */
  async function decideGone(view: RecordView): Promise<Again> {
    const prepared = await tools.prepare(source, { ...view, deleted: true }, intent);
    if (prepared.kind === 'refuse') return await refuse(view, prepared);
    if (prepared.kind === 'wait') return await release(prepared.retryInMs, prepared.waitsFor ?? undefined);
    return await send(view, prepared);
  }

  /** It met another version too often: a source that says each time that it has no such record is believed by then. */
  async function giveUp(view: RecordView, answers: number): Promise<Again> {
    const key = answers > MAX_ATTEMPTS || !facts.readOne ? null : view.sourceKey;
    const shown = key === null ? 'unread' : await sightRecord(tools, source, intent.tenant, { key });
    if (shown === 'absent' || shown === 'unconfirmed') return await decideGone(view);
    await held.park('gaveUp', view, `${collection.source} held another version at each of ${answers} attempts`);
    return null;
  }

  async function release(retryInMs: number, waitsFor?: number): Promise<null> {
    isOpen = await held.release('notSent', retryInMs, waitsFor);
    return null;
  }

  async function leave(): Promise<null> {
    isOpen = true;
    await held.leave(delayMs());
    return null;
  }

  /** As many as this process saw, or the last note says, whichever is more: a restart does not begin again. */
  function staleAnswersSoFar(): number {
    return Math.max(staleAnswers.get(intent.intentNo) ?? 0, lastCallOf(intent)?.staleAnswers ?? 0);
  }

  function delayMs(): number {
    return retryDelayMs(intent.attempt + 1, tools.chance());
  }

  try {
    let view: Again = seen;
    while (view !== null) view = await step(view);
  } finally {
    if (!isOpen) staleAnswers.delete(intent.intentNo);
  }
}

/** An update to what the record is already: that the source shows it proves nothing of an earlier call. */
function setsNothing(collection: Collection, { body, sourceKey }: RecordView, { kind, fields }: NotedCall): boolean {
  return kind === 'update' && body !== null && sets(collection, fields, sourceKey, parseBody(body)).length === 0;
}
