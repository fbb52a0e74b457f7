import { createHash, createHmac } from 'node:crypto';
import type { Collection } from '../core/collection.js';
import type { Chance } from '../core/ports.js';
import { typeInWords, type Reading, type Shape } from '../core/reading.js';
import type { AnyCollectionDefinition, ConnectorDefinition } from './define.js';
import type { KeyForms } from './key-form.js';
import type { Transport } from './transport.js';

/**
 * How one collection is read. Functions count by their text, so what they take from outside of themselves is not seen; page
 * sizes, limits, pace and writes do not count, nor does a secret that belongs to a name: another password is the same reader.
 */
export function compileReading(
  { source, transport }: ConnectorDefinition,
  definition: AnyCollectionDefinition,
  collection: Collection,
  keyForms: KeyForms,
  chance: Chance,
): Reading {
  const { paging: _paging, ...list } = definition.read.list;
  const { deletes, filter } = definition.read;
  const { kit, address, headers, auth } = transport;
  const set = textOf({
    source,
    kit,
    address,
    headers,
    reader: readerOf(auth),
    list,
    ...(filter === undefined ? {} : { filter }),
  });
  const shape: Shape = {
    key: textOf({ key: keyOf(definition.key), form: keyForms.get(collection.name) }),
    fields: Object.fromEntries(collection.fields.map((field) => [field.name, typeInWords(field)])),
    rules: createHash('sha256')
      .update(
        textOf({
          map: definition.map,
          unmap: definition.unmap,
          scopes: definition.scopes,
          version: definition.version,
          flag: deletes?.kind === 'flag' ? deletes : null,
          changes: definition.read.changes,
          textOnly: transport.textOnly,
          fields: collection.fields.map(({ name, maxLength, references }) => ({
            ...{ name, maxLength, from: definition.fields[name]?.from },
            form: references === undefined ? null : keyForms.get(references),
          })),
        }),
      )
      .digest('hex'),
  };
  const texts = { set, whole: textOf({ set, shape }) };
  return {
    shape,
    mark(of, kept) {
      const salt = kept?.split(':')[0] ?? saltBy(chance);
      return `${salt}:${createHmac('sha256', salt).update(texts[of]).digest('hex')}`;
    },
  };
}

/** Who we are to the source, without what proves it where the two can be told apart. */
function readerOf(auth: Transport['auth']): unknown {
  if (auth === null) return null;
  if (auth.kind === 'usernameToken') return { user: auth.user };
  if (auth.kind === 'clientCredentials') {
    const { tokenUrl, clientId, scope, audience } = auth.options;
    return { tokenUrl, clientId, scope, audience };
  }
  if (auth.kind === 'sessionLogin') {
    const { url, json, form } = auth.options.login;
    const named = Object.entries({ ...json, ...form }).filter(([name]) => !SECRET_NAME.test(name));
    return { url, named };
  }
  const { header, value } = auth;
  if (!value.startsWith('Basic ')) return { header, value };
  return { header, user: Buffer.from(value.slice('Basic '.length), 'base64').toString('utf8').split(':')[0] };
}

const SECRET_NAME = /pass|pwd|secret|token|pin$|kennwort/i;

/** One part alone and a list of one are the same key. */
function keyOf(key: AnyCollectionDefinition['key']): unknown {
  return typeof key === 'string' ? [key] : key;
}

/** JSON of plain facts, functions by their text, members by name: their order says nothing. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => {
    if (typeof one === 'function') return `function ${String(one)}`;
    if (one === undefined) return null;
    if (typeof one !== 'object' || one === null || Array.isArray(one)) return one;
    return Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1));
  });
}

function saltBy(chance: Chance): string {
  return Array.from({ length: 32 }, () => Math.floor(chance() * 16).toString(16)).join('');
}
