import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { JsonValue } from '../core/change.js';
import type { ChangePart, ChangeShape } from '../core/shape.js';
import type { Sealer } from './sealer.js';

/** Around a sealed value in the text of a record, in the place of the value: JSON has no such characters outside of escapes. */
const BEGIN = '\u0003';
const END = '\u0004';
/** Around a record in a page: who it is, then its text. */
const NAME = '\u0005';
const NAME_BYTE = 5;
const RECORD = '\u0006';
const RECORD_END = '\u0007';

const SEALED_ENTRY = /"([_A-Za-z][_0-9A-Za-z]*)":\u0003([^\u0004]*)\u0004/g;
const NAMED = /^"([^"]*)" "([^"]*)"$/;

/** Values are filled up to a multiple of so many characters, so that the length of `true` or of an enum does not tell it. */
const BLOCK = 32;

/** The record that a text is of: what sealed values of it are bound to, with the name of their field. */
export interface Named {
  readonly tenant: string;
  readonly collection: string;
  readonly id: string;
}

/** A ready text with the values of these fields sealed; absent ones stay null. */
export function sealBody(sealer: Sealer, fields: ReadonlySet<string>, named: Named, body: string): string {
  const entries = Object.entries(JSON.parse(body) as Readonly<Record<string, JsonValue>>).map(([name, value]) => {
    const json = JSON.stringify(value);
    if (value === null || !fields.has(name)) return `${JSON.stringify(name)}:${json}`;
    const filled = json.padEnd(Math.ceil(json.length / BLOCK) * BLOCK);
    return `${JSON.stringify(name)}:${BEGIN}${sealer.seal(filled, about(named, name))}${END}`;
  });
  return `{${entries.join(',')}}`;
}

/** The ready text that was sealed, to the byte; one without sealed values as it is. @throws SyncError INTERNAL - it is of another record, or was changed */
export function openBody(sealer: Sealer, named: Named, text: string): string {
  return openEntries(sealer, named, text, (value) => value);
}

/** Is a value sealed in this text? */
export function hasSealed(text: string): boolean {
  return text.includes(BEGIN);
}

/** A shape in which each record of these collections stands with its name, so that `openPage` knows whose values it opens. */
export function namedShape({ key, parts }: ChangeShape, collections: ReadonlySet<string>): ChangeShape {
  const named = ([name, own]: readonly [string, readonly ChangePart[]]): readonly [string, readonly ChangePart[]] =>
    collections.has(name) ? [name, own.flatMap(withName)] : [name, own];
  return { key: hash('sha256', `named ${key}`, 'hex').slice(0, 40), parts: new Map([...parts].map(named)) };
}

function withName(part: ChangePart): readonly ChangePart[] {
  if (!('slot' in part) || part.slot !== 'fields') return [part];
  const name: readonly ChangePart[] = [
    { literal: NAME },
    { slot: 'collection' },
    { literal: ' ' },
    { slot: 'id' },
    { literal: RECORD },
  ];
  return [...name, part, { literal: RECORD_END }];
}

/** Texts of a page in a `namedShape`, opened: the bytes that the shape itself would have given for records that are not sealed. */
export async function openPage(
  sealer: Sealer,
  tenant: string,
  texts: readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const opened: Uint8Array[] = [];
  for (const bytes of texts) {
    const text = openText(sealer, tenant, bytes);
    // Some 20 us for each value: others go on between the texts of a page.
    if (text !== bytes) await setImmediate();
    opened.push(text);
  }
  return opened;
}

function openText(sealer: Sealer, tenant: string, bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(NAME_BYTE)) return bytes;
  // One character per byte, as where texts are projected: decoding UTF-8 takes longer, and nothing here looks at letters.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  let opened = '';
  let copied = 0;
  for (let begin = text.indexOf(NAME); begin !== -1; begin = text.indexOf(NAME, copied)) {
    const record = text.indexOf(RECORD, begin);
    const end = text.indexOf(RECORD_END, record);
    const [, collection = '', id = ''] = NAMED.exec(text.slice(begin + 1, record)) ?? [];
    opened +=
      text.slice(copied, begin) + openEntries(sealer, { tenant, collection, id }, text.slice(record + 1, end), inLatin);
    copied = end + 1;
  }
  return Buffer.from(opened + text.slice(copied), 'latin1');
}

function inLatin(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1');
}

function openEntries(sealer: Sealer, named: Named, text: string, as: (value: string) => string): string {
  if (!hasSealed(text)) return text;
  return text.replace(SEALED_ENTRY, (_entry, name: string, sealed: string) => {
    return `"${name}":${as(sealer.open(sealed, about(named, name)).trimEnd())}`;
  });
}

function about({ tenant, collection, id }: Named, field: string): string {
  return JSON.stringify(['value', tenant, collection, id, field]);
}
