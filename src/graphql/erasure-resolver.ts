import 'reflect-metadata';
import { Arg, Args, ArgsType, Ctx, Field, ID, Mutation, Resolver } from 'type-graphql';
import { NOTHING_ERASED, type Erased } from '../core/erasure-port.js';
import { SyncError, toChangeError } from '../core/errors.js';
import { MOST_ERASED } from '../erasure/erasure.js';
import type { RequestContext } from './context.js';
import { ErasureType, type RefusedErasureType } from './erasure-types.js';
import { asOperator, deciding } from './operator-resolver.js';

const ONLY = 'For operators only; others get FORBIDDEN.';

/** The arguments of `eraseRecords`. */
@ArgsType()
class EraseRecordsArguments {
  @Field(() => ID, { description: 'Their collection: one that is served, or was.' })
  collection!: string;

  @Field(() => [ID], { description: `Ids of records, ${MOST_ERASED} at most.` })
  ids!: readonly string[];
}

/** What an operator does when somebody's records or traces are to be erased. */
@Resolver()
export class ErasureResolver {
  @Mutation(() => ErasureType, {
    description: `Erases what is kept of records that are gone at their source. Each is refused by itself: while its source shows it (STILL_THERE), or changes of it are open (RECORD_BLOCKED). Devices still remove it. Safe to repeat. ${ONLY}`,
  })
  async eraseRecords(
    @Args(() => EraseRecordsArguments) { collection, ids }: EraseRecordsArguments,
    @Ctx() context: RequestContext,
  ): Promise<ErasureType> {
    return asOperator(context, async (session, { erasure, audit }) => {
      checkCount(ids);
      let erased = NOTHING_ERASED;
      const unknown: string[] = [];
      const refused: RefusedErasureType[] = [];
      // One after the other, each between rows of its own in the audit log: that names every id.
      for (const id of new Set(ids)) {
        const what = { action: 'eraseRecords', collection, subject: id };
        const erase = (): Promise<Erased | null> => erasure.eraseRecord(session.tenant, collection, id);
        try {
          const one = await audit.around(session, what, erase, outcomeOf);
          if (one === null) unknown.push(id);
          else erased = sumOf(erased, one);
        } catch (thrown) {
          const error = SyncError.from(thrown);
          if (!REFUSALS.has(error.code)) throw thrown;
          refused.push({ id, error: toChangeError(error) });
        }
      }
      return { erased, unknown, refused, remains: erasure.remains.ofRecord };
    });
  }

  @Mutation(() => ErasureType, {
    description: `Revokes every device of a user, for ever, and erases what they pushed and what names them. RECORD_BLOCKED while changes of it are open. Records are erased by \`eraseRecords\`. Safe to repeat. ${ONLY}`,
  })
  async eraseUser(
    @Arg('user', () => String, { description: 'The user, as `devices` names it.' }) user: string,
    @Ctx() context: RequestContext,
  ): Promise<ErasureType> {
    return deciding(
      context,
      { action: 'eraseUser', subject: user },
      async ({ tenant }, { erasure }) => {
        const erased = await erasure.eraseUser(tenant, user);
        return { erased, unknown: [], refused: [], remains: erasure.remains.ofUser };
      },
      ({ erased }) => outcomeOf(erased),
    );
  }
}

/** A record by itself is refused; whatever else is wrong ends the request. */
const REFUSALS: ReadonlySet<string> = new Set(['STILL_THERE', 'RECORD_BLOCKED', 'NOT_FOUND']);

/** @throws SyncError LIMIT_EXCEEDED */
function checkCount({ length }: readonly string[]): void {
  if (length >= 1 && length <= MOST_ERASED) return;
  throw new SyncError('LIMIT_EXCEEDED', `ids: expected 1 to ${MOST_ERASED}, got ${length}`, { field: 'ids' });
}

function outcomeOf(erased: Erased | null): string {
  return erased !== null && Object.values(erased).some((count) => count > 0) ? 'DONE' : 'NOTHING';
}

function sumOf(one: Erased, other: Erased): Erased {
  const names = Object.keys(NOTHING_ERASED) as readonly (keyof Erased)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as unknown as Erased;
}
