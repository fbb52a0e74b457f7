import { collection, defineConnector, field, type ConnectorDefinition } from '../../src/connectors/define.js';
import { entity, entitySet, insert, odata, remove, trackedChanges, update } from '../../src/connectors/odata.js';

/**
 * Template: an OData 4.0 service that tracks changes by delta links, and guards writes by an ETag.
 *
 * Copy it, import from `tidegate/connector` and `tidegate/connector/odata`, and change what a comment names; `$metadata` is checked at the first
 * call, and `tidegate doctor` tries the rest.
 */
export function odataDelta(settings: { readonly serviceUrl: string }): ConnectorDefinition {
  return defineConnector({
    // The system's name; behind SAP Gateway add `csrf: true`, and `auth` as it is signed in to.
    source: 'care',
    transport: odata({ serviceUrl: settings.serviceUrl, timeout: '10s' }),
    collections: {
      visits: collection({
        type: 'Visit',
        // The key property, or a list of them.
        key: 'ID',
        version: 'etag',
        fields: {
          note: field.string({ from: 'Note' }),
          status: field.enum(['Planned', 'Done', 'Missed'], { from: 'Status', required: true }),
          minutes: field.int({ from: 'Minutes' }),
        },
        read: {
          // Only some of them: `filter: "Status ne 'Done'"` here and in `trackedChanges`, and `filter: { Status: [...] }` beside `list`.
          list: entitySet('Visits', { pageSize: 500 }),
          one: entity('Visits'),
          // `replayable: false` where the service answers each link once.
          delta: trackedChanges('Visits', { pageSize: 500 }),
        },
        write: {
          // Without `keyIn` the service gives the key: then declare `reference` or `naturalKey`.
          create: insert('Visits', { keyIn: 'ID' }),
          update: update('Visits'),
          remove: remove('Visits'),
          guard: 'ifMatch',
        },
      }),
    },
  });
}
