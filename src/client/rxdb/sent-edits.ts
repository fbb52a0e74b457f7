import { changeOf, type Below, type EarlierEdit, type MarkedDocument, type PushRow, type Touched } from './mark.js';

/**
 * What was sent of each document. RxDB pushes a document as one row from the last state that it knows the gateway to have; it does not come to
 * know of one whose answer meets a document that was edited meanwhile. Then the next row would say all of it again, under another change id:
 * the same edit would take effect twice, over what others wrote in between. So an edit on top of one that was sent says only what is its
 * own, and one whose answer is not known goes out before it, under its own id and to the letter: also after a restart of the app.
 */
export interface SentEdits {
  /** What an edit of this document is made on top of. @param changeId of that edit */
  below(stored: MarkedDocument, changeId: string): Below;
  /**
   * What is to be sent of a row.
   *
   * @returns null: nothing. `isEarlier`: it is not the row's own yet, which has to come again. 'notNow': an edit that takes this one in is being
   *   written; where that fails, the row comes again
   */
  next(row: PushRow): NextEdit | 'notNow' | null;
  /** The row comes again. */
  comesAgain(row: PushRow): void;
  /** There is an answer to it, which stays. */
  answered(id: string, changeId: string, isTaken: boolean): void;
  /** The gateway said that it does not know it, nor takes it now: it is as if it had not been sent. */
  notTaken(row: PushRow, changeId: string): void;
}

export interface NextEdit extends Pick<EarlierEdit, 'change' | 'isCreate'> {
  readonly isEarlier: boolean;
  /** The epoch in force when it was made, where it was known. */
  readonly epoch: string | undefined;
  /** The id of the device when it was made, where it was noted. */
  readonly device: string | undefined;
}

/** What was sent last of a document. */
interface LastSent {
  readonly changeId: string;
  readonly root: string | undefined;
  readonly edit: EarlierEdit;
  readonly isAnswered: boolean;
  /** What an edit on top of it is made on top of: not of one that was not taken, nor of a create that was refused. */
  readonly behind: Touched | undefined;
}

export function createSentEdits(collection: string, primary: string): SentEdits {
  const lasts = new Map<string, LastSent>();
  /** Of these alone it is certain that nobody sent them: made since the app began. */
  const unsent = new Set<string>();
  /** By document: these go out as a part of the edit on top of them, if that comes to be stored. */
  const takenIn = new Map<string, Set<string>>();

  /** Was it sent here, and is the edit of this mark on top of it? */
  function lastBelow({ tidegate: { root, changeId } = {}, [primary]: id }: MarkedDocument): LastSent | undefined {
    const last = lasts.get(String(id));
    return root !== undefined && last?.root === root && last.changeId !== changeId ? last : undefined;
  }

  /** The edit that a stored document shows, as it was sent or will be. */
  function shown(stored: MarkedDocument): EarlierEdit | null {
    const { version, touched = {}, since, earlier, epoch, device } = stored.tidegate ?? {};
    const assumed = version === undefined ? undefined : { [primary]: stored[primary], tidegate: { version } };
    // Everything that was edited since the record came, but for what was sent before.
    const row = { newDocumentState: stored, assumedMasterState: assumed };
    const change = changeOf(collection, primary, row, since ?? {});
    const isCreate = version === undefined && since === undefined && earlier === undefined;
    return change === null ? null : { change, isCreate, touched, since, epoch, device };
  }

  function send(id: string, root: string | undefined, edit: EarlierEdit): void {
    const { changeId } = edit.change;
    unsent.delete(changeId);
    lasts.set(id, { changeId, root, edit, isAnswered: false, behind: edit.touched });
  }

  return {
    below(stored, changeId) {
      const { changeId: under, root, touched, since, earlier = [] } = stored.tidegate ?? {};
      const isUnsent = under !== undefined && unsent.delete(under);
      unsent.add(changeId);
      if (under === undefined || root === undefined) return { earlier: [], since: undefined };
      if (isUnsent) {
        const id = String(stored[primary]);
        takenIn.set(id, (takenIn.get(id) ?? new Set()).add(under));
        return { earlier, since };
      }
      const last = lasts.get(String(stored[primary]));
      if (last?.changeId !== under) {
        const edit = shown(stored);
        const open = openOf(earlier, lastBelow(stored));
        return { earlier: edit === null ? open : [...open, edit], since: touched };
      }
      return last.isAnswered ? { earlier: [], since: last.behind } : { earlier: [last.edit], since: last.behind };
    },
    next(row) {
      const { newDocumentState: state } = row;
      const [id, mark] = [String(state[primary]), state.tidegate ?? {}];
      if (takenIn.get(id)?.has(mark.changeId ?? '') === true) return 'notNow';
      const last = lasts.get(id);
      const isRepeat = last !== undefined && last.changeId === mark.changeId;
      const below = lastBelow(state);
      const [edit] = isRepeat ? [] : openOf(mark.earlier ?? [], below);
      if (edit !== undefined) {
        send(id, mark.root, edit);
        const { change, isCreate, epoch, device } = edit;
        return { change, isCreate, isEarlier: true, epoch, device };
      }
      const since = isRepeat ? last.edit.since : below === undefined ? mark.since : below.behind;
      const change = changeOf(collection, primary, row, since);
      if (change === null) return null;
      const isCreate = change.baseVersion === null && since === undefined && change.kind === 'UPSERT';
      const { touched = {}, epoch, device } = mark;
      // Rows come in the order in which they were made.
      takenIn.delete(id);
      send(id, mark.root, { change, isCreate, touched, since, epoch, device });
      return { change, isCreate, isEarlier: false, epoch, device };
    },
    comesAgain: ({ newDocumentState: state }) =>
      void takenIn.get(String(state[primary]))?.delete(state.tidegate?.changeId ?? ''),
    answered(id, changeId, isTaken) {
      const last = lasts.get(id);
      if (last?.changeId !== changeId) return;
      const { isCreate, touched } = last.edit;
      // On top of a create that was refused there is nothing: the next edit makes the record whole.
      lasts.set(id, { ...last, isAnswered: true, behind: isCreate && !isTaken ? undefined : touched });
    },
    notTaken({ newDocumentState: state }, changeId) {
      const [id, { changeId: own, earlier = [] }] = [String(state[primary]), state.tidegate ?? {}];
      const last = lasts.get(id);
      // What is right on top of it can take it in: nothing that was sent was.
      const isNext = changeId === own || changeId === earlier.at(-1)?.change.changeId;
      if (last?.changeId !== changeId || !isNext) return;
      lasts.set(id, { ...last, isAnswered: true, behind: last.edit.since });
      unsent.add(changeId);
    },
  };
}

/** Those that have no answer. @param last what was sent last here of the edits that these belong to */
function openOf(earlier: readonly EarlierEdit[], last: LastSent | undefined): readonly EarlierEdit[] {
  if (last === undefined) return earlier;
  // Everything below it was answered before it was sent.
  const above = earlier.filter(({ touched }) => countOf(touched) > countOf(last.edit.touched));
  return last.isAnswered ? above : [last.edit, ...above];
}

/** Every edit that is sent touches a field, so that this orders them. A deletion is the last. */
function countOf(touched: Touched): number {
  return Object.values(touched).reduce((sum, times) => sum + times, 0);
}
