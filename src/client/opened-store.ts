import { GatewayFault } from './gateway.js';
import type { LocalStore, StoreWrites, SyncRead, SyncState } from './local-store.js';
import { isSame } from './overlay.js';
import { ofNewDevice, outboxWrites } from './push-rules.js';

/** Who opens a store, and for what. */
export interface Opening {
  readonly user?: string;
  readonly device?: string;
  readonly collections?: readonly string[];
}

/**
 * Makes a store fit who opens it, before anything of it is shown: another user finds nothing (F24); another device id is a copied
 * backup, whose sent edits nobody can tell repeats of (F11); another list of collections begins an initial sync.
 */
export async function openStanding(
  store: LocalStore,
  opening: Opening,
  newId: () => string,
): Promise<SyncRead & { readonly state: SyncState }> {
  for (;;) {
    const read = await store.readSync();
    const writes = fitted(read, opening, newId);
    const revision = read.state?.revision ?? 0;
    if (writes !== null)
      await store.commit({ ...writes, state: { ...writes.state, revision: revision + 1 } }, revision);
    else if (read.state !== null) return { ...read, state: read.state };
  }
}

/**
 * The store as its user's client may use it: once another user has opened it, in another tab, nothing of it is seen or written (F24).
 *
 * @param user absent: whoever it is
 */
export function keptFor(user: string | undefined, store: LocalStore): LocalStore {
  if (user === undefined) return store;
  function own<Read>(read: Read, state: SyncState | null): Read {
    if ((state?.user ?? user) === user) return read;
    throw new GatewayFault('CLOSED', 'another user has opened this store');
  }
  return {
    sharedAs: store.sharedAs,
    async readState() {
      const state = await store.readState();
      return own(state, state);
    },
    async readSync() {
      const read = await store.readSync();
      return own(read, read.state);
    },
    async readRecords(collection, id) {
      const read = await store.readRecords(collection, id);
      // After it, so that what another one brought is not shown.
      return own(read, await store.readState());
    },
    commit: (writes, ifRevision) => store.commit(writes, ifRevision),
    close: () => store.close(),
  };
}

/** Null: there is one, and it fits. */
function fitted(
  { state, entries }: SyncRead,
  opening: Opening,
  newId: () => string,
): (StoreWrites & { readonly state: SyncState }) | null {
  const { user = null, device, collections = null } = opening;
  if (state === null || (user !== null && state.user !== null && state.user !== user)) {
    return {
      isWiped: true,
      state: {
        revision: 0,
        // A phone that was handed on is the same device; rights are taken from one of a user.
        device: device ?? state?.device ?? newId(),
        user,
        collections,
        checkpoint: null,
        epoch: null,
        generation: 0,
        isStale: false,
        lastSyncedAtMs: null,
        isRevoked: false,
      },
    };
  }
  const isOtherDevice = device !== undefined && device !== state.device;
  const isOtherList = !isSame(collections, state.collections);
  if (!isOtherDevice && !isOtherList && (user === null || user === state.user)) return null;
  const after = isOtherDevice ? ofNewDevice(entries).entries : entries;
  return {
    state: {
      ...state,
      device: device ?? state.device,
      user: user ?? state.user,
      ...(isOtherList ? { collections, checkpoint: null, generation: state.generation + 1, isStale: true } : {}),
    },
    ...outboxWrites(entries, after),
  };
}
