import 'reflect-metadata';
import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { ConflictType, toConflict } from './conflict-types.js';
import type { RequestContext } from './context.js';
import { answering } from './errors.js';
import { ChangeType, ReceiptType } from './page-types.js';
import { PushResultType } from './push-types.js';

const CHANGE = { nullable: true, description: 'The record as it now stands; null when you may not see it.' } as const;
const CONFLICT = {
  nullable: true,
  description: 'Of a CONFLICT: what met what. Null once nothing is kept of the edit any more.',
} as const;

/** The record that a receipt concerns, and what its refused edit met. */
@Resolver(() => ReceiptType)
export class ReceiptResolver {
  @FieldResolver(() => ChangeType, CHANGE)
  async change(@Root() receipt: ReceiptType, @Ctx() context: RequestContext): Promise<ChangeType | null> {
    return currentOf(receipt, context);
  }

  @FieldResolver(() => ConflictType, CONFLICT)
  async conflict(@Root() receipt: ReceiptType, @Ctx() context: RequestContext): Promise<ConflictType | null> {
    return conflictOf(receipt, context);
  }
}

/** The record that a pushed change concerns, and what it met if it was refused. */
@Resolver(() => PushResultType)
export class PushResultResolver {
  @FieldResolver(() => ChangeType, CHANGE)
  async change(@Root() result: PushResultType, @Ctx() context: RequestContext): Promise<ChangeType | null> {
    return currentOf(result, context);
  }

  @FieldResolver(() => ConflictType, CONFLICT)
  async conflict(@Root() result: PushResultType, @Ctx() context: RequestContext): Promise<ConflictType | null> {
    return conflictOf(result, context);
  }
}

/** The record that an edit is in conflict with. */
@Resolver(() => ConflictType)
export class ConflictResolver {
  @FieldResolver(() => ChangeType, CHANGE)
  async theirs(@Root() conflict: ConflictType, @Ctx() context: RequestContext): Promise<ChangeType | null> {
    return currentOf(conflict, context);
  }
}

function currentOf(
  { collection, id }: { readonly collection: string; readonly id: string },
  { currentRecords, services }: RequestContext,
): Promise<ChangeType | null> {
  return answering(services.log, async () => currentRecords.read(collection, id));
}

async function conflictOf(
  told: Pick<ReceiptType, 'changeId' | 'status' | 'collection' | 'id'>,
  { readConflict, services }: RequestContext,
): Promise<ConflictType | null> {
  if (told.status !== 'CONFLICT') return null;
  const clash = await answering(services.log, async () => readConflict(told.changeId));
  return clash === null ? null : toConflict(clash, told);
}
