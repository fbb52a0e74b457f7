import { type Command, InvalidArgumentError, Option } from 'commander';
import { StartupError } from '../core/errors.js';
import { askingCommands, type AskOptions } from './asking-commands.js';
import type { GatewayClient } from './gateway-client.js';
import type { AnsweredChange, AnsweredConflict, AnsweredOutbox, AnsweredResult } from './outbox-answers.js';
import { DISMISS, READ_CONFLICTS, READ_OUTBOX, REAPPLY, REJECT, RETRY, SETTLE } from './own-operations.js';
import { changePage, conflictsPage, outboxTable, resultLine } from './outbox-pages.js';

const STATES = ['PENDING', 'SENT', 'IN_DOUBT', 'PARKED'];

interface Paged extends AskOptions {
  readonly after?: string;
  readonly limit: number;
}
interface Owned extends AskOptions {
  readonly user?: string;
}

/** `tidegate outbox …`: what operators see and decide, asked of a running gateway. */
export function addOutbox(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const outbox = program
    .command('outbox')
    .description('look after accepted changes that a running gateway must not decide alone');
  const { command, run } = askingCommands(outbox, env);

  function paged(usage: string, description: string): Command {
    return command(usage, description)
      .option('--after <number>', 'go on behind this one')
      .option('--limit <count>', 'how many at most, 1 to 1,000', readCount, 100);
  }

  paged('list', 'accepted changes that are not settled yet, oldest first')
    .addOption(new Option('--state <states...>', 'only these').choices(STATES))
    .option('--collection <name>', 'only of this one')
    .action((options: Paged & { readonly state?: readonly string[]; readonly collection?: string }) =>
      run(
        options,
        (gateway) =>
          gateway.ask<AnsweredOutbox>(READ_OUTBOX, {
            ...pageOf(options),
            states: options.state,
            collection: options.collection,
          }),
        outboxTable,
      ),
    );

  command('show <number>', 'everything that is known of an open change').action((number: string, options: AskOptions) =>
    run(options, (gateway) => readOne(gateway, number), changePage),
  );

  command('retry <number>', 'send a parked change again')
    .option('--yes', 'it may take effect twice, if the call took effect')
    .action((intentNo: string, options: AskOptions & { readonly yes?: true }) =>
      run(
        options,
        async (gateway) => {
          const variables = { intentNo, mayApplyTwice: options.yes === true };
          return (await gateway.ask<{ readonly retryChange: AnsweredChange }>(RETRY, variables)).retryChange;
        },
        changePage,
      ),
    );

  command('reject <number>', 'refuse an open change; its device is told why')
    .requiredOption('--reason <text>', 'why, for the person at the device')
    .action((intentNo: string, options: AskOptions & { readonly reason: string }) =>
      run(
        options,
        async (gateway) => {
          const variables = { intentNo, reason: options.reason };
          return (await gateway.ask<{ readonly rejectChange: AnsweredResult }>(REJECT, variables)).rejectChange;
        },
        resultLine,
      ),
    );

  command('settle <number>', 'say that the source has an open change; it is never sent again')
    .option('--key <key>', 'of a created record, where the gateway does not know it')
    .action((intentNo: string, options: AskOptions & { readonly key?: string }) =>
      run(
        options,
        async (gateway) => {
          const variables = { intentNo, sourceKey: options.key };
          return (await gateway.ask<{ readonly settleChange: AnsweredResult }>(SETTLE, variables)).settleChange;
        },
        resultLine,
      ),
    );

  paged('conflicts', 'refused edits that are kept, oldest first').action((options: Paged) =>
    run(
      options,
      async (gateway) => {
        const answer = await gateway.ask<{ readonly conflicts: KeptPage }>(READ_CONFLICTS, pageOf(options));
        return answer.conflicts;
      },
      ({ conflicts, next }) => conflictsPage(conflicts, next),
    ),
  );

  command('dismiss <device> <changeId>', 'forget a kept edit')
    .option('--user <name>', 'whose device it is; else yours')
    .action((device: string, changeId: string, options: Owned) =>
      run(
        options,
        (gateway) =>
          gateway.ask<{ readonly dismissConflict: boolean }>(DISMISS, { device, changeId, user: options.user }),
        ({ dismissConflict }) => (dismissConflict ? 'Forgotten.\n' : 'None was kept.\n'),
      ),
    );

  command('reapply <device> <changeId>', "push a kept edit again, made from the record's current version")
    .option('--user <name>', 'whose device it is; else yours')
    .action((device: string, changeId: string, options: Owned) =>
      run(
        options,
        async (gateway) => {
          const variables = { device, changeId, user: options.user };
          const { reapplyConflict } = await gateway.ask<{ readonly reapplyConflict: AnsweredResult }>(
            REAPPLY,
            variables,
          );
          const { status, error } = reapplyConflict;
          if (status === 'REJECTED') throw new StartupError('refused', `${error?.code}: ${error?.message}`);
          return reapplyConflict;
        },
        resultLine,
      ),
    );
}

interface KeptPage {
  readonly conflicts: readonly AnsweredConflict[];
  readonly next: string | null;
}

/** @throws StartupError refused - it is not open */
async function readOne(gateway: GatewayClient, number: string): Promise<AnsweredChange> {
  const before = /^[1-9][0-9]*$/.test(number) ? BigInt(number) - 1n : null;
  const after = before === null ? number : before === 0n ? null : String(before);
  const { outbox } = await gateway.ask<AnsweredOutbox>(READ_OUTBOX, { after, limit: 1 });
  const [change] = outbox.changes;
  if (change?.intentNo === number) return change;
  throw new StartupError('refused', `NOT_FOUND: expected an open change with the number ${number}, there is none`);
}

function pageOf({ after, limit }: Paged): Readonly<Record<string, unknown>> {
  return { after, limit };
}

function readCount(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a number.');
}
