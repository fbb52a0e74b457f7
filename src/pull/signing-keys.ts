import { SyncError } from '../core/errors.js';
import type { FeedReader, SigningKey } from '../core/feed-port.js';

/** The keys that sign checkpoints, as this process knows them (F24). */
export interface SigningKeys {
  /** The one that signs. */
  newest(): SigningKey;
  /** Looks it up when it is not known here: another gateway may have made it since. Null: there is no such key, or not any more. */
  find(kid: string): Promise<SigningKey | null>;
  /** Reads them again: a new one signs from now on, a forgotten one is not taken any more. */
  refresh(): Promise<void>;
}

/** @throws SyncError UNAVAILABLE */
export async function openSigningKeys(store: Pick<FeedReader, 'readSigningKeys'>): Promise<SigningKeys> {
  let keys: readonly SigningKey[] = [];
  const known = (kid: string): SigningKey | null => keys.find((key) => key.kid === kid) ?? null;
  const refresh = async (): Promise<void> => {
    keys = await store.readSigningKeys();
  };
  await refresh();
  return {
    newest() {
      const [newest] = keys;
      if (newest === undefined)
        throw new SyncError('INTERNAL', 'expected at least one key to sign checkpoints, got none');
      return newest;
    },
    async find(kid) {
      if (known(kid) === null) await refresh();
      return known(kid);
    },
    refresh,
  };
}
