import type { DescribedOperation, ObjectType } from './described-system.js';
import type { PagingGuess } from './fact-guesses.js';

/** A collection as it can be guessed from a description; the draft says of each part how sure it is. */
export interface DraftedCollection<Call extends DescribedOperation = DescribedOperation> {
  readonly name: string;
  readonly row: ObjectType;
  readonly list: DraftedList<Call>;
  readonly one: DraftedCall<Call> | null;
  readonly create: DraftedCall<Call> | null;
  readonly update: DraftedCall<Call> | null;
  readonly remove: DraftedCall<Call> | null;
  /** The row's member, or several of them where the description says so. */
  readonly key: string | readonly string[];
  /** How sure the key is: `said` by the description, a guess by name, or just some member since nothing looks like a key. */
  readonly keyIs: 'said' | 'guess' | 'any';
  /** The row's member, or `etag`. */
  readonly version: string | null;
  /** Do writes take the version? */
  readonly hasGuard: boolean;
  /** The row's time of last change. */
  readonly stamp: string | null;
  /** The row's member that might say that it is deleted. */
  readonly flag: string | null;
}

export interface DraftedCall<Call extends DescribedOperation = DescribedOperation> {
  readonly call: Call;
  /** Where the record is in the answer; null: it is not there. */
  readonly rows: string | null;
  /** SOAP: the arguments that take the key, the version, and the record's fields. */
  readonly keyIn?: string | null;
  readonly versionIn?: string | null;
  readonly bodyIn?: string | null;
}

export interface DraftedList<Call extends DescribedOperation = DescribedOperation> extends DraftedCall<Call> {
  readonly rows: string;
  readonly paging: PagingGuess | null;
  readonly total: string | null;
  readonly more: string | null;
  /** The argument that takes the moment of "changed since". */
  readonly since: string | null;
}

/** What was drafted, and what was seen and left to the author: one line each. */
export interface Drafted<Call extends DescribedOperation = DescribedOperation> {
  readonly collections: readonly DraftedCollection<Call>[];
  readonly leftOut: readonly string[];
}
