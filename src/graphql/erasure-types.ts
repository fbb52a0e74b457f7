import 'reflect-metadata';
import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { Erased } from '../core/erasure-port.js';
import type { Remaining } from '../erasure/remains.js';
import { PushErrorType } from './page-types.js';

@ObjectType('Erased', { description: 'How much was erased, by kind.', simpleResolvers: true })
export class ErasedType implements Erased {
  @Field(() => Int, { description: 'Records of which the last known state was kept.' })
  states!: number;

  @Field(() => Int, { description: 'Keys of records at their sources.' })
  keys!: number;

  @Field(() => Int, { description: 'Records of which was kept who last changed which field.' })
  marks!: number;

  @Field(() => Int, {
    description:
      "Answers to pushed changes: all of a user's; of a record their words, and the hashes of what was pushed.",
  })
  answers!: number;

  @Field(() => Int, { description: 'Refused edits that were kept.' })
  keptEdits!: number;

  @Field(() => Int, { description: 'Entries of lists: set aside, to be read again, bodies that are owed.' })
  listed!: number;

  @Field(() => Int, { description: 'Devices that were revoked.' })
  devices!: number;

  @Field(() => Int, { description: 'Registrations for hints.' })
  registrations!: number;

  @Field(() => Int, { description: "Scopes of a device's own, which are named after its user." })
  scopes!: number;
}

@ObjectType('RefusedErasure', { description: 'A record of which nothing was erased, and why.', simpleResolvers: true })
export class RefusedErasureType {
  @Field(() => ID)
  id!: string;

  @Field(() => PushErrorType)
  error!: PushErrorType;
}

@ObjectType('Remaining', { description: 'What an erasure does not reach.', simpleResolvers: true })
export class RemainingType implements Remaining {
  @Field(() => String)
  what!: string;

  @Field(() => String, { description: 'Until when it is there, or what ends it.' })
  until!: string;
}

@ObjectType('Erasure', { description: 'What was erased, and what was not.', simpleResolvers: true })
export class ErasureType {
  @Field(() => ErasedType)
  erased!: ErasedType;

  @Field(() => [ID], { description: 'Records of which nothing was known.' })
  unknown!: readonly string[];

  @Field(() => [RefusedErasureType])
  refused!: readonly RefusedErasureType[];

  @Field(() => [RemainingType])
  remains!: readonly RemainingType[];
}
