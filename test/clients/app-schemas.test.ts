import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { compileFunction } from 'node:vm';
import type * as Watermelon from '@nozbe/watermelondb';
import { addRxPlugin, createRxDatabase, type RxCollection, type RxDatabase, type RxDocument } from 'rxdb';
import { disableWarnings, RxDBDevModePlugin } from 'rxdb/plugins/dev-mode';
import { RxDBMigrationSchemaPlugin } from 'rxdb/plugins/migration-schema';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { wrappedValidateAjvStorage } from 'rxdb/plugins/validate-ajv';
import { TIDEGATE_FIELD, tidegateReplication, type TidegatePlace } from '../../src/client/rxdb.js';
import { syncWithTidegate, VERSION_COLUMN } from '../../src/client/watermelondb.js';
import { startDemoClinic, type DemoClinic, type Row } from '../scenario/demo-clinic.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';

const require = createRequire(import.meta.url);
const { Database, Model, appSchema, tableSchema } = require('@nozbe/watermelondb') as typeof Watermelon;
const { addColumns, createTable, schemaMigrations } = require('@nozbe/watermelondb/Schema/migrations') as Readonly<
  Record<'addColumns' | 'createTable' | 'schemaMigrations', (what: object) => object>
>;
const { default: LokiJSAdapter } = require('@nozbe/watermelondb/adapters/lokijs') as {
  readonly default: new (options: object) => TestAdapter;
};
const { synchronize } = require('@nozbe/watermelondb/sync') as {
  readonly synchronize: (settings: never) => Promise<void>;
};
(require('@nozbe/watermelondb/utils/common/logger') as { readonly default: { silence(): void } }).default.silence();

/** WatermelonDB's adapter on LokiJS, with what its own tests use of it. */
interface TestAdapter {
  /** The same data, opened by the next version of an app. */
  testClone(options: object): Promise<TestAdapter>;
  readonly _driver: { readonly loki: { close(): void } };
}

interface Steps {
  readonly pullChanges: (request: unknown) => Promise<unknown>;
  readonly pushChanges?: unknown;
}

class Visit extends Model {
  static override readonly table = 'visits';
}
class Patient extends Model {
  static override readonly table = 'patients';
}

// An app has a schema of its own: fewer fields than the gateway's, and others after an update.

const NADIAS_ROUTE = 'R-01';
const PAGE_SIZE = 100;

interface Variables {
  readonly since?: string | null;
  readonly limit?: number;
}

/** Not the look at whose store it is, which asks for one record. */
const isPage = ({ limit }: Variables): boolean => limit === PAGE_SIZE;

let clinic: DemoClinic;
beforeAll(async () => {
  clinic = await startDemoClinic();
});
afterAll(async () => {
  await clinic.end();
  clinic.removeFiles();
});

async function visitsOfNadia(): Promise<readonly Row[]> {
  return (await clinic.list('visits')).filter(({ routeId }) => routeId === NADIAS_ROUTE);
}

/** These fields of visits, by id; what is empty is left out. */
function shown(visits: readonly object[], fields: readonly string[]): ReadonlyMap<unknown, object> {
  return new Map(
    (visits as readonly Row[]).map((visit) => {
      const filled = fields.filter((name) => (visit[name] ?? null) !== null);
      return [visit['id'], Object.fromEntries(filled.map((name) => [name, visit[name]]))];
    }),
  );
}

describe('RxDB, in its development mode, on a storage that takes nothing but what the schema says', () => {
  disableWarnings();
  addRxPlugin(RxDBDevModePlugin);
  addRxPlugin(RxDBMigrationSchemaPlugin);
  const storage = wrappedValidateAjvStorage({ storage: getRxStorageMemory() });
  const device = randomUUID();
  const asked: unknown[] = [];
  let database: RxDatabase;
  let visits: RxCollection;
  let replication: ReturnType<typeof replicateGraphQL<unknown, TidegatePlace>>;

  /** The app starts, with this schema. */
  async function start(schema: { readonly version: number }): Promise<void> {
    database = await createRxDatabase({ name: 'round', storage, multiInstance: false });
    const migrationStrategies = schema.version === 0 ? {} : { 1: (document: object) => document };
    visits = (await database.addCollections({ visits: { schema: schema as never, migrationStrategies } }))[
      'visits'
    ] as RxCollection;
    const options = tidegateReplication({
      collection: visits,
      url: `${clinic.url}/graphql`,
      device,
      headers: { authorization: 'Bearer nadia' },
      hints: false,
      pageSize: PAGE_SIZE,
      fetch: (url, init) => {
        const { variables } = JSON.parse(init.body) as { readonly variables: Variables };
        if (isPage(variables)) asked.push(variables.since);
        return fetch(url, init);
      },
    });
    replication = replicateGraphQL(options);
  }

  /** @throws what RxDB tells first: it tries again for ever */
  async function inSync(): Promise<void> {
    const fault = new Promise<never>((_resolve, reject) => void replication.error$.subscribe(reject));
    await Promise.race([fault, replication.awaitInSync()]);
  }

  async function held(): Promise<readonly Row[]> {
    return (await visits.find().exec()).map((visit) => visit.toJSON() as Row);
  }

  afterAll(() => database.close());

  test('takes every visit by the schema of docs/clients.md', async () => {
    await start(schemaOfThePage());
    await inSync();
    expect(shown(await held(), ['notes', 'kind'])).toEqual(shown(await visitsOfNadia(), ['notes']));
  });

  test('pushes nothing of the fields that the schema leaves out', async () => {
    const [before] = await visitsOfNadia();
    const visit = (await visits.findOne(before?.['id'] as string).exec(true)) as RxDocument;
    await visit.incrementalPatch({ notes: 'ring twice' });
    await inSync();
    const { version: _version, updatedAt: _updatedAt, ...fields } = before ?? {};
    expect(await clinic.row('visits', visit.primary)).toMatchObject({ ...fields, notes: 'ring twice' });
  });

  test('brings what a migrated schema has more, once, and keeps the edit that waits', async () => {
    const [, second] = await visitsOfNadia();
    await replication.cancel();
    await (await visits.findOne(second?.['id'] as string).exec(true)).incrementalPatch({ notes: 'key under the mat' });
    await database.close();

    const { properties, ...schema } = schemaOfThePage();
    const text = { type: 'string' };
    const wider = { ...schema, version: 1, properties: { ...properties, kind: text, plannedAt: text } };
    asked.length = 0;
    await start(wider);
    await inSync();
    expect(asked[0]).toBeNull();
    const theirs = await visitsOfNadia();
    expect(theirs.find(({ id }) => id === second?.['id'])).toMatchObject({ notes: 'key under the mat' });
    const fields = ['notes', 'kind', 'plannedAt'];
    expect(shown(await held(), fields)).toEqual(shown(theirs, fields));

    await database.close();
    asked.length = 0;
    await start(wider);
    await inSync();
    expect(asked).not.toContain(null);
  });
});

describe('WatermelonDB', () => {
  const device = randomUUID();
  const asked: unknown[] = [];
  const texts = (...names: readonly string[]) =>
    names.map((name) => ({ name, type: 'string' as const, isOptional: true }));
  const added = texts('kind');
  const visits = texts('notes', VERSION_COLUMN);
  const patients = { name: 'patients', columns: texts('last_name', VERSION_COLUMN) };
  const schemas = {
    1: appSchema({ version: 1, tables: [tableSchema({ name: 'visits', columns: visits })] }),
    2: appSchema({
      version: 2,
      tables: [tableSchema({ name: 'visits', columns: [...visits, ...added] }), tableSchema(patients)],
    }),
  };
  const migrations = schemaMigrations({
    migrations: [{ toVersion: 2, steps: [addColumns({ table: 'visits', columns: added }), createTable(patients)] }],
  });
  let adapter: TestAdapter;
  let database: Watermelon.Database;
  /** Done once, when the next page is asked for. */
  let meanwhile: (() => Promise<unknown>) | null = null;

  function sync(tables: readonly string[], by: typeof synchronize = synchronize): Promise<void> {
    return syncWithTidegate({
      database,
      synchronize: by,
      tables,
      url: `${clinic.url}/graphql`,
      device,
      headers: { authorization: 'Bearer nadia' },
      pageSize: PAGE_SIZE,
      onRevoked: () => undefined,
      fetch: async (url, init) => {
        const { variables } = JSON.parse(init.body) as { readonly variables: Variables };
        if (isPage(variables)) {
          asked.push(variables.since);
          await meanwhile?.();
          meanwhile = null;
        }
        return fetch(url, init);
      },
    });
  }

  async function rows(table: string): Promise<readonly Row[]> {
    return (await database.get(table).query().fetch()).map(({ _raw }) => _raw as unknown as Row);
  }

  async function edit(id: unknown, notes: string): Promise<void> {
    const visit = await database.get('visits').find(id as string);
    await database.write(() => visit.update((row) => row._setRaw('notes', notes)));
  }

  afterAll(() => adapter._driver.loki.close());

  test('brings the values of added columns and of an added table after a migration, and keeps the edit that waits', async () => {
    adapter = new LokiJSAdapter({
      dbName: 'round',
      schema: schemas[1],
      useWebWorker: false,
      useIncrementalIndexedDB: false,
    });
    database = new Database({ adapter: adapter as never, modelClasses: [Visit] });
    await sync(['visits']);
    expect(shown(await rows('visits'), ['notes'])).toEqual(shown(await visitsOfNadia(), ['notes']));

    // The app is updated, and ends once more before WatermelonDB takes what a pull brought.
    adapter = await adapter.testClone({ schema: schemas[2], migrations });
    database = new Database({ adapter: adapter as never, modelClasses: [Visit, Patient] });
    const ended = (steps: never): Promise<void> => {
      const { pullChanges, pushChanges, ...rest } = steps as Steps;
      const pull = async (request: unknown): Promise<never> => {
        await pullChanges(request);
        throw new Error('the app ended');
      };
      return synchronize({ ...rest, pushChanges, pullChanges: pushChanges ? pullChanges : pull } as never);
    };
    await expect(sync(['visits', 'patients'], ended)).rejects.toThrow('the app ended');

    const [, , third] = await visitsOfNadia();
    meanwhile = () => edit(third?.['id'], 'dog in the yard');
    asked.length = 0;
    await sync(['visits', 'patients']);
    expect(asked[0]).toBeNull();
    const theirs = await visitsOfNadia();
    const expected = theirs.map((visit) =>
      visit['id'] === third?.['id'] ? { ...visit, notes: 'dog in the yard' } : visit,
    );
    expect(theirs).not.toEqual(expected);
    expect(shown(await rows('visits'), ['notes', 'kind'])).toEqual(shown(expected, ['notes', 'kind']));
    const names = (await clinic.list('patients')).filter(({ routeId }) => routeId === NADIAS_ROUTE);
    expect((await rows('patients')).map((row) => row['last_name']).sort()).toEqual(
      names.map(({ lastName }) => lastName).sort(),
    );

    asked.length = 0;
    await sync(['visits', 'patients']);
    expect(asked).not.toContain(null);
    expect(await clinic.row('visits', third?.['id'] as string)).toMatchObject({ notes: 'dog in the yard' });
  });
});

/** As docs/clients.md shows it. */
function schemaOfThePage(): { readonly version: number; readonly properties: Readonly<Record<string, object>> } {
  const page = readFileSync(path.join(PROJECT_FOLDER, 'docs/clients.md'), 'utf8');
  const [, schema = ''] = /visits: \{ schema: (.*) \},$/m.exec(page) ?? [];
  return compileFunction(`return ${schema}`, ['TIDEGATE_FIELD'])(TIDEGATE_FIELD) as never;
}
