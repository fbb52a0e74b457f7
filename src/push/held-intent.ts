import {
  nextIntentState,
  retryDelayMs,
  type IntentEvent,
  type NextIntentState,
  type OpenState,
} from '../core/intent.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { Mapping } from '../core/overlay.js';
import type { RecordView, RecordWrite } from '../core/record-port.js';
import type { SourceCollection } from '../core/source-port.js';
import type { DeliveryTools } from './delivery-tools.js';
import { isForgotten } from './noted-call.js';
import { settleApplied, settleParked, settleRefused, type Applied, type Refusal } from './settle.js';
import { withLinks } from './shown-links.js';

/**
 * A leased intent in the hands of this process. Whatever happens to it goes through the intent machine (`core/intent`): each
 * method writes one kind of next state, and what cannot happen in its state is a fault that writes nothing. All is fenced and
 * repeated while the store is away; once the fence is lost nothing is written any more.
 */
export interface HeldIntent {
  readonly intent: LeasedIntent;
  /** Something happened that is written already, or with what comes of it. */
  happened(event: 'noted' | 'unknown'): void;
  /** The source has it; PARKED if nothing says under which key. Written on whatever the record is by then. */
  applied(event: 'applied' | 'foundApplied', view: RecordView, applied: Applied): Promise<void>;
  /**
   * A record that was found is what it made. Only if no other record here is that one by now, and this one has not moved.
   *
   * @returns false when it is not: look again
   */
  adopted(event: 'applied' | 'foundApplied', view: RecordView, applied: Applied): Promise<boolean>;
  /** It falls. Written on whatever the record is by then. */
  refused(event: 'refused' | 'foundRefused' | 'refusedByPolicy', view: RecordView, refusal: Refusal): Promise<void>;
  /** It falls by a decision that was made on this view. @returns false when the record moved: decide again */
  refusedOn(view: RecordView, refusal: Refusal): Promise<boolean>;
  /** PARKED: an operator has to look (R11). */
  park(event: IntentEvent, view: RecordView, reason: string): Promise<void>;
  /**
   * PENDING: the next attempt is the outbox's.
   *
   * @param waitsFor another open intent that has to be settled first; absent: as before
   * @returns false when the fence is lost
   */
  release(event: IntentEvent, retryInMs: number, waitsFor?: number): Promise<boolean>;
  /** IN_DOUBT: to be looked at again after this long. */
  leave(lookInMs: number): Promise<void>;
  /** The record as it is now; null when the intent is not this process's any more, or not first in its lane. */
  readAgain(): Promise<RecordView | null>;
  /** For the log: ids, never fields. */
  nameOf(): Readonly<Record<string, unknown>>;
}

/** Within a push's patience nothing is to be hoped for after a longer wait than this. */
const WORTH_WAITING_MS = 2_000;

export function holdIntent(tools: DeliveryTools, source: SourceCollection, intent: LeasedIntent): HeldIntent {
  const { store, settling, log } = tools;
  const { collection } = source;
  let state: OpenState = intent.state;

  function move(event: IntentEvent, to: NextIntentState): void {
    const next = nextIntentState(state, event);
    if (next !== to) throw new Error(`"${event}" makes a change ${next}, and ${to} was to be written`);
    if (next !== 'SETTLED') state = next;
  }

  /** Whoever waits for the outcome need not do so in vain. */
  function tellWaiting(waitMs: number): void {
    if (waitMs < WORTH_WAITING_MS && !source.isDown()) return;
    tools.fates.tell(intent.intentNo, { status: 'ACCEPTED', error: null });
  }

  /** A note may have been kept although its answer was lost: given up here, it would be taken for a call in doubt. */
  async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
    for (let failures = 1; ; failures++) {
      try {
        return await ask();
      } catch (thrown) {
        if (tools.stopping.aborted) throw thrown;
        log.info('the store is away, asking again', { ...nameOf(), failures, reason: String(thrown) });
        await tools.clock.wait(retryDelayMs(failures, tools.chance()), tools.stopping);
      }
    }
  }

  function parkedWithoutKey(now: RecordView): RecordWrite {
    nextIntentState(state, 'appliedWithoutKey');
    return settleParked(now, intent, `${collection.source} took the record and did not say under which key`);
  }

  async function appliedOn(now: RecordView, told: Applied): Promise<RecordWrite> {
    const { applied, mapping } = await withLinks(tools.references, intent.tenant, collection, now, told);
    return settleApplied(collection, now, intent, applied, tools.hash, mapping) ?? parkedWithoutKey(now);
  }

  function mappingOf(now: RecordView): Promise<Mapping> {
    return tools.references.mappingOf(intent.tenant, collection, now, null);
  }

  const nameOf = (): Readonly<Record<string, unknown>> => nameOfIntent(intent);

  return {
    intent,
    nameOf,
    happened(event) {
      state = nextIntentState(state, event) as OpenState;
    },
    async applied(event, view, applied) {
      move(event, 'SETTLED');
      await settling.untilDone(intent, view, (now) => appliedOn(now, applied), source);
    },
    async adopted(event, view, applied) {
      move(event, 'SETTLED');
      return await settling.once(intent, view, await appliedOn(view, applied));
    },
    async refused(event, view, refusal) {
      move(event, 'SETTLED');
      await settling.untilDone(intent, view, async (now) =>
        settleRefused(collection, now, intent, refusal, await mappingOf(now)),
      );
    },
    async refusedOn(view, refusal) {
      move('refusedByPolicy', 'SETTLED');
      const mapping = await mappingOf(view);
      return await settling.once(intent, view, settleRefused(collection, view, intent, refusal, mapping));
    },
    async park(event, view, reason) {
      move(event, 'PARKED');
      log.warn('a change is parked', { ...nameOf(), reason });
      await settling.untilDone(intent, view, (now) => settleParked(now, intent, reason));
    },
    async release(event, retryInMs, waitsFor) {
      move(event, 'PENDING');
      const isReleased = await untilAnswered(() => store.releaseIntent(intent, retryInMs, waitsFor));
      if (!isReleased) return false;
      tellWaiting(waitsFor === undefined ? 0 : WORTH_WAITING_MS);
      tools.retryLater(waitsFor ?? null);
      return true;
    },
    async leave(lookInMs) {
      // A repeated call that had no effect says nothing of the one before.
      move(state === 'SENT' ? 'unknown' : 'notYetTold', 'IN_DOUBT');
      if (!(await untilAnswered(() => store.leaveInDoubt(intent, lookInMs)))) return;
      tellWaiting(lookInMs);
      tools.lookLater(lookInMs);
    },
    async readAgain() {
      const [view] = await store.readRecords(intent.tenant, [{ collection: intent.collection, id: intent.id }]);
      return view !== undefined && isItsTurn(view, intent) ? view : null;
    },
  };
}

/** For the log: ids, never fields. */
export function nameOfIntent({ intentNo, collection, id, changeId }: LeasedIntent): Readonly<Record<string, unknown>> {
  return { intentNo, collection, id, changeId };
}

/**
 * Is this the intent of its lane that may go on? The first one; but what was called for or is parked goes before one that came with
 * an alias and waits (F9). What a new epoch put in doubt and nobody remembers a call of keeps its place.
 */
export function isItsTurn({ intents }: RecordView, { intentNo }: Pick<LeasedIntent, 'intentNo'>): boolean {
  const next = intents.find((one) => one.state !== 'PENDING' && !isForgotten(one)) ?? intents[0];
  return next?.intentNo === intentNo;
}
