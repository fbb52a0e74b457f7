import 'reflect-metadata';
import { Arg, Resolver, Root, Subscription, type SubscribeResolverData } from 'type-graphql';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import type { RequestContext } from './context.js';
import { toGraphqlError } from './errors.js';
import { HintType } from './push-types.js';

type HintsRequest = SubscribeResolverData<unknown, { collections?: readonly string[] | null }, RequestContext>;

/** Listening: hints. */
@Resolver()
export class SubscriptionResolver {
  @Subscription(() => HintType, {
    description:
      'Tells when there is something to pull. Pull once after you start to listen: what changed before is not hinted.',
    subscribe: ({ args, context }: HintsRequest) => {
      const { session, services, useCases } = context;
      try {
        return useCases.hints(session, listenedTo(args.collections ?? null, services.collections));
      } catch (thrown) {
        throw toGraphqlError(thrown, services.log);
      }
    },
  })
  hints(
    @Root() hint: HintType,
    @Arg('collections', () => [String], { nullable: true, description: 'Names; null: all.' })
    _collections: string[] | null,
  ): HintType {
    return hint;
  }
}

function listenedTo(asked: readonly string[] | null, collections: readonly Collection[]): readonly string[] {
  const names = collections.map((collection) => collection.name);
  const unknown = (asked ?? []).find((name) => !names.includes(name));
  if (unknown === undefined) return asked ?? names;
  throw new SyncError(
    'BAD_REQUEST',
    `collections: expected names among ${names.join(', ')}, got ${JSON.stringify(unknown)}`,
    {
      field: 'collections',
    },
  );
}
