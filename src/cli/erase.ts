import type { Command } from 'commander';
import { StartupError } from '../core/errors.js';
import { askingCommands, type AskOptions } from './asking-commands.js';
import type { GatewayClient } from './gateway-client.js';
import { ERASE_RECORDS, ERASE_USER } from './own-operations.js';
import { lines, printable } from './text-page.js';

/** `Erasure` of the API. */
interface AnsweredErasure {
  readonly erased: Readonly<Record<string, number>>;
  readonly unknown: readonly string[];
  readonly refused: readonly {
    readonly id: string;
    readonly error: { readonly code: string; readonly message: string };
  }[];
  readonly remains: readonly { readonly what: string; readonly until: string }[];
}

interface EraseOptions extends AskOptions {
  readonly user?: string;
}

/** Most ids that the API takes at once. */
const IDS_AT_ONCE = 100;

/** Kinds of the API, in words for one and for many. */
const KINDS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  states: ['last state', 'last states'],
  keys: ['key', 'keys'],
  marks: ['record of who changed it', 'records of who changed them'],
  answers: ['answer to a pushed change', 'answers to pushed changes'],
  keptEdits: ['refused edit that was kept', 'refused edits that were kept'],
  listed: ['entry of a list', 'entries of lists'],
  devices: ['device revoked', 'devices revoked'],
  registrations: ['registration for hints', 'registrations for hints'],
  scopes: ["device's own scope", "devices' own scopes"],
};

/** `tidegate erase …`: for somebody whose records or traces are to go, asked of a running gateway. */
export function addErase(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const { command, run } = askingCommands(program, env);
  command('erase [collection] [ids...]', 'erase what is kept of records that are gone at their source, or of a user')
    .option('--user <user>', 'all traces of this user instead: its devices are revoked for ever')
    .action(async (collection: string | undefined, ids: readonly string[], options: EraseOptions) => {
      const ask = askOf(collection, ids, options.user);
      let refused = 0;
      await run(
        options,
        async (gateway) => {
          const answer = await ask(gateway);
          refused = answer.refused.length;
          return answer;
        },
        erasurePage,
      );
      if (refused > 0) throw new StartupError('refused', `of ${refused} records nothing was erased`);
    });
}

/** @throws StartupError config */
function askOf(
  collection: string | undefined,
  ids: readonly string[],
  user: string | undefined,
): (gateway: GatewayClient) => Promise<AnsweredErasure> {
  if (user !== undefined && collection === undefined)
    return async (gateway) =>
      (await gateway.ask<{ readonly eraseUser: AnsweredErasure }>(ERASE_USER, { user })).eraseUser;
  if (user === undefined && collection !== undefined && ids.length > 0)
    return async (gateway) => {
      const answers: AnsweredErasure[] = [];
      for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
        const some = { collection, ids: ids.slice(at, at + IDS_AT_ONCE) };
        answers.push((await gateway.ask<{ readonly eraseRecords: AnsweredErasure }>(ERASE_RECORDS, some)).eraseRecords);
      }
      return answers.reduce(together);
    };
  throw new StartupError('config', 'erase: expected a collection and ids of records, or --user <user>');
}

function together(one: AnsweredErasure, other: AnsweredErasure): AnsweredErasure {
  const erased = Object.entries(one.erased).map(([kind, count]) => [kind, count + (other.erased[kind] ?? 0)]);
  return {
    erased: Object.fromEntries(erased) as Record<string, number>,
    unknown: [...one.unknown, ...other.unknown],
    refused: [...one.refused, ...other.refused],
    remains: one.remains,
  };
}

function erasurePage({ erased, unknown, refused, remains }: AnsweredErasure): string {
  const counts = Object.entries(erased)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${(KINDS[kind] ?? [kind, kind])[count === 1 ? 0 : 1]}`);
  return lines(
    counts.length === 0 ? 'Nothing was there to erase.' : `Erased: ${counts.join(', ')}.`,
    ...unknown.map((id) => printable(`Nothing is known of ${id}.`)),
    ...refused.map(({ id, error }) => printable(`Not erased: ${id}: ${error.code}: ${error.message}`)),
    'What remains, and until when:',
    ...remains.map(({ what, until }) => printable(`- ${what}: ${until}`)),
  );
}
