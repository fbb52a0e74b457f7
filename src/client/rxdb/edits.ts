import type { RxCollection } from 'rxdb';
import type { SentChange } from '../gateway.js';
import { deviceChance, uuidBy } from '../client-clock.js';
import { MARK, markOfEdit, type MarkedDocument } from './mark.js';
import { createSentEdits, type SentEdits } from './sent-edits.js';

/** The edits that an app makes in one collection. */
export interface Edits {
  /** In force, as the last answer said; null before the first. */
  epoch: string | null;
  /** The epoch in which a change was first sent, or may have been by an earlier run of the app (F5). */
  sentEpoch(
    made: Pick<SentChange, 'changeId' | 'changedAt'>,
    epoch: string | undefined,
  ): { readonly sentEpoch?: string };
  /** It has its answer. */
  settled(changeId: string): void;
  readonly sent: SentEdits;
  /** The id of the device, which edits that are made are marked with. */
  deviceOf: () => string | undefined;
  /** Made since the app began, and never sent: of these alone that is certain. */
  readonly neverSent: Set<string>;
}

const KNOWN = new WeakMap<object, Edits>();

/** From now on each write of the app gives its document a mark, in the same write. Once for a collection, however often it is called. */
export function markEdits<Doc>(collection: RxCollection<Doc>, name: string): Edits {
  const known = KNOWN.get(collection);
  if (known !== undefined) return known;
  const primary = collection.schema.primaryPath;
  const startedAt = new Date().toISOString();
  const firstSent = new Map<string, string>();

  const edits: Edits = {
    epoch: null,
    sent: createSentEdits(name, primary),
    deviceOf: () => undefined,
    neverSent: new Set(),
    sentEpoch({ changeId, changedAt }, madeIn) {
      const earlier = changedAt < startedAt ? madeIn : undefined;
      const epoch = firstSent.get(changeId) ?? earlier ?? edits.epoch;
      if (epoch === null) return {};
      firstSent.set(changeId, epoch);
      return { sentEpoch: epoch };
    },
    settled: (changeId) => void firstSent.delete(changeId),
  };

  function mark(before: MarkedDocument, after: MarkedDocument): void {
    const device = edits.deviceOf();
    const stamp = {
      changeId: `${name}:${uuidBy(deviceChance)}`,
      changedAt: new Date().toISOString(),
      ...(edits.epoch === null ? {} : { epoch: edits.epoch }),
      ...(device === undefined ? {} : { device }),
    };
    edits.neverSent.add(stamp.changeId);
    const below = edits.sent.below(before, stamp.changeId);
    (after as Record<string, unknown>)[MARK] = markOfEdit({ primary, before, after }, stamp, below);
  }

  collection.preInsert((document: unknown) => mark({}, document as MarkedDocument), false);
  // RxDB declares the second argument as the document, and hands over what was stored.
  collection.preSave(
    (document: unknown, stored: unknown) => mark(stored as MarkedDocument, document as MarkedDocument),
    false,
  );
  collection.preRemove((document: unknown) => mark(document as MarkedDocument, document as MarkedDocument), false);
  KNOWN.set(collection, edits);
  return edits;
}
