import type { ChangeError } from '../core/errors.js';
import type { FeedSlice, FeedSnapshot, SliceForm, StoredReceipt } from '../core/feed-port.js';
import type { RecordView, RecordWrite, Settlement } from '../core/record-port.js';
import type { ChangeShape } from '../core/shape.js';
import type { DeviceKey } from '../core/session.js';
import type { Store } from '../core/store-port.js';
import type { Sealer } from './sealer.js';
import { namedShape, openBody, openPage, sealBody } from './sealed-values.js';

/** An error as it rests: code and field can be read, its words may tell a value. */
type StoredError = ChangeError & { readonly sealed?: string };

/** What a repeat is compared with, where it is no hash of ours: a hash of a pushed text lets values be tried. */
const SEALED_HASH = 'sealed:';

/**
 * A store in which the values of these fields rest only encrypted (F32): in records, in refused edits that are kept and in errors. Open
 * changes are the matter of `sealedEdits`. What rests as it is, from before, is read as it is.
 *
 * @param fields of each collection that has some
 */
export function sealedFieldsStore(
  store: Store,
  sealer: Sealer,
  fields: ReadonlyMap<string, ReadonlySet<string>>,
): Store {
  const names = new Set(fields.keys());
  const shapes = new WeakMap<ChangeShape, ChangeShape>();

  function sealedTexts<Texts extends { readonly body: string | null; readonly vis: string | null }>(
    tenant: string,
    collection: string,
    id: string,
    texts: Texts,
  ): Texts {
    const own = fields.get(collection);
    if (own === undefined) return texts;
    const sealed = (text: string | null): string | null =>
      text === null ? null : sealBody(sealer, own, { tenant, collection, id }, text);
    return { ...texts, body: sealed(texts.body), vis: sealed(texts.vis) };
  }

  function sealedWrite(tenant: string, write: RecordWrite): RecordWrite {
    const { collection, id, next, acceptance, settlement } = write;
    if (!fields.has(collection)) return write;
    return {
      ...write,
      ...(next === undefined ? {} : { next: sealedTexts(tenant, collection, id, next) }),
      ...(acceptance === undefined
        ? {}
        : { acceptance: { ...acceptance, bodyHash: sealedHash(acceptance, acceptance.bodyHash) } }),
      ...(settlement === undefined ? {} : { settlement: sealedSettlement(settlement) }),
    };
  }

  function sealedSettlement(settlement: Settlement): Settlement {
    const { error, kept } = settlement;
    return {
      ...settlement,
      error: error && sealedError(settlement, error),
      ...(kept === undefined ? {} : { kept: `${SEALED_HASH}${sealer.seal(kept, about('kept', settlement))}` }),
    };
  }

  function sealedError(of: ChangeName, error: ChangeError): ChangeError {
    const { code, field, retryable } = error;
    const sealed = sealer.seal(JSON.stringify(error), about('error', of));
    return { code, message: '', field, retryable, sealed } as StoredError;
  }

  function openedError(of: ChangeName, error: ChangeError | null): ChangeError | null {
    const { sealed } = (error ?? {}) as Partial<StoredError>;
    return sealed === undefined ? error : (JSON.parse(sealer.open(sealed, about('error', of))) as ChangeError);
  }

  function sealedHash(of: ChangeName, bodyHash: string): string {
    return `${SEALED_HASH}${sealer.seal(bodyHash, about('hash', of))}`;
  }

  function openedText(what: string, of: ChangeName, text: string): string {
    return text.startsWith(SEALED_HASH) ? sealer.open(text.slice(SEALED_HASH.length), about(what, of)) : text;
  }

  function openedView(tenant: string, view: RecordView): RecordView {
    const { collection, id, body, vis } = view;
    const opened = (text: string | null): string | null =>
      text === null ? null : openBody(sealer, { tenant, collection, id }, text);
    return { ...view, body: opened(body), vis: opened(vis) };
  }

  function openedChange<
    Change extends { readonly bodyHash: string; readonly error: ChangeError | null; readonly kept: string | null },
  >(of: ChangeName, change: Change): Change {
    const { bodyHash, error, kept } = change;
    return {
      ...change,
      bodyHash: openedText('hash', of, bodyHash),
      error: openedError(of, error),
      kept: kept === null ? null : openedText('kept', of, kept),
    };
  }

  function openedSnapshot(tenant: string, snapshot: FeedSnapshot): FeedSnapshot {
    const named = (form: SliceForm): SliceForm | null => {
      const { shape } = form;
      if ([...shape.parts.keys()].every((name) => !names.has(name))) return null;
      const known = shapes.get(shape) ?? namedShape(shape, names);
      shapes.set(shape, known);
      return { ...form, shape: known };
    };
    const openedSlice = async <Position>(
      form: SliceForm,
      read: (form: SliceForm) => Promise<FeedSlice<Position>>,
    ): Promise<FeedSlice<Position>> => {
      const sealed = named(form);
      if (sealed === null) return read(form);
      const slice = await read(sealed);
      return { ...slice, texts: await openPage(sealer, tenant, slice.texts) };
    };
    return {
      feed: snapshot.feed,
      everyPair: (collections) => snapshot.everyPair(collections),
      drain: (range, room, form) => openedSlice(form, (own) => snapshot.drain(range, room, own)),
      fill: (range, room, form) => openedSlice(form, (own) => snapshot.fill(range, room, own)),
      main: (range, room, form) => openedSlice(form, (own) => snapshot.main(range, room, own)),
      tally: (set, upTo) => snapshot.tally(set, upTo),
      receipts: async (device, after, upTo) =>
        (await snapshot.receipts(device, after, upTo)).map((receipt) => openedReceipt(device, receipt)),
    };
  }

  function openedReceipt(device: DeviceKey, receipt: StoredReceipt): StoredReceipt {
    return { ...receipt, error: openedError({ device, changeId: receipt.changeId }, receipt.error) };
  }

  return {
    ...store,
    snapshot: (tenant, read) => store.snapshot(tenant, (snapshot) => read(openedSnapshot(tenant, snapshot))),
    commit: async (tenant, writes, context) =>
      store.commit(
        tenant,
        writes.map((write) => sealedWrite(tenant, write)),
        context,
      ),
    restate: (tenant, collection, records) =>
      store.restate(
        tenant,
        collection,
        records.map((one) => sealedTexts(tenant, collection, one.id, one)),
      ),
    readRecords: async (tenant, asked) =>
      (await store.readRecords(tenant, asked)).map((view) => openedView(tenant, view)),
    async readBySourceKey(tenant, collection, keys) {
      const found = await store.readBySourceKey(tenant, collection, keys);
      return new Map([...found].map(([key, view]) => [key, openedView(tenant, view)]));
    },
    async readChanges(device, changeIds) {
      const { known, ...rest } = await store.readChanges(device, changeIds);
      return { ...rest, known: known.map((one) => openedChange({ device, changeId: one.changeId }, one)) };
    },
    async readSettled(tenant, intentNo) {
      const settled = await store.readSettled(tenant, intentNo);
      return settled === null ? null : openedChange(settled, settled);
    },
    readOutbox: async (tenant, request) =>
      (await store.readOutbox(tenant, request)).map((one) => ({ ...one, error: openedError(one, one.error) })),
    readConflicts: async (tenant, after, limit) =>
      (await store.readConflicts(tenant, after, limit)).map((one) => ({
        ...one,
        error: openedError(one, one.error),
        kept: openedText('kept', one, one.kept),
      })),
  };
}

/** A pushed change: what is kept of it is bound to it. */
interface ChangeName {
  readonly device: DeviceKey;
  readonly changeId: string;
}

function about(what: string, { device: { tenant, user, device }, changeId }: ChangeName): string {
  return JSON.stringify([what, tenant, user, device, changeId]);
}
