import 'reflect-metadata';
import { Args, ArgsType, Ctx, Field, ID, Int, ObjectType, Query, Resolver } from 'type-graphql';
import type { RequestContext } from './context.js';
import { answering } from './errors.js';
import { CheckpointScalar } from './scalars.js';

@ObjectType('CollectionCheck', { description: 'What you must hold of a collection.', simpleResolvers: true })
export class CollectionCheckType {
  @Field(() => ID)
  collection!: string;

  @Field(() => Int, { description: 'How many records.' })
  count!: number;

  @Field(() => String, {
    description:
      'Over the versions of these records: of the SHA-256 of each one (UTF-8) the first eight bytes as a number, added up modulo 2^64, as 16 lower-case hex digits.',
  })
  hash!: string;
}

@ObjectType('Check', { description: 'What you must hold at a checkpoint.', simpleResolvers: true })
export class CheckType {
  @Field(() => Boolean, {
    description:
      'False: something of yours changed since this checkpoint. Pull until `hasMore` is false, then ask again.',
  })
  isCurrent!: boolean;

  @Field(() => [CollectionCheckType], {
    description: 'Those of the list, by name, but for collections with storage metadataOnly. Empty unless `isCurrent`.',
  })
  collections!: readonly CollectionCheckType[];
}

/** The arguments of `check`. */
@ArgsType()
class CheckArguments {
  @Field(() => CheckpointScalar, { description: 'The `checkpoint` of your last page.' })
  since!: string;

  @Field(() => [String], { nullable: true, description: 'The list that the checkpoint belongs to; null: all.' })
  collections?: readonly string[] | null;
}

/** Whether a device holds what it must. */
@Resolver()
export class CheckResolver {
  @Query(() => CheckType, {
    description:
      'Count and hash of what you must hold at your checkpoint. If yours differ, pull that collection alone from `since: null` and replace it. Safe to repeat.',
  })
  async check(
    @Args(() => CheckArguments) { since, collections }: CheckArguments,
    @Ctx() { session, services, useCases }: RequestContext,
  ): Promise<CheckType> {
    return answering(services.log, () => useCases.check(session, { since, collections: collections ?? null }));
  }
}
