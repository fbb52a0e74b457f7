import type { CallBudget } from '../core/call-budget-port.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import type { SourceWriteOutcome } from '../core/source-port.js';
import type { Auth } from './auth.js';
import type { AnyCollectionDefinition } from './define.js';
import type { BatchFacts } from './batch.js';
import type { CallFault, CallPurpose, Classify } from './fault.js';
import type { GuardLimits } from './guard.js';
import type { HttpHead } from './http-client.js';
import type { UsernameToken } from './username-token.js';
import type { PendingResult } from './pending-result.js';
import type { Secrets } from './secrets.js';
import type { PageAnswer, PageArguments, Paging } from './paging.js';

/** What the gateway hands to its connectors. */
export interface SourceDeps {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** Turns of sources that have a limit, shared with other gateways; absent: this process is the only one. */
  readonly budget?: CallBudget;
  /** Is told the head of every answer of the source; absent: nobody asks. */
  readonly answered?: (head: HttpHead) => void;
}

/** How one call is made: plain facts of a kit (`get`, `post`, `call` …). */
export interface Operation {
  /** The kit that understands it. */
  readonly kit: string;
  readonly paging: Paging;
  /** What an update sends: only what changed, all mapped fields, or the source's own row with the changes laid over it. */
  readonly sends: 'changed' | 'mapped' | 'merged';
  /** What a write answers with. */
  readonly answers: 'record' | 'key' | 'nothing';
  /** Does it take the collection's guard? */
  readonly guarded: boolean;
  /** Of a create: the source takes the device's id as key. */
  readonly takesKey: boolean;
  /** Of a list: its kit sends the tag of the last answer back, and takes a source's word that nothing changed. Absent: no. */
  readonly tagged?: boolean;
  /** Of a list: its last page brings a link, or a token, of what comes after (`PageAnswer.delta`). Absent: neither. */
  readonly delta?: 'link' | 'token' | null;
  /** Of such a list: its kit knows the rows that say that their record is gone (`PageAnswer.removed`). Absent: no. */
  readonly marksRemoved?: boolean;
}

/** By what records are looked for: the reference that a create of ours carried, or values that together name a record. */
export type Sought = { readonly reference: string } | { readonly alike: readonly SoughtValue[] };

/** One of them: our name of its field, the source's, and the value as the source has it. */
export interface SoughtValue {
  readonly field: string;
  readonly member: string;
  readonly value: string;
}

/** A write as the kit sends it. */
export interface WriteCall {
  readonly purpose: 'create' | 'update' | 'delete';
  /** Parts of the record's key; null for a create whose key the source gives. */
  readonly key: readonly string[] | null;
  /** In the source's names; null: the call has none. */
  readonly body: Readonly<Record<string, unknown>> | null;
  /** Of a call in a row: what earlier ones were answered with, by the names that stand for it. Absent: it is alone. */
  readonly kept?: Readonly<Record<string, string>>;
  /** The version that guards it, in the source's own form; null: unguarded. */
  readonly guard: string | null;
  /** The header that takes it; null: the call has an argument for it. */
  readonly guardHeader: 'if-match' | 'if-unmodified-since' | null;
  /** Statuses by which the source says that it holds another version, where it may mean something else by them. */
  readonly conflictOn: readonly number[];
  /** The key that makes a repeat harmless, and the header or the argument that takes it; null: the source takes none. */
  readonly idempotency: { readonly key: string; readonly header?: string; readonly argument?: string } | null;
}

/** A record as a single read or a write's answer showed it. */
export interface RowAnswer {
  readonly row: unknown;
  /** What its head says of its state; null: the kit has none. */
  readonly tag: RowTags | null;
}

/** Headers of an answer that tell states of a record apart. */
export interface RowTags {
  readonly etag: string | null;
  readonly lastModified: string | null;
  /** When the source answered, by its own clock, ms since 1970; null: it does not say. */
  readonly dateMs: number | null;
}

/**
 * What a write's answer says. `gone`: the record was not there. `isBare`: the source says that it is done without having to
 * show the record (204), or its connector says so.
 */
export type WriteAnswer =
  | {
      readonly kind: 'done';
      readonly row: unknown;
      readonly tag: RowTags | null;
      readonly isBare: boolean;
      /** The row has no more than the record's key, whatever the connector promises. */
      readonly showsKeyOnly?: boolean;
      /** Headers of the answer, by lower-case name. Absent: the kit tells none. */
      readonly headers?: ReadonlyMap<string, string>;
    }
  | { readonly kind: 'gone' }
  /** `field` and `fields` in the source's names; `said` is the answer's body. `isConflict`: its status may mean another version. */
  | (Extract<SourceWriteOutcome, { readonly kind: 'refused' }> & {
      readonly said?: unknown;
      readonly isConflict?: boolean;
    })
  | Exclude<SourceWriteOutcome, { readonly kind: 'applied' | 'refused' }>;

/**
 * What one write of a batch came to: as if it had gone alone; a fault of its own; or `single`: the batch was refused as a whole, so that
 * nothing of it was done, and each goes alone.
 */
export type BatchEnd = WriteAnswer | CallFault | 'single';

/** What a call is for as its connector declares it; `step`: one of several that make a write. */
export type CallPlace = CallPurpose | 'step';

/** A kit's connection to one source. Calls throw CallFault. */
export interface OpenTransport {
  /** @param isFresh the source itself must show the rows: nothing that was kept of an earlier answer may stand for them. Absent: it may */
  readPage(
    operation: Operation,
    args: PageArguments,
    next: string | null,
    signal: AbortSignal,
    isFresh?: boolean,
  ): Promise<PageAnswer | PendingResult<PageAnswer>>;
  readRow(
    operation: Operation,
    key: readonly string[],
    signal: AbortSignal,
  ): Promise<RowAnswer | 'absent' | PendingResult<RowAnswer | 'absent'>>;
  /** The same, unless the record has this tag (304). Absent: the kit does not ask so. */
  readonly readRowUnless?: (
    operation: Operation,
    key: readonly string[],
    tag: string,
    signal: AbortSignal,
  ) => Promise<RowAnswer | 'absent' | 'unchanged'>;
  /** The rows that the source has for what is sought, every one of them; none: it says that there are none. */
  lookUp(
    operation: Operation,
    sought: Sought,
    signal: AbortSignal,
  ): Promise<readonly unknown[] | PendingResult<readonly unknown[]>>;
  write(operation: Operation, call: WriteCall, signal: AbortSignal): Promise<WriteAnswer | PendingResult<WriteAnswer>>;
  /** Several writes in one request; absent: the source takes none. @throws CallFault - it is all of theirs */
  writeBatch?(
    items: readonly { readonly operation: Operation; readonly call: WriteCall }[],
    signal: AbortSignal,
  ): Promise<readonly BatchEnd[]>;
  close(): Promise<void>;
}

/** What a kit is opened with. */
export interface OpenContext {
  /** The source's name. */
  readonly source: string;
  readonly classify: Classify | undefined;
  /** The connector's collections: a kit whose source describes itself checks them against that. */
  readonly collections: Readonly<Record<string, AnyCollectionDefinition>>;
  /** Sent with every call. */
  readonly headers: Readonly<Record<string, string>>;
  /** Takes what must not be told of our credentials. */
  readonly secrets: Secrets;
  /** Is called whenever something comes from the source: the head of an answer, or a piece of its body. */
  readonly heard: (head?: HttpHead) => void;
  /** Another turn of the source's limit, for a call that makes one request more. @throws CallFault notSent - none came in time */
  readonly turn: (signal: AbortSignal) => Promise<void>;
}

/** A kit with its settings: part of a connector's definition, opens nothing until it is asked to. */
export interface Transport {
  readonly kit: string;
  /** Where the source is; another one may show other records. */
  readonly address?: string;
  readonly limits: GuardLimits;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth: Auth | UsernameToken | null;
  /** Writes that wait at the same time go in one request; absent or null: singly. */
  readonly batch?: BatchFacts | null;
  /** Does the source send everything as text? */
  readonly textOnly: boolean;
  /** The member of a row that is its tag, where lists show tags as well; absent: only single reads do. */
  readonly rowTag?: string;
  /** What is wrong with its settings, each as ".key: expected …, got …". */
  readonly misfits: readonly string[];
  /**
   * What is wrong with an operation in its place, as "expected …, got …"; null: nothing.
   *
   * @param keyParts how many parts the collection's key has; null: only its function knows
   * @param names of a look-up by natural key: the fields; absent or null: it is by reference. Of a step: what earlier calls keep
   */
  misfitOf(
    operation: Operation,
    purpose: CallPlace,
    keyParts: number | null,
    names?: readonly string[] | null,
  ): string | null;
  open(context: OpenContext, deps: SourceDeps): OpenTransport;
}
