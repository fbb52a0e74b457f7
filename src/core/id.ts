import type { RecordId, SourceKey } from './change.js';

/** Longest record id, in characters. */
export const MAX_ID_LENGTH = 200;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Ids that devices make for new records: lower-case UUIDs. */
export function isDeviceMadeId(id: string): boolean {
  return UUID.test(id);
}

/** The canonical text of a source key: its parts percent-encoded and joined by `:`, with `~` kept for ids of reused keys (F20). */
export function sourceKey(parts: readonly (string | number)[]): SourceKey {
  return parts.map(keyPart).join(':') as SourceKey;
}

/** What needs no encoding, as most keys. */
const PLAIN = /^[A-Za-z0-9_.!*'()-]*$/;

function keyPart(part: string | number): string {
  const text = String(part);
  return PLAIN.test(text) ? text : encodeURIComponent(text.toWellFormed()).replaceAll('~', '%7E');
}

const CONTROL_CHARACTER = /%(?:[01][0-9A-F]|7F)/;
/** What stands for characters that were none: of an unpaired surrogate, or of bytes read in the wrong encoding. */
const LOST_CHARACTER = '%EF%BF%BD';

/** Why no record can be known by this key, as "expected …, got …"; null: it can. */
export function misfitOfKey(key: SourceKey): string | null {
  if (key.length > MAX_ID_LENGTH)
    return `expected a key of at most ${MAX_ID_LENGTH} characters, percent-encoded, got ${key.length}`;
  if (CONTROL_CHARACTER.test(key)) return 'expected a key without control characters, got one';
  return key.includes(LOST_CHARACTER) ? 'expected a key of whole characters, got one that is not' : null;
}

/** The parts of a source key, as texts. */
export function sourceKeyParts(key: SourceKey): readonly string[] {
  return key.split(':').map(decodeURIComponent);
}

/**
 * The id of a source-born record: a pure function of its key (F20). It looks like a UUID only if the key is one.
 *
 * @param life which of the records that had this key one after the other, from 1
 */
export function idOfSourceKey(key: SourceKey, life = 1): RecordId {
  return (life === 1 ? key : `${key}~${life}`) as RecordId;
}

/** Which life of its key an id names; 0 for an id that a device made. */
export function lifeOf(id: RecordId, key: SourceKey): number {
  if (id === (key as string)) return 1;
  const life = id.startsWith(`${key}~`) ? Number(id.slice(key.length + 1)) : 0;
  return Number.isSafeInteger(life) && life > 1 ? life : 0;
}
