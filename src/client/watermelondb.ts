import type { Fields } from '../core/change.js';
import { keepAccepted } from './accepted-changes.js';
import { deviceClock } from './client-clock.js';
import { requestReaction } from './error-reactions.js';
import { GatewayFault, type SentChange } from './gateway.js';
import { openGlueGateway, type GatewayAddress, type GlueGateway, type ToldFate } from './glue-gateway.js';
import { createGluePushes, type GluePushes } from './glue-push.js';
import { pairColumns, type TableColumns } from './watermelondb/columns.js';
import { acceptedStore, readNotes, writeNotes, type WatermelonDatabase } from './watermelondb/notes.js';
import { forgetCorrections, pullRows, resolveRow, type PulledRows } from './watermelondb/pull.js';
import type { LocalChanges } from './watermelondb/named-edits.js';
import { forgetSent, pushRows, type RejectedIds, type ToldEdit } from './watermelondb/push.js';

export { VERSION_COLUMN } from './watermelondb/columns.js';
export { GLUE_DOCUMENTS } from './glue-gateway.js';

/** An edit that came to its end without being applied. The row shows the record as it now stands. */
export interface RefusedRow {
  readonly table: string;
  readonly id: string;
  readonly changeId: string;
  /**
   * UNANSWERED: it was sent under a device id that is no more (`onEvicted`), and whether it took effect nobody can tell any more. It is not
   * sent again (F11); to make it once more may apply it twice: show it to its user before.
   */
  readonly status: ToldEdit['status'];
  readonly error: ToldEdit['error'];
  /** The fields as they were pushed, named as the gateway names them; null for a deletion, and where it was not told by a push. */
  readonly edit: Fields | null;
}

/** An edit that could not be sent, or that the gateway cannot take now. It is kept, and tried again with later syncs. */
export interface WaitingRow {
  readonly table: string;
  readonly id: string;
  readonly changeId: string;
  /** PAYLOAD_TOO_LARGE, LIMIT_EXCEEDED, BAD_REQUEST or VALIDATION: as it is it waits for ever. A smaller one in its place goes out. */
  readonly error: ToldEdit['error'];
  /** The fields as they are to be pushed; null for a deletion. */
  readonly edit: Fields | null;
}

/** What `syncWithTidegate` is told. */
export interface TidegateSyncSettings extends GatewayAddress {
  readonly database: WatermelonDatabase;
  /** WatermelonDB's own, from `@nozbe/watermelondb/sync`. */
  readonly synchronize: (settings: never) => Promise<void>;
  /** Tables to sync, named as the gateway names its collections. Each has the column `tidegate_version`. */
  readonly tables: readonly string[];
  /** An edit was refused: told at least once. */
  readonly onRefused?: (refused: RefusedRow) => void;
  /** An edit stays unsynced although others passed it: told with each sync. It holds up nothing else. */
  readonly onWaiting?: (waiting: WaitingRow) => void;
  /**
   * An operator took this device's rights away, for ever: the app shows nothing any more and wipes its database, by
   * `database.write(() => database.unsafeResetDatabase())`, which is the app's to call, since nothing may use a record meanwhile. Told again by
   * each sync until then, without asking the gateway.
   */
  readonly onRevoked: () => void | Promise<void>;
  /** Changes of one page, 1 to 5,000. Default: 2,500, since each page is a sync of WatermelonDB's. */
  readonly pageSize?: number;
}

/** Records of 430 bytes: 1.5 MB of JSON, of which 100 to 300 KB go over the network. */
const PAGE_SIZE = 2_500;

/** The credentials of its user, by database: each sync but the first need not ask whose they are. */
const SEEN_BY = new WeakMap<object, string | undefined>();

/** What the gateway declares, by database: it does not change while an app runs. */
const DECLARED = new WeakMap<object, ReadonlyMap<string, TableColumns>>();

const PUSHES = new WeakMap<object, GluePushes>();

/**
 * Syncs a WatermelonDB with a gateway as it is: what was edited is pushed first, so that no edit is lost to a deletion that a pull
 * would bring, then pages are pulled, each kept when it came. One at a time for a database. Safe to repeat after any failure.
 *
 * @throws GatewayFault - nothing is lost, and the next call goes on; DEVICE_REVOKED, for ever, when `onRevoked` is done
 * @throws Error - there is no `onRevoked`
 */
export async function syncWithTidegate(settings: TidegateSyncSettings): Promise<void> {
  const { database, device, onRevoked } = settings;
  if (typeof onRevoked !== 'function') throw new Error('onRevoked: expected a function that wipes the database');
  const { revoked, owner = null } = await readNotes(database);
  try {
    if (revoked === device) throw new GatewayFault('DEVICE_REVOKED', "this installation's rights were taken away");
    await sync(settings, owner);
  } catch (thrown) {
    if (thrown instanceof GatewayFault && requestReaction(thrown.code) === 'wipe') {
      await writeNotes(database, { ...(await readNotes(database)), revoked: device });
      await onRevoked();
    }
    throw thrown;
  }
}

async function sync(settings: TidegateSyncSettings, owner: string | null): Promise<void> {
  const { database, tables, pageSize = PAGE_SIZE } = settings;
  const { onRefused = () => undefined, onWaiting = () => undefined } = settings;
  const tell = (table: string, id: string, { changeId, status, error }: ToldEdit, edit?: Fields): void =>
    onRefused({ table, id, changeId, status, error, edit: edit ?? null });
  const tellWaiting = ({ changeId, collection, id, json }: SentChange, { error }: ToldFate): void =>
    onWaiting({ table: collection, id, changeId, error, edit: json ?? null });
  const gateway = keepAccepted(
    openGlueGateway(settings, { collections: tables, limit: pageSize }, pushesOf(settings)),
    acceptedStore(database),
    ({ collection, id, json }, fate) => tell(collection, id, fate, json),
  );
  gateway.owner.ownedBy(owner, SEEN_BY.get(database));
  const columns = columnsOf(gateway, settings);
  // Whoever needs them hears of it.
  columns.catch(() => undefined);
  const pushAll = (): Promise<void> =>
    push(settings, async (changes) =>
      pushRows({ database, gateway, columnsOf: await columns, tell, tellWaiting }, changes),
    );

  try {
    const before = gateway.device();
    await pushAll();
    // What was never sent goes on under the new id; once, lest a gateway that knows no id is asked for ever.
    if (gateway.device() !== before) await pushAll();
    await pull();
    // What a reset made unsure goes out again, and its effect comes.
    if ((await gateway.repeat()).answered > 0) await pull();
  } finally {
    SEEN_BY.set(database, gateway.owner.seenBy());
    gateway.drop();
  }

  async function pull(): Promise<void> {
    for (let hasMore = true; hasMore;) {
      await synchronize(settings, {
        conflictResolver: resolveRow,
        async pullChanges({ lastPulledAt }) {
          const readUnsent = (): Promise<LocalChanges> => unsentRows(settings);
          const parts = { database, gateway, tables, columns, tell, readUnsent };
          const pulled = await pullRows(parts, lastPulledAt);
          hasMore = pulled.hasMore;
          return pulled.rows;
        },
      });
      await forgetCorrections(database);
    }
  }
}

/** What was learnt of how much the gateway takes at once outlasts a sync. */
function pushesOf({ database, clock = deviceClock }: TidegateSyncSettings): GluePushes {
  const pushes = PUSHES.get(database) ?? createGluePushes(() => clock.nowMs());
  PUSHES.set(database, pushes);
  return pushes;
}

interface Synchronizing {
  pullChanges(request: { readonly lastPulledAt: number | null }): Promise<PulledRows>;
  pushChanges?(request: { readonly changes: LocalChanges }): Promise<{ readonly experimentalRejectedIds: RejectedIds }>;
  readonly conflictResolver?: typeof resolveRow;
}

async function synchronize({ database, ...settings }: TidegateSyncSettings, steps: Synchronizing): Promise<void> {
  // Records are told as they stand: WatermelonDB makes those that it does not have.
  await settings.synchronize({ database, sendCreatedAsUpdated: true, ...steps } as never);
}

/** A synchronize that pulls nothing. */
async function push(
  settings: TidegateSyncSettings,
  send: (changes: LocalChanges) => Promise<RejectedIds>,
): Promise<void> {
  let rejected: RejectedIds = {};
  await synchronize(settings, {
    pullChanges: async ({ lastPulledAt }) => ({ changes: {}, timestamp: lastPulledAt ?? 1 }),
    async pushChanges({ changes }) {
      rejected = await send(changes);
      return { experimentalRejectedIds: rejected };
    },
  });
  await forgetSent(settings.database, rejected);
}

/** What WatermelonDB would push now; it goes on to count as unsynced. */
async function unsentRows(settings: TidegateSyncSettings): Promise<LocalChanges> {
  let unsent: LocalChanges = {};
  await synchronize(settings, {
    pullChanges: async ({ lastPulledAt }) => ({ changes: {}, timestamp: lastPulledAt ?? 1 }),
    async pushChanges({ changes }) {
      unsent = changes;
      const idsOf = ({ created, updated, deleted }: LocalChanges[string]): string[] => [
        ...[...created, ...updated].map(({ id }) => id),
        ...deleted,
      ];
      return {
        experimentalRejectedIds: Object.fromEntries(
          Object.entries(changes).map(([table, rows]) => [table, idsOf(rows)]),
        ),
      };
    },
  });
  return unsent;
}

async function columnsOf(
  gateway: GlueGateway,
  { database, tables }: TidegateSyncSettings,
): Promise<ReadonlyMap<string, TableColumns>> {
  const known = DECLARED.get(database);
  if (known?.size === tables.length && tables.every((table) => known.has(table))) return known;
  const collections = await gateway.declared();
  const columns = new Map(
    tables.map((table) => {
      const declared = collections.find(({ name }) => name === table);
      const cells = database.schema.tables[table]?.columns;
      if (declared === undefined || cells === undefined)
        throw new Error(`${table}: expected a table of the database and a collection of the gateway with this name`);
      return [table, pairColumns(cells, declared.fields)];
    }),
  );
  DECLARED.set(database, columns);
  return columns;
}
