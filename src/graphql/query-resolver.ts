import 'reflect-metadata';
import { Args, Ctx, Query, Resolver } from 'type-graphql';
import { fullShape } from '../core/shape.js';
import { parseChanges } from './change-source.js';
import { CollectionInfoType } from './collection-types.js';
import type { CollectionView, RequestContext } from './context.js';
import { answering } from './errors.js';
import { PageType } from './page-types.js';
import { PullArguments, toPullRequest } from './pull-arguments.js';
import { isoOrNull } from './times.js';
import { changeTypesByCollection } from './typed-schema.js';

/** Reading: pull and collections. */
@Resolver()
export class QueryResolver {
  @Query(() => PageType, {
    description:
      'What changed for you since a checkpoint, oldest first; from `since: null` everything that is yours. Safe to repeat. Send the `Tidegate-Device` header to get receipts and `mine`.',
  })
  async pull(
    @Args(() => PullArguments) request: PullArguments,
    @Ctx() { services, pull }: RequestContext,
  ): Promise<PageType> {
    return answering(services.log, async () => {
      const shape = fullShape(services.collections.map((collection) => collection.name));
      const { texts, count: _count, ...rest } = await pull(toPullRequest(request, shape));
      return { ...rest, changes: parseChanges(texts, changeTypesByCollection(services.collections)) };
    });
  }

  @Query(() => [CollectionInfoType], { description: 'What there is to pull and push, and how far each ingest is.' })
  async collections(@Ctx() { session, services, useCases }: RequestContext): Promise<CollectionInfoType[]> {
    return answering(services.log, async () => (await useCases.collections(session)).map(toCollectionInfo));
  }
}

function toCollectionInfo({ collection, ...progress }: CollectionView): CollectionInfoType {
  return {
    name: collection.name,
    type: collection.type,
    source: collection.source,
    state: progress.state,
    policy: collection.policy,
    storage: progress.storage,
    recordCount: progress.recordCount,
    lastPolledAt: isoOrNull(progress.lastPolledAtMs),
    fields: collection.fields.map((field) => ({
      name: field.name,
      type: field.type,
      list: field.list,
      required: field.required,
      writable: field.writable,
      references: field.references ?? null,
      values: field.values ?? null,
    })),
  };
}
