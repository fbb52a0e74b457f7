import {
  absent,
  collection,
  defineConnector,
  deletesByScan,
  field,
  offset,
  refused,
  stale,
  type Classification,
  type ConnectorDefinition,
  type SourceAnswer,
} from '../src/connectors/define.js';
import { call, soap } from '../src/connectors/soap.js';

/** The demo's SOAP system: the stock of a home-care clinic's store room. */
export function supplies(settings: { readonly wsdl: string; readonly endpoint: string }): ConnectorDefinition {
  return defineConnector({
    source: 'supplies',
    transport: soap({ ...settings, limit: { concurrent: 4 }, timeout: '10s' }),
    classify: meaningOf,
    collections: {
      supplies: collection({
        type: 'Supply',
        key: 'sku',
        // Requests have no keys here: what became of one whose answer was lost is read back and told by the version.
        version: 'version',
        // A count is right on the day it was taken: where both counted, the store room's own stands.
        policy: 'sourceWins',
        read: {
          list: LIST,
          one: call('GetSupply', { keyIn: 'sku', rows: 'supply' }),
          changes: {
            param: 'modifiedSince',
            stamp: 'modifiedAt',
            precision: '1ms',
            inclusive: true,
            ordered: true,
            maxTransaction: '1s',
          },
          deletes: deletesByScan({ every: '30s' }),
          pollEvery: '3s',
        },
        write: {
          create: call('CreateSupply', { keyIn: 'sku', bodyIn: 'supply', rows: 'supply' }),
          // What is left out is emptied: the source's own supply is sent back with the changes laid over it.
          update: call('UpdateSupply', {
            keyIn: 'sku',
            versionIn: 'version',
            bodyIn: 'supply',
            rows: 'supply',
            sends: 'merged',
          }),
          remove: call('DeleteSupply', { keyIn: 'sku', versionIn: 'version', answers: 'nothing' }),
          guard: 'argument',
        },
        fields: {
          name: field.string({ required: true, maxLength: 200 }),
          category: field.enum(CATEGORIES, { required: true }),
          unit: field.enum(['piece', 'pair', 'pack', 'box', 'bottle', 'roll', 'tube'], { required: true }),
          quantity: field.int({ required: true }),
          reorderLevel: field.int({ required: true }),
          unitPrice: field.decimal({ required: true }),
          gtin: field.long(),
          expiresOn: field.date(),
          shelf: field.string({ maxLength: 20 }),
          supplier: field.string({ maxLength: 200 }),
          coldChain: field.boolean({ required: true }),
          modifiedAt: field.dateTime({ writable: false }),
        },
      }),
    },
  });
}

/** A deletion moves what is behind it: the last rows of a page are read again with the next one. */
const LIST = call('ListSupplies', {
  rows: 'supplies',
  total: 'total',
  more: 'hasMore',
  paging: offset({ fromIn: 'offset', sizeIn: 'limit', size: 100, overlap: 5 }),
});

/** The store room's own faults, told in the detail of a SOAP fault whose code is always Client. */
function meaningOf({ body, message }: SourceAnswer): Classification | undefined {
  const fault = (body as { readonly SupplyFault?: { readonly code?: string; readonly field?: string } } | null)
    ?.SupplyFault;
  switch (fault?.code) {
    case 'NOT_FOUND':
      return absent();
    case 'VERSION_CONFLICT':
      return stale();
    case 'VALIDATION':
    case 'KEY_TAKEN':
      return refused(message, fault.field ?? null);
    default:
      return undefined;
  }
}

const CATEGORIES = [
  'woundCare',
  'fixation',
  'injection',
  'infusion',
  'gloves',
  'hygiene',
  'incontinence',
  'urology',
  'diagnostics',
  'respiratory',
  'nutrition',
  'protection',
  'mobility',
] as const;
