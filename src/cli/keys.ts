import type { Command } from 'commander';
import { loadConfig } from '../server/config.js';
import { rotateKeys } from '../server/key-rotation.js';
import { createLog } from '../server/telemetry.js';

/** `tidegate keys rotate`: for keys that somebody may have seen; by age they change by themselves. */
export function addKeys(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  program
    .command('keys')
    .description('change the keys that sign checkpoints')
    .command('rotate')
    .description(
      "make a new key, on the store of this folder's configuration: gateways on it sign with it within a minute",
    )
    .option('--forget-old', 'take no checkpoint of an older key any more: every device starts its sync over')
    .action(async (options: { readonly forgetOld?: true }) => {
      const forgetsOld = options.forgetOld === true;
      await rotateKeys(await loadConfig(env, process.cwd()), forgetsOld, createLog('warn'));
      console.log(
        forgetsOld
          ? 'There is one key now, a new one: every device starts its sync over.'
          : 'A new key signs from now on; checkpoints of the older ones are still taken.',
      );
    });
}
