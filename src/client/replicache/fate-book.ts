import type { ChangeError } from '../../core/errors.js';
import type { PushStatus } from '../../core/intent.js';
import { changeReaction } from '../error-reactions.js';
import type { Fate } from '../gateway.js';
import type { Edit } from './mutators.js';
import type { MutationIds } from './place.js';

/**
 * What became of an edit, for the app. UNANSWERED: it was sent under a device id that is no more, and no answer came (F11): it is not sent
 * again, since nobody could tell that it is a repeat.
 */
export interface ToldFate extends Omit<Fate, 'status'> {
  readonly status: PushStatus | 'UNANSWERED';
  /** The edit itself; null where another tab made it, or the tab that was here before. */
  readonly edit: Edit | null;
}

/** Takes an edit's fate. It is called again with the same one after a crash; the edit counts as done only when it returned. */
export type OnFate = (fate: ToldFate) => void | Promise<void>;

/**
 * What this process knows of mutations' fates, for one client group. It may be lost at any time: what is not done is pushed again by
 * Replicache, and gets the stored answer (R7).
 */
export interface FateBook {
  /** The mutations that are on their way, all that Replicache has not seen done. */
  pushing(mutations: readonly { readonly clientID: string; readonly id: number; readonly edit: Edit | null }[]): void;
  /** A fate of push or of a receipt. @returns false: it is none, and the mutation is to be pushed again */
  hear(fate: Fate, isReceipt: boolean): Promise<boolean>;
  /** One that will not be sent any more. */
  giveUp(changeId: string, status: 'REJECTED' | 'UNANSWERED', error: ChangeError): Promise<void>;
  isFinal(changeId: string): boolean;
  /** Those that are final now. @param among only of these */
  finals(among?: readonly string[]): MutationIds;
  /** The last of each client that is known to be on its way. */
  lasts(): ReadonlyMap<string, number>;
  firsts(): ReadonlyMap<string, number>;
  /** What a pull was told to be done is not needed here any more. */
  forget(done: (client: string) => number): void;
}

/** A mutation's name towards the gateway: unique for its device, the client group, and the same at every repeat. */
export function changeIdOf(clientID: string, mutationId: number): string {
  return `${clientID}:${mutationId}`;
}

export function createFateBook(onFate: OnFate): FateBook {
  const finals = new Map<string, Set<number>>();
  const firsts = new Map<string, number>();
  const lasts = new Map<string, number>();
  const edits = new Map<string, Edit>();
  const told = new Map<string, string>();

  async function tell(fate: ToldFate): Promise<void> {
    if (fate.status === 'ACCEPTED' || told.get(fate.changeId) === fate.status) return;
    await onFate(fate);
    told.set(fate.changeId, fate.status);
  }

  function close(changeId: string): void {
    const [client, id] = mutationOf(changeId);
    const known = finals.get(client);
    if (known === undefined) finals.set(client, new Set([id]));
    else known.add(id);
  }

  return {
    pushing(mutations) {
      const first = new Map<string, number>();
      for (const { clientID, id, edit } of mutations) {
        first.set(clientID, Math.min(id, first.get(clientID) ?? id));
        lasts.set(clientID, Math.max(id, lasts.get(clientID) ?? id));
        if (edit !== null) edits.set(changeIdOf(clientID, id), edit);
      }
      for (const [client, id] of first) firsts.set(client, id);
    },
    async hear(fate, isReceipt) {
      if (!isReceipt && fate.status === 'REJECTED' && changeReaction(fate.error) === 'again') return false;
      // An operator's repeat of an edit has a receipt, too: not one of ours.
      if (!Number.isInteger(mutationOf(fate.changeId)[1])) return true;
      await tell({ ...fate, edit: edits.get(fate.changeId) ?? null });
      if (fate.status !== 'ACCEPTED' && fate.status !== 'PARKED') close(fate.changeId);
      return true;
    },
    async giveUp(changeId, status, error) {
      await tell({ changeId, status, error, edit: edits.get(changeId) ?? null });
      close(changeId);
    },
    isFinal(changeId) {
      const [client, id] = mutationOf(changeId);
      return finals.get(client)?.has(id) === true;
    },
    finals(among) {
      const asked = among && new Set(among);
      const isAsked = (client: string, id: number): boolean => asked?.has(changeIdOf(client, id)) ?? true;
      const found = [...finals].map(
        ([client, ids]) => [client, new Set([...ids].filter((id) => isAsked(client, id)))] as const,
      );
      return new Map(found.filter(([, ids]) => ids.size > 0));
    },
    lasts: () => lasts,
    firsts: () => firsts,
    forget(done) {
      for (const [client, ids] of finals) {
        for (const id of ids) {
          if (id > done(client)) continue;
          ids.delete(id);
          edits.delete(changeIdOf(client, id));
          told.delete(changeIdOf(client, id));
        }
        if (ids.size === 0) finals.delete(client);
      }
    },
  };
}

function mutationOf(changeId: string): readonly [client: string, id: number] {
  const at = changeId.lastIndexOf(':');
  return at < 0 ? [changeId, Number.NaN] : [changeId.slice(0, at), Number(changeId.slice(at + 1))];
}
