import { parseBody } from '../core/collection.js';
import { decide } from '../core/conflict.js';
import { SyncError, toChangeError } from '../core/errors.js';
import { retryDelayMs } from '../core/intent.js';
import type { RecordView } from '../core/record-port.js';
import { fieldsShown, type Observation, type SourceWriteOutcome } from '../core/source-port.js';
import { sightAlike, whyUndecided } from './alike.js';
import { refusedBySource } from './answers.js';
import { sightGone, sightRecord, type Sighting } from './canary.js';
import { idempotencyKeyOf } from './confirmed-change.js';
import type { DeliveryTarget, DeliveryTools } from './delivery-tools.js';
import type { AfterLook, Doubt, KnownDoubt } from './doubt-means.js';
import { isAnsweredLate, knownCall, lookAgainMs, meansOf, quietAfterMs, readingMeansOf } from './doubt-means.js';
import { bothValues, offerOf } from './doubt-text.js';
import { refuseFollowers } from './followers.js';
import { keepCopy } from './fresh-copy.js';
import type { HeldIntent } from './held-intent.js';
import { callText, guessedCall, type NotedCall } from './noted-call.js';
import { judgeRead, laterOf, showsCall, shownEffect, type Verdict } from './read-back.js';
import { callSource } from './source-call.js';

/**
 * Finds out what became of a call whose outcome is unknown, by what its source declares and by nothing else (R11, F4): the same call
 * under the same idempotency key, a look-up of what a create made, or a keyed read, once no request of ours can take effect any
 * more (F13). A source that cannot be read now leaves it IN_DOUBT: it is looked at again. Holds no slot while it waits. Safe to
 * repeat, and to be broken off anywhere.
 *
 * @throws SyncError UNAVAILABLE - the store; its lease brings it back
 */
export async function resolveDoubt(
  tools: DeliveryTools,
  target: DeliveryTarget,
  held: HeldIntent,
  seen: RecordView,
  doubt: Doubt,
): Promise<void> {
  const { clock, chance } = tools;
  const { source } = target;
  const { collection, facts } = source;
  const { intent } = held;
  // A call of a life that nobody remembers may have begun just before that ended (F5).
  const unrememberedMs = doubt.call === null ? facts.callTimeoutMs : 0;
  const quietInMs = quietAfterMs(facts) + unrememberedMs - doubt.sinceDeadlineMs;
  const meansNow = (call: NotedCall) => meansOf(source, knownCall(doubt, intent, call), clock.nowMs());
  let view = seen;

  async function resolve(): Promise<void> {
    const known = await knowCall();
    if (known === null) return;
    const means = meansNow(known.call);
    if (means === 'none') {
      // What had effect shows once its source has been looked through (F5): then it is no more to be sent.
      if (doubt.call === null && !(await isSwept())) return await held.leave(againMs());
      return await park(known, offerOf(facts));
    }
    // A source that is down is asked when it is back; until then the change is neither sent nor given up.
    if (source.isDown()) return await held.leave(againMs());
    switch (means) {
      case 'sendAgain':
        // Not in the same breath: what made the first call fail is likely still there.
        return known.isNew ? await held.leave(delayMs()) : await sendAgain(known);
      case 'lookUp':
        return await lookUp(known);
      case 'findAlike':
        return await findAlike(known);
      case 'readBack':
        return await readBack(known);
    }
  }

  /** What was sent, or would have been by a life of the gateway that nobody remembers (F5). */
  async function knowCall(): Promise<KnownDoubt | null> {
    if (doubt.call !== null) return { ...doubt, call: doubt.call };
    const prepared = await tools.prepare(source, view, intent);
    if (prepared.kind === 'wait') {
      await held.leave(againMs());
      return null;
    }
    if (prepared.kind === 'refuse') {
      const shown = shownEffect(collection, intent, view);
      // What sets fields to what they are has its effect, whoever set them; sent again, it would have no other one.
      if (shown === null) await park(doubt, `by now it is refused: ${prepared.error.message}`);
      // Others' changes of the record are not held back meanwhile.
      else if (!(await held.adopted('foundApplied', view, { write: shown, observation: null, status: 'APPLIED' })))
        await held.leave(againMs());
      return null;
    }
    return { ...doubt, call: guessedCall(intent, prepared), guard: prepared.write.guard };
  }

  async function isSwept(): Promise<boolean> {
    return (await tools.store.readCollection(intent.tenant, intent.collection)).scannedAtMs !== null;
  }

  async function sendAgain(known: KnownDoubt): Promise<void> {
    const { kind, sourceKey, fields, ...noted } = known.call;
    const current = kind === 'create' || view.body === null ? null : parseBody(view.body);
    const write = { kind, sourceKey, fields, current, guard: known.guard, isRepeat: true };
    const isRight = (): boolean => meansNow(known.call) === 'sendAgain';
    const called = await callSource(tools, target, held, view, { write, noted, isRight }, delayMs);
    switch (called.kind) {
      case 'lost':
        return;
      case 'notMade':
        return await held.leave(called.retryInMs);
      case 'moved': {
        const now = await held.readAgain();
        if (now === null) return;
        view = now;
        // What was only a guess is decided on what is known by now.
        return doubt.call === null ? await resolve() : await sendAgain(known);
      }
      case 'made':
        view = called.view;
        return await AFTER[called.outcome.kind](known, called.outcome as never, called.sinceDeadlineMs);
    }
  }

  const TRY_AGAIN: AfterLook = {
    sentAgain: '',
    async notApplied() {
      await held.release('foundNotApplied', 0);
    },
  };

  /**
   * What an answer to a repeated call says of the first one. A refusal says nothing of it, unless the source declares so: it may judge a
   * request before it looks its key up, and refuse the repeat of what it took.
   */
  const AFTER: {
    readonly [Kind in SourceWriteOutcome['kind']]: (
      known: KnownDoubt,
      outcome: SourceWriteOutcome & { readonly kind: Kind },
      sinceDeadlineMs: number,
    ) => Promise<void>;
  } = {
    async applied({ call }, { observation }) {
      const { status, error } = call;
      const key = observation?.sourceKey ?? call.sourceKey ?? view.sourceKey;
      // Where it cannot be read a scan finds out.
      const isRead = facts.readOne && key !== null && isAnsweredLate(facts, call, view);
      const read = isRead ? await sightGone(tools, source, intent.tenant, key) : observation;
      if (read === 'unread') return await held.leave(againMs());
      const isGone = isRead && view.deleted && read === null;
      // The end of one that is not gone here is for ingest to find, which reads it once more.
      const shown = isGone ? null : (read ?? observation);
      // A repeat may be answered with the record as it is by now.
      await held.applied('applied', view, { write: call, observation: shown, isLater: true, isGone, status, error });
    },
    async refused(known, refusal, sinceDeadlineMs) {
      // A source that does not remember refusals may still take the first request, should that come late.
      if (quietInMs > 0) return await held.leave(quietAfterMs(facts) - sinceDeadlineMs);
      held.happened('unknown');
      const error = refusedBySource(refusal);
      const fall = (): Promise<void> => held.refused('foundRefused', view, { status: 'REJECTED', error, by: 'source' });
      if (facts.checksKeyFirst === true) await fall();
      else await look(known, { sentAgain: `, sent again it was refused: ${refusal.message}`, notApplied: fall });
    },
    async stale(known, _outcome, sinceDeadlineMs) {
      const shown = await sightCall(known.call);
      if (shown === 'unread') return await held.leave(againMs());
      if (shown !== 'unconfirmed' && showsCall(collection, known.call, shown))
        return await apply('applied', known.call, shown);
      // Guarded, the first request meets the same other version, however late it comes.
      if (quietInMs > 0 && known.guard === null) return await held.leave(quietAfterMs(facts) - sinceDeadlineMs);
      await held.release('stale', 0);
    },
    async notSent(_known, { retryAfterMs }) {
      await held.leave(Math.max(retryAfterMs ?? 0, delayMs()));
    },
    async unknown() {
      await held.leave(delayMs());
    },
  };

  /** By what can be read, where what the source answers cannot be relied on. */
  async function look(known: KnownDoubt, after: AfterLook): Promise<void> {
    const means = readingMeansOf(source, knownCall(doubt, intent, known.call));
    if (means === 'lookUp') return await lookUp(known, after);
    if (means === 'findAlike') return await findAlike(known, after);
    if (means === 'readBack') return await readBack(known, after);
    await park(known, `the source offers no way to see whether it took effect${after.sentAgain}`);
  }

  async function lookUp({ call }: KnownDoubt, after: AfterLook = TRY_AGAIN): Promise<void> {
    const shown = await sight({ idempotencyKey: idempotencyKeyOf(tools.hash, intent) });
    if (shown === 'unread') return await held.leave(againMs());
    if (shown !== 'absent' && shown !== 'unconfirmed') {
      if (fieldsShown(shown) === null) return await park(doubt, 'the record that it made is deleted again');
      // Positive proof, whatever is still on its way: a create under this key is there.
      return await apply('foundApplied', call, shown);
    }
    if (quietInMs > 0) return await held.leave(quietInMs);
    await after.notApplied();
  }

  async function findAlike(known: KnownDoubt, after: AfterLook = TRY_AGAIN): Promise<void> {
    const { call } = known;
    const shown = await sightAlike(tools, source, intent, call);
    if (shown.kind === 'unread') return await held.leave(againMs());
    if (shown.kind === 'made') {
      const isOurs = await held.adopted('foundApplied', view, laterOf(call, shown.observation));
      return isOurs ? undefined : await held.leave(againMs());
    }
    if (quietInMs > 0) return await held.leave(quietInMs);
    // Its natural key may have been changed: then nobody can tell it from others.
    if (shown.kind === 'none' && facts.naturalKey?.isFixed === true) return await after.notApplied();
    await park(known, whyUndecided(shown) + after.sentAgain);
  }

  async function readBack(known: KnownDoubt, after: AfterLook = TRY_AGAIN): Promise<void> {
    const { call, guard } = known;
    // Without a guard a late request of ours would still take effect, even over what others wrote meanwhile.
    if (quietInMs > 0 && guard === null) return await held.leave(quietInMs);
    const shown = await sightCall(call);
    if (shown === 'unread') return await held.leave(againMs());
    const verdict: Verdict =
      shown === 'unconfirmed' ? { kind: 'undecided', fields: [] } : judgeRead(collection, call, shown);
    if (verdict.kind === 'applied') return await apply('foundApplied', call, shown as Observation | 'absent');
    if (quietInMs > 0) return await held.leave(quietInMs);
    if (verdict.kind === 'notApplied') return await after.notApplied();
    if (shown === 'unconfirmed')
      return await park(known, `it has no such record, and no other one that could confirm that${after.sentAgain}`);
    await settleUndecided(known, verdict.fields, shown, after.sentAgain);
  }

  /** F4: never sent again. A policy that may refuse gives it back to its device; otherwise an operator has to look. */
  async function settleUndecided(
    known: KnownDoubt,
    fields: readonly string[],
    shown: Observation | 'absent',
    sentAgain: string,
  ): Promise<void> {
    const fieldsShown = shown === 'absent' ? null : shown.fields;
    const isGone = shown === 'absent' || fieldsShown === null;
    if (known.call.kind !== 'update')
      return await park(known, `the record is not as it would be, nor as it was${sentAgain}`);
    if (!isGone) {
      const kept = await keepCopy(tools, source, intent.tenant, view, { ...shown, fields: fieldsShown });
      if (kept === 'failed') return await held.leave(againMs());
      const now = await held.readAgain();
      if (now === null) return;
      view = now;
    }
    const verdict = decide(collection.policy, {
      kind: intent.kind,
      fields: Object.keys(known.call.fields),
      conflicting: fields,
      deleted: isGone,
      editWins: collection.deletedRecord === 'editWins',
      editedAtMs: intent.editedAtMs,
      currentAtMs: view.changedAtMs,
    });
    const text = isGone ? 'the record is gone' : bothValues(collection, known.call, shown, fields);
    if (verdict.kind === 'apply') return await park(known, text + sentAgain);
    const message = `${collection.name}: it may have taken effect before others changed the record: ${text}`;
    const error = toChangeError(
      new SyncError('CONFLICT', message, fields[0] === undefined ? {} : { field: fields[0] }),
    );
    view = await refuseFollowers(tools, collection, intent, view);
    await held.refused('refusedByPolicy', view, { status: 'CONFLICT', error, by: 'policy', conflicting: fields });
  }

  async function apply(
    event: 'applied' | 'foundApplied',
    call: NotedCall,
    shown: Observation | 'absent',
  ): Promise<void> {
    await held.applied(event, view, laterOf(call, shown));
  }

  async function sightCall(call: NotedCall): Promise<Sighting> {
    const key = call.sourceKey ?? view.sourceKey;
    return key === null || !facts.readOne ? 'unconfirmed' : await sight({ key });
  }

  function sight(finding: Parameters<typeof sightRecord>[3]): Promise<Sighting> {
    return sightRecord(tools, source, intent.tenant, finding);
  }

  async function park({ reason }: Doubt, why: string): Promise<void> {
    const { call } = doubt;
    const sent = call === null ? 'it may have been sent before the gateway was restored' : callText(call, reason);
    await held.park('undecided', view, `${collection.source}: ${sent}; ${why}`);
  }

  const againMs = (): number => lookAgainMs(doubt, chance());
  const delayMs = (): number => retryDelayMs(intent.attempt + 1, chance());

  await resolve();
}
