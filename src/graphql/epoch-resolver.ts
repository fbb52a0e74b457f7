import 'reflect-metadata';
import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Epoch } from '../core/change.js';
import type { RequestContext } from './context.js';
import { asOperator, deciding } from './operator-resolver.js';

/** What operators do after a restore that nothing proves (F5). */
@Resolver()
export class EpochResolver {
  @Query(() => String, { description: 'The epoch in force. For operators only; others get FORBIDDEN.' })
  async epoch(@Ctx() context: RequestContext): Promise<string> {
    return asOperator(context, (session, useCases) => useCases.readEpoch(session));
  }

  @Mutation(() => String, {
    description:
      'Declares that the store was restored from a backup: a new epoch begins, every device starts over, and what was open is in doubt. Nothing happens unless `from` is in force, so it is safe to repeat. Gives the epoch that is in force then. For operators only; others get FORBIDDEN.',
  })
  async newEpoch(
    @Arg('from', () => String, { description: 'The epoch that came back with the backup.' }) from: string,
    @Ctx() context: RequestContext,
  ): Promise<string> {
    return deciding(context, { action: 'newEpoch', subject: from }, (session, useCases) =>
      useCases.newEpoch(session, from as Epoch),
    );
  }
}
