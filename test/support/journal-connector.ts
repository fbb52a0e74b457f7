import type * as connector from '../../src/connectors/define.js';
import type * as rest from '../../src/connectors/rest.js';

/** The public entries: of the built product in a gateway's configuration, of the sources in a test. */
export type ConnectorKit = typeof connector & typeof rest;

/** What the journal system offers against a second effect: guarded writes, and an idempotency key besides; or nothing. */
export type Offer = 'guard' | 'key' | 'nothing';

/** The journal system as a connector: keys of the device's choice, deletions by scan, a scope per route. */
export function visitsConnector(
  kit: ConnectorKit,
  baseUrl: string,
  offer: Offer = 'guard',
): connector.ConnectorDefinition {
  const { collection, defineConnector, deletesByScan, field, get, patch, post, del, rest: open } = kit;
  return defineConnector({
    source: 'office',
    transport: open({ baseUrl, limit: { concurrent: 8 }, timeout: '3s' }),
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        version: 'version',
        policy: 'sourceWins',
        scopes: (visit) => [`route:${visit.route ?? 'none'}`],
        read: {
          list: get('/visits'),
          one: get('/visits/{key}'),
          changes: {
            param: 'since',
            stamp: 'updatedAt',
            precision: '1ms',
            inclusive: true,
            ordered: true,
            maxTransaction: '100ms',
          },
          deletes: deletesByScan({ every: '2s' }),
          pollEvery: '200ms',
        },
        write: {
          create: post('/visits', { keyIn: 'id' }),
          update: patch('/visits/{key}'),
          remove: del('/visits/{key}'),
          ...(offer === 'nothing' ? { maxRequestLifetime: '1s' } : { guard: 'ifMatch' }),
          ...(offer === 'key' ? { idempotencyKey: { header: 'idempotency-key', lifetime: '7d' } } : {}),
        },
        fields: {
          note: field.string({ required: true }),
          route: field.string({ required: true }),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
    },
  });
}
