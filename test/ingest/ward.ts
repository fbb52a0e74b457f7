import { randomUUID } from 'node:crypto';
import type { Fields, SourceKey } from '../../src/core/change.js';
import { renderBody } from '../../src/core/collection.js';
import { layerOf, nextState, visibleFields } from '../../src/core/overlay.js';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import type { RecordView } from '../../src/core/record-port.js';
import type { Store } from '../../src/core/store-port.js';
import { PATIENTS, settled, VISITS } from '../contract/store/world.js';
import { createIngestingClinic, hash, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, type ToySource } from './toy-source.js';

const PATIENT_OF = {
  name: 'patient',
  type: 'reference',
  references: PATIENTS,
  list: false,
  required: false,
  writable: true,
} as const;

/** Patients whose keys their source gives, and visits that refer to them, while devices create both. */
export interface Ward {
  readonly clinic: IngestingClinic;
  readonly patients: ToySource;
  readonly visits: ToySource;
  /** A device's create, of a patient unless said otherwise, is on its way: SENT. */
  create(id: string, fields: Fields, collection?: string): Promise<LeasedIntent>;
  /** The source says under which key it has it. */
  settle(intent: LeasedIntent, key: string, fields: Fields): Promise<void>;
  park(intent: LeasedIntent): Promise<void>;
  patient(id: string): Promise<RecordView>;
  /** Ids of living patients. */
  alive(): Promise<readonly string[]>;
  /** What devices see of a visit. */
  seen(id: string): Promise<Fields | null>;
  waiting(collection: string): Promise<readonly string[]>;
  /** Rounds of both collections, with time for rechecks between them. */
  rounds(count?: number): Promise<void>;
}

export async function createWard(
  facts: Parameters<typeof createToySource>[0] = {},
  { ofVisits = {}, wrap }: { readonly ofVisits?: typeof facts; readonly wrap?: (store: Store) => Store } = {},
): Promise<Ward> {
  const patients = createToySource({ createKey: 'source', ...facts }, { name: PATIENTS });
  const visits = createToySource({ keysReused: false, ...ofVisits }, { fields: [PATIENT_OF] });
  const clinic = await createIngestingClinic([patients, visits], wrap === undefined ? {} : { wrap });
  const { store, world } = clinic;
  const { tenant, nurse } = world;
  const patient: Ward['patient'] = (id) => world.view(id, PATIENTS);
  const nameOf = ({ collection, id, seq, mark }: RecordView) => ({ collection, id, expected: { seq, mark } });
  const ward: Ward = {
    clinic,
    patients,
    visits,
    patient,
    async create(id, fields, collection = PATIENTS) {
      const changeId = randomUUID();
      const intent = {
        kind: 'UPSERT',
        fields: JSON.stringify(fields),
        baseSeq: 0 as LeasedIntent['baseSeq'],
        editedAtMs: 1,
        lease: { holder: 'node 1', leaseMs: 60_000 },
        waitsFor: null,
        isShown: false,
      } as const;
      const acceptance = { device: nurse, changeId, bodyHash: changeId, intent };
      await world.write([{ ...nameOf(await world.view(id, collection)), acceptance }]);
      const view = await world.view(id, collection);
      const open = view.intents.at(-1) as LeasedIntent;
      const note = { intentNo: open.intentNo, fence: 1, payload: '{}', guard: null, deadlineMs: 60_000 };
      expect(await store.noteSent(tenant, [{ ...nameOf(view), ...note }])).toEqual(['sent']);
      return { ...open, tenant, fence: 1, sinceDeadlineMs: null };
    },
    async settle(intent, key, fields) {
      const view = await patient(intent.id);
      const body = renderBody(patients.collection, fields);
      const layer = { ...layerOf(view), sourceKey: key as SourceKey, body, hash: hash(body), throughUs: true };
      const next = nextState(patients.collection, layer, []);
      await world.write([{ ...nameOf(view), next, settlement: settled(nurse, intent.changeId, { intent }) }]);
    },
    async park(intent) {
      const settlement = settled(nurse, intent.changeId, { intent, status: 'PARKED', inEffect: false });
      await world.write([{ ...nameOf(await world.view(intent.id, intent.collection)), settlement }]);
    },
    async alive() {
      const { head } = await store.readHead(tenant);
      const keys = await store.knownKeys(tenant, PATIENTS, head, null, 100);
      const views = await store.readBySourceKey(tenant, PATIENTS, keys);
      return [...views.values()].map((view) => view.id).sort();
    },
    seen: async (id) => visibleFields(await world.view(id)),
    async waiting(collection) {
      const rechecks = await store.dueRechecks(tenant, collection, Number.MAX_SAFE_INTEGER, 100);
      return rechecks.map((recheck) => recheck.sourceKey);
    },
    async rounds(count = 1) {
      for (let round = 0; round < count; round++) {
        await clinic.poller.round(PATIENTS);
        await clinic.poller.round(VISITS);
        clinic.clock.advance(5_000);
      }
    },
  };
  return ward;
}
