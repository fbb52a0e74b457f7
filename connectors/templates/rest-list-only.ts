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
 * Template: a REST system that tells nothing of changes. Its list shows keys, each record is read by its own call, and writes are guarded by
 * `If-Unmodified-Since`, which counts seconds: a record that was changed just now is written a second later.
 *
 * Copy it, import from `tidegate/connector` and `tidegate/connector/rest`, and change what a comment names; `tidegate doctor` tries the rest.
 */
export function restListOnly(settings: { readonly baseUrl: string }): ConnectorDefinition {
  return defineConnector({
    // The system's name. Each poll is a call for each record: say how many it bears.
    source: 'care',
    transport: rest({ baseUrl: settings.baseUrl, timeout: '10s', limit: { concurrent: 4 } }),
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        // The Last-Modified header of a single read; `'etag'` and `guard: 'ifMatch'` are better, where the source has one.
        version: 'lastModified',
        fields: { note: field.string({ required: true, maxLength: 5_000 }) },
        read: {
          // Rows with no more than `id`; without `listed` they are whole records, and `one` confirms deletions only.
          list: get('/visit-keys', {
            rows: 'items',
            paging: keyset({ by: 'id', afterIn: 'after', inclusive: false, sizeIn: 'limit', size: 500 }),
          }),
          listed: 'keys',
          one: get('/visits/{key}'),
          // How old what devices see may be, against the calls that it costs: `tidegate plan` counts them.
          pollEvery: '15m',
          deletes: deletesByScan({ every: '6h' }),
        },
        write: {
          create: post('/visits', { keyIn: 'id' }),
          update: patch('/visits/{key}'),
          remove: del('/visits/{key}'),
          guard: 'ifUnmodifiedSince',
        },
      }),
    },
  });
}
