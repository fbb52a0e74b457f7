import { randomUUID } from 'node:crypto';
import type { PushedEdit, SyncDevice } from '../support/sync-device.js';
import { CAPABILITIES, FORBIDDEN, type Capability } from './capabilities.js';
import type { ChangeLog } from './change-log.js';
import type { ChangeKind } from './crash-points.js';
import { nameOf, type Round } from './rounds.js';

/** Makes the edits of a sweep: each of a record that no other change is of, each with its own id as its note. */
export interface SweepEdits {
  /** One edit, noted in the log. @param isUnwanted the source will say no to it */
  one(change: {
    readonly capability: Capability;
    readonly kind: ChangeKind;
    readonly changeId: string;
    readonly label: string;
    readonly isUnwanted: boolean;
  }): PushedEdit;
  /** A round's change, one that follows it on its record, and a change at each other source. @param prefix of their ids */
  ofRound(round: Round, prefix: string): readonly PushedEdit[];
}

/** Changes of a push of many. */
const BATCH = 20;

export function createSweepEdits(device: SyncDevice, log: ChangeLog): SweepEdits {
  const taken = new Map<string, number>();

  /** A visit of the source that is still as it began; undefined when there is none left. */
  function nextVisit(capability: Capability, isKept: boolean): string | undefined {
    const name = `${capability} ${isKept}`;
    const n = taken.get(name) ?? 0;
    const id = `V-${2 * n + (isKept ? 1 : 0)}`;
    if (!device.records.has(`${capability} ${id}`)) return undefined;
    taken.set(name, n + 1);
    return id;
  }

  const one: SweepEdits['one'] = (change) => {
    const { capability, kind, changeId, isUnwanted } = change;
    const id = kind === 'create' ? undefined : nextVisit(capability, kind === 'delete' && isUnwanted);
    // The same at each repeat: another body under a known change id is an error (R7).
    const common = { changeId, collection: capability, changedAt: new Date().toISOString() };
    const json = { note: isUnwanted ? `${changeId} ${FORBIDDEN}` : changeId };
    if (id === undefined) {
      const edit = { ...common, id: randomUUID(), json };
      return log.add({ ...change, kind: 'create', edit, follows: null });
    }
    const { version: baseVersion } = device.held(capability, id);
    const edit =
      kind === 'update' ? { ...common, id, baseVersion, json } : { ...common, id, baseVersion, kind: 'DELETE' };
    return log.add({ ...change, edit, follows: null });
  };

  return {
    one,
    ofRound(round, prefix) {
      const { capability, kind, outcome, point } = round;
      const label = nameOf(round);
      const own = { capability, kind, label, isUnwanted: outcome === 'refuses' };
      const count = point === 'in a batch' ? BATCH : 1;
      const edits = Array.from({ length: count }, (_none, n) => one({ ...own, changeId: `${prefix}${n}` }));
      const [first] = edits as [PushedEdit];
      if (kind !== 'delete') {
        const { json: _json, ...record } = first;
        const changeId = `${prefix}follows`;
        const edit = { ...record, changeId, json: { note: changeId } };
        edits.push(log.add({ ...own, kind: 'update', isUnwanted: false, edit, follows: first.changeId }));
      }
      for (const other of CAPABILITIES.filter((name) => name !== capability)) {
        const changeId = `${prefix}${other}`;
        const beside = { capability: other, kind: 'update', label: `beside ${label}`, isUnwanted: false } as const;
        edits.push(one({ ...beside, changeId }));
      }
      return edits;
    },
  };
}
