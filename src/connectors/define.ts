import type { Collection, Policy } from '../core/collection.js';
import type { ChangeNumberFacts } from './change-number.js';
import { checkDefinition } from './definition-check.js';
import type { DeletionLogFacts } from './deletion-log.js';
import type { DeltaFacts } from './delta.js';
import type { Duration } from './duration.js';
import type { Classify } from './fault.js';
import type { ErrorFacts } from './field-errors.js';
import type { FieldSet, RecordOf } from './field-builder.js';
import type { KeyForm } from './key-form.js';
import type { MaintenanceWindow } from './maintenance.js';
import type { RowFilter } from './row-filter.js';
import type { Operation, Transport } from './transport.js';
import type { UpdatedSinceFacts } from './updated-since.js';
import type { WebhookFacts } from './webhook.js';
import type { BodyGuard } from './write-guard.js';

// The public contract of `tidegate/connector`: what a connector's author needs, from one place.
export { absent, expired, fine, notProcessed, refused, stale, unknownOutcome } from './fault.js';
export type { Classification, Classify, SourceAnswer } from './fault.js';
export { checkNames } from './collection-names.js';
export { changeNumber } from './change-number.js';
export { deletesByLog } from './deletion-log.js';
export { field } from './field-builder.js';
export type { FieldSet, FieldSpec, RecordOf } from './field-builder.js';
export { keyFormsOf, type KeyForm } from './key-form.js';
export { series, step, type Series, type Step } from './series.js';
export { keyset, link, nextUrl, offset, page, token } from './paging.js';
export type { RowFilter } from './row-filter.js';
export { collectionsOf, createSource, type Source } from './source.js';
export type { SourceDeps } from './transport.js';
export type { Duration } from './duration.js';
export type { MaintenanceWindow } from './maintenance.js';
export { hmac, sharedSecret } from './webhook.js';
export type { HmacOptions, SharedSecretOptions, WebhookContent, WebhookFacts, WebhookName } from './webhook.js';

/** A row as a source delivers it, when its author declares no type for it. */
export type SourceRow = Readonly<Record<string, unknown>>;

/** A key as a source has it: one value, or its parts in order. */
export type KeyValue = string | number | readonly (string | number)[];

/** How deletions can be seen (R14). */
export type DeletionFacts<Op extends Operation = Operation> =
  /** By their absence from a complete list, each confirmed by a keyed read where there is one. */
  | { readonly kind: 'scan'; readonly every: Duration }
  /** Deleted rows are still delivered, with this member set (to `value`, or to anything but false, 0, '' and null). */
  | {
      readonly kind: 'flag';
      readonly member: string;
      readonly value?: string | number | boolean;
      readonly every: Duration;
    }
  /** The source lists what was deleted, each for a while. */
  | DeletionLogFacts<Op>
  /** Not at all: what is gone at the source stays with the devices. */
  | { readonly kind: 'none'; readonly every: Duration };

/** Deletions are found by reading the whole list every now and then. */
export function deletesByScan(facts: { readonly every: Duration }): DeletionFacts {
  return { kind: 'scan', ...facts };
}

/** Deleted rows carry a flag. A scan now and then finds what polls missed. */
export function deletesByFlag(facts: {
  readonly member: string;
  readonly value?: string | number | boolean;
  readonly every?: Duration;
}): DeletionFacts {
  return { kind: 'flag', every: '1d', ...facts };
}

/** How records can be read. */
export interface ReadFacts<Op extends Operation = Operation> {
  /** The whole list, page by page. */
  readonly list: Op;
  /**
   * What rows of lists show: whole records (default), or `keys` only, as texts or in their members: then each record is read by `one`, under
   * its ETag where `version` is `etag` and one is known.
   */
  readonly listed?: 'records' | 'keys';
  /**
   * Only these records are in the collection, by members of their rows, like `{ clinic: 7, state: ['new', 'open'] }`, or by a function of the
   * row. It is held in every read: a record that its source shows outside of it leaves, as if it was deleted. Absent: all that are shown.
   */
  readonly filter?: RowFilter;
  /** One record by its key. Without it deletions are proven by complete scans alone, or not at all. */
  readonly one?: Op;
  /** The filter for what changed, by time, or by number (`changeNumber`); absent: each poll reads the whole list. `list`: another call than that of the whole list. */
  readonly changes?: (UpdatedSinceFacts | ChangeNumberFacts) & { readonly list?: Op };
  /** The source says itself what changed since a token, or behind a link, that it gave us. Instead of `changes`. */
  readonly delta?: DeltaFacts<Op>;
  /** Default: by scan, every 6 hours. */
  readonly deletes?: DeletionFacts<Op>;
  /** Time between polls. Default: 5 s with `changes` or `delta`, 5 min without. */
  readonly pollEvery?: Duration;
  /** For this long after a write of ours a read may still show the state before it (F30). Default: not at all. */
  readonly readAfterWrite?: Duration;
}

/** How records can be written; what is absent is not allowed. */
export interface WriteFacts<Op extends Operation = Operation> {
  readonly create?: Op;
  readonly update?: Op;
  readonly remove?: Op;
  /**
   * What keeps a write from overwriting somebody else's: `ifMatch` sends the version as a tag, `ifUnmodifiedSince` as a date, in seconds;
   * `argument` hands it to the call, `{ member: 'version' }` puts it into the body. Without a guard the record is read and compared before, which narrows the race ("lost update
   * possible").
   */
  readonly guard?: 'ifMatch' | 'ifUnmodifiedSince' | 'argument' | BodyGuard;
  /** Every write carries a key of its own; its repeat has no second effect. */
  readonly idempotencyKey?: IdempotencyFacts;
  /** Every create carries a reference of ours, by which the record that it made can be found. */
  readonly reference?: ReferenceFacts<Op>;
  /** Fields that together name a record, by which what a create made can be found where the source keeps nothing of ours. */
  readonly naturalKey?: NaturalKeyFacts<Op>;
  /** Where a refusal says what is wrong with which field. Absent: it is looked for in the common forms. */
  readonly errors?: ErrorFacts;
  /** A call that nobody waits for any more may still take effect for this long (F13). Default: 30 s. */
  readonly maxRequestLifetime?: Duration;
}

/** Where a source takes the key that makes a repeat harmless (R11): one of the two, and for how long it remembers it. */
export interface IdempotencyFacts {
  /** An HTTP header, like `Idempotency-Key`. */
  readonly header?: string;
  /** An argument of every write (SOAP), as its path. */
  readonly argument?: string;
  /** How long after a write its repeat has no second effect. */
  readonly lifetime: Duration;
  /**
   * Does the source look the key up before it judges a request? Then a repeat that is refused says that nothing was done. Default: no; a
   * refused repeat is looked at, and parked where nothing can be read.
   */
  readonly checkedFirst?: boolean;
}

/** How a record is found by the create that made it. */
export interface ReferenceFacts<Op extends Operation = Operation> {
  /** The member of a create's body that takes our reference, and of the source's row that shows it. */
  readonly field: string;
  /**
   * The read that finds it. REST: `{reference}` in its path or its query, and a list or a single record as its answer; SOAP:
   * `referenceIn`. No row, or 404 where the path names the reference, says that the create made nothing.
   */
  readonly lookUp: Op;
}

/** How a record is found by what is unique in it: a patient's one visit of a kind at a time. */
export interface NaturalKeyFacts<Op extends Operation = Operation> {
  /** Our names of the fields that together name a record; each `required`. */
  readonly fields: readonly string[];
  /**
   * The read that finds every record with such values. REST: each field in braces, like `{patient}`, in its path or its query, and a
   * list as its answer; OData: `findAlike`; SOAP: `fieldsIn`. No row says that there is no such record.
   */
  readonly lookUp: Op;
  /**
   * True: nobody changes these fields of a record, so that what is not found was not made, and is sent again. Default: false, what is
   * not found is parked.
   */
  readonly fixed?: boolean;
}

/** Scopes that a record has from another one. */
export interface ScopesVia<Field extends string = string> {
  readonly kind: 'via';
  readonly field: Field;
}

/**
 * A record is in the scopes that the record which this reference names is in, whatever they become: a visit of a patient goes where the
 * patient goes. One that names no record, or one that is not there, is in none: nobody sees it.
 */
export function via<const Field extends string>(field: Field): ScopesVia<Field> {
  return { kind: 'via', field };
}

/** One collection of a source: plain facts, and the functions `map`, `unmap` and `scopes`. */
export interface CollectionDefinition<Row extends object = SourceRow, F extends FieldSet = FieldSet> {
  /** The GraphQL type, like `Visit`. */
  readonly type: string;
  /** The row's member that is its key, the members that are, or a function. */
  readonly key: (keyof Row & string) | readonly (keyof Row & string)[] | ((row: Row) => KeyValue);
  /** The one form of its keys where the source takes several for the same record; a list has one for each part. Absent: as they come. */
  readonly keyForm?: KeyForm | readonly KeyForm[];
  /** May the source give a deleted record's key to another one (F20)? False: it is the same record that came back. Default: true. */
  readonly keysReused?: boolean;
  /** The row's member that is its version, or `etag`, `lastModified`: that header of a single read. Absent: the source has none. */
  readonly version?: (keyof Row & string) | 'etag' | 'lastModified';
  readonly fields: F;
  /**
   * Scope names of a record: a pure function of its own fields, or `via(field)`: those of the record that this reference names. Absent:
   * everybody sees it (scope `all`).
   */
  readonly scopes?: ((record: RecordOf<F>) => readonly string[]) | ScopesVia<keyof F & string>;
  /** Who may write what, by the record before and after. Absent: whoever sees it. */
  readonly rules?: Collection['rules'];
  /** Default: mergeFields. */
  readonly policy?: Policy;
  /** `confirmed`: devices do not see each other's changes before the source has them. Default: pending, and marked so. */
  readonly visibility?: Collection['visibility'];
  /** What becomes of an edit of a record that is gone at the source. Default: deleteWins. */
  readonly deletedRecord?: Collection['deletedRecord'];
  /**
   * `metadataOnly`: no field value rests in the gateway; bodies are read from the source whenever they are asked for (F29). Keys, versions
   * and scope names are kept all the same: no value belongs in them. Default: snapshot.
   */
  readonly storage?: Collection['storage'];
  readonly read: ReadFacts;
  readonly write?: WriteFacts;
  /** A row's fields in our names. Absent: by each field's `from`, else by its own name. */
  readonly map?: (row: Row) => { readonly [Name in keyof F]: unknown };
  /** Only the given fields in the source's names. Absent: the reverse of the above. */
  readonly unmap?: (fields: Partial<RecordOf<F>>) => Readonly<Record<string, unknown>>;
}

/** A collection as a definition holds it, its types forgotten. */
export interface AnyCollectionDefinition extends Omit<
  CollectionDefinition,
  'key' | 'version' | 'scopes' | 'map' | 'unmap'
> {
  readonly key: string | readonly string[] | ((row: never) => KeyValue);
  readonly version?: string;
  readonly scopes?: ((record: never) => readonly string[]) | ScopesVia;
  readonly map?: (row: never) => Readonly<Record<string, unknown>>;
  readonly unmap?: (fields: never) => Readonly<Record<string, unknown>>;
}

/** One collection, with types: annotate a row where it is first used (`key: (row: Visit) => row.id`) to have them checked. */
export function collection<F extends FieldSet, Row extends object = SourceRow>(
  definition: CollectionDefinition<Row, F>,
): AnyCollectionDefinition {
  return definition;
}

/** A connector: facts about one source, from which the gateway derives how to poll, scan and write. */
export interface ConnectorDefinition {
  /** The source's name, unique in a gateway. */
  readonly source: string;
  readonly transport: Transport;
  /** By name, like `visits`: the key in `RecordInput` and in `pull(collections:)`. */
  readonly collections: Readonly<Record<string, AnyCollectionDefinition>>;
  /** When the source is not to be called: changes are accepted meanwhile, and sent afterwards. */
  readonly maintenance?: readonly MaintenanceWindow[];
  /** It tells us when something changed, at `/webhooks/<source>`. Absent: it does not. Polls are made as they are without. */
  readonly webhook?: WebhookFacts;
  /** What this source's answers mean where the standard rules do not know it. */
  readonly classify?: Classify;
}

/**
 * Checks a connector and gives it back. Opens nothing.
 *
 * @throws StartupError config - naming connector, collection and key, what was expected and what came
 */
export function defineConnector(definition: ConnectorDefinition): ConnectorDefinition {
  checkDefinition(definition);
  return definition;
}
