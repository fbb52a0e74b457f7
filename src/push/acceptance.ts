import { correctedTimeMs, stampOf } from '../core/conflict.js';
import { isErased } from '../core/erasure-port.js';
import { SyncError } from '../core/errors.js';
import { forgiving, layerOf, nextState } from '../core/overlay.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { OpenIntent, RecordView, RecordWrite, WriteOutcome } from '../core/record-port.js';
import { writerOf, type DeviceKey } from '../core/session.js';
import type { AcceptDecision } from './decide-acceptance.js';
import { keptEdit } from './kept-edit.js';
import type { Links } from './links.js';
import type { CheckedChange, NamedChange } from './pushed-change.js';

/** An intent that a push made, and its record as it stands after the accepting commits. */
export interface Opened {
  readonly intent: LeasedIntent;
  readonly view: RecordView;
  /** True: leased to this node from the start, and first in its lane. */
  readonly isLeased: boolean;
}

/** What accept needs to know of delivery: whether an intent of this collection could be called for now. */
export interface LeaseOffer {
  readonly holder: string;
  readonly leaseMs: number;
  canTake(collection: string): boolean;
}

/** A change whose fate at accept is decided. */
interface Accepted {
  readonly device: DeviceKey;
  readonly named: NamedChange;
  readonly checked: CheckedChange | SyncError;
  readonly bodyHash: string;
  readonly editedAtMs: number;
  readonly nowMs: number;
}

type Decided = Exclude<AcceptDecision, { readonly kind: 'retryLater' }>;

/**
 * The write that keeps a change: its dedupe row with its fate, or its intent. An intent of which no outcome is to be hoped for
 * soon is shown with the same write (lazy overlay, specification part 4): its source is down, or its lane waits for somebody.
 */
export function acceptanceWrite(
  { device, named, checked, bodyHash, editedAtMs: atMs }: Accepted,
  view: RecordView,
  decision: Decided,
  lease: LeaseOffer,
  links: Links | null,
): RecordWrite {
  const { changeId, collection, id } = named;
  const common = { collection: collection.name, id, expected: { seq: view.seq, mark: view.mark } };
  const accepted = { device, changeId, bodyHash };
  if (decision.kind === 'final') {
    const { status, error, conflicting, blockedBy, wrote = [] } = decision;
    const isKept = status === 'CONFLICT' && !(checked instanceof SyncError) && !isErased(view);
    const more = {
      ...(isKept ? { kept: keptEdit(checked, conflicting ?? []) } : {}),
      ...(blockedBy === undefined ? {} : { blockedBy }),
    };
    const settlement = { device, changeId, status, error, inEffect: status === 'APPLIED', intent: null, ...more };
    const stamps = wrote.map((name) => ({
      fields: [name],
      writer: writerOf(device),
      at: stampOf(view.stamps, name)?.seq ?? null,
    }));
    return {
      ...common,
      acceptance: { ...accepted, intent: null },
      settlement,
      ...(wrote.length > 0 ? { stamps } : {}),
    };
  }
  const { kind } = checked as CheckedChange;
  const { fields, mapping, waitsFor, refersTo } = links as Links;
  const canTake = lease.canTake(collection.name);
  const isFirst = view.intents.length === 0;
  const intent = {
    kind,
    fields: JSON.stringify(fields),
    baseSeq: decision.baseSeq,
    editedAtMs: atMs,
    lease:
      isFirst && canTake && !decision.inDoubt && waitsFor === null
        ? { holder: lease.holder, leaseMs: lease.leaseMs }
        : null,
    waitsFor: waitsFor?.intentNo ?? null,
    ...(refersTo === undefined ? {} : { refersTo }),
    isShown: false,
    ...(decision.inDoubt ? { inDoubt: true } : {}),
  };
  const isStuck =
    !canTake || decision.inDoubt || view.intents.some(({ state }) => state === 'IN_DOUBT' || state === 'PARKED');
  if (!isStuck || collection.visibility === 'confirmed') return { ...common, acceptance: { ...accepted, intent } };
  const hidden = view.intents.filter(({ seq }) => seq === null).map(({ intentNo }) => intentNo);
  const shown = [...view.intents, { kind, fields: intent.fields, device }].map((one) => ({ ...one, seq: view.seq }));
  return {
    ...common,
    acceptance: { ...accepted, intent: { ...intent, isShown: true } },
    next: nextState(forgiving(collection), layerOf(view), shown, mapping),
    ...(hidden.length === 0 ? {} : { shown: hidden }),
  };
}

/** What the accepting commit made: the intent, and its record. */
export function openedBy(
  view: RecordView,
  write: RecordWrite,
  { seq, intentNo }: WriteOutcome & { readonly kind: 'written' },
  nowMs: number,
): Opened {
  const { device, changeId, intent: made } = write.acceptance as NonNullable<RecordWrite['acceptance']>;
  const { lease, isShown, inDoubt = false, refersTo: _refersTo, ...asked } = made as NonNullable<typeof made>;
  const intent: OpenIntent = {
    ...asked,
    intentNo: intentNo as number,
    device,
    changeId,
    collection: write.collection,
    id: write.id,
    state: inDoubt ? 'IN_DOUBT' : 'PENDING',
    attempt: 0,
    seq: isShown ? seq : null,
    fence: lease === null ? 0 : 1,
    acceptedAtMs: nowMs,
    payload: null,
    guard: null,
  };
  const { next, shown } = write;
  const earlier = view.intents.map((one) => (shown?.includes(one.intentNo) === true ? { ...one, seq } : one));
  const after = { ...view, mark: view.mark + 1, intents: [...earlier, intent] };
  return {
    intent: { ...intent, tenant: device.tenant, sinceDeadlineMs: inDoubt ? 0 : null },
    view: next === undefined ? after : { ...after, ...visibleOf(next), seq },
    isLeased: lease !== null,
  };
}

/** When an edit was made, in whole milliseconds as they are kept: skew-corrected, never in the gateway's future. */
export function editedAtMs({ changedAtMs }: CheckedChange, sentAtMs: number | null, nowMs: number): number {
  return Math.round(correctedTimeMs(changedAtMs, sentAtMs, nowMs));
}

function visibleOf({ vis, pending, deleted }: NonNullable<RecordWrite['next']>): Partial<RecordView> {
  return { vis, pending, deleted };
}
