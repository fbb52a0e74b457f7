import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compileFunction } from 'node:vm';
import { addRxPlugin, createRxDatabase, type RxCollection, type RxDatabase, type RxDocument } from 'rxdb';
import { disableWarnings, RxDBDevModePlugin } from 'rxdb/plugins/dev-mode';
import { RxDBMigrationSchemaPlugin } from 'rxdb/plugins/migration-schema';
import { replicateGraphQL } from 'rxdb/plugins/replication-graphql';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { wrappedValidateAjvStorage } from 'rxdb/plugins/validate-ajv';
import { TIDEGATE_FIELD, tidegateReplication, type TidegatePlace } from '../../src/client/rxdb.js';
import { startDemoClinic, type DemoClinic, type Row } from '../scenario/demo-clinic.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';

// An app has a schema of its own: fewer fields than the gateway's, and others after an update.

const NADIAS_ROUTE = 'R-01';

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
  const faults: string[] = [];

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
      pageSize: 100,
      fetch: (url, init) => {
        const { variables } = JSON.parse(init.body) as { readonly variables: { readonly since?: string | null } };
        if (variables.since !== undefined) asked.push(variables.since);
        return fetch(url, init);
      },
    });
    replication = replicateGraphQL(options);
    replication.error$.subscribe((fault) => void faults.push(fault.message));
  }

  async function held(): Promise<readonly Row[]> {
    return (await visits.find().exec()).map((visit) => visit.toJSON() as Row);
  }

  afterAll(() => database.close());

  test('takes every visit by the schema of docs/clients.md', async () => {
    await start(schemaOfThePage());
    await replication.awaitInSync();
    expect(faults).toEqual([]);
    expect(shown(await held(), ['notes', 'kind'])).toEqual(shown(await visitsOfNadia(), ['notes']));
  });

  test('pushes nothing of the fields that the schema leaves out', async () => {
    const [before] = await visitsOfNadia();
    const visit = (await visits.findOne(before?.['id'] as string).exec(true)) as RxDocument;
    await visit.incrementalPatch({ notes: 'ring twice' });
    await replication.awaitInSync();
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
    await replication.awaitInSync();
    expect(faults).toEqual([]);
    expect(asked[0]).toBeNull();
    const theirs = await visitsOfNadia();
    expect(theirs.find(({ id }) => id === second?.['id'])).toMatchObject({ notes: 'key under the mat' });
    const fields = ['notes', 'kind', 'plannedAt'];
    expect(shown(await held(), fields)).toEqual(shown(theirs, fields));

    await database.close();
    asked.length = 0;
    await start(wider);
    await replication.awaitInSync();
    expect(asked).not.toContain(null);
  });
});

/** As docs/clients.md shows it. */
function schemaOfThePage(): { readonly version: number; readonly properties: Readonly<Record<string, object>> } {
  const page = readFileSync(path.join(PROJECT_FOLDER, 'docs/clients.md'), 'utf8');
  const [, schema = ''] = /visits: \{ schema: (.*) \},$/m.exec(page) ?? [];
  return compileFunction(`return ${schema}`, ['TIDEGATE_FIELD'])(TIDEGATE_FIELD) as never;
}
