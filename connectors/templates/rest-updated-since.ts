import {
  collection,
  defineConnector,
  deletesByScan,
  field,
  keyset,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { del, get, patch, post, rest } from '../../src/connectors/rest.js';

/**
 * Template: a REST system that filters by the time of change, and guards writes by an ETag.
 *
 * Copy it, import from `tidegate/connector` and `tidegate/connector/rest`, and change what a comment names; `tidegate doctor` tries the rest.
 */
export function restUpdatedSince(settings: { readonly baseUrl: string }): ConnectorDefinition {
  // The whole list, by its key: `after` and `limit` are the source's parameters, `items` is where its rows are.
  const list = get('/visits', {
    rows: 'items',
    paging: keyset({ by: 'id', afterIn: 'after', inclusive: false, sizeIn: 'limit', size: 500 }),
  });
  return defineConnector({
    // The system's name; add `auth: bearer(…)` and `limit: { perSecond, concurrent }` to its transport.
    source: 'care',
    transport: rest({ baseUrl: settings.baseUrl, timeout: '10s' }),
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        // The row's member that is also its ETag; `'etag'` where rows do not show it.
        version: 'version',
        // Each with `from: 'theirName'` where the source calls it otherwise.
        fields: {
          note: field.string({ required: true, maxLength: 5_000 }),
          changedAt: field.dateTime({ writable: false }),
        },
        read: {
          list,
          one: get('/visits/{key}'),
          changes: {
            param: 'updatedSince',
            stamp: 'changedAt',
            // Ask the source's people for these; what stands here asks for more than needed, and misses nothing.
            precision: '1s',
            inclusive: false,
            ordered: false,
            maxTransaction: '1m',
          },
          deletes: deletesByScan({ every: '6h' }),
        },
        write: {
          // Without `keyIn` the source gives the key: then declare `reference`, `naturalKey` or `idempotencyKey`.
          create: post('/visits', { keyIn: 'id' }),
          update: patch('/visits/{key}'),
          remove: del('/visits/{key}'),
          guard: 'ifMatch',
        },
      }),
    },
  });
}
