import type { Command } from 'commander';
import type { Epoch } from '../core/change.js';
import { StartupError } from '../core/errors.js';
import { loadConfig } from '../server/config.js';
import { openEpochKeeper, type EpochKeeper } from '../server/epoch-keeper.js';
import { createLog } from '../server/telemetry.js';
import { connectGateway } from './gateway-client.js';
import { NEW_EPOCH, READ_EPOCH } from './own-operations.js';

type Environment = Readonly<Record<string, string | undefined>>;

interface Options {
  readonly from?: string;
  readonly yes?: true;
  readonly database?: true;
  readonly tenant?: string;
  readonly url?: string;
}

const WHAT_IT_DOES =
  'It declares that the store came back from a backup or a snapshot: every device starts its sync over, every source is read through ' +
  'again, and a change that was open is sent again only where its source makes that harmless.';

/** `tidegate epoch new`: for restores that the gateway cannot prove (docs/operations.md). */
export function addEpoch(program: Command, env: Environment): void {
  program
    .command('epoch')
    .description('declare that the store was restored from a backup')
    .command('new')
    .description(`begin a new epoch. ${WHAT_IT_DOES}`)
    .option('--yes', 'really do it')
    .option('--from <epoch>', 'only if this epoch is still in force: makes a repeat harmless')
    .option('--database', "on the store of this folder's configuration itself, while its gateway is stopped")
    .option('--tenant <id>', 'with --database: whose, where there are several')
    .option('--url <address>', "the gateway's address; default: by configuration and environment")
    .action((options: Options) => beginEpoch(env, options));
}

async function beginEpoch(env: Environment, options: Options): Promise<void> {
  const keeper =
    options.database === true ? await openStored(env, options.tenant ?? null) : await openServed(env, options.url);
  try {
    const current = await keeper.read();
    const from = (options.from ?? current) as Epoch;
    if (options.yes !== true) {
      throw new StartupError('config', `epoch new: ${WHAT_IT_DOES} Say --yes --from ${current} if it shall.`);
    }
    const epoch = await keeper.begin(from);
    console.log(
      current === from
        ? `The epoch is ${epoch} now, it was ${from}.`
        : `Nothing was done: the epoch is ${epoch}, not ${from} any more.`,
    );
  } finally {
    await keeper.close();
  }
}

async function openStored(env: Environment, tenant: string | null): Promise<EpochKeeper> {
  const config = await loadConfig(env, process.cwd());
  return openEpochKeeper(config, tenant, createLog('warn'));
}

async function openServed(env: Environment, url: string | undefined): Promise<EpochKeeper> {
  const gateway = await connectGateway(env, url);
  return {
    read: async () => (await gateway.ask<{ readonly epoch: Epoch }>(READ_EPOCH, {})).epoch,
    async begin(from) {
      return (await gateway.ask<{ readonly newEpoch: Epoch }>(NEW_EPOCH, { from })).newEpoch;
    },
    close: () => Promise.resolve(),
  };
}
