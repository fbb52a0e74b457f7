import 'reflect-metadata';
import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { Fields, PushKind } from '../core/change.js';
import type { OpenState } from '../core/intent.js';
import { OpenStateEnum, PushKindEnum, SourceCallKindEnum } from './enums.js';
import { PushErrorType } from './page-types.js';
import { DateTimeScalar, JSONObjectScalar } from './scalars.js';

@ObjectType('SourceCall', { description: 'What a source was asked to do for a change.', simpleResolvers: true })
export class SourceCallType {
  @Field(() => SourceCallKindEnum)
  kind!: 'create' | 'update' | 'delete';

  @Field(() => String, { nullable: true, description: 'The key of the record; null: one that the source gives.' })
  sourceKey!: string | null;

  @Field(() => JSONObjectScalar, { description: 'The fields that were sent, references as keys of the source.' })
  fields!: Fields;

  @Field(() => String, { nullable: true, description: 'The source version that guarded it; null: unguarded.' })
  guard!: string | null;
}

@ObjectType('OutboxChange', { description: 'An accepted change that is not settled yet.', simpleResolvers: true })
export class OutboxChangeType {
  @Field(() => ID, { description: 'Its number, by which operators decide on it; in the order of acceptance.' })
  intentNo!: string;

  @Field(() => ID)
  changeId!: string;

  @Field(() => String, { description: 'Who pushed it.' })
  user!: string;

  @Field(() => ID, { description: 'The device that pushed it.' })
  device!: string;

  @Field(() => String, { description: 'The collection that the record is of.' })
  collection!: string;

  @Field(() => ID, { description: "The record's name within its collection." })
  id!: string;

  @Field(() => PushKindEnum)
  kind!: PushKind;

  @Field(() => OpenStateEnum)
  state!: OpenState;

  @Field(() => PushErrorType, { nullable: true, description: 'Why it is PARKED.' })
  error!: PushErrorType | null;

  @Field(() => ID, { nullable: true, description: 'The `changeId` that it waits for.' })
  blockedBy!: string | null;

  @Field(() => JSONObjectScalar, { nullable: true, description: 'The fields as they were pushed; null for DELETE.' })
  fields!: Fields | null;

  @Field(() => SourceCallType, {
    nullable: true,
    description: 'What was sent with the last attempt; null: nothing yet.',
  })
  call!: SourceCallType | null;

  @Field(() => String, { description: 'What is known of its calls, in one sentence for people.' })
  known!: string;

  @Field(() => Int, { description: 'How often it was sent.' })
  attempts!: number;

  @Field(() => DateTimeScalar)
  acceptedAt!: string;

  @Field(() => DateTimeScalar, { description: "When the edit was made; the device's clock corrected." })
  editedAt!: string;

  @Field(() => DateTimeScalar, { nullable: true, description: 'When it is looked after next; null for PARKED.' })
  dueAt!: string | null;
}

@ObjectType('OutboxPage', { description: 'Some of the open changes, oldest first.', simpleResolvers: true })
export class OutboxPageType {
  @Field(() => [OutboxChangeType])
  changes!: readonly OutboxChangeType[];

  @Field(() => ID, { nullable: true, description: 'The `after` of your next request; null: there are no more.' })
  next!: string | null;
}

@ObjectType('OutboxCounts', { description: 'How many changes are open.', simpleResolvers: true })
export class OutboxCountsType {
  @Field(() => Int)
  pending!: number;

  @Field(() => Int)
  sent!: number;

  @Field(() => Int)
  inDoubt!: number;

  @Field(() => Int)
  parked!: number;

  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'When the oldest of them was accepted; null: none is open.',
  })
  oldestAcceptedAt!: string | null;
}
