import { type Command, InvalidArgumentError } from 'commander';
import { checkChain, placeText, type AuditPlace, type AuditRow } from '../core/audit.js';
import { StartupError } from '../core/errors.js';
import { hashText } from '../server/telemetry.js';
import { askingCommands, type AskOptions } from './asking-commands.js';
import type { GatewayClient } from './gateway-client.js';
import { READ_AUDIT } from './own-operations.js';
import { lines, printable, table } from './text-page.js';

/** `AuditPage` of the API; its numbers are texts there. */
interface AnsweredPage {
  readonly tenant: string;
  readonly rows: readonly AuditRow[];
  readonly next: string | null;
  readonly anchor: AuditPlace;
  readonly head: AuditPlace;
}

/** A chain that was proven. */
interface Proof {
  readonly tenant: string;
  readonly rows: number;
  readonly anchor: AuditPlace;
  readonly head: AuditPlace;
}

const PAGE_ROWS = 1_000;

/** `tidegate audit …`: who did what, and whether that log is whole, asked of a running gateway. */
export function addAudit(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const audit = program.command('audit').description('see who did what, and prove that nothing of it was changed');
  const { command, run } = askingCommands(audit, env);

  command('list', 'the newest rows, oldest of them first')
    .option('--after <number>', 'go on behind this one, instead of the newest', readCount)
    .option('--limit <count>', 'how many at most, 1 to 1,000', readCount, 100)
    .action((options: AskOptions & { readonly after?: number; readonly limit: number }) =>
      run(options, (gateway) => readList(gateway, options.after, options.limit), auditTable),
    );

  command('verify', 'recompute every hash; names the first row that does not fit')
    .option('--head <number:hash>', 'a head that was printed before: its row must still be there', readPlace)
    .action((options: AskOptions & { readonly head?: AuditPlace }) =>
      run(options, (gateway) => prove(gateway, options.head ?? null), proofLine),
    );
}

async function readPage(gateway: GatewayClient, after: number, limit: number): Promise<AnsweredPage> {
  const { audit } = await gateway.ask<{ readonly audit: AnsweredPage }>(READ_AUDIT, {
    after: after === 0 ? null : String(after),
    limit,
  });
  const placed = <Place extends AuditPlace>(place: Place): Place => ({ ...place, no: Number(place.no) });
  return {
    ...audit,
    anchor: placed(audit.anchor),
    head: placed(audit.head),
    rows: audit.rows.map((row) => ({
      ...placed(row),
      outcomeOf: row.outcomeOf === null ? null : Number(row.outcomeOf),
    })),
  };
}

async function readList(gateway: GatewayClient, after: number | undefined, limit: number): Promise<AnsweredPage> {
  if (after !== undefined) return readPage(gateway, after, limit);
  const { head } = await readPage(gateway, 0, 1);
  return readPage(gateway, Math.max(0, head.no - limit), limit);
}

/** @throws StartupError refused - with the first row that does not fit */
async function prove(gateway: GatewayClient, noted: AuditPlace | null): Promise<Proof> {
  let page = await readPage(gateway, 0, PAGE_ROWS);
  let first = page;
  let check = checkChain(first.tenant, first, hashText, noted);
  let rows = 0;
  for (;;) {
    for (const row of page.rows) {
      const fault = check.take(row);
      if (fault !== null) throw changed(first, fault);
    }
    rows += page.rows.length;
    if (page.next === null) break;
    page = await readPage(gateway, Number(page.next), PAGE_ROWS);
    // Rows were forgotten meanwhile: those that were not read yet may be among them.
    if (page.anchor.no !== first.anchor.no) {
      page = await readPage(gateway, 0, PAGE_ROWS);
      first = page;
      check = checkChain(first.tenant, first, hashText, noted);
      rows = 0;
    }
  }
  const fault = check.end();
  if (fault !== null) throw changed(first, fault);
  const { tenant, anchor, head } = first;
  return { tenant, rows, anchor, head };
}

function changed({ tenant }: AnsweredPage, fault: string): StartupError {
  return new StartupError('refused', printable(`the audit log of ${tenant} was changed: ${fault}`));
}

function auditTable({ rows, head, next }: AnsweredPage): string {
  if (rows.length === 0) return lines('There is no row.');
  const cells = rows.map((row) => [
    String(row.no),
    row.at,
    row.user ?? '-',
    row.device ?? '-',
    row.action,
    [row.collection, row.subject].filter((part) => part !== null).join(' ') || '-',
    row.outcomeOf === null ? row.outcome : `${row.outcome} (of ${row.outcomeOf})`,
    String(row.count),
  ]);
  return lines(
    ...table(['no', 'at', 'user', 'device', 'action', 'about', 'outcome', 'times'], cells),
    '',
    `head ${placeText(head)}`,
    ...(next === null ? [] : [`There are more: --after ${next}`]),
  );
}

function proofLine({ tenant, rows, anchor, head }: Proof): string {
  const since = anchor.no === 0 ? '' : `, those up to ${anchor.no} were forgotten by age`;
  return lines(
    printable(`The audit log of ${tenant} is whole: ${rows} rows${since}.`),
    `head ${placeText(head)}`,
    'Note the head elsewhere; later: tidegate audit verify --head <number:hash>',
  );
}

function readPlace(text: string): AuditPlace {
  const [, no, hash] = /^([0-9]{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (no !== undefined && hash !== undefined) return { no: Number(no), hash };
  throw new InvalidArgumentError('expected a number, ":" and 64 hex digits, as `audit verify` prints them.');
}

function readCount(text: string): number {
  if (/^[0-9]{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a number.');
}
