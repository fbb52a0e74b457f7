import type { KeepingGateway } from '../accepted-changes.js';
import type { Fields } from '../../core/change.js';
import { deviceChance, uuidBy } from '../client-clock.js';
import { changeReaction, requestReaction } from '../error-reactions.js';
import { GatewayFault, type SentChange } from '../gateway.js';
import type { ToldFate } from '../glue-gateway.js';
import { heldBack } from '../glue-push.js';
import { isRefused } from '../outbox-entry.js';
import { UNANSWERED_ERROR } from '../unanswered.js';
import type { TableColumns } from './columns.js';
import { nameEdits, type LocalChanges, type NamedEdit } from './named-edits.js';
import { namedBy, readNotes, rowKey, writeNotes, type SentNote, type WatermelonDatabase } from './notes.js';

/** Rows that stay unsynced, by table. */
export type RejectedIds = Record<string, string[]>;

/** Edits that are noted at once before they leave. How many go in one request the gateway's answers say. */
const PUSH_BATCH = 200;

/** Told to the app of an edit. UNANSWERED: it was sent under a device id that is no more, and nobody can tell a repeat (F11). */
export interface ToldEdit extends Pick<ToldFate, 'changeId' | 'error'> {
  readonly status: ToldFate['status'] | 'UNANSWERED';
}

/**
 * WatermelonDB's `pushChanges`: each row's changed columns as a change of its own. A repeat after a lost answer, or after the app was
 * ended, goes out under the same change id. What is refused for good counts as synced and is corrected by the pull that follows; what
 * can succeed later stays unsynced, and so does what could not be sent. What was sent under another device id than now, and has no answer, is told, counts as synced, and is
 * set right by a pull from the beginning.
 *
 * @returns rows that stay unsynced; where the gateway goes on under another device id by then, all that it did not take (F11)
 * @throws GatewayFault - nothing counts as synced then
 */
export async function pushRows(
  parts: {
    readonly database: WatermelonDatabase;
    readonly gateway: KeepingGateway;
    readonly columnsOf: ReadonlyMap<string, TableColumns>;
    readonly tell: (table: string, id: string, told: ToldEdit, edit?: Fields) => void;
    /** An edit that stays unsynced. */
    readonly tellWaiting: (change: SentChange, fate: ToldFate) => void;
  },
  changes: LocalChanges,
): Promise<RejectedIds> {
  const { database, gateway, columnsOf, tell, tellWaiting } = parts;
  const notes = await readNotes(database);
  const device = gateway.device();
  const { edits, sent, unanswered } = await nameEdits({ database, columnsOf, notes, device }, changes);
  const corrections = { ...notes.corrections };
  const rejected: RejectedIds = {};

  let { places } = notes;
  function beginAgain(): void {
    places = Object.fromEntries(Object.keys(places).map((place) => [place, null]));
  }
  function tellUnanswered(key: string, changeId: string): void {
    tell(...namedBy(key), { changeId, status: 'UNANSWERED', error: UNANSWERED_ERROR });
    // What became of it, the record shows when it comes again.
    beginAgain();
  }
  for (const { key, changeId, isCreate } of unanswered) {
    tellUnanswered(key, changeId);
    if (isCreate) corrections[key] = null;
  }
  // Their receipts are told to nobody any more.
  const abandoned = await gateway.abandoned();
  for (const { changeId, collection, id } of abandoned) tellUnanswered(rowKey(collection, id), changeId);

  /** @returns an id of this device stands for another device's change: a copied backup */
  function take(fate: ToldFate, { key, table, change }: NamedEdit): boolean {
    if (!isRefused(fate)) {
      // As long as the row was unsynced it went on to show what was sent of it without an answer.
      if (sent[key]?.unanswered !== undefined) beginAgain();
      return false;
    }
    const reaction = fate.isHeldBack === true ? 'again' : changeReaction(fate.error);
    if (reaction === 'again') tellWaiting(change, fate);
    if (reaction !== 'refused') (rejected[table] ??= []).push(change.id);
    // What shall be gone is gone.
    else if (change.kind !== 'DELETE' || fate.error?.code !== 'NOT_FOUND') {
      corrections[key] = fate.change;
      tell(table, change.id, fate, change.json);
    }
    // This body was never taken under its id, so that a new one makes no second change of it.
    if (reaction === 'newDevice')
      sent[key] = { ...(sent[key] as SentNote), changeId: uuidBy(deviceChance), device: undefined };
    return reaction === 'newDevice';
  }

  const save = (): Promise<void> => writeNotes(database, { ...notes, places, sent, corrections });
  const mark = (these: readonly NamedEdit[], under: { readonly device: string | undefined }): void => {
    for (const { key } of these) sent[key] = { ...(sent[key] as SentNote), ...under };
  };

  /** @returns why this device needs another id: nothing of the batch was taken, or one of its ids is another device's; null: it needs none */
  async function send(batch: readonly NamedEdit[]): Promise<GatewayFault | null> {
    const fresh = batch.filter(({ key }) => sent[key]?.device === undefined);
    mark(fresh, { device });
    await save();
    try {
      const fates = await gateway.push(batch.map(({ change }) => change));
      const isCopied = fates.map((fate, at) => take(fate, batch[at] as NamedEdit)).includes(true);
      return isCopied ? new GatewayFault('KEY_REUSED', 'expected change ids of this device alone') : null;
    } catch (thrown) {
      const fault = GatewayFault.from(thrown, 'UNREACHABLE');
      const reaction = requestReaction(fault.code);
      // One of them may be what the gateway cannot take: the pull goes on, and less is sent next time.
      if (reaction === 'lessLater') for (const one of batch) take(heldBack(one.change.changeId, fault), one);
      if (reaction === 'lessLater') return null;
      if (reaction !== 'newDevice') throw fault;
      // What it would have sent for the first time was never sent.
      mark(fresh, { device: undefined });
      for (const { table, change } of batch) (rejected[table] ??= []).push(change.id);
      return fault;
    }
  }

  await save();
  await gateway.forget(abandoned);
  let why: GatewayFault | null = null;
  for (let at = 0; at < edits.length; at += PUSH_BATCH) {
    const batch = edits.slice(at, at + PUSH_BATCH);
    if (why === null) why = await send(batch);
    else for (const { table, change } of batch) (rejected[table] ??= []).push(change.id);
  }
  await save();
  if (why !== null) await gateway.renew(why, device);
  return rejected;
}

/** What WatermelonDB has taken for synced is no repeat any more, whatever it says. */
export async function forgetSent(database: WatermelonDatabase, rejected: RejectedIds): Promise<void> {
  const notes = await readNotes(database);
  const kept = Object.entries(rejected).flatMap(([table, ids]) => ids.map((id) => rowKey(table, id)));
  const sent = Object.fromEntries(Object.entries(notes.sent).filter(([key]) => kept.includes(key)));
  await writeNotes(database, { ...notes, sent });
}
