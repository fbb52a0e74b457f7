import type { StoreWrites } from '../../src/client/local-store.js';
import type { SdkFaults } from './sdk-device.js';

/** Faults that somebody could make in the client, one rule broken in each, and the seed from which it is looked for. */
export const SDK_MUTATIONS: Readonly<Record<string, { readonly from: number; readonly sdk: SdkFaults }>> = {
  'R3: a page is applied to whatever checkpoint there is': { from: 30, sdk: { isLateTaken: true } },

  'R2: the checkpoint is kept without the rows of its page': {
    from: 21,
    sdk: { writes: (writes, pages) => (pages % 12 === 11 ? without(writes, 'records', 'gone') : writes) },
  },

  'R10: an edit is let go when it is ACCEPTED': {
    from: 1,
    sdk: {
      writes: (writes) => {
        const accepted = (writes.changed ?? []).filter(({ status }) => status === 'ACCEPTED');
        return { ...writes, dropped: [...(writes.dropped ?? []), ...accepted.map(({ changeId }) => changeId)] };
      },
    },
  },

  'R7: a repeat takes a new change id': {
    from: 1,
    sdk: {
      sent: (change) => (change.sentEpoch === undefined ? change : { ...change, changeId: `${change.changeId}-again` }),
    },
  },

  'F5: a repeat does not say in which epoch it was sent first': {
    from: 620,
    sdk: { sent: ({ sentEpoch: _forgotten, ...change }) => change },
  },

  'F5, R8: a push does not say which epoch its device knows': { from: 1, sdk: { isEpochHidden: true } },

  'F25: what a reset does not bring again stays': {
    from: 1,
    sdk: { writes: (writes) => without(writes, 'sweepBelow') },
  },

  'F12: sent edits are not laid over what comes': { from: 1, sdk: { isSentHidden: true } },
};

function without(writes: StoreWrites, ...parts: readonly (keyof StoreWrites)[]): StoreWrites {
  return Object.fromEntries(Object.entries(writes).filter(([part]) => !parts.includes(part as keyof StoreWrites)));
}
