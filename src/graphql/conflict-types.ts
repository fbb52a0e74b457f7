import 'reflect-metadata';
import { Field, ID, ObjectType } from 'type-graphql';
import type { Fields, PushKind } from '../core/change.js';
import type { Clashing } from '../push/kept-conflicts.js';
import { PushKindEnum } from './enums.js';
import { PushErrorType } from './page-types.js';
import { JSONObjectScalar, VersionScalar } from './scalars.js';

@ObjectType('Conflict', {
  description:
    'An edit that was made from a version that is no longer current, and what it met: base, theirs and yours.',
  simpleResolvers: true,
})
export class ConflictType {
  @Field(() => PushKindEnum)
  kind!: PushKind;

  @Field(() => VersionScalar, { nullable: true, description: 'What the edit was made from; null: a new record.' })
  baseVersion!: string | null;

  @Field(() => [String], {
    description: 'Names of the fields in which it conflicts; none: it was refused because of another change.',
  })
  fields!: readonly string[];

  @Field(() => JSONObjectScalar, { nullable: true, description: 'The fields as they were pushed; null for DELETE.' })
  yours!: Fields | null;

  /** The record concerned: not part of the schema, `theirs` is read by it. */
  collection!: string;
  id!: string;
}

@ObjectType('KeptConflict', {
  description: 'A refused edit that is kept until an operator settles it or its days are over.',
  simpleResolvers: true,
})
export class KeptConflictType {
  @Field(() => String, { description: 'Whose edit it is.' })
  user!: string;

  @Field(() => ID, { description: 'The device that made it.' })
  device!: string;

  @Field(() => ID)
  changeId!: string;

  @Field(() => String, { description: 'The collection that the record is of.' })
  collection!: string;

  @Field(() => ID, { description: "The record's name within its collection." })
  id!: string;

  @Field(() => PushErrorType, { nullable: true })
  error!: PushErrorType | null;

  @Field(() => ConflictType)
  conflict!: ConflictType;
}

@ObjectType('KeptConflictPage', { description: 'Some of the kept conflicts, oldest first.', simpleResolvers: true })
export class KeptConflictPageType {
  @Field(() => [KeptConflictType])
  conflicts!: readonly KeptConflictType[];

  @Field(() => ID, { nullable: true, description: 'The `after` of your next request; null: there are no more.' })
  next!: string | null;
}

/** A conflict with the name of its record. */
export function toConflict(
  { kind, baseVersion, fields, yours }: Clashing,
  { collection, id }: { readonly collection: string; readonly id: string },
): ConflictType {
  return { kind, baseVersion, fields, yours, collection, id };
}
