import type { Command } from 'commander';
import { askingCommands, type AskOptions } from './asking-commands.js';
import { READ_DEVICES, REVOKE_DEVICE } from './own-operations.js';
import { lines, printable, table } from './text-page.js';

/** `KnownDevice` of the API. */
interface AnsweredDevice {
  readonly user: string;
  readonly device: string;
  readonly state: string;
  readonly platform: string | null;
  readonly pulledAt: string | null;
  readonly hintedAt: string | null;
  readonly isStale: boolean;
  readonly seenAt: string;
  readonly revokedAt: string | null;
}

interface AnsweredPage {
  readonly devices: { readonly devices: readonly AnsweredDevice[]; readonly next: string | null };
}

/** `tidegate devices …`: which devices there are, and what to do when one is lost, asked of a running gateway. */
export function addDevices(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const devices = program.command('devices').description('see which devices there are, and revoke one that is lost');
  const { command, run } = askingCommands(devices, env);

  command('list', 'user, device, state, last contact, last pull and last hint of each')
    .option('--user <user>', 'only those of this user')
    .action((options: AskOptions & { readonly user?: string }) =>
      run(
        options,
        async (gateway) => {
          const all: AnsweredDevice[] = [];
          for (let after: string | null = null; ;) {
            const page: AnsweredPage = await gateway.ask(READ_DEVICES, { user: options.user ?? null, after });
            all.push(...page.devices.devices);
            after = page.devices.next;
            if (after === null) return all;
          }
        },
        deviceTable,
      ),
    );

  command('revoke <user> <device>', 'a device is lost: it gets no hints and is let in no more, for ever').action(
    (user: string, device: string, options: AskOptions) =>
      run(
        options,
        async (gateway) =>
          (await gateway.ask<{ readonly revokeDevice: AnsweredDevice }>(REVOKE_DEVICE, { user, device })).revokeDevice,
        (one) => lines(printable(`${one.device} of ${one.user} is revoked since ${one.revokedAt ?? ''}.`)),
      ),
  );
}

function deviceTable(devices: readonly AnsweredDevice[]): string {
  if (devices.length === 0) return lines('There is no device.');
  const rows = devices.map((one) => [
    one.user,
    one.device,
    one.state,
    `${one.platform ?? '-'}${one.isStale ? ' (stale)' : ''}`,
    one.seenAt,
    one.pulledAt ?? '-',
    one.hintedAt ?? '-',
    one.revokedAt ?? '-',
  ]);
  return lines(...table(['user', 'device', 'state', 'hints', 'seen', 'pulled', 'hinted', 'revoked'], rows));
}
