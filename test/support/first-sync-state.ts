import type { SyncState } from '../../src/client/local-store.js';

/** What a client keeps of a device that has not pulled yet. */
export function firstSyncState(device: string): SyncState {
  return {
    revision: 1,
    device,
    user: null,
    collections: null,
    checkpoint: null,
    epoch: null,
    generation: 0,
    isStale: false,
    lastSyncedAtMs: null,
    isRevoked: false,
  };
}
