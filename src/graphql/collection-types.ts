import 'reflect-metadata';
import { Field, Int, ObjectType } from 'type-graphql';
import type { Policy } from '../core/collection.js';
import type { FieldType } from '../core/field.js';
import type { CollectionState } from '../core/record-port.js';
import { CollectionStateEnum, FieldTypeEnum, PolicyEnum, StorageEnum } from './enums.js';
import { DateTimeScalar } from './scalars.js';

@ObjectType('FieldInfo', { description: 'A field of a collection.', simpleResolvers: true })
export class FieldInfoType {
  @Field(() => String)
  name!: string;

  @Field(() => FieldTypeEnum)
  type!: FieldType;

  @Field(() => Boolean, { description: 'The value is a list of `type`.' })
  list!: boolean;

  @Field(() => Boolean, { description: 'Must be given when a device creates a record.' })
  required!: boolean;

  @Field(() => Boolean, { description: 'May a device write it?' })
  writable!: boolean;

  @Field(() => String, { nullable: true, description: 'The collection that a reference points into.' })
  references!: string | null;

  @Field(() => [String], { nullable: true, description: 'The values of an enum.' })
  values!: readonly string[] | null;
}

@ObjectType('CollectionInfo', { description: 'A named set of records of one shape.', simpleResolvers: true })
export class CollectionInfoType {
  @Field(() => String, { description: 'As in `collections` of pull and as key of `RecordInput`.' })
  name!: string;

  @Field(() => String, { description: 'The GraphQL type of its records.' })
  type!: string;

  @Field(() => String, { description: 'The system that owns its records.' })
  source!: string;

  @Field(() => CollectionStateEnum)
  state!: CollectionState;

  @Field(() => [FieldInfoType])
  fields!: readonly FieldInfoType[];

  @Field(() => PolicyEnum)
  policy!: Policy;

  @Field(() => StorageEnum)
  storage!: 'snapshot' | 'metadataOnly';

  @Field(() => Int, { description: 'Live records in the gateway, of all scopes.' })
  recordCount!: number;

  @Field(() => DateTimeScalar, { nullable: true, description: 'When the source was last read to the end.' })
  lastPolledAt!: string | null;
}
