import type { RxCollection, RxConflictHandler } from 'rxdb';
import { changeReaction } from '../error-reactions.js';
import { isRefused } from '../outbox-entry.js';
import { GatewayFault, type SentChange } from '../gateway.js';
import type { ToldFate } from '../glue-gateway.js';
import { MARK, type MarkedDocument, type PushRow } from './mark.js';

/**
 * Rows that the gateway cannot take now. RxDB knows a batch that failed, all of which it repeats, and a row that met another state. So such
 * a row is said to have met the state that it was made from, and is resolved as what it says: the other rows of its batch are done, it
 * stays unpushed, and RxDB pushes it once more at once.
 */
export interface Repeats {
  /** Is this row to be pushed again? Nothing of it is stored by the gateway. */
  isLater(fate: ToldFate): boolean;
  /** @returns what RxDB is told for a row that is */
  tell(row: PushRow, fate: ToldFate, primary: string): MarkedDocument;
  /** @returns what RxDB is told for a row of which a part is done: it is pushed again at once */
  goOn(row: PushRow, primary: string): MarkedDocument;
  /**
   * Leaves RxDB its pause between two tries.
   *
   * @throws GatewayFault what the gateway said last, where nothing is to be pushed but what was told so just now: RxDB waits `retryTime`
   */
  pause(changes: readonly SentChange[]): void;
}

const RESOLVING = new WeakSet<object>();

/** From now on the collection resolves such rows as what they say; all else is its conflict handler's, as before. */
export function repeatRows<Doc>(collection: RxCollection<Doc>): Repeats {
  if (!RESOLVING.has(collection)) {
    RESOLVING.add(collection);
    const { conflictHandler } = collection;
    collection.conflictHandler = {
      isEqual: (...states) => conflictHandler.isEqual(...states),
      async resolve(met, context) {
        const isOurs = (met.realMasterState as MarkedDocument)[MARK]?.isAwaited === true;
        return isOurs ? met.newDocumentState : conflictHandler.resolve(met, context);
      },
    } satisfies RxConflictHandler<Doc>;
  }
  const told = new Map<string, GatewayFault>();

  return {
    isLater: (fate) => isRefused(fate) && changeReaction(fate.error) !== 'refused',
    tell(row, { changeId, error }, primary) {
      told.set(changeId, new GatewayFault(error?.code ?? 'UNAVAILABLE', error?.message ?? 'refused for now'));
      return madeFrom(row, primary);
    },
    goOn: madeFrom,
    pause(changes) {
      const faults = changes.map(({ changeId }) => told.get(changeId));
      const [fault] = faults;
      for (const { changeId } of changes) told.delete(changeId);
      if (fault !== undefined && !faults.includes(undefined)) throw fault;
    },
  };
}

function madeFrom({ assumedMasterState, newDocumentState }: PushRow, primary: string): MarkedDocument {
  const taken = assumedMasterState ?? { [primary]: newDocumentState[primary], _deleted: true };
  return { ...taken, [MARK]: { ...taken.tidegate, isAwaited: true } };
}
