import 'reflect-metadata';
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import type { PushKind } from '../core/change.js';
import type { PushStatus } from '../core/intent.js';
import type { Platform } from '../core/device-port.js';
import { PlatformEnum, PushKindEnum, PushStatusEnum } from './enums.js';
import { PushErrorType } from './page-types.js';
import { DateTimeScalar, JSONObjectScalar, VersionScalar } from './scalars.js';

/** The typed schema adds `record: RecordInput`; resolvers therefore take the raw argument, never this class. */
@InputType('ChangeInput', {
  description: 'One change that a device made, offline or not. UPSERT carries `json` or `record`; DELETE neither.',
})
export class ChangeInputType {
  @Field(() => ID, { description: 'Unique per device, made by it: it is what makes a repeat harmless.' })
  changeId!: string;

  @Field(() => String)
  collection!: string;

  @Field(() => ID, { description: 'For a new record a UUID in lower case that the device makes; it stays its id.' })
  id!: string;

  @Field(() => PushKindEnum)
  kind!: PushKind;

  @Field(() => VersionScalar, {
    nullable: true,
    description: 'The version that the edit was made from; null: a new record.',
  })
  baseVersion!: string | null;

  @Field(() => DateTimeScalar, { description: "By the device's clock; the gateway corrects its skew and clamps it." })
  changedAt!: string;

  @Field(() => JSONObjectScalar, { nullable: true, description: 'The changed fields only …' })
  json!: Readonly<Record<string, unknown>> | null;

  @Field(() => String, {
    nullable: true,
    description: 'The `epoch` in which this change was first sent: for repeats after a restore.',
  })
  sentEpoch!: string | null;
}

@ObjectType('PushResult', { description: "One pushed change's own result.", simpleResolvers: true })
export class PushResultType {
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

@ObjectType('PushPayload', { description: 'The answer of push.', simpleResolvers: true })
export class PushPayloadType {
  @Field(() => [PushResultType], { description: 'One per change, in the order in which they were sent.' })
  results!: readonly PushResultType[];

  @Field(() => DateTimeScalar)
  serverTime!: string;

  @Field(() => String, { description: 'Identity of the feed now: keep it with changes that are not final.' })
  epoch!: string;
}

@ObjectType('Device', { description: 'One installation of one app, registered for push hints.', simpleResolvers: true })
export class DeviceType {
  @Field(() => ID)
  id!: string;

  @Field(() => PlatformEnum)
  platform!: Platform;

  @Field(() => DateTimeScalar)
  registeredAt!: string;
}

@ObjectType('Hint', {
  description: '"Something for you changed": pull. Never holds data; may be lost, doubled or late.',
  simpleResolvers: true,
})
export class HintType {
  @Field(() => [String], { description: 'Names of the collections in which something changed.' })
  collections!: readonly string[];

  @Field(() => DateTimeScalar)
  at!: string;
}
