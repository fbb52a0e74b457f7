/** A table as one query names it. */
export interface TableMention {
  readonly table: string;
  readonly alias: string | null;
}

/** One query of a statement: its own words, what stands in its brackets, and the tables that it names. */
export interface SqlScope {
  /** Brackets are left as `(n)`, the place of what stands in them. */
  readonly text: string;
  readonly inner: readonly string[];
  readonly mentions: readonly TableMention[];
}

/** Words that follow a table and are no alias. */
const NO_ALIAS = new Set(
  'set where on using values join left right inner cross order group limit for when default select as union'.split(' '),
);

/**
 * The queries of an SQL text, each with its sub-queries apart: a condition of one says nothing of another. Comments and what stands in
 * quotes are left out.
 */
export function scopesOf(sql: string, tables: ReadonlySet<string>): readonly SqlScope[] {
  const plain = sql
    .replace(/--[^\n]*/g, ' ')
    .replace(/E?'(?:[^']|'')*'/g, "''")
    .replaceAll('"', '');
  const scopes: SqlScope[] = [];
  cut(plain, tables, scopes);
  return scopes;
}

function cut(text: string, tables: ReadonlySet<string>, scopes: SqlScope[]): void {
  let own = '';
  const inner: string[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '(') {
      own += text[at];
      continue;
    }
    const end = closingOf(text, at);
    own += `(${inner.length})`;
    inner.push(text.slice(at + 1, end));
    at = end;
  }
  for (const statement of own.split(/;|\bunion all\b|\bloop\b/)) {
    const mentions = mentionsOf(statement, tables);
    if (mentions.length > 0) scopes.push({ text: statement.replace(/\s+/g, ' ').trim(), inner, mentions });
  }
  for (const nested of inner) cut(nested, tables, scopes);
}

function closingOf(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')' && --depth === 0) return at;
  }
  return text.length;
}

function mentionsOf(text: string, tables: ReadonlySet<string>): readonly TableMention[] {
  const named = /\b(?:from|join|update|into|using)\s+(?:only\s+)?([a-z_]+)\b(?:\s+(?:as\s+)?([a-z_]+)\b)?/gi;
  return [...text.matchAll(named)].flatMap(([, table = '', alias]) =>
    tables.has(table) ? [{ table, alias: alias === undefined || NO_ALIAS.has(alias) ? null : alias }] : [],
  );
}
