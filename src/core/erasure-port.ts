import type { RecordId } from './change.js';
import type { ChangeError } from './errors.js';
import type { RecordView } from './record-port.js';
import type { DeviceKey } from './session.js';

/** The body of a tombstone whose last state was erased: a record was there, and nothing else is known of it. */
export const ERASED_BODY = '{}';
/** The writer mark that stands in stamps for one that was erased: it is nobody's, so that whatever it conflicted with still conflicts. */
export const ERASED_WRITER = 'erased';
/** Stands for the hash of a pushed change that was erased: by a hash values can be tried. A repeat of it gets its stored answer. */
export const ERASED_HASH = 'erased';
const ERASED_MESSAGE = 'what was wrong with it was erased';

/** How much was erased, by kind. */
export interface Erased {
  /** Records of which the last known state was here. */
  readonly states: number;
  /** Source keys of records. */
  readonly keys: number;
  /** Records whose stamps named somebody, or told which fields changed. */
  readonly marks: number;
  /** Answers to pushed changes: all of a user's; of a record their words and hashes. */
  readonly answers: number;
  /** Refused edits that were kept. */
  readonly keptEdits: number;
  /** Entries of lists: records set aside, to be read again, or whose bodies are owed. */
  readonly listed: number;
  /** Devices that were revoked by it. */
  readonly devices: number;
  /** Registrations for hints. */
  readonly registrations: number;
  /** Scopes of a device's own, which are named after its user. */
  readonly scopes: number;
}

export const NOTHING_ERASED: Erased = {
  states: 0,
  keys: 0,
  marks: 0,
  answers: 0,
  keptEdits: 0,
  listed: 0,
  devices: 0,
  registrations: 0,
  scopes: 0,
};

/** What became of the erasure of a record. Other than `erased`, nothing of it was. */
export type RecordErasure =
  /** `isKnown`: there was a trace of it, erased by now or before. */
  | { readonly kind: 'erased'; readonly erased: Erased; readonly isKnown: boolean }
  /** It is no tombstone. */
  | { readonly kind: 'alive' }
  /** Its source showed it: it is set aside, or to be read again. */
  | { readonly kind: 'listed' }
  /** Changes of it, or that refer to it, are open. */
  | { readonly kind: 'open'; readonly intentNos: readonly number[] };

export type UserErasure =
  | { readonly kind: 'erased'; readonly erased: Erased; readonly devices: readonly DeviceKey[] }
  /** Changes of the user are open. */
  | { readonly kind: 'open'; readonly intentNos: readonly number[] };

/** Erases on request what is kept of a record or a user. Rare. Each erases all or nothing, and is safe to repeat. */
export interface ErasureStore {
  /**
   * Leaves of a record's tombstone, and of the aliases that lead to it, what takes it off devices: its ids, seqs and scopes. No seq is
   * taken. The key goes, too, so observations that were begun before the deletion are read again (the collection's floor): they bring no
   * record back.
   *
   * @param name.isServed a source shows the collection: what it may still show is not erased. Else nobody will ask it any more.
   */
  eraseRecord(
    tenant: string,
    name: { readonly collection: string; readonly id: RecordId; readonly isServed: boolean },
  ): Promise<RecordErasure>;
  /**
   * Revokes every device of a user, for ever, and forgets what they pushed, who they were registered as and what was marked as written by
   * them. The names of user and devices stay: nothing of them is ever taken again.
   */
  eraseUser(tenant: string, user: string): Promise<UserErasure>;
}

/** Is this the tombstone of a record that was erased? */
export function isErased({ deleted, body }: Pick<RecordView, 'deleted' | 'body'>): boolean {
  return deleted && body === ERASED_BODY;
}

/** What stays of an error: what a program needs to branch on. */
export function erasedError({ code, field, retryable }: ChangeError): ChangeError {
  return { code, message: ERASED_MESSAGE, field, retryable };
}
