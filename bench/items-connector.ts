import {
  collection,
  defineConnector,
  deletesByScan,
  field,
  page,
  type ConnectorDefinition,
  type Duration,
} from 'tidegate/connector';
import { get, patch, post, rest } from 'tidegate/connector/rest';

/** The instant source as a connector: pages of 1,000, changes since a moment, writes with the device's own id. */
export function items(settings: {
  readonly baseUrl: string;
  readonly concurrent?: number;
  readonly perSecond?: number;
  readonly scanEvery?: Duration;
}): ConnectorDefinition {
  const { baseUrl, concurrent = 8, perSecond, scanEvery = '1d' } = settings;
  return defineConnector({
    source: 'instant',
    transport: rest({
      baseUrl,
      limit: { concurrent, ...(perSecond === undefined ? {} : { perSecond }) },
      timeout: '30s',
    }),
    collections: {
      items: collection({
        type: 'Item',
        key: 'id',
        read: {
          list: get('/items', {
            rows: 'items',
            total: 'total',
            paging: page({ numberIn: 'page', sizeIn: 'size', size: 1_000, shortPageEnds: true }),
          }),
          one: get('/items/{key}'),
          changes: {
            param: 'since',
            stamp: 'updatedAt',
            precision: '1ms',
            inclusive: true,
            ordered: false,
            maxTransaction: '100ms',
          },
          deletes: deletesByScan({ every: scanEvery }),
          pollEvery: '200ms',
        },
        write: { create: post('/items', { keyIn: 'id' }), update: patch('/items/{key}') },
        fields: {
          name: field.string({ required: true }),
          street: field.string(),
          city: field.string(),
          status: field.enum(['OPEN', 'PLANNED', 'DONE'], { required: true }),
          note: field.string(),
          amount: field.decimal(),
          count: field.int(),
          active: field.boolean(),
          dueAt: field.dateTime(),
          updatedAt: field.dateTime({ writable: false }),
        },
      }),
    },
  });
}
