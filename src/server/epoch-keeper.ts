import { createAudit } from '../audit/audit.js';
import type { Epoch } from '../core/change.js';
import { StartupError } from '../core/errors.js';
import type { Log } from '../core/ports.js';
import type { Config } from './config.js';
import { closeAll, openConfiguredStore } from './configured-store.js';
import { chosenTenants } from './configured-tenants.js';
import { systemClock } from './clock.js';

/** The epoch of a tenant's feed, without a gateway in front of it: for operators. */
export interface EpochKeeper {
  read(): Promise<Epoch>;
  /** Begins another epoch if `from` is in force. Safe to repeat. @returns the one that is in force then */
  begin(from: Epoch): Promise<Epoch>;
  close(): Promise<void>;
}

/**
 * Opens the store of a configuration for its epoch only. A gateway that runs on it goes on, in the new epoch.
 *
 * @param tenant null: the only one
 * @throws StartupError config - several tenants and none named, or no such one; store, disk
 */
export async function openEpochKeeper(config: Config, tenant: string | null, log: Log): Promise<EpochKeeper> {
  const [{ id } = { id: '' }, ...others] = chosenTenants(config, tenant);
  if (others.length > 0) {
    const names = [id, ...others.map((one) => one.id)].join(', ');
    throw new StartupError('config', `--tenant: expected one of ${names}, got none: each has an epoch of its own`);
  }
  const closers: (() => Promise<void>)[] = [];
  const close = (): Promise<void> => closeAll(closers, log);
  try {
    const { store } = await openConfiguredStore(config, log, closers);
    await store.openTenant(id);
    const audit = createAudit({ store, clock: systemClock, log }, id);
    const nobody = { tenant: id, user: null, device: null };
    return {
      read: async () => (await store.readHead(id)).epoch,
      begin: (from) => audit.around(nobody, { action: 'newEpoch', subject: from }, () => store.newEpoch(id, from)),
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}
