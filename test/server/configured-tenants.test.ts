import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SourceKey } from '../../src/core/change.js';
import {
  collection,
  defineConnector,
  field,
  type AnyCollectionDefinition,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { get, patch, rest } from '../../src/connectors/rest.js';
import { machineKey } from '../../src/auth/auth.js';
import { printSchemaOf, startGateway } from '../../src/server/app.js';
import { loadConfig, type Config, type TidegateConfig } from '../../src/server/config.js';
import { openEpochKeeper } from '../../src/server/epoch-keeper.js';
import { examine } from '../../src/server/examine.js';
import { chosenTenants, configuredTenants, placeOf } from '../../src/server/configured-tenants.js';
import { readPlans } from '../../src/server/plan.js';
import { silentLog } from '../support/postgres.js';

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-tenants-'));

afterAll(() => rmSync(folder, { recursive: true }));

const FIELDS = { notes: field.string(), room: field.int() };

/** The office of one tenant, at an address of its own. */
function office(parts: Partial<AnyCollectionDefinition> = {}, name = 'visits'): ConnectorDefinition {
  const visits = {
    ...collection({ type: 'Visit', key: 'id', fields: FIELDS, read: { list: get('/visits') } }),
    ...parts,
  };
  return defineConnector({
    source: 'office',
    transport: rest({ baseUrl: 'https://office.example' }),
    collections: { [name]: visits },
  });
}

const configOf = (settings: TidegateConfig): Promise<Config> => loadConfig({}, folder, settings);
const idsOf = async (settings: TidegateConfig) => configuredTenants(await configOf(settings)).map(({ id }) => id);

test('without tenants there is one, `default`; with them it is there if it has connectors', async () => {
  const north = { id: 'north', connectors: [office()] };
  expect(await idsOf({})).toEqual(['default']);
  expect(await idsOf({ connectors: [office()] })).toEqual(['default']);
  expect(await idsOf({ tenants: [north] })).toEqual(['north']);
  expect(await idsOf({ connectors: [office()], tenants: [north] })).toEqual(['default', 'north']);
});

test.each(['', 'North', 'a b', 'a/b', '-a', 'ä', 'a'.repeat(41), 'a_b'])('an id like "%s" is refused', async (id) => {
  const expected = 'tenants.0.id: expected 1 to 40 characters of a-z, 0-9 and "-"';
  await expect(configOf({ tenants: [{ id, connectors: [office()] }] })).rejects.toThrow(expected);
});

test.each<[what: string, settings: () => TidegateConfig, says: string]>([
  [
    'two of one id',
    () => ({ tenants: ['north', 'north'].map((id) => ({ id, connectors: [office()] })) }),
    'tenants: expected each id once, got two with the id "north"',
  ],
  [
    '`default` beside connectors at the top',
    () => ({ connectors: [office()], tenants: [{ id: 'default', connectors: [office()] }] }),
    'got two with the id "default", and "connectors" at the top are of that tenant',
  ],
  [
    'two sources of one name in a tenant',
    () => ({ tenants: [{ id: 'north', connectors: [office(), office({ type: 'Other' }, 'others')] }] }),
    'tenant north: connectors: expected each source once, got two with the name "office"',
  ],
  [
    'a connector that two share',
    () => {
      const shared = office();
      return { tenants: ['north', 'south'].map((id) => ({ id, connectors: [shared] })) };
    },
    'tenant south: expected connectors of its own, got the one of north as "office"',
  ],
  [
    'accepted keys at the top of nobody',
    () => ({ acceptNewKeys: ['visits'], tenants: [{ id: 'north', connectors: [office()] }] }),
    'acceptNewKeys: expected it with the tenant that it is for',
  ],
])('%s is refused', async (_what, settings, says) => {
  const config = await configOf(settings());
  expect(() => configuredTenants(config)).toThrow(says);
});

test.each<[what: string, other: ConnectorDefinition, says: string]>([
  ['a field', office({ fields: { notes: field.string() } }), 'visits.room: expected {"name":"room","type":"int"'],
  [
    'a type of a field',
    office({ fields: { ...FIELDS, notes: field.date() } }),
    'visits.notes: expected {"name":"notes","type":"string","list":false,"required":false,"writable":false} as in tenant north, got {"name":"notes","type":"date"',
  ],
  ['one field more', office({ fields: { ...FIELDS, more: field.int() } }), 'visits.more: expected nothing more as in'],
  ['a type', office({ type: 'Stay' }), 'visits.type: expected Visit as in tenant north, got Stay'],
  [
    'writes',
    office({ write: { update: patch('/visits/{key}') } }),
    'visits.write: expected none as in tenant north, got update',
  ],
  [
    'storage',
    office({ storage: 'metadataOnly', read: { list: get('/'), one: get('/{key}') } }),
    'visits.storage: expected snapshot',
  ],
  ['a collection', office({}, 'stays'), 'tenant south: stays: expected no such collection as in tenant north, got one'],
])('tenants that differ in %s are refused: all share one schema', async (_what, other, says) => {
  const config = await configOf({
    tenants: [
      { id: 'north', connectors: [office()] },
      { id: 'south', connectors: [other] },
    ],
  });
  expect(() => configuredTenants(config)).toThrow(says);
  await expect(printSchemaOf(config)).rejects.toThrow('tenant south: ');
});

test('a collection that a tenant lacks is named', async () => {
  const others = { ...office().collections, ...office({ type: 'Stay' }, 'stays').collections };
  const both = { ...office(), collections: others };
  const config = await configOf({
    tenants: [
      { id: 'north', connectors: [both] },
      { id: 'south', connectors: [office()] },
    ],
  });
  expect(() => configuredTenants(config)).toThrow(
    'tenant south: stays: expected a collection as in tenant north, got none',
  );
});

test("rules, addresses and the way of reading are each tenant's own", async () => {
  const scoped = office({ scopes: () => ['ward:7'], read: { list: get('/other'), pollEvery: '1h' } });
  const tenants = [
    { id: 'north', connectors: [office()] },
    { id: 'south', connectors: [scoped] },
  ];
  const config = await configOf({ tenants });
  expect(await printSchemaOf(config)).toBe(await printSchemaOf(await configOf({ connectors: [office()] })));
  const plans = await readPlans(config, null);
  expect(plans.map((plan) => [placeOf(plan), plan.callsPerDay.scans])).toEqual([
    ['north/office.visits', 288],
    ['south/office.visits', 24],
  ]);
  expect(await readPlans(config, 'south')).toEqual([plans[1]]);
  expect(() => chosenTenants(config, 'west')).toThrow('--tenant: expected one of north, south, got west');
  expect(placeOf({ tenant: 'default', source: 'office', collection: 'visits' })).toBe('office.visits');
});

test('what is done to one tenant needs its name where there are several', async () => {
  const tenants = ['north', 'south'].map((id) => ({ id, connectors: [office()] }));
  const config = await configOf({ tenants });
  await expect(openEpochKeeper(config, null, silentLog)).rejects.toThrow(
    '--tenant: expected one of north, south, got none',
  );
  await expect(openEpochKeeper(config, 'west', silentLog)).rejects.toThrow(
    '--tenant: expected one of north, south, got west',
  );
  const write = { collection: 'visits', key: 'V-1' as SourceKey };
  const looked = examine(config, { tenant: null, connector: 'office', write }, silentLog);
  await expect(looked.next()).rejects.toThrow('--write: expected --tenant with it, since there are several');
});

test('without sign-in everybody would be of `default`: tenants are refused at the start', async () => {
  const tenants = [{ id: 'north', connectors: [office()] }];
  await expect(startGateway(await configOf({ tenants }), { log: silentLog })).rejects.toThrow(
    'tenants: expected `auth` beside it',
  );
  // With it the start goes on, to a store that is not there.
  const keys = [machineKey({ name: 'one', sha256: 'a'.repeat(64) })];
  const auth = { keys, session: () => null };
  const config = await configOf({ tenants, auth, databaseUrl: 'postgresql://127.0.0.1:1/none' });
  await expect(startGateway(config, { log: silentLog })).rejects.toThrow('DATABASE_URL');
});
