import 'reflect-metadata';
import { Arg, Resolver, Root, Subscription, type SubscribeResolverData } from 'type-graphql';
import type { RequestContext } from './context.js';
import { toGraphqlError } from './errors.js';
import { checkListened } from './listened-collections.js';
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
        const { collections } = services;
        const names = args.collections ?? collections.map(({ name }) => name);
        return useCases.hints(session, checkListened(names, collections));
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
