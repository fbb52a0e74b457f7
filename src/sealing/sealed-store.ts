import type { Collection } from '../core/collection.js';
import { SyncError, type ChangeError, type ErrorCode } from '../core/errors.js';
import type { SendNote } from '../core/outbox-port.js';
import type { OpenIntent, RecordView, RecordWrite } from '../core/record-port.js';
import type { Store } from '../core/store-port.js';
import { isKeptBody } from './digests.js';
import type { Sealer } from './sealer.js';

/** Codes whose messages the gateway makes of names and counts alone, or an operator by hand. */
const WITHOUT_VALUES: ReadonlySet<ErrorCode> = new Set([
  'CONFLICT',
  'FORBIDDEN',
  'NOT_FOUND',
  'NO_SUCH_RECORD',
  'OPERATOR_REFUSED',
  'OUTCOME_UNKNOWN',
  'PARENT_REFUSED',
  'RECORD_BLOCKED',
  'SOURCE_REFUSED',
]);

/**
 * A store in which no field value of these collections rests (F29): open intents are sealed on their way in and opened on their way out,
 * refused edits are not kept, and stored errors tell no value. A write that would keep a value all the same is a fault that keeps nothing.
 *
 * @param kept the collections, with their digests
 */
export function sealedStore(store: Store, sealer: Sealer, kept: readonly Collection[]): Store {
  const collections = new Map(kept.map((collection) => [collection.name, collection]));

  function sealedWrite(write: RecordWrite): RecordWrite {
    const collection = collections.get(write.collection);
    if (collection === undefined) return write;
    const { next, acceptance, settlement } = write;
    if (next !== undefined) checkNoValue(collection, next);
    const sealed = { ...write };
    if (acceptance?.intent) {
      const { tenant } = acceptance.device;
      const fields = JSON.stringify({ sealed: sealer.seal(acceptance.intent.fields, about(tenant, write.collection)) });
      Object.assign(sealed, { acceptance: { ...acceptance, intent: { ...acceptance.intent, fields } } });
    }
    if (settlement !== undefined) {
      const { kept: _forgotten, error, ...rest } = settlement;
      Object.assign(sealed, { settlement: { ...rest, error: error && withoutValues(collection, error) } });
    }
    return sealed;
  }

  function sealedNote(tenant: string, note: SendNote): SendNote {
    if (!collections.has(note.collection)) return note;
    // The kind stays readable: ingest asks the store which creates are on their way (F9).
    const { kind } = JSON.parse(note.payload) as { readonly kind: string };
    const sealed = sealer.seal(note.payload, aboutCall(tenant, note.intentNo));
    return { ...note, payload: JSON.stringify({ kind, sealed }) };
  }

  function opened<Intent extends OpenIntent>(intent: Intent): Intent {
    if (!collections.has(intent.collection)) return intent;
    const { tenant } = intent.device;
    const fields = open(intent.fields, about(tenant, intent.collection));
    const payload = intent.payload === null ? null : open(intent.payload, aboutCall(tenant, intent.intentNo));
    return { ...intent, fields, payload };
  }

  function openedView(view: RecordView): RecordView {
    return view.intents.length === 0 ? view : { ...view, intents: view.intents.map(opened) };
  }

  function open(text: string, of: string): string {
    return sealer.open((JSON.parse(text) as { readonly sealed: string }).sealed, of);
  }

  return {
    ...store,
    commit: async (tenant, writes, context) => store.commit(tenant, writes.map(sealedWrite), context),
    async restate(tenant, collection, records) {
      const own = collections.get(collection);
      if (own !== undefined) for (const one of records) checkNoValue(own, one);
      await store.restate(tenant, collection, records);
    },
    noteSent: (tenant, notes) =>
      store.noteSent(
        tenant,
        notes.map((note) => sealedNote(tenant, note)),
      ),
    readRecords: async (tenant, names) => (await store.readRecords(tenant, names)).map(openedView),
    async readBySourceKey(tenant, collection, keys) {
      const found = await store.readBySourceKey(tenant, collection, keys);
      return new Map([...found].map(([key, view]) => [key, openedView(view)]));
    },
    leaseIntents: async (request) => (await store.leaseIntents(request)).map(opened),
    leaseInDoubt: async (request) => (await store.leaseInDoubt(request)).map(opened),
    readOutbox: async (tenant, request) => (await store.readOutbox(tenant, request)).map(opened),
    async readCreates(tenant, collection) {
      const creates = await store.readCreates(tenant, collection);
      if (!collections.has(collection)) return creates;
      return { ...creates, parked: creates.parked.map((fields) => open(fields, about(tenant, collection))) };
    },
  };
}

/** @throws SyncError INTERNAL - a fault of the gateway, after which nothing may be written */
function checkNoValue(
  collection: Collection,
  { body, vis }: Pick<NonNullable<RecordWrite['next']>, 'body' | 'vis'>,
): void {
  if (vis === null && (body === null || isKeptBody(collection, body))) return;
  throw new SyncError('INTERNAL', `${collection.name}: expected no field value in what is kept`);
}

/** A device sees the whole error once, in the answer to its push; what stays names the field and the kind of fault. */
function withoutValues(collection: Collection, error: ChangeError): ChangeError {
  if (WITHOUT_VALUES.has(error.code)) return error;
  const field = collection.fields.some(({ name }) => name === error.field) ? error.field : null;
  const where = field === null ? collection.name : `${collection.name}.${field}`;
  const message = `${where}: refused (${error.code}); what was wrong with it is not kept`;
  return { code: error.code, message, field, retryable: error.retryable };
}

function about(tenant: string, collection: string): string {
  return `edit ${tenant} ${collection}`;
}

function aboutCall(tenant: string, intentNo: number): string {
  return `call ${tenant} ${intentNo}`;
}
