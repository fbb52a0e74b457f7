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
} from '../../src/connectors/define.js';
import { call, soap } from '../../src/connectors/soap.js';

/**
 * Template: a SOAP 1.1 service, document/literal wrapped, whose records have a version that each write names.
 *
 * Copy it, import from `tidegate/connector` and `tidegate/connector/soap`, and change what a comment names; `tidegate inspect` drafts the calls
 * from a WSDL, and `tidegate doctor` tries the rest.
 */
export function soapVersion(settings: { readonly wsdl: string; readonly endpoint: string }): ConnectorDefinition {
  return defineConnector({
    source: 'office',
    transport: soap({ ...settings, timeout: '10s' }),
    classify: meaningOf,
    collections: {
      notes: collection({
        type: 'Note',
        key: 'id',
        version: 'version',
        fields: { title: field.string({ required: true }), changedAt: field.dateTime({ writable: false }) },
        read: {
          // Paths in the messages, without the wrapper element. Overlapping pages prove deletions; `total` ends the list.
          list: call('ListNotes', {
            rows: 'notes.note',
            total: 'total',
            paging: offset({ fromIn: 'from', sizeIn: 'size', size: 100, overlap: 5 }),
          }),
          one: call('GetNote', { keyIn: 'id', rows: 'note' }),
          changes: {
            param: 'changedSince',
            stamp: 'changedAt',
            precision: '1s',
            inclusive: false,
            ordered: false,
            maxTransaction: '1m',
          },
          deletes: deletesByScan({ every: '6h' }),
        },
        write: {
          create: call('CreateNote', { keyIn: 'note.id', bodyIn: 'note', rows: 'note' }),
          // `sends: 'merged'` where the service empties what is left out.
          update: call('UpdateNote', { keyIn: 'note.id', versionIn: 'note.version', bodyIn: 'note', rows: 'note' }),
          remove: call('DeleteNote', { keyIn: 'id', versionIn: 'version', answers: 'nothing' }),
          guard: 'argument',
        },
      }),
    },
  });
}

/** What its faults mean: each service has words of its own. */
function meaningOf({ body, message }: SourceAnswer): Classification | undefined {
  const fault = (body as { readonly NoteFault?: { readonly code?: string; readonly field?: string } } | null)
    ?.NoteFault;
  switch (fault?.code) {
    case 'NOT_FOUND':
      return absent();
    case 'VERSION_CONFLICT':
      return stale();
    case 'INVALID':
      return refused(message, fault.field ?? null);
    default:
      return undefined;
  }
}
