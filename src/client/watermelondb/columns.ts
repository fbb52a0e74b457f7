import type { Fields, JsonValue } from '../../core/change.js';
import type { PulledChange } from '../gateway.js';
import type { DeclaredField } from '../glue-gateway.js';

/** The column of each synced table in which the glue keeps the version that edits are made from: a string, optional. */
export const VERSION_COLUMN = 'tidegate_version';

/** A row as WatermelonDB stores it. */
export interface RawRow {
  readonly id: string;
  readonly _status?: string;
  /** Names of the changed columns, with commas between. */
  readonly _changed?: string;
  readonly [column: string]: unknown;
}

/** How a table's columns stand for a collection's fields. */
export interface TableColumns {
  /** A told record as WatermelonDB takes it. */
  rowOf(change: PulledChange): RawRow;
  /** The named columns of a row, or all that have a value, as fields. */
  fieldsOf(row: RawRow, columns: readonly string[] | 'filled'): Fields;
}

interface Pairing {
  readonly column: string;
  /** Texts of JSON, moments as milliseconds since 1970, or the value itself. */
  readonly form: 'json' | 'moment' | 'day' | 'plain';
  readonly field: DeclaredField;
}

/**
 * Pairs columns with fields: `planned_at` or `plannedAt` is the field `plannedAt`. Lists and JSON are kept as texts of JSON, and dates in
 * number columns as milliseconds, as WatermelonDB's `@json` and `@date` read them. Columns without a field are the app's own.
 */
export function pairColumns(
  columns: Readonly<Record<string, { readonly type: string }>>,
  fields: readonly DeclaredField[],
): TableColumns {
  const byName = new Map(fields.map((field) => [field.name, field]));
  const pairs = Object.entries(columns).flatMap(([column, { type }]): readonly Pairing[] => {
    const field = byName.get(column) ?? byName.get(camelCase(column));
    return field === undefined ? [] : [{ column, field, form: formOf(field, type) }];
  });
  return {
    rowOf({ id, version, json }) {
      const row: Record<string, unknown> & { id: string } = { id };
      for (const { column, field, form } of pairs) row[column] = toCell(form, json?.[field.name] ?? null);
      row[VERSION_COLUMN] = version;
      return row;
    },
    fieldsOf(row, wanted) {
      // WatermelonDB itself writes columns like `updated_at`.
      const sent = pairs
        .filter(({ field }) => field.writable)
        .filter(({ column }) => (wanted === 'filled' ? (row[column] ?? null) !== null : wanted.includes(column)));
      return Object.fromEntries(
        sent.map(({ column, field, form }) => [field.name, toField(form, row[column] ?? null)]),
      );
    },
  };
}

function formOf({ type, list }: DeclaredField, column: string): Pairing['form'] {
  if (list || type === 'json') return 'json';
  if (column !== 'number') return 'plain';
  return type === 'dateTime' ? 'moment' : type === 'date' ? 'day' : 'plain';
}

function toCell(form: Pairing['form'], value: JsonValue): unknown {
  if (value === null) return null;
  if (form === 'json') return JSON.stringify(value);
  return form === 'plain' ? value : Date.parse(value as string);
}

function toField(form: Pairing['form'], cell: unknown): JsonValue {
  if (cell === null) return null;
  if (form === 'json') return JSON.parse(cell as string) as JsonValue;
  if (form === 'plain') return cell as JsonValue;
  const text = new Date(Number(cell)).toISOString();
  return form === 'day' ? text.slice(0, 10) : text;
}

function camelCase(column: string): string {
  return column.replace(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
