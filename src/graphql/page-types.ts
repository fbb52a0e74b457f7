import 'reflect-metadata';
import { Field, ID, InterfaceType, ObjectType } from 'type-graphql';
import type { ChangeKind, Fields, Unavailable } from '../core/change.js';
import type { ResetReason } from '../core/checkpoint.js';
import type { ErrorCode } from '../core/errors.js';
import type { PushStatus } from '../core/intent.js';
import { ChangeKindEnum, PushStatusEnum, ResetReasonEnum } from './enums.js';
import { CheckpointScalar, DateTimeScalar, JSONObjectScalar, VersionScalar } from './scalars.js';

@ObjectType('Unavailable', {
  description: 'Why the body of a record could not be read from its source.',
  simpleResolvers: true,
})
export class UnavailableType {
  @Field(() => String, { description: 'From the closed list of codes; branch on this.' })
  code!: ErrorCode;

  @Field(() => Boolean, { description: 'Does it come again by itself?' })
  retryable!: boolean;
}

/** Its concrete types come from the collections (`typed-schema.ts`), which is why none is registered here. */
@InterfaceType('Change', {
  description:
    'What became of a record, in its latest state. Each collection has a type of its own with a typed `record`; `json` has the same fields for clients without generated types.',
  autoRegisterImplementations: false,
})
export abstract class ChangeType {
  @Field(() => String, { description: 'The collection that the record is of.' })
  collection!: string;

  @Field(() => ID, { description: "The record's name within its collection." })
  id!: string;

  @Field(() => VersionScalar, { description: 'Of this state: the `baseVersion` of edits made from it.' })
  version!: string;

  @Field(() => DateTimeScalar, { description: 'When the gateway recorded this state.' })
  changedAt!: string;

  @Field(() => ChangeKindEnum)
  kind!: ChangeKind;

  @Field(() => Boolean, {
    description: 'True while changes that the source has not confirmed yet are part of what you see.',
  })
  pending!: boolean;

  @Field(() => [ID], {
    description: "This device's `changeId`s contained in this state: raise no event for your own echo.",
  })
  mine!: readonly string[];

  @Field(() => JSONObjectScalar, {
    nullable: true,
    description: 'All fields; null for DELETE and REVOKE, and where `unavailable` says why.',
  })
  json!: Fields | null;

  @Field(() => UnavailableType, {
    nullable: true,
    description:
      'Of a collection whose bodies are not kept: why this one could not be read now. Keep the body and the version that you have; the change comes again.',
  })
  unavailable?: Unavailable;
}

@ObjectType('FieldError', { description: 'One thing that is wrong with a change.', simpleResolvers: true })
export class FieldErrorType {
  @Field(() => String, { nullable: true, description: 'The field at fault; null: the source names none of ours.' })
  field!: string | null;

  @Field(() => String, { description: 'What is wrong with it, as plain text for people.' })
  message!: string;
}

@ObjectType('PushError', { description: 'Why a change was refused or waits.', simpleResolvers: true })
export class PushErrorType {
  @Field(() => String, { description: 'From the closed list of codes; branch on this.' })
  code!: ErrorCode;

  @Field(() => String, { description: 'What was expected and what came, for people.' })
  message!: string;

  @Field(() => String, { nullable: true, description: 'The field at fault, if it is one.' })
  field!: string | null;

  @Field(() => Boolean, { description: 'May the very same change succeed later?' })
  retryable!: boolean;

  @Field(() => [FieldErrorType], {
    nullable: true,
    description: 'With SOURCE_REFUSED: what the source says of single fields; null: nothing.',
  })
  fields?: readonly FieldErrorType[];
}

@ObjectType('Receipt', {
  description: 'The fate of a change that was ACCEPTED: final, or PARKED, after which a final one follows.',
  simpleResolvers: true,
})
export class ReceiptType {
  @Field(() => ID)
  changeId!: string;

  @Field(() => PushStatusEnum)
  status!: PushStatus;

  @Field(() => PushErrorType, { nullable: true })
  error!: PushErrorType | null;

  @Field(() => ID, { nullable: true, description: 'The `changeId` that this one waits for.' })
  blockedBy!: string | null;

  /** The record concerned: not part of the schema, `change` is read by it. */
  collection!: string;
  id!: string;
}

@ObjectType('Page', {
  description:
    'One answer of pull. Apply changes and checkpoint in one local transaction, and only if your checkpoint is still the one that you sent.',
  simpleResolvers: true,
})
export class PageType {
  @Field(() => [ChangeType], { description: 'In feed order, each record once in its latest state.' })
  changes!: readonly ChangeType[];

  @Field(() => [ReceiptType], {
    description: "Of this device's pushed changes, in the page that carries their effect.",
  })
  receipts!: readonly ReceiptType[];

  @Field(() => CheckpointScalar, { description: 'The `since` of your next pull.' })
  checkpoint!: string;

  @Field(() => Boolean, { description: 'Pull again at once. Short or empty pages never mean the end; this does.' })
  hasMore!: boolean;

  @Field(() => Boolean, {
    description:
      'Your checkpoint cannot be continued: drop what you hold except unpushed changes, then apply this page.',
  })
  reset!: boolean;

  @Field(() => ResetReasonEnum, { nullable: true, description: 'Why `reset` is true; null: it is not.' })
  resetReason!: ResetReason | null;

  @Field(() => Boolean, {
    description:
      'You now hold exactly one state of all that is yours. False between pages, while a collection is PRIMING or, after a restore, not scanned yet, and while a body is `unavailable`.',
  })
  complete!: boolean;

  @Field(() => String, { description: 'Identity of the feed: new after a rebuild or a restore.' })
  epoch!: string;
}
