import type { Epoch } from '../core/change.js';
import type { Log } from '../core/ports.js';
import type { Config } from './config.js';
import { closeAll, openConfiguredStore, TENANT } from './configured-store.js';

/** The epoch of a store, without a gateway in front of it: for operators. */
export interface EpochKeeper {
  read(): Promise<Epoch>;
  /** Begins another epoch if `from` is in force. Safe to repeat. @returns the one that is in force then */
  begin(from: Epoch): Promise<Epoch>;
  close(): Promise<void>;
}

/**
 * Opens the store of a configuration for its epoch only. A gateway that runs on it goes on, in the new epoch.
 *
 * @throws StartupError store, disk
 */
export async function openEpochKeeper(config: Config, log: Log): Promise<EpochKeeper> {
  const closers: (() => Promise<void>)[] = [];
  const close = (): Promise<void> => closeAll(closers, log);
  try {
    const { store } = await openConfiguredStore(config, log, closers);
    await store.openTenant(TENANT);
    return {
      read: async () => (await store.readHead(TENANT)).epoch,
      begin: (from) => store.newEpoch(TENANT, from),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
