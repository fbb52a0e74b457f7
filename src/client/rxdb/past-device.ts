import { changeReaction, requestReaction } from '../error-reactions.js';
import { GatewayFault, type SentChange } from '../gateway.js';
import type { GlueGateway, ToldFate } from '../glue-gateway.js';
import { UNANSWERED_ERROR } from '../unanswered.js';
import type { Edits } from './edits.js';
import { MARK, type MarkedDocument, type PushRow } from './mark.js';
import type { NextEdit } from './sent-edits.js';

/**
 * What a device does about edits that were sent, or may have been, under an id of it that is no more (F11): nobody could tell that they are
 * repeats, so they are told and not sent again. What was certainly never sent goes on under the new id.
 */
export interface PastDevice {
  /** What is to be sent of a row. 'unanswered': all that is left of it was sent in the past, and was told. */
  next(row: PushRow): NextEdit | 'notNow' | 'unanswered' | null;
  /** @returns what RxDB is told for a row that is unanswered: what was known of the record before it; a pull from the beginning brings the rest */
  tell(row: PushRow, primary: string): MarkedDocument;
  /**
   * Pushes, and goes on under a new id where the gateway asks for one.
   *
   * @param asked the id under which they were chosen
   * @throws GatewayFault - nothing is known of any change; DEVICE_EVICTED: nothing was taken
   */
  push(changes: readonly SentChange[], asked: string): Promise<readonly ToldFate[]>;
  /** How many were told. A pull that was asked for from the beginning later brings their records, others may be passed over by RxDB. */
  toldCount(): number;
}

/** @param told an edit that is not sent again, once for each try */
export function createPastDevice(
  edits: Edits,
  gateway: GlueGateway,
  told: (changeId: string, row: PushRow) => void,
): PastDevice {
  let tellings = 0;
  /** Of documents whose create was told. */
  const lostRoots = new Set<string>();

  function isPast({ device, change }: NextEdit): boolean {
    return device !== undefined && device !== gateway.device() && !edits.neverSent.has(change.changeId);
  }

  return {
    next(row) {
      const { root } = row.newDocumentState.tidegate ?? {};
      for (let isTold = false; ; isTold = true) {
        // On top of a create that may not be there an edit would make half a record, or the whole one twice.
        const isWithCreate = root !== undefined && lostRoots.has(root);
        const next = edits.sent.next(row);
        if (next === 'notNow') return next;
        if (next === null) return isTold ? 'unanswered' : null;
        if (!isWithCreate && !isPast(next)) return next;
        const { change, isEarlier, isCreate } = next;
        told(change.changeId, row);
        edits.sent.answered(change.id, change.changeId, false);
        edits.settled(change.changeId);
        tellings += 1;
        if (isCreate && root !== undefined) lostRoots.add(root);
        if (!isEarlier) return 'unanswered';
      }
    },
    tell({ newDocumentState: next, assumedMasterState: taken }, primary) {
      const { code, message } = UNANSWERED_ERROR;
      const known = taken ?? { [primary]: next[primary], _deleted: true };
      const { isAwaited: _isAwaited, ...mark } = known.tidegate ?? {};
      return { ...known, [MARK]: { ...mark, refused: { code, message } } };
    },
    async push(changes, asked) {
      const first = changes.filter(({ changeId }) => edits.neverSent.delete(changeId));
      try {
        const fates = await gateway.push(changes, asked);
        const copied = fates.filter(({ error }) => changeReaction(error) === 'newDevice');
        // These bodies were never taken under their ids.
        for (const { changeId } of copied) edits.neverSent.add(changeId);
        if (copied.length > 0)
          await gateway.renew(new GatewayFault('KEY_REUSED', 'expected change ids of this device alone'), asked);
        return fates;
      } catch (thrown) {
        const fault = GatewayFault.from(thrown, 'UNREACHABLE');
        if (requestReaction(fault.code) !== 'newDevice') throw fault;
        // What it would have sent for the first time was never sent.
        for (const { changeId } of first) edits.neverSent.add(changeId);
        await gateway.renew(fault, asked);
        throw fault;
      }
    },
    toldCount: () => tellings,
  };
}
