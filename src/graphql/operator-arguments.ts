import 'reflect-metadata';
import { ArgsType, Field, ID, Int } from 'type-graphql';
import { SyncError } from '../core/errors.js';
import type { OpenState } from '../core/intent.js';
import { OpenStateEnum } from './enums.js';

const DEFAULT_LIMIT = 100;
const LIMIT = { nullable: true, defaultValue: DEFAULT_LIMIT } as const;
const INTENT = { description: 'The number of an open change, as `outbox` gives it.' } as const;

/** The arguments of `conflicts`. */
@ArgsType()
export class ConflictsArguments {
  @Field(() => ID, { nullable: true, description: '`next` of the page before; null: from the oldest.' })
  after?: string | null;

  @Field(() => Int, { ...LIMIT, description: 'Most conflicts in the page, 1 to 1,000.' })
  limit?: number | null;
}

/** The arguments of `outbox`. */
@ArgsType()
export class OutboxArguments {
  @Field(() => [OpenStateEnum], { nullable: true, description: 'Only changes in these states; null: in all.' })
  states?: readonly OpenState[] | null;

  @Field(() => String, { nullable: true, description: 'Only changes of this collection; null: of all.' })
  collection?: string | null;

  @Field(() => ID, {
    nullable: true,
    description: '`next` of the page before, or the number of a change; null: from the oldest.',
  })
  after?: string | null;

  @Field(() => Int, { ...LIMIT, description: 'Most changes in the page, 1 to 1,000.' })
  limit?: number | null;
}

/** The arguments of `retryChange`. */
@ArgsType()
export class RetryArguments {
  @Field(() => ID, INTENT)
  intentNo!: string;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description: 'You accept that a call which took effect takes effect again.',
  })
  mayApplyTwice?: boolean | null;
}

/** The arguments of `rejectChange`. */
@ArgsType()
export class RejectArguments {
  @Field(() => ID, INTENT)
  intentNo!: string;

  @Field(() => String, { description: 'Why, for the person at the device.' })
  reason!: string;
}

/** The arguments of `settleChange`. */
@ArgsType()
export class SettleArguments {
  @Field(() => ID, INTENT)
  intentNo!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'For a created record whose key the gateway does not know: the key under which the source has it, its parts percent-encoded and joined by ":".',
  })
  sourceKey?: string | null;
}

/** The arguments of `dismissConflict` and `reapplyConflict`. */
@ArgsType()
export class KeptConflictArguments {
  @Field(() => ID, { description: 'The device that made the edit.' })
  device!: string;

  @Field(() => ID, { description: 'The change that was refused.' })
  changeId!: string;

  @Field(() => String, { nullable: true, description: 'Whose device it is; null: yours.' })
  user?: string | null;
}

/** A limit that is null has its default. */
export function limitOf({ limit }: { readonly limit?: number | null }): number {
  return limit ?? DEFAULT_LIMIT;
}

/** A number that came as text. @throws SyncError BAD_REQUEST */
export function readNumber(field: string, text: string): number {
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw new SyncError(
    'BAD_REQUEST',
    `${field}: expected a number that was given out, got ${JSON.stringify(text.slice(0, 60))}`,
    {
      field,
    },
  );
}
