import { hash } from 'node:crypto';
import {
  isObjectType,
  type DocumentNode,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import type { Collection } from '../core/collection.js';
import { SyncError, type FieldError } from '../core/errors.js';
import type { ChangePart, ChangeShape } from '../core/shape.js';
import type { PullPage } from '../pull/pull.js';
import { changeParts } from './change-parts.js';
import { changeTypeName, joined } from './change-source.js';
import { projectTexts } from './projected-texts.js';
import type { RecordProjection } from './record-projection.js';
import { createSelection, setsOf, type Selection } from './selection.js';

/** How the answer to an operation is put around the ready texts of a page. */
export interface PagePlan {
  /** The one `pull` of the operation. */
  readonly field: FieldNode;
  readonly shape: ChangeShape;
  /**
   * The answer's body in pieces, no record parsed. Null when this page takes more than its ready texts: a receipt's record or conflict, or
   * a record that was stored under another declaration than today's.
   */
  write(page: PullPage): readonly Uint8Array[] | null;
}

/** A value as JSON; null where it takes more than the value itself. */
type Write<T> = (value: T) => string | null;
type Writers<T> = Readonly<Record<string, (nodes: readonly FieldNode[]) => Write<T> | null>>;

/** Stands for the changes while the text around them is written: JSON has no such character. */
const CHANGES = '\u0000';

/**
 * The plan of an operation that is one `pull` whose changes can be written from what is kept, or null: then it must be
 * executed. Pure: one plan serves every request of the operation with the same @skip and @include.
 *
 * @param variables coerced
 * @throws GraphQLError - a variable of a directive has no value that fits
 */
export function planPage(
  schema: GraphQLSchema,
  collections: readonly Collection[],
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): PagePlan | null {
  const selection = createSelection(schema, document, variables);
  const pulls: FieldNode[] = [];
  const shapes: (ChangeShape | null)[] = [];
  const projections: RecordProjection[] = [];

  const writeReceipt = (nodes: readonly FieldNode[]): Write<Receipt> | null =>
    objectWriter(selection, objectType(schema, 'Receipt'), nodes, {
      ...jsonOf<Receipt>('changeId', 'status', 'blockedBy'),
      error: (errors) => {
        const write = objectWriter<ReceiptError>(selection, objectType(schema, 'PushError'), errors, {
          ...jsonOf<ReceiptError>('code', 'message', 'field', 'retryable'),
          fields: (nodes) => {
            const writeOne = objectWriter(selection, objectType(schema, 'FieldError'), nodes, FIELD_ERROR_WRITERS);
            return writeOne === null
              ? null
              : ({ fields }) => (fields === undefined ? 'null' : listOf(fields, writeOne));
          },
        });
        return write === null ? null : ({ error }) => (error === null ? 'null' : write(error));
      },
      // The record as it now stands is another read.
      change: () => () => null,
      conflict:
        () =>
        ({ status }) =>
          status === 'CONFLICT' ? null : 'null',
    });
  const writePage = (nodes: readonly FieldNode[]): Write<PullPage> | null =>
    objectWriter(selection, objectType(schema, 'Page'), nodes, {
      ...jsonOf<PullPage>('checkpoint', 'hasMore', 'reset', 'resetReason', 'complete', 'epoch'),
      changes: (changes) => {
        shapes.push(shapeOf(schema, selection, collections, changes, projections));
        return () => `[${CHANGES}]`;
      },
      receipts: (receipts) => {
        const write = writeReceipt(receipts);
        return write === null ? null : (page) => listOf(page.receipts, write);
      },
    });

  const root = objectType(schema, 'Query');
  const write = objectWriter<PullPage>(selection, root, [operation], {
    pull: (nodes) => {
      pulls.push(...nodes.slice(0, 1));
      return writePage(nodes);
    },
  });
  const [field, ...others] = pulls;
  const [shape, ...otherShapes] = shapes;
  if (write === null || field === undefined || others.length > 0 || !shape || otherShapes.length > 0) return null;
  return {
    field,
    shape,
    write(page) {
      const around = write(page);
      const texts = around === null ? null : projectTexts(page.texts, projections);
      return around === null || texts === null ? null : splice(around, texts);
    },
  };
}

type Receipt = PullPage['receipts'][number];
type ReceiptError = NonNullable<Receipt['error']>;

const FIELD_ERROR_WRITERS = jsonOf<FieldError>('field', 'message');

function jsonOf<T>(...names: readonly (keyof T & string)[]): Writers<T> {
  return Object.fromEntries(names.map((name) => [name, () => (value: T) => JSON.stringify(value[name])]));
}

/** Writes the selected fields of an object, or null where one of them has no writer. */
function objectWriter<T>(
  selection: Selection,
  type: GraphQLObjectType,
  nodes: readonly Pick<FieldNode, 'selectionSet'>[],
  writers: Writers<T>,
): Write<T> | null {
  const entries: { readonly key: string; readonly write: Write<T> }[] = [];
  for (const [key, fields] of selection.fieldsOf(type, setsOf(nodes))) {
    const name = fields[0].name.value;
    const write = name === '__typename' ? () => JSON.stringify(type.name) : (writers[name]?.(fields) ?? null);
    if (write === null) return null;
    entries.push({ key: JSON.stringify(key), write });
  }
  return (value) => {
    const texts: string[] = [];
    for (const { key, write } of entries) {
      const text = write(value);
      if (text === null) return null;
      texts.push(`${key}:${text}`);
    }
    return `{${texts.join(',')}}`;
  };
}

function listOf<T>(values: readonly T[], write: Write<T>): string | null {
  const texts = values.map(write);
  return texts.includes(null) ? null : `[${texts.join(',')}]`;
}

function splice(data: string, texts: readonly Uint8Array[]): readonly Uint8Array[] {
  const [before, after] = `{"data":${data}}\n`.split(CHANGES) as [string, string];
  return [Buffer.from(before), ...joined(texts.filter((text) => text.length > 0)), Buffer.from(after)];
}

function shapeOf(
  schema: GraphQLSchema,
  selection: Selection,
  collections: readonly Collection[],
  nodes: readonly FieldNode[],
  projections: RecordProjection[],
): ChangeShape | null {
  const parts = new Map<string, readonly ChangePart[]>();
  for (const collection of collections) {
    const changeType = objectType(schema, changeTypeName(collection.type));
    const recordType = objectType(schema, collection.type);
    const own = changeParts(selection, collection, changeType, recordType, nodes, projections);
    if (own === null) return null;
    parts.set(collection.name, own);
  }
  return { key: hash('sha256', JSON.stringify([...parts]), 'hex').slice(0, 40), parts };
}

function objectType(schema: GraphQLSchema, name: string): GraphQLObjectType {
  const type = schema.getType(name);
  if (isObjectType(type)) return type;
  throw new SyncError('INTERNAL', `expected an object type ${name} in the schema`);
}
