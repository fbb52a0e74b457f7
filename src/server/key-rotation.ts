import type { Log } from '../core/ports.js';
import type { Config } from './config.js';
import { closeAll, openConfiguredStore } from './configured-store.js';

/**
 * Makes a new key to sign checkpoints, on the store of a configuration. An embedded one must not be in use.
 *
 * @param forgetsOld checkpoints of older keys reset from now on
 * @throws StartupError config, store, disk
 */
export async function rotateKeys(config: Config, forgetsOld: boolean, log: Log): Promise<void> {
  const closers: (() => Promise<void>)[] = [];
  try {
    const { store } = await openConfiguredStore(config, log, closers);
    await store.rotateSigningKeys({ newestBeforeMs: Infinity, replacedBeforeMs: forgetsOld ? Infinity : 0 });
  } finally {
    await closeAll(closers, log);
  }
}
