import { type Command, InvalidArgumentError } from 'commander';
import { askingCommands, type AskOptions } from './asking-commands.js';
import type { GatewayClient } from './gateway-client.js';
import { ALLOW_DELETIONS, READ_INGEST, READ_QUARANTINE, SCAN_NOW, type OwnOperation } from './own-operations.js';
import { lines, printable, table } from './text-page.js';

/** `IngestProgress` of the API. */
interface AnsweredProgress {
  readonly collection: string;
  readonly source: string;
  readonly state: string;
  readonly records: number;
  readonly heldDeletions: number;
  readonly allowedDeletions: number;
  readonly quarantined: number;
  readonly polledAt: string | null;
  readonly scannedAt: string | null;
  readonly isScanAsked: boolean;
}

/** `QuarantinedRecord` of the API. */
interface AnsweredMisfit {
  readonly sourceKey: string;
  readonly field: string | null;
  readonly reason: string;
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
}

/** `tidegate collections …`: where ingest stands, what does not fit, and deletions that wait for an operator (R14), asked of a running gateway. */
export function addCollections(program: Command, env: Readonly<Record<string, string | undefined>>): void {
  const collections = program
    .command('collections')
    .description('see where the gateway stands in reading its sources, and decide on deletions that it holds');
  const { command, run } = askingCommands(collections, env);

  const change = async (gateway: GatewayClient, mutation: OwnOperation, variables: object) =>
    [(await gateway.ask<{ readonly done: AnsweredProgress }>(mutation, { ...variables })).done] as const;

  command('list', 'state, records, held deletions, last poll and scan of each').action((options: AskOptions) =>
    run(
      options,
      async (gateway) => (await gateway.ask<{ readonly ingest: AnsweredProgress[] }>(READ_INGEST, {})).ingest,
      progressTable,
    ),
  );

  command('quarantine <name>', 'records that the source shows, but not as declared, and why').action(
    (collection: string, options: AskOptions) =>
      run(
        options,
        async (gateway) =>
          (await gateway.ask<{ readonly quarantine: AnsweredMisfit[] }>(READ_QUARANTINE, { collection })).quarantine,
        (records) => quarantineTable(collection, records),
      ),
  );

  command('scan <name>', 'read a collection whole as soon as its source allows').action(
    (collection: string, options: AskOptions) =>
      run(options, (gateway) => change(gateway, SCAN_NOW, { collection }), progressTable),
  );

  command(
    'allow-deletions <name>',
    'say that so many records are really gone, for an hour, and read the collection whole',
  )
    .requiredOption('--up-to <count>', 'most deletions within an hour, those of the last hour included', readCount)
    .action((collection: string, options: AskOptions & { readonly upTo: number }) =>
      run(options, (gateway) => change(gateway, ALLOW_DELETIONS, { collection, upTo: options.upTo }), progressTable),
    );
}

function progressTable(collections: readonly AnsweredProgress[]): string {
  const rows = collections.map((one) => [
    one.collection,
    one.source,
    one.state,
    String(one.records),
    String(one.heldDeletions),
    String(one.quarantined),
    one.polledAt ?? 'never',
    one.isScanAsked ? 'asked for' : (one.scannedAt ?? 'never'),
  ]);
  const held = collections.filter(({ heldDeletions }) => heldDeletions > 0).map(heldLine);
  return lines(
    ...table(['collection', 'source', 'state', 'records', 'held', 'quarantined', 'polled', 'scanned'], rows),
    ...(held.length === 0 ? [] : ['', ...held]),
  );
}

function quarantineTable(collection: string, records: readonly AnsweredMisfit[]): string {
  if (records.length === 0) return lines(printable(`Every record of ${collection} fits.`));
  const rows = records.map((one) => [one.sourceKey, one.field ?? '-', one.firstSeenAt, one.lastSeenAt, one.reason]);
  return lines(...table(['key', 'field', 'first seen', 'last seen', 'reason'], rows));
}

function heldLine({ collection, source, heldDeletions, allowedDeletions }: AnsweredProgress): string {
  const allowed = allowedDeletions === 0 ? '' : ` (${allowedDeletions} are allowed)`;
  return printable(
    `${heldDeletions} records of ${collection} are gone from ${source}, more than is likely: nothing was deleted${allowed}. If they really ` +
      `are: tidegate collections allow-deletions ${collection} --up-to <count>`,
  );
}

function readCount(text: string): number {
  if (/^[1-9][0-9]{0,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a number from 1.');
}
