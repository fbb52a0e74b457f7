import type { SyncOptionsGraphQL, WithDeleted } from 'rxdb';
import { isOpen, keepAccepted } from './accepted-changes.js';
import type { SentChange } from './gateway.js';
import { GLUE_DOCUMENTS, openGlueGateway, type ToldFate, type ToldPage } from './glue-gateway.js';
import { isRefused } from './outbox-entry.js';
import type { ReadPage } from './page-ahead.js';
import { acceptedStore } from './rxdb/accepted-store.js';
import { MARK, answerTo, documentOf, shapeOf, type MarkedDocument, type PushRow, type SentRow } from './rxdb/mark.js';
import { markEdits } from './rxdb/edits.js';
import type { TidegatePlace } from './rxdb/place.js';
import { hintSocketOptions } from './rxdb/hint-socket.js';
import { createLatestStates } from './rxdb/latest-states.js';
import { createPastDevice } from './rxdb/past-device.js';
import { repeatRows } from './rxdb/repeats.js';
import { removeWhenRevoked } from './rxdb/revoked.js';
import type { TidegateReplicationSettings } from './rxdb/settings.js';
import { UNANSWERED_ERROR } from './unanswered.js';

export { type TidegateMark } from './rxdb/mark.js';
export { type TidegatePlace } from './rxdb/place.js';
export { type RefusedEdit } from './rxdb/refused-edit.js';
export { type TidegateReplicationSettings } from './rxdb/settings.js';
export { GLUE_DOCUMENTS } from './glue-gateway.js';

/** The JSON schema of the field `tidegate`, which every replicated collection has: `properties: { …, tidegate: TIDEGATE_FIELD }`. */
export const TIDEGATE_FIELD = { type: 'object', additionalProperties: true } as const;

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
  const replicationIdentifier = settings.replicationIdentifier ?? `tidegate ${url} ${name}`;
  const gateway = keepAccepted(
    openGlueGateway(settings, { collections: [name], limit: pageSize }),
    acceptedStore(collection, replicationIdentifier),
    tellLate,
  );
  const latest = createLatestStates(collection);
  const repeats = repeatRows(collection);
  const sent = new Map<string, SentRow>();
  const notNow = new Set<PushRow>();
  const unanswered = new Set<PushRow>();
  edits.deviceOf = () => gateway.device();
  const untilRevoked = removeWhenRevoked(collection, settings.onRevoked);
  const past = createPastDevice(edits, gateway, (changeId, { newDocumentState }) =>
    tellUnanswered(changeId, String(newDocumentState[primary]), newDocumentState),
  );
  let begunCount = 0;

  function tellUnanswered(changeId: string, id: string, edit: MarkedDocument | null): void {
    onRefused({ collection: name, id, changeId, status: 'UNANSWERED', error: UNANSWERED_ERROR, edit });
  }

  function tellRefused(fate: ToldFate, row: PushRow | null, id: string): void {
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

  /** A change that was accepted, and is refused now. */
  function tellLate({ changeId, id }: SentChange, fate: ToldFate): void {
    tellRefused(fate, sent.get(changeId)?.row ?? null, id);
  }

  async function tellReceipts(receipts: readonly ToldFate[]): Promise<void> {
    // A device's receipts come with each of its collections, and of what an operator pushed for it.
    const accepted = await gateway.acceptedOf(receipts);
    for (const receipt of receipts) {
      const change = accepted.get(receipt.changeId);
      if (change !== undefined && isRefused(receipt)) tellLate(change, receipt);
      if (!isOpen(receipt)) sent.delete(receipt.changeId);
    }
    await gateway.settle(receipts);
  }

  /** What was accepted under another device id has no receipt any more (F11). */
  async function tellAbandoned(): Promise<void> {
    const abandoned = await gateway.abandoned();
    for (const { changeId, id } of abandoned)
      tellUnanswered(changeId, id, sent.get(changeId)?.row.newDocumentState ?? null);
    await gateway.forget(abandoned);
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
  async function pushed({ changes, device }: AskedPush): Promise<readonly ToldFate[]> {
    await ownerKnown;
    return past.push(changes, device);
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
      if (page.reset || place.since === null) await tellAbandoned();
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
      if (documents.length === 0) {
        if (hasMore) continue;
        // All that came is here: what a reset made unsure goes out again, and its effect comes with the next page.
        const { answered, waiting } = await gateway.repeat();
        if (answered > 0) continue;
        // RxDB asks again after `retryTime`.
        if (waiting !== null) throw waiting;
      }
      return { documents: documents as unknown as WithDeleted<Doc>[], checkpoint: place };
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
    replicationIdentifier,
    live: true,
    deletedField: '_deleted',
    // Each device has its own socket, also where several share a process: RxDB keeps one for each address.
    url: { http: url, ...(hints ? { ws: `${url.replace(/^http/, 'ws')}?device=${encodeURIComponent(device)}` } : {}) },
    async fetch(request: Request) {
      const { variables } = (await request.json()) as { readonly variables: AskedVariables };
      const data = await untilRevoked(async () =>
        'changes' in variables ? { push: await pushed(variables) } : { pull: await pullFrom(variables.from) },
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
      queryBuilder: (rows) => ({
        query: GLUE_DOCUMENTS.push,
        variables: { changes: changesOf(rows), device: gateway.device() },
      }),
      responseModifier: (fates: readonly ToldFate[]) => takeResults(fates) as never,
    },
  };
}

/** What `fetch` is asked with: a push or a pull. */
type AskedVariables = AskedPush | { readonly from: TidegatePlace };

/** Changes, and the id of the device under which they were chosen as what may go out: by then it may have another one (F11). */
interface AskedPush {
  readonly changes: readonly SentChange[];
  readonly device: string;
}

/** A page, and what it was asked with. */
type AskedPage = ReadPage<ToldPage> & { readonly from: TidegatePlace; readonly toldCount: number };
