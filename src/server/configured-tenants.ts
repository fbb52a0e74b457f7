import { isDeepStrictEqual } from 'node:util';
import { checkNames, collectionsOf, type ConnectorDefinition } from '../connectors/define.js';
import type { Collection } from '../core/collection.js';
import { StartupError } from '../core/errors.js';
import type { FieldDefinition } from '../core/field.js';
import type { Config } from './config.js';

/** The tenant of `connectors` at the top of a configuration, and of development mode. */
export const DEFAULT_TENANT = 'default';

/** A tenant as it is configured: what it may see, and where that comes from. */
export interface ConfiguredTenant {
  readonly id: string;
  readonly connectors: readonly ConnectorDefinition[];
  readonly acceptNewKeys: readonly string[];
  readonly collections: readonly Collection[];
}

/** What of a configuration says who its tenants are. */
export type TenantSettings = Pick<Config, 'connectors' | 'tenants' | 'acceptNewKeys'>;

/**
 * The tenants of a configuration, at least one, all with the same collections: there is one GraphQL schema. Pure.
 *
 * @throws StartupError config - two of one name, a connector that two share, or collections that differ: which tenant, collection and field
 */
export function configuredTenants(config: TenantSettings): readonly [ConfiguredTenant, ...ConfiguredTenant[]] {
  const { connectors, acceptNewKeys, tenants } = config;
  if (connectors.length === 0 && acceptNewKeys.length > 0 && tenants.length > 0)
    throw new StartupError(
      'config',
      'acceptNewKeys: expected it with the tenant that it is for, since there are no "connectors" beside "tenants"',
    );
  const own = connectors.length > 0 || tenants.length === 0 ? [{ id: DEFAULT_TENANT, connectors, acceptNewKeys }] : [];
  const [first, ...others] = [...own, ...tenants].map((tenant) => ({
    ...tenant,
    collections: collectionsOfTenant(tenant),
  }));
  const all = [first as ConfiguredTenant, ...others] as const;
  checkIds(all);
  checkOwnConnectors(all);
  for (const other of others) checkSame(all[0], other);
  return all;
}

/** One of them by its name; null: all. @throws StartupError config - there is none of this name */
export function chosenTenants(config: TenantSettings, id: string | null): readonly ConfiguredTenant[] {
  const all = configuredTenants(config);
  const chosen = id === null ? all : all.filter((tenant) => tenant.id === id);
  if (chosen.length > 0) return chosen;
  const names = all.map((tenant) => tenant.id).join(', ');
  throw new StartupError('config', `--tenant: expected one of ${names}, got ${String(id)}`);
}

/** A collection in words: `erp.orders`, of another tenant than `default` `north/erp.orders`. */
export function placeOf(one: {
  readonly tenant: string;
  readonly source: string;
  readonly collection: string;
}): string {
  const { tenant, source, collection } = one;
  return `${tenant === DEFAULT_TENANT ? '' : `${tenant}/`}${source}.${collection}`;
}

function collectionsOfTenant({ id, connectors }: Pick<ConfiguredTenant, 'id' | 'connectors'>): readonly Collection[] {
  const names = connectors.map(({ source }) => source);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    const where = id === DEFAULT_TENANT ? 'connectors' : `tenant ${id}: connectors`;
    throw new StartupError('config', `${where}: expected each source once, got two with the name "${twice}"`);
  }
  const collections = connectors.flatMap(collectionsOf);
  checkNames(collections, new Set());
  return collections;
}

function checkIds(tenants: readonly ConfiguredTenant[]): void {
  const ids = tenants.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice === undefined) return;
  const also = twice === DEFAULT_TENANT ? ', and "connectors" at the top are of that tenant' : '';
  throw new StartupError('config', `tenants: expected each id once, got two with the id "${twice}"${also}`);
}

/** What a connector holds, connections and credentials among it, would be of both. */
function checkOwnConnectors(tenants: readonly ConfiguredTenant[]): void {
  const owners = new Map<object, string>();
  for (const { id, connectors } of tenants) {
    for (const { source, transport } of connectors) {
      const other = owners.get(transport);
      if (other !== undefined && other !== id)
        throw new StartupError(
          'config',
          `tenant ${id}: expected connectors of its own, got the one of ${other} as "${source}": make one for each tenant, with its own address and credentials`,
        );
      owners.set(transport, id);
    }
  }
}

/** @throws StartupError config - the first thing in which a tenant's collections differ from those of the first tenant */
function checkSame(first: ConfiguredTenant, other: ConfiguredTenant): void {
  const differs = (where: string, expected: string, got: string): never => {
    throw new StartupError(
      'config',
      `tenant ${other.id}: ${where}: expected ${expected} as in tenant ${first.id}, got ${got}: all tenants share one schema`,
    );
  };
  const foreign = other.collections.find(({ name }) => first.collections.every((one) => one.name !== name));
  if (foreign !== undefined) differs(foreign.name, 'no such collection', 'one');
  for (const collection of first.collections) {
    const { name, type, fields, writes } = collection;
    const own = other.collections.find((one) => one.name === name);
    if (own === undefined) return differs(name, 'a collection', 'none');
    if (own.type !== type) differs(`${name}.type`, type, own.type);
    // Before the fields: none of a collection that takes no writes is writable.
    if (!isDeepStrictEqual(own.writes, writes)) differs(`${name}.write`, allowed(writes), allowed(own.writes));
    for (let at = 0; at < Math.max(fields.length, own.fields.length); at++) {
      const [expected, got] = [fields[at], own.fields[at]];
      if (isDeepStrictEqual(expected, got)) continue;
      differs(`${name}.${(expected ?? got)?.name}`, inWords(expected), inWords(got));
    }
    if (own.storage !== collection.storage) {
      differs(`${name}.storage`, collection.storage ?? 'snapshot', own.storage ?? 'snapshot');
    }
  }
}

function inWords(field: FieldDefinition | undefined): string {
  return field === undefined ? 'nothing more' : JSON.stringify(field);
}

function allowed(writes: Collection['writes']): string {
  const kinds = Object.entries(writes).flatMap(([kind, is]) => (is ? [kind] : []));
  return kinds.length === 0 ? 'none' : kinds.join(', ');
}
