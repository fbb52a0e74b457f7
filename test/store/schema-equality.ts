import type { Database } from '../../src/store/database.js';

/** One line per column, key and index, in a form that both sides can be written in: like `record.seq bigint not null`. */
export type SchemaLines = readonly string[];

const SQL_TYPES: Readonly<Record<string, string>> = {
  String: 'text',
  BigInt: 'bigint',
  Int: 'integer',
  Boolean: 'boolean',
  Json: 'jsonb',
  Bytes: 'bytea',
  DateTime: 'timestamp(3) with time zone',
  Float: 'double precision',
};

/** What schema.prisma declares. */
export function columnsOfSchema(schema: string): SchemaLines {
  const lines: string[] = [];
  for (const [, body = ''] of schema.matchAll(/^model \w+ \{\n([\s\S]*?)\n\}/gm)) {
    const table = /@@map\("(\w+)"\)/.exec(body)?.[1] ?? '';
    const columns = new Map<string, string>();
    for (const [, field = '', type = '', optional, rest = ''] of body.matchAll(/^ {2}(\w+)\s+(\w+)(\?)?(.*)$/gm)) {
      const column = /@map\("(\w+)"\)/.exec(rest)?.[1] ?? field;
      columns.set(field, column);
      // A list is never null to Prisma, but its column may be.
      const isList = rest.startsWith('[]');
      lines.push(`${table}.${column} ${SQL_TYPES[type]}${isList ? '[]' : optional === '?' ? '' : ' not null'}`);
      if (/@id\b/.test(rest)) lines.push(`${table} primary (${column})`);
    }
    for (const [, kind, fields = ''] of body.matchAll(/@@(id|unique|index)\(\[([^\]]*)\]/g)) {
      const names = fields.split(',').map((field) => columns.get(field.trim()));
      lines.push(`${table} ${kind === 'id' ? 'primary' : kind} (${names.join(', ')})`);
    }
  }
  return lines.sort();
}

/** What the migrations made. */
export async function columnsOfDatabase(database: Database): Promise<SchemaLines> {
  const columns = await database.query<{ line: string }>(`
    select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end as line
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped and c.relname <> '_prisma_migrations'`);
  const keys = await database.query<{ line: string }>(`
    select c.relname || case when i.indisprimary then ' primary (' when i.indisunique then ' unique (' else ' index (' end
      || (select string_agg(a.attname, ', ' order by k.ord)
          from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as k (attnum, ord)
          join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum) || ')' as line
    from pg_index i join pg_class c on c.oid = i.indrelid
    where c.relnamespace = 'public'::regnamespace and c.relname <> '_prisma_migrations'`);
  return [...columns.rows, ...keys.rows].map((row) => row.line).sort();
}
