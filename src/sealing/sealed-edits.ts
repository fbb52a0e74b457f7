import { SyncError } from '../core/errors.js';
import type { SendNote } from '../core/outbox-port.js';
import type { Acceptance, OpenIntent, RecordView, RecordWrite } from '../core/record-port.js';
import type { Store } from '../core/store-port.js';
import type { Sealer } from './sealer.js';

/** The one member of a sealed text beside what must stay readable: no field can have such a name. */
const SEALED = '$sealed';

/** How an edit rests: its text, and the change that it is bound to. */
interface SealedEdit {
  readonly [SEALED]?: string;
  readonly of?: readonly string[];
}

/**
 * A store in which what devices push into these collections, and what is sent of it, rests encrypted while it is open. What was accepted
 * before that is read as it is.
 */
export function sealedEdits(store: Store, sealer: Sealer, collections: ReadonlySet<string>): Store {
  function sealedWrite(write: RecordWrite): RecordWrite {
    const { acceptance } = write;
    if (!acceptance?.intent || !collections.has(write.collection)) return write;
    const of = changeOf(acceptance);
    const { tenant } = acceptance.device;
    const text = sealer.seal(acceptance.intent.fields, aboutEdit(tenant, write.collection, of));
    const fields = JSON.stringify({ [SEALED]: text, of } satisfies SealedEdit);
    return { ...write, acceptance: { ...acceptance, intent: { ...acceptance.intent, fields } } };
  }

  function sealedNote(tenant: string, note: SendNote): SendNote {
    if (!collections.has(note.collection)) return note;
    // The kind stays readable: ingest asks the store which creates are on their way (F9).
    const { kind } = JSON.parse(note.payload) as { readonly kind: string };
    const sealed = sealer.seal(note.payload, aboutCall(tenant, note.intentNo));
    return { ...note, payload: JSON.stringify({ kind, [SEALED]: sealed }) };
  }

  function opened<Intent extends OpenIntent>(intent: Intent): Intent {
    const { device, changeId, intentNo, payload } = intent;
    const fields = openedFields(device.tenant, intent.collection, intent.fields, changeOf({ device, changeId }));
    const { [SEALED]: sealed } = JSON.parse(payload ?? '{}') as SealedEdit;
    const call = sealed === undefined ? payload : sealer.open(sealed, aboutCall(device.tenant, intentNo));
    return { ...intent, fields, payload: call };
  }

  function openedView(view: RecordView): RecordView {
    return view.intents.length === 0 ? view : { ...view, intents: view.intents.map(opened) };
  }

  /** @param change whose it must be; absent: whosever it is */
  function openedFields(tenant: string, collection: string, text: string, change?: readonly string[]): string {
    const { [SEALED]: sealed, of = [] } = JSON.parse(text) as SealedEdit;
    if (sealed === undefined) return text;
    if (change !== undefined && JSON.stringify(change) !== JSON.stringify(of))
      throw new SyncError('INTERNAL', `${collection}: expected a sealed edit of its own change, got one of another`);
    return sealer.open(sealed, aboutEdit(tenant, collection, of));
  }

  return {
    ...store,
    commit: async (tenant, writes, context) => store.commit(tenant, writes.map(sealedWrite), context),
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
      return { ...creates, parked: creates.parked.map((fields) => openedFields(tenant, collection, fields)) };
    },
  };
}

function changeOf({ device, changeId }: Pick<Acceptance, 'device' | 'changeId'>): readonly string[] {
  return [device.user, device.device, changeId];
}

function aboutEdit(tenant: string, collection: string, of: readonly string[]): string {
  return JSON.stringify(['edit', tenant, collection, of]);
}

function aboutCall(tenant: string, intentNo: number): string {
  return JSON.stringify(['call', tenant, intentNo]);
}
