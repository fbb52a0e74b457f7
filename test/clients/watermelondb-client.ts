import { createRequire } from 'node:module';
import type * as Watermelon from '@nozbe/watermelondb';
import { syncWithTidegate, VERSION_COLUMN } from '../../src/client/watermelondb.js';
import { pinnedVersion, type ClientUnderTest } from './client-under-test.js';
import { withoutNulls, type CollectionName, type RecordFields } from './round-system.js';

const require = createRequire(import.meta.url);
const { Database, Model, appSchema, tableSchema } = require('@nozbe/watermelondb') as typeof Watermelon;
const { default: LokiJSAdapter } = require('@nozbe/watermelondb/adapters/lokijs') as {
  readonly default: new (options: object) => never;
};
const { synchronize } = require('@nozbe/watermelondb/sync') as {
  readonly synchronize: (settings: never) => Promise<void>;
};

class Patient extends Model {
  static override readonly table = 'patients';
}
class Visit extends Model {
  static override readonly table = 'visits';
}

/** Columns by the fields that they hold; those of JSON hold texts, the moment milliseconds. */
const COLUMNS = {
  patients: { name: 'name', route: 'route' },
  visits: {
    patientId: 'patient_id',
    route: 'route',
    status: 'status',
    note: 'note',
    minutes: 'minutes',
    price: 'price',
    plannedAt: 'planned_at',
    isUrgent: 'is_urgent',
    vitals: 'vitals',
    supplies: 'supplies',
    updatedAt: 'updated_at',
  },
} as const;
const TYPES: Readonly<Record<string, 'number' | 'boolean'>> = {
  minutes: 'number',
  plannedAt: 'number',
  isUrgent: 'boolean',
  updatedAt: 'number',
};
const JSON_FIELDS = ['vitals', 'supplies'];
const MOMENTS = ['plannedAt', 'updatedAt'];

/** It tells of each step at the console. */
(require('@nozbe/watermelondb/utils/common/logger') as { readonly default: { silence(): void } }).default.silence();

/** WatermelonDB with its own `synchronize`, on the LokiJS adapter. */
export const watermelondbClient: ClientUnderTest = {
  name: 'WatermelonDB',
  version: pinnedVersion('@nozbe/watermelondb'),
  async open({ url, headers, device, fetch, pageSize, onRevoked }) {
    const tables = Object.entries(COLUMNS).map(([name, columns]) =>
      tableSchema({
        name,
        columns: [
          ...Object.entries(columns).map(([field, column]) => ({
            name: column,
            type: TYPES[field] ?? ('string' as const),
            isOptional: field !== 'updatedAt',
          })),
          { name: VERSION_COLUMN, type: 'string' as const, isOptional: true },
        ],
      }),
    );
    const adapter = new LokiJSAdapter({
      dbName: `round-${device}`,
      schema: appSchema({ version: 1, tables }),
      useWebWorker: false,
      useIncrementalIndexedDB: false,
      extraLokiOptions: { autosave: false },
    });
    const database = new Database({ adapter, modelClasses: [Patient, Visit] });
    const refusals: string[] = [];
    const unanswered: string[] = [];
    let installation = device;
    let evictions = 0;
    let waiting: string[] = [];
    return {
      async all(name) {
        const rows = await database.get(name).query().fetch();
        return new Map(rows.map((row) => [row.id, fieldsOf(name, row._raw as unknown as RecordFields)]));
      },
      async create(name, id, fields) {
        await database.write(async () => {
          await database.get(name).create((row) => {
            (row._raw as { id: string }).id = id;
            assign(row, name, fields);
          });
        });
      },
      async edit(name, id, fields) {
        await database.write(async () => {
          await (await database.get(name).find(id)).update((row) => assign(row, name, fields));
        });
      },
      async remove(name, id) {
        await database.write(async () => (await database.get(name).find(id)).markAsDeleted());
      },
      sync: () => {
        waiting = [];
        return syncWithTidegate({
          database,
          synchronize,
          tables: ['patients', 'visits'],
          url,
          headers,
          device: installation,
          fetch,
          pageSize,
          onRefused: ({ id, status }) => void (status === 'UNANSWERED' ? unanswered : refusals).push(id),
          onRevoked: onRevoked ?? (() => database.write(() => database.unsafeResetDatabase())),
          onWaiting: ({ id, error, edit }) => {
            if (error?.retryable === false && edit !== null) waiting.push(id);
          },
          onEvicted: () => (installation = `${device}-${(evictions += 1)}`),
        });
      },
      refusals: () => refusals,
      unanswered: () => unanswered,
      waiting: async () => waiting,
      close: async () => undefined,
    };
  },
};

function assign(row: Watermelon.Model, name: CollectionName, fields: RecordFields): void {
  for (const [field, value] of Object.entries(fields)) {
    const column = (COLUMNS[name] as Readonly<Record<string, string>>)[field] ?? field;
    const cell = JSON_FIELDS.includes(field) ? JSON.stringify(value) : value;
    row._setRaw(column, (MOMENTS.includes(field) ? Date.parse(String(value)) : cell) as never);
  }
}

function fieldsOf(name: CollectionName, raw: RecordFields): RecordFields {
  const fields = Object.entries(COLUMNS[name]).map(([field, column]) => {
    const cell = raw[column];
    if (cell === null || cell === undefined) return [field, null] as const;
    if (MOMENTS.includes(field)) return [field, new Date(Number(cell)).toISOString()] as const;
    return [field, JSON_FIELDS.includes(field) ? JSON.parse(String(cell)) : cell] as const;
  });
  return withoutNulls(Object.fromEntries(fields));
}
