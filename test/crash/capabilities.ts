import type { CollectionDefinition, ConnectorDefinition } from '../../src/connectors/define.js';
import type { ConnectorKit } from '../support/journal-connector.js';

/**
 * What a source offers for exactly-once, one at a time (R11): it takes an idempotency key; it writes conditionally and can be
 * read back; it finds a create by its reference and gives keys of its own; it can be read back, and no more; nothing.
 */
export const CAPABILITIES = ['keyed', 'guarded', 'looked', 'readable', 'blind'] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** A note with this in it is refused by the sources, and a deletion of a visit whose note begins with KEPT. */
export const FORBIDDEN = 'forbidden';
export const KEPT = 'kept';

/** Longest life of one call to a source, and of a call that nobody waits for any more, as the connectors declare them. */
export const CALL_TIMEOUT_MS = 1_000;
const REQUEST_LIFETIME_MS = 2_000;

type Facts = Pick<CollectionDefinition, 'read' | 'write'>;

/** The connector of one capability: a source of its own with one collection, both named like the capability. */
export function connectorOf(kit: ConnectorKit, capability: Capability, baseUrl: string): ConnectorDefinition {
  const { collection, defineConnector, field, rest } = kit;
  return defineConnector({
    source: capability,
    transport: rest({ baseUrl, limit: { concurrent: 4 }, timeout: `${CALL_TIMEOUT_MS}ms` }),
    collections: {
      [capability]: collection({
        type: `${capability.charAt(0).toUpperCase()}${capability.slice(1)}Visit`,
        key: 'id',
        ...(capability === 'blind' ? {} : { version: 'version' }),
        policy: 'sourceWins',
        ...factsOf(kit, capability),
        fields: { note: field.string({ required: true }) },
      }),
    },
  });
}

function factsOf(kit: ConnectorKit, capability: Capability): Facts {
  const { get, patch, post, del } = kit;
  const list = get(`/${capability}/visits`);
  const one = get(`/${capability}/visits/{key}`);
  const changes = {
    param: 'since',
    stamp: 'updatedAt',
    precision: '1ms',
    inclusive: true,
    ordered: true,
    maxTransaction: '100ms',
  } as const;
  // What is deleted through us is settled by its own answer, and nobody else deletes here.
  const common = { list, changes, deletes: { kind: 'none', every: '1h' }, pollEvery: '500ms' } as const;
  const writes = {
    create: post(`/${capability}/visits`, { keyIn: 'id' }),
    update: patch(`/${capability}/visits/{key}`),
    remove: del(`/${capability}/visits/{key}`),
    maxRequestLifetime: `${REQUEST_LIFETIME_MS}ms`,
  } as const;
  const lookUp = get('/looked/visits', { query: { reference: '{reference}' } });
  const byCapability: { readonly [Name in Capability]: Facts } = {
    keyed: {
      read: common,
      write: { ...writes, idempotencyKey: { header: 'idempotency-key', lifetime: '1d', checkedFirst: true } },
    },
    guarded: { read: { ...common, one }, write: { ...writes, guard: 'ifMatch' } },
    looked: {
      read: { ...common, one },
      write: { ...writes, create: post('/looked/visits'), reference: { field: 'reference', lookUp } },
    },
    readable: { read: { ...common, one }, write: writes },
    blind: { read: common, write: writes },
  };
  return byCapability[capability];
}
