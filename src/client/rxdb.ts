import type { RxCollection, SyncOptionsGraphQL, WithDeleted } from 'rxdb';
import type { SentChange } from './gateway.js';
import { GLUE_DOCUMENTS, openGlueGateway, type GatewayAddress, type ToldFate, type ToldPage } from './glue-gateway.js';
import { isRefused } from './outbox-entry.js';
import type { ReadPage } from './page-ahead.js';
import { MARK, answerTo, documentOf, shapeOf, type MarkedDocument, type PushRow } from './rxdb/mark.js';
import { markEdits } from './rxdb/edits.js';
import { hintSocketOptions } from './rxdb/hint-socket.js';
import { createLatestStates } from './rxdb/latest-states.js';
import { createPastDevice } from './rxdb/past-device.js';
import { repeatRows } from './rxdb/repeats.js';
import { removeWhenRevoked } from './rxdb/revoked.js';
import { UNANSWERED_ERROR } from './unanswered.js';

export { type TidegateMark } from './rxdb/mark.js';
export { GLUE_DOCUMENTS } from './glue-gateway.js';

/** The JSON schema of the field `tidegate`, which every replicated collection has: `properties: { …, tidegate: TIDEGATE_FIELD }`. */
export const TIDEGATE_FIELD = { type: 'object', additionalProperties: true } as const;

/** An edit that came to its end without being applied. The document shows the record as it now stands; this is what it showed. */
export interface RefusedEdit {
  readonly collection: string;
  /** The document's id; null for an edit of an earlier run of the app whose document shows it no more. */
  readonly id: string | null;
  readonly changeId: string;
  /**
   * UNANSWERED: it was sent, or may have been, under a device id that is no more (`onEvicted`), and whether it took effect nobody can tell any
   * more. It is not sent again (F11); to make it once more may apply it twice: show it to its user before.
   */
  readonly status: 'CONFLICT' | 'REJECTED' | 'UNANSWERED';
  readonly error: ToldFate['error'];
  /** The document as it was pushed; null where the refusal came later, by a receipt. */
  readonly edit: Readonly<Record<string, unknown>> | null;
}

/** What `tidegateReplication` is told. */
export interface TidegateReplicationSettings<Doc> extends GatewayAddress {
  /**
   * The collection to replicate. Its schema has the field `tidegate`; its other fields are named as the gateway names them, as many of them
   * as the app wants.
   */
  readonly collection: RxCollection<Doc>;
  /** The gateway's name of it; by default its own. */
  readonly name?: string;
  /** An edit was refused: told once, or again after a crash. */
  readonly onRefused?: (refused: RefusedEdit) => void;
  /**
   * An operator took this device's rights away, for ever: the collection is removed, with all that was not pushed, and asks nobody any more.
   *
   * @param failed why it could not be removed; null: it was
   */
  readonly onRevoked?: (failed: unknown) => void;
  /** Listens to hints over a WebSocket, and pulls when one comes. False: pulls happen at the start and by `reSync()`. Default: true. */
  readonly hints?: boolean;
  /** Changes of one page, 1 to 5,000. Default: 1,000: larger ones cost less per record, and hold up an app's screen for longer. */
  readonly pageSize?: number;
  /** Where several replications of one collection are kept apart; by default the gateway's address and the collection's name. */
  readonly replicationIdentifier?: string;
}

/** Where a replication stands: RxDB's checkpoint. */
export interface TidegatePlace {
  readonly since: string | null;
  /** Counts resets: documents of an older one are stale (F25). */
  readonly lineage: number;
  /** The initial sync of the lineage is not over. */
  readonly isFilling: boolean;
  /** Names of the fields that documents were given: with others, as after a migration of the schema, everything is to come again. */
  readonly fields: string;
  /** The id of the device that it was asked for under: another one may have edits that were never answered, and begins again (F11). */
  readonly device?: string;
  /** The last checkpoint before everything was to come again: tells whose the documents and edits are (F24). */
  readonly owner?: string;
}

/** Rows that RxDB hands over at once. How many go in one request the gateway's answers say. */
const PUSH_BATCH = 200;
/** Of documents that no reset brought. */
const FIRST_LINEAGE = 1;
/**
 * Options for RxDB's `replicateGraphQL`, with which it replicates a collection with a gateway as it is. Call it once for each
 * replication, before the app writes: from then on each edit is given its change id when it is made, in the same write (F22).
 *
 * - Pulls end when the gateway says so, whatever the number of documents; a page without documents is skipped here.
 * - A refused edit is never an error, which would stop the replication: the document shows the record as it now stands, with the
 *   reason in `tidegate.refused`, and `onRefused` is told.
 * - A reset keeps what was not pushed, and removes what did not come again (F25). Documents have the fields of the schema; a schema with others,
 *   as after a migration, begins a reset.
 * - An edit that the gateway cannot take now is tried again every `retryTime`, and told on `error$`; others pass it.
 * - Nothing else is resolved here: the collection's conflict handler must be RxDB's own, or take `realMasterState` as it does.
 *
 * @throws Error - the collection's schema has no field `tidegate`
 */
export function tidegateReplication<Doc>(
  settings: TidegateReplicationSettings<Doc>,
): SyncOptionsGraphQL<Doc, TidegatePlace> {
  const { collection, onRefused = () => undefined, hints = true, pageSize = 1_000, url, device } = settings;
  const name = settings.name ?? collection.name;
  const primary = collection.schema.primaryPath;
  if (!(MARK in collection.schema.jsonSchema.properties)) {
    throw new Error(`${collection.name}: expected a schema with ${MARK}: TIDEGATE_FIELD among its properties`);
  }
  const shape = shapeOf(primary, collection.schema.jsonSchema.properties);
  const fields = shape.fields.join(',');
  const edits = markEdits(collection, name);
  const gateway = openGlueGateway(settings, { collections: [name], limit: pageSize });
  const latest = createLatestStates(collection);
  const repeats = repeatRows(collection);
  const sent = new Map<string, SentRow>();
  const notNow = new Set<PushRow>();
  const unanswered = new Set<PushRow>();
  edits.deviceOf = () => gateway.device();
  const untilRevoked = removeWhenRevoked(collection, settings.onRevoked);
  const past = createPastDevice(edits, gateway, tellUnanswered);
  let begunCount = 0;

  function tellUnanswered(changeId: string, { newDocumentState: edit }: PushRow): void {
    const id = String(edit[primary]);
    onRefused({ collection: name, id, changeId, status: 'UNANSWERED', error: UNANSWERED_ERROR, edit });
  }

  function tellRefused(fate: ToldFate, row: PushRow | null, id: string | null): void {
    if (fate.status !== 'CONFLICT' && fate.status !== 'REJECTED') return;
    const { changeId, status, error } = fate;
    onRefused({ collection: name, id, changeId, status, error, edit: row?.newDocumentState ?? null });
  }

  /** Documents of a page as RxDB takes them: tombstones of what is here, and for a body that could not be read the one that is here (F29). */
  async function documentsOf({ changes }: ToldPage, lineage: number): Promise<MarkedDocument[]> {
    const bodiless = changes.filter(({ json }) => json === null);
    const here = bodiless.length === 0 ? null : await collection.findByIds(bodiless.map(({ id }) => id)).exec();
    return changes.flatMap((change) => {
      const document = documentOf(shape, change, lineage);
      if (document !== null) return [document];
      const held = here?.get(change.id)?.toMutableJSON() as MarkedDocument | undefined;
      if (held === undefined) return [];
      const isGone = change.kind !== 'UPSERT';
      const version = isGone ? { version: change.version } : {};
      return [{ ...held, [MARK]: { ...held.tidegate, ...version, lineage }, _deleted: isGone }];
    });
  }

  /** Tombstones of what a reset did not bring again. RxDB leaves alone what was not pushed yet. */
  async function sweep(lineage: number, came: readonly MarkedDocument[]): Promise<readonly MarkedDocument[]> {
    const ids = new Set(came.map((document) => document[primary]));
    const all = (await collection.find().exec()).map((held) => held.toMutableJSON() as MarkedDocument);
    return all
      .filter((held) => held.tidegate?.lineage !== lineage && !ids.has(held[primary]))
      .map((held) => ({ ...held, _deleted: true }));
  }

  async function tellReceipts(receipts: readonly ToldFate[]): Promise<void> {
    for (const receipt of receipts) {
      // A device's receipts come with each of its collections.
      if (isOpen(receipt) || !receipt.changeId.startsWith(`${name}:`)) continue;
      const row = sent.get(receipt.changeId)?.row ?? null;
      sent.delete(receipt.changeId);
      if (!isRefused(receipt)) continue;
      const shown = await collection.findOne({ selector: { [`${MARK}.changeId`]: receipt.changeId } as never }).exec();
      const id = row?.newDocumentState[primary] as string | undefined;
      tellRefused(receipt, row, id ?? shown?.primary ?? receipt.change?.id ?? null);
    }
  }

  /** Where RxDB stands. Its checkpoints pass migrations of the schema, which bring no values of new fields. */
  function placeOf(known: TidegatePlace | undefined): TidegatePlace {
    const now = gateway.device();
    const isSound = known?.fields === fields && (known.device ?? now) === now && begunCount === past.toldCount();
    if (isSound) return { ...known, device: now };
    const lineage = known === undefined ? FIRST_LINEAGE : known.lineage + 1;
    const owner = known?.since ?? known?.owner;
    return { since: null, lineage, isFilling: true, fields, device: now, ...(owner === undefined ? {} : { owner }) };
  }

  let knowOwner = (): void => undefined;
  const ownerKnown = new Promise<void>((resolve) => (knowOwner = resolve));
  function begunAt(place: TidegatePlace): TidegatePlace {
    gateway.owner.ownedBy(place.since ?? place.owner ?? null);
    knowOwner();
    return place;
  }

  /** RxDB begins to push beside its first pull. */
  async function pushed(changes: readonly SentChange[]): Promise<readonly ToldFate[]> {
    await ownerKnown;
    return past.push(changes);
  }

  async function pullFrom(from: TidegatePlace): Promise<AskedPage> {
    const toldCount = past.toldCount();
    return { ...(await gateway.pull(from.since)), from, toldCount };
  }

  /** Pages until one has documents or is the last: RxDB takes a page without any for the end, and forgets its checkpoint. */
  async function takePages(first: AskedPage) {
    let place = first.from;
    if (place.since === null) begunCount = first.toldCount;
    for (let page: ReadPage<ToldPage> = first; ; page = await gateway.pull(place.since)) {
      edits.epoch = page.epoch;
      // RxDB drops a hint that came before it asked: what was asked for earlier may not know of it, and is never the last.
      const hasMore = page.hasMore || page.isAhead;
      const lineage = page.reset ? place.lineage + 1 : place.lineage;
      const isFilling = page.reset || place.isFilling;
      place = { ...place, since: page.checkpoint, lineage, isFilling: isFilling && hasMore };
      const documents = await documentsOf(page, lineage);
      if (isFilling && !hasMore && lineage > FIRST_LINEAGE) documents.push(...(await sweep(lineage, documents)));
      latest.see(documents);
      await tellReceipts(page.receipts);
      documents.push(...(await latest.missed(documents)));
      if (documents.length > 0 || !hasMore) {
        return { documents: documents as unknown as WithDeleted<Doc>[], checkpoint: place };
      }
    }
  }

  function changesOf(rows: readonly PushRow[]): readonly SentChange[] {
    const changes: SentChange[] = [];
    for (const row of rows) {
      const next = past.next(row);
      if (next === 'notNow') notNow.add(row);
      if (next === 'unanswered') unanswered.add(row);
      if (next === null || typeof next === 'string') continue;
      const { change, isEarlier, epoch } = next;
      sent.set(change.changeId, { row, isEarlier });
      latest.sent(change.id, change.changeId);
      changes.push({ ...change, ...edits.sentEpoch(change, epoch) });
    }
    repeats.pause(changes);
    return changes;
  }

  function takeResults(results: readonly ToldFate[]): readonly MarkedDocument[] {
    const again = [...notNow];
    notNow.clear();
    for (const row of again) edits.sent.comesAgain(row);
    const gone = [...unanswered].map((row) => past.tell(row, primary));
    unanswered.clear();
    const answers = results.flatMap((result) => {
      const known = sent.get(result.changeId);
      if (known === undefined) return [];
      const { row, isEarlier } = known;
      // Its receipt may say nothing of a record that it refuses.
      if (!isOpen(result)) sent.delete(result.changeId);
      const id = String(row.newDocumentState[primary]);
      if (repeats.isLater(result)) {
        // An edit on top of it takes it in, and may be what lets it pass; not of one that may have been taken all the same.
        if (result.isHeldBack !== true) edits.sent.notTaken(row, result.changeId);
        return [repeats.tell(row, result, primary)];
      }
      edits.settled(result.changeId);
      edits.sent.answered(id, result.changeId, !isRefused(result));
      const isNothing = row.newDocumentState._deleted === true && result.error?.code === 'NOT_FOUND';
      if (!isNothing) tellRefused(result, row, id);
      const answer = answerTo(shape, row, result);
      latest.answered(id, answer);
      if (isEarlier) return [repeats.goOn(row, primary)];
      return answer === null ? [] : [answer];
    });
    return [...gone, ...again.map((row) => repeats.goOn(row, primary)), ...answers];
  }

  return {
    collection,
    replicationIdentifier: settings.replicationIdentifier ?? `tidegate ${url} ${name}`,
    live: true,
    deletedField: '_deleted',
    // Each device has its own socket, also where several share a process: RxDB keeps one for each address.
    url: { http: url, ...(hints ? { ws: `${url.replace(/^http/, 'ws')}?device=${encodeURIComponent(device)}` } : {}) },
    async fetch(request: Request) {
      const { variables } = (await request.json()) as { readonly variables: AskedVariables };
      const data = await untilRevoked(async () =>
        'changes' in variables ? { push: await pushed(variables.changes) } : { pull: await pullFrom(variables.from) },
      );
      // All that RxDB uses of a response: a real one would write the page as JSON and read it once more.
      return { json: async () => ({ data }) } as Response;
    },
    pull: {
      // The least: RxDB goes on until a page without documents, instead of taking a page that is not full for the end.
      batchSize: 1,
      queryBuilder: (place) => ({ query: GLUE_DOCUMENTS.pull, variables: { from: begunAt(placeOf(place)) } }),
      responseModifier: (page: AskedPage, origin) => (origin === 'stream' ? ('RESYNC' as never) : takePages(page)),
      streamQueryBuilder: () => ({ query: GLUE_DOCUMENTS.hints, variables: { collections: [name] } }),
      wsOptions: hintSocketOptions(collection, () => gateway.credentials()),
    },
    push: {
      batchSize: PUSH_BATCH,
      queryBuilder: (rows) => ({ query: GLUE_DOCUMENTS.push, variables: { changes: changesOf(rows) } }),
      responseModifier: (fates: readonly ToldFate[]) => takeResults(fates) as never,
    },
  };
}

/** A row of which something was sent. */
interface SentRow {
  readonly row: PushRow;
  /** It was an edit below the row's own. */
  readonly isEarlier: boolean;
}

/** What `fetch` is asked with: a push or a pull. */
type AskedVariables = { readonly changes: readonly SentChange[] } | { readonly from: TidegatePlace };

/** A page, and what it was asked with. */
type AskedPage = ReadPage<ToldPage> & { readonly from: TidegatePlace; readonly toldCount: number };

/** A receipt follows. */
function isOpen({ status }: ToldFate): boolean {
  return status === 'ACCEPTED' || status === 'PARKED';
}
