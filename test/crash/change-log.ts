import type { Fate, PushedEdit, SyncDevice } from '../support/sync-device.js';
import type { Capability } from './capabilities.js';
import type { ChangeKind } from './crash-points.js';

/** A change that a device of the sweep made, and what it was told of it. */
export interface LoggedChange {
  readonly edit: PushedEdit;
  readonly capability: Capability;
  readonly kind: ChangeKind;
  /** The round it was made in. */
  readonly label: string;
  /** The source says no to what it says. */
  readonly isUnwanted: boolean;
  /** It follows another change of its record that may not be taken. */
  readonly follows: string | null;
  /** What its pushes were answered, in order. */
  readonly answers: Fate[];
}

/** Fates after which nothing more is told (R7). */
const FINAL: readonly string[] = ['APPLIED', 'MERGED', 'CONFLICT', 'REJECTED'];

/** Every change of a sweep: what the verdict is about. The device keeps a change until it is final (R10). */
export interface ChangeLog {
  readonly changes: ReadonlyMap<string, LoggedChange>;
  add(change: Omit<LoggedChange, 'answers'>): PushedEdit;
  /** Pushes edits and notes what is answered; the device repeats what was not. @returns false when no answer came */
  push(edits: readonly PushedEdit[]): Promise<boolean>;
  /** The last that the device knows of a change. */
  fateOf(changeId: string): Fate | null;
  /** Changes of which the device knows nothing: it has to push them again. */
  unanswered(): readonly PushedEdit[];
}

export function createChangeLog(device: SyncDevice): ChangeLog {
  const changes = new Map<string, LoggedChange>();

  function fateOf(changeId: string): Fate | null {
    const answers = changes.get(changeId)?.answers ?? [];
    const final = answers.find(({ status }) => FINAL.includes(status));
    return final ?? device.receipts.get(changeId) ?? answers.at(-1) ?? null;
  }

  return {
    changes,
    fateOf,
    add(change) {
      changes.set(change.edit.changeId, { ...change, answers: [] });
      return change.edit;
    },
    async push(edits) {
      try {
        for (const fate of await device.push(edits)) changes.get(fate.changeId)?.answers.push(fate);
        return true;
      } catch {
        // The gateway ended, or the answer was lost on its way.
        return false;
      }
    },
    unanswered: () =>
      [...changes.values()].filter(({ edit }) => fateOf(edit.changeId) === null).map(({ edit }) => edit),
  };
}
