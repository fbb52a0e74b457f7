import {
  changeNumber,
  collection,
  defineConnector,
  deletesByLog,
  field,
  hmac,
  keyset,
  type ConnectorDefinition,
  type WebhookContent,
  type WebhookName,
} from '../../src/connectors/define.js';
import { del, get, patch, post, rest } from '../../src/connectors/rest.js';

/**
 * Template: a REST system that numbers its changes, keeps a log of what was deleted, and calls a webhook when something changed.
 *
 * Copy it, import from `tidegate/connector` and `tidegate/connector/rest`, and change what a comment names; `tidegate doctor` tries the rest.
 */
export function restNumbered(settings: {
  readonly baseUrl: string;
  readonly webhookSecret: string;
}): ConnectorDefinition {
  // `gap: 0` is true only where numbers are given out in the order in which changes become visible; else say `longestTransaction`.
  const since = changeNumber({ param: 'changedAfter', member: 'version', inclusive: false, gap: 0 });
  const paging = keyset({ by: 'id', afterIn: 'after', inclusive: false, sizeIn: 'limit', size: 500 });
  return defineConnector({
    source: 'care',
    transport: rest({ baseUrl: settings.baseUrl, timeout: '10s' }),
    // Sent to POST /webhooks/care. How it is signed: docs/connectors.md#webhooks has the forms of common senders.
    webhook: { proof: hmac({ secret: settings.webhookSecret, header: 'X-Signature' }), names: changedIn },
    collections: {
      visits: collection({
        type: 'Visit',
        key: 'id',
        version: 'version',
        fields: { note: field.string({ required: true, maxLength: 5_000 }) },
        read: {
          list: get('/visits', { rows: 'items', paging }),
          one: get('/visits/{key}'),
          changes: since,
          // `keepsFor`: for how long an entry stays; who was away for longer scans.
          deletes: deletesByLog({
            list: get('/deleted-visits', { rows: 'items' }),
            key: 'visit',
            since,
            keepsFor: '30d',
          }),
        },
        write: {
          create: post('/visits', { keyIn: 'id' }),
          update: patch('/visits/{key}'),
          remove: del('/visits/{key}'),
          guard: 'ifMatch',
        },
      }),
    },
  });
}

/** What changed, as the body of a webhook says it; nothing of it is believed, the record is read. */
function changedIn({ body }: WebhookContent): WebhookName | readonly WebhookName[] {
  const { visit } = body as { readonly visit?: string };
  return visit === undefined ? [] : { collection: 'visits', key: visit };
}
