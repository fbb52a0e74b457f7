import type { Fields, RecordId, SourceKey } from './change.js';
import type { Collection } from './collection.js';
import type { Expected } from './record-port.js';

/** Where the bodies of a collection's records are: kept here, or read from the source whenever they are asked for (F29). */
export type Storage = 'snapshot' | 'metadataOnly';

/** The entry of a kept record beside what stands for its fields: no field can have this name. */
export const KEPT = '$';

/** What is known of a whole record whose values are not kept. */
interface KnownOfRecord {
  /** As its scope rule gave them; null: the rule failed. */
  readonly scopes: readonly string[] | null;
  /** The fields that the rule looked at: no other one can move the record to another scope. */
  readonly by: readonly string[];
}

/**
 * What stands for field values that must not rest here: one keyed digest for each field, of its record, its name and its value. Equal
 * values of a field of one record have equal digests, so that states are compared and stamped as if they were there (F29).
 */
export interface Keeping {
  /** What stands for some fields of a record. */
  digest(key: SourceKey, fields: Fields): Fields;
  /** The same for a whole record, with what is known of it under `KEPT`. */
  digestWhole(key: SourceKey, fields: Fields): Fields;
  /** A keyed hash, for texts that hold field values. */
  fingerprint(text: string): string;
}

/** Fields that a device pushed or a call sent, as a record of this key would be kept with them: comparable with its body. */
export function keptFields({ keeping }: Collection, key: SourceKey | null, fields: Fields): Fields {
  return keeping === undefined || key === null ? fields : keeping.digest(key, fields);
}

/** The same for everything that is known of a new record. */
export function keptWhole({ keeping }: Collection, key: SourceKey, fields: Fields): Fields {
  return keeping === undefined ? fields : keeping.digestWhole(key, fields);
}

/** What is known of a record by its kept fields; null: they are the values themselves. */
export function knownOf(kept: Fields): KnownOfRecord | null {
  const known = kept[KEPT];
  return known === undefined ? null : (known as unknown as KnownOfRecord);
}

/** A record's body that its source did not show just now, owed to everybody who was told of this state of it (F29). */
export interface OwedBody {
  readonly collection: string;
  readonly id: string;
  /** The seq of the state. */
  readonly seq: number;
  /** A new one whenever it is owed again. */
  readonly owedNo: number;
}

/** The ready texts of a record as they rest, and their hash. */
export interface RestingText {
  readonly id: RecordId;
  readonly expected: Expected;
  readonly body: string | null;
  readonly vis: string | null;
  readonly hash: string | null;
}

/** What the store keeps for collections whose values it does not keep. Every method is one transaction and safe to repeat. */
export interface KeepingStore {
  /** How a collection is kept: as was said first, `snapshot` if it has records of which nobody ever said. */
  keepAs(tenant: string, collection: string, storage: Storage): Promise<Storage>;
  /** The text kept under a name: the first that was given. */
  keepSecret(tenant: string, name: string, text: string): Promise<string>;
  /** Puts another text in its place, if it is still the given one. */
  replaceSecret(tenant: string, name: string, before: string, after: string): Promise<void>;
  /** Records of a collection that have a text, deleted ones and aliases, too, in the order of their ids after one. */
  readTexts(tenant: string, collection: string, after: RecordId | null, limit: number): Promise<readonly RestingText[]>;
  /** The same states in other texts: no seq, nothing for devices (R17). A record that moved since it was read is left as it is. */
  rewriteTexts(tenant: string, collection: string, texts: readonly RestingText[]): Promise<void>;
  /** Notes bodies that are owed, due after `delayMs`. One that is owed already is owed for the later state, and due as before. */
  oweBodies(tenant: string, owed: readonly Omit<OwedBody, 'owedNo'>[], delayMs: number): Promise<void>;
  /** Owed bodies of a collection that are due, longest due first. */
  dueBodies(tenant: string, collection: string, limit: number): Promise<readonly OwedBody[]>;
  /** They are due again after this long; what is owed anew since stays as it is. */
  deferBodies(tenant: string, owedNos: readonly number[], delayMs: number): Promise<void>;
  /** They are owed no more; what is owed anew since still is. */
  settleBodies(tenant: string, owedNos: readonly number[]): Promise<void>;
  /** Collections of which a body is owed. */
  owingCollections(tenant: string): Promise<ReadonlySet<string>>;
}
