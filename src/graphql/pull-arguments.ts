import 'reflect-metadata';
import 'reflect-metadata';
import { ArgsType, Field, Int } from 'type-graphql';
import type { ChangeShape } from '../core/shape.js';
import { DEFAULT_PULL_LIMIT, type PullRequest } from '../pull/pull.js';
import { CheckpointScalar } from './scalars.js';

/** The arguments of `pull`. A class, because TypeGraphQL prints single arguments last to first. */
@ArgsType()
export class PullArguments {
  @Field(() => CheckpointScalar, {
    nullable: true,
    description: 'The `checkpoint` of your last page; null: from the start.',
  })
  since?: string | null;

  @Field(() => [String], { nullable: true, description: 'Names; null: all. One checkpoint belongs to one list.' })
  collections?: readonly string[] | null;

  @Field(() => Int, {
    nullable: true,
    defaultValue: DEFAULT_PULL_LIMIT,
    description: 'Most changes in the page, 1 to 5,000.',
  })
  limit?: number | null;
}

/** What the use case is asked for: an argument that is null or missing has its default. */
export function toPullRequest({ since, collections, limit }: PullArguments, shape: ChangeShape): PullRequest {
  return {
    since: since ?? null,
    collections: collections ?? null,
    limit: limit ?? DEFAULT_PULL_LIMIT,
    shape,
  };
}
