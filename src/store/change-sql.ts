import pg from 'pg';
import type { Epoch } from '../core/change.js';
import type { ChangePart, ChangeShape } from '../core/shape.js';

/** SQL expressions of what differs from change to change; `kind` may be a constant of the query. */
export interface ChangeColumns {
  readonly kind: { readonly constant: 'UPSERT' } | { readonly sql: string };
  /** The seq that the version names. */
  readonly seq: string;
  /** Whether the record's fields go out. */
  readonly fields: 'always' | { readonly when: string } | 'never';
  /** The ready JSON list of the device's change ids; null: always empty. */
  readonly mine: string | null;
}

type Piece = { readonly text: string } | { readonly sql: string };

/**
 * The SQL expression of a change's JSON text in a shape, over a record `r`: byte for byte what `renderChange` of core gives.
 * Ids, epochs and collection names need no escaping: they are percent-encoded or checked names.
 */
export function changeSql(shape: ChangeShape, epoch: Epoch, columns: ChangeColumns): string {
  const branches = [...shape.parts].map(([collection, parts]) => {
    const pieces = parts.flatMap((part) => piecesOf(part, collection, epoch, columns));
    return { collection, sql: concatenation(pieces) };
  });
  const [only] = branches;
  if (branches.length === 1 && only !== undefined) return only.sql;
  const whens = branches.map(({ collection, sql }) => `when ${quote(collection)} then ${sql}`);
  return `case r.collection ${whens.join(' ')} end`;
}

function piecesOf(part: ChangePart, collection: string, epoch: Epoch, columns: ChangeColumns): readonly Piece[] {
  if ('literal' in part) return [{ text: part.literal }];
  switch (part.slot) {
    case 'collection':
      return [{ text: JSON.stringify(collection) }];
    case 'id':
      return [{ text: '"' }, { sql: 'r.id' }, { text: '"' }];
    case 'version':
      return [{ text: `"${epoch}.` }, { sql: columns.seq }, { text: '"' }];
    case 'changedAt':
      return [{ text: '"' }, { sql: 'r.changed_at' }, { text: '"' }];
    case 'kind':
      return 'constant' in columns.kind
        ? [{ text: `"${columns.kind.constant}"` }]
        : [{ text: '"' }, { sql: columns.kind.sql }, { text: '"' }];
    case 'pending':
      return [{ sql: "case when r.pending then 'true' else 'false' end" }];
    case 'mine':
      return [columns.mine === null ? { text: '[]' } : { sql: columns.mine }];
    case 'fields':
      return [fieldsPiece(part.prefix, part.suffix ?? '', columns.fields)];
  }
}

function fieldsPiece(prefix: string, suffix: string, fields: ChangeColumns['fields']): Piece {
  if (fields === 'never') return { text: 'null' };
  const body = 'coalesce(r.vis, r.body)';
  const begun = prefix === '' ? body : `${quote(`{${prefix}`)} || substr(${body}, 2)`;
  const spliced = suffix === '' ? begun : `left(${begun}, -1) || ${quote(`${suffix}}`)}`;
  return { sql: fields === 'always' ? `(${spliced})` : `case when ${fields.when} then ${spliced} else 'null' end` };
}

function concatenation(pieces: readonly Piece[]): string {
  const terms: string[] = [];
  let text = '';
  for (const piece of pieces) {
    if ('text' in piece) text += piece.text;
    else {
      if (text !== '') terms.push(quote(text));
      text = '';
      terms.push(piece.sql);
    }
  }
  if (text !== '' || terms.length === 0) terms.push(quote(text));
  return terms.join(' || ');
}

/** A text as an SQL literal. */
export function quote(text: string): string {
  return pg.escapeLiteral(text);
}
