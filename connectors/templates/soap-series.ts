import {
  collection,
  defineConnector,
  deletesByScan,
  field,
  offset,
  series,
  step,
  type ConnectorDefinition,
} from '../../src/connectors/define.js';
import { call, soap } from '../../src/connectors/soap.js';
import { soapVersion } from './soap-version.js';

/**
 * Template: a SOAP service that takes a change in several calls: an edit is begun, changed and committed, and takes effect with the last one.
 * Its list, its faults and its other writes are as in `soap-version.ts`, which is to be copied with it.
 */
export function soapSeries(settings: { readonly wsdl: string; readonly endpoint: string }): ConnectorDefinition {
  const { classify } = soapVersion(settings);
  return defineConnector({
    source: 'office',
    transport: soap({ ...settings, timeout: '15s' }),
    ...(classify === undefined ? {} : { classify }),
    collections: {
      notes: collection({
        type: 'Note',
        key: 'id',
        version: 'version',
        fields: { title: field.string({ required: true }) },
        read: {
          // Without a filter for what changed each poll reads the whole list.
          list: call('ListNotes', {
            rows: 'notes.note',
            total: 'total',
            paging: offset({ fromIn: 'from', sizeIn: 'size', size: 100, overlap: 5 }),
          }),
          one: call('GetNote', { keyIn: 'id', rows: 'note' }),
          pollEvery: '5m',
          deletes: deletesByScan({ every: '6h' }),
        },
        write: {
          create: call('CreateNote', { keyIn: 'note.id', bodyIn: 'note', rows: 'note' }),
          update: series(
            [
              // What is kept of an answer, here its `editId`, goes into the argument that `keptIn` names.
              step(call('BeginEdit', { keyIn: 'id', versionIn: 'version' }), { keeps: { edit: 'editId' } }),
              step(call('ChangeNote', { keptIn: { edit: 'editId' }, bodyIn: 'note', guarded: false }), {
                sends: 'fields',
              }),
              step(call('CommitEdit', { keptIn: { edit: 'editId' }, rows: 'note' })),
            ],
            { abort: call('CancelEdit', { keptIn: { edit: 'editId' } }) },
          ),
          remove: call('DeleteNote', { keyIn: 'id', versionIn: 'version', answers: 'nothing' }),
          guard: 'argument',
        },
      }),
    },
  });
}
