import type { Collection } from '../core/collection.js';
import { SyncError, toChangeError, type ChangeError } from '../core/errors.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { OpenIntent, RecordStore, RecordView } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import { sameDevice } from '../core/session.js';
import type { Fates } from './fates.js';
import { settleRefused } from './settle.js';

/**
 * Under `ask` a change that conflicts takes with it what its device made on top of it (F19): the device's later open changes of
 * the record become CONFLICTs that name it. To be called before the change itself is settled, while it still holds the lane: then
 * none of them can be on its way, and a crash half-way leaves the first to be decided again. One that is another process's by now leaves
 * them alone: it may come to something else there. Safe to repeat.
 *
 * @returns the record as it stands then
 * @throws SyncError UNAVAILABLE
 */
export async function refuseFollowers(
  {
    store,
    references,
    fates,
  }: {
    readonly store: Pick<RecordStore, 'commit' | 'readRecords'>;
    readonly references: ReferenceMap;
    readonly fates: Pick<Fates, 'tell'>;
  },
  collection: Collection,
  intent: LeasedIntent,
  seen: RecordView,
): Promise<RecordView> {
  let view = seen;
  if (collection.policy !== 'ask') return view;
  // The newest first: none of them is ever decided on top of one that is gone.
  for (let last = followerOf(view, intent); last !== undefined; last = followerOf(view, intent)) {
    if (!isHeld(view, intent)) return view;
    const follower = { ...last, tenant: intent.tenant, sinceDeadlineMs: null };
    const refusal = {
      status: 'CONFLICT',
      error: madeOnTop(collection),
      by: 'policy',
      blockedBy: intent.changeId,
    } as const;
    const mapping = await references.mappingOf(intent.tenant, collection, view, null);
    const [outcome] = await store.commit(intent.tenant, [settleRefused(collection, view, follower, refusal, mapping)]);
    // The push that brought it waits for its fate, too.
    if (outcome?.kind === 'written') fates.tell(follower.intentNo, refusal);
    const [now] = await store.readRecords(intent.tenant, [{ collection: intent.collection, id: intent.id }]);
    view = now as RecordView;
  }
  return view;
}

/** Why a change falls with another one of its device. */
export function madeOnTop(collection: Collection): ChangeError {
  return toChangeError(new SyncError('CONFLICT', `${collection.name}: made on top of a change that conflicts`));
}

function isHeld(view: RecordView, { intentNo, fence }: LeasedIntent): boolean {
  return view.intents.some((one) => one.intentNo === intentNo && one.fence === fence);
}

/** The last PENDING change of the same device behind an intent. */
function followerOf(view: RecordView, intent: LeasedIntent): OpenIntent | undefined {
  return view.intents.findLast(
    (other) => other.intentNo > intent.intentNo && other.state === 'PENDING' && sameDevice(other.device, intent.device),
  );
}
