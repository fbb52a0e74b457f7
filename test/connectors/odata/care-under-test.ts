import {
  collection,
  createSource,
  defineConnector,
  deletesByScan,
  field,
  type AnyCollectionDefinition,
  type CollectionDefinition,
  type ConnectorDefinition,
  type Source,
} from '../../../src/connectors/define.js';
import {
  changedSince,
  entity,
  entitySet,
  findBy,
  insert,
  odata,
  remove,
  trackedChanges,
  update,
  type ODataOptions,
} from '../../../src/connectors/odata.js';
import type { Log } from '../../../src/core/ports.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import { eagerDeps } from '../soap/eager-deps.js';
import { startODataService, type ODataService } from './odata-service.js';

/** Visits as an architect would declare them: every type once. */
export const VISITS = collection({
  type: 'Visit',
  key: 'ID',
  version: 'etag',
  read: {
    list: entitySet('Visits', { pageSize: 7 }),
    one: entity('Visits'),
    changes: changedSince('LastModified', { precision: '1ms', maxTransaction: '1s' }),
    deletes: deletesByScan({ every: '1h' }),
  },
  write: {
    create: insert('Visits', { keyIn: 'ID' }),
    update: update('Visits'),
    remove: remove('Visits'),
    guard: 'ifMatch',
  },
  fields: {
    note: field.string({ from: 'Note' }),
    price: field.decimal({ from: 'Price' }),
    serial: field.long({ from: 'Serial' }),
    minutes: field.int({ from: 'Minutes' }),
    day: field.date({ from: 'Day' }),
    done: field.boolean({ from: 'Done' }),
    weight: field.float({ from: 'Weight' }),
    status: field.enum(['Planned', 'Done', 'Missed'], { from: 'Status', required: true }),
    vitals: field.json({ from: 'Vitals' }),
    tags: field.list(field.string(), { from: 'Tags' }),
    patient: field.reference('patients', { from: 'PatientID' }),
    updatedAt: field.dateTime({ from: 'LastModified', writable: false }),
  },
});

/** The same, as the source itself says what changed. */
export const TRACKED = collection({
  ...(VISITS as CollectionDefinition),
  read: {
    list: entitySet('Visits', { pageSize: 7 }),
    one: entity('Visits'),
    delta: trackedChanges('Visits', { pageSize: 7 }),
  },
});

/** Patients, which the service numbers itself. */
export const PATIENTS = collection({
  type: 'Patient',
  key: 'ID',
  version: 'etag',
  read: {
    list: entitySet('Patients', { pageSize: 7 }),
    one: entity('Patients'),
    changes: changedSince('LastModified', { precision: '1ms', maxTransaction: '1s' }),
  },
  write: {
    create: insert('Patients', { answers: 'nothing' }),
    update: update('Patients', { answers: 'nothing' }),
    remove: remove('Patients'),
    guard: 'ifMatch',
    reference: { field: 'ExternalRef', lookUp: findBy('Patients', 'ExternalRef') },
  },
  fields: { name: field.string({ from: 'Name', required: true }) },
});

export const LINES = collection({
  type: 'Line',
  key: ['Number', 'VisitID'],
  version: 'etag',
  read: { list: entitySet('Lines'), one: entity('Lines') },
  write: { update: update('Lines'), remove: remove('Lines'), guard: 'ifMatch' },
  fields: { sku: field.string({ from: 'Sku' }) },
});

export const ROOMS = collection({
  type: 'Room',
  key: 'ID',
  version: 'etag',
  read: { list: entitySet('Rooms'), one: entity('Rooms') },
  write: {
    create: insert('Rooms', { keyIn: 'ID' }),
    update: update('Rooms'),
    remove: remove('Rooms'),
    guard: 'ifMatch',
  },
  fields: { name: field.string({ from: 'Name' }) },
});

/** The care service and connectors to it. */
export interface CareUnderTest {
  readonly service: ODataService;
  readonly logged: string[];
  open(
    collections?: Readonly<Record<string, AnyCollectionDefinition>>,
    options?: Partial<ODataOptions>,
    more?: Partial<ConnectorDefinition>,
  ): readonly SourceCollection[];
  /** One collection, named `tried`. */
  openOne(
    definition: AnyCollectionDefinition,
    options?: Partial<ODataOptions>,
    more?: Partial<ConnectorDefinition>,
  ): SourceCollection;
  /** Moves the gateway's time on. */
  advance(ms: number): void;
  close(): Promise<void>;
}

export async function startCare(): Promise<CareUnderTest> {
  const service = await startODataService();
  const opened: Source[] = [];
  const logged: string[] = [];
  const { clock, chance } = eagerDeps();
  const write = (what: string): void => void logged.push(what);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const care: CareUnderTest = {
    service,
    logged,
    open(collections = { visits: VISITS, patients: PATIENTS }, options = {}, more = {}) {
      const definition = defineConnector({
        source: 'care',
        transport: odata({ serviceUrl: service.url, ...options }),
        collections,
        ...more,
      });
      const source = createSource(definition, { clock, chance, log });
      opened.push(source);
      return source.collections;
    },
    openOne(definition, options, more) {
      const [one] = care.open({ tried: definition }, options, more);
      if (one === undefined) throw new Error('expected a collection, got none');
      return one;
    },
    advance: (ms) => clock.advance(ms),
    async close() {
      await Promise.all(opened.map((source) => source.close()));
      await service.close();
    },
  };
  return care;
}
