import 'reflect-metadata';
import { Args, ArgsType, Ctx, Field, ID, Int, ObjectType, Query, Resolver } from 'type-graphql';
import type { AuditRow } from '../core/audit.js';
import { checkLimit } from '../push/operator.js';
import type { RequestContext } from './context.js';
import { asOperator } from './operator-resolver.js';
import { limitOf, readNumber } from './operator-arguments.js';
import { DateTimeScalar } from './scalars.js';

@ObjectType('AuditRow', { description: 'Who did what; never a field value.', simpleResolvers: true })
export class AuditRowType {
  @Field(() => ID, { description: 'Its place in the chain, from 1, without gaps.' })
  no!: string;

  @Field(() => DateTimeScalar, { description: "By the database's clock." })
  at!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Null: nobody who signed in, or more users than are told apart.',
  })
  user!: string | null;

  @Field(() => ID, { nullable: true })
  device!: string | null;

  @Field(() => String, {
    description:
      'The operation, like `settleChange`; `refusedPush`: pushed changes that were refused as NOT_FOUND or FORBIDDEN; `operatorSeen`: once an hour; `forget`: the oldest rows were forgotten by age.',
  })
  action!: string;

  @Field(() => String, { nullable: true })
  collection!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'What it is about: the id of a record or change, the number of an open change, an epoch.',
  })
  subject!: string | null;

  @Field(() => String, {
    description: '`BEGUN`, and in a second row what came of it: a code, a status, `DONE` or `NOTHING`.',
  })
  outcome!: string;

  @Field(() => Int, { description: 'How often it happened.' })
  count!: number;

  @Field(() => ID, { nullable: true, description: 'The row whose action had this outcome.' })
  outcomeOf!: string | null;

  @Field(() => String, { description: 'The hash of the row before it; empty: there was none.' })
  previous!: string;

  @Field(() => String, { description: 'SHA-256 over the row, tenant and `previous` included, in hex.' })
  hash!: string;
}

@ObjectType('AuditPlace', { description: 'A row of the audit log by its number and hash.', simpleResolvers: true })
export class AuditPlaceType {
  @Field(() => ID, { description: '0: before the first row.' })
  no!: string;

  @Field(() => String)
  hash!: string;
}

@ObjectType('AuditPage', { description: 'Some rows of the audit log, oldest first.', simpleResolvers: true })
export class AuditPageType {
  @Field(() => String, { description: 'Whose log it is.' })
  tenant!: string;

  @Field(() => [AuditRowType])
  rows!: readonly AuditRowType[];

  @Field(() => ID, { nullable: true, description: 'The `after` of your next request; null: there are no more.' })
  next!: string | null;

  @Field(() => AuditPlaceType, { description: 'The last row that was forgotten by age; the oldest row follows on it.' })
  anchor!: AuditPlaceType;

  @Field(() => AuditPlaceType, { description: 'The newest row: noted elsewhere, it proves every row before it.' })
  head!: AuditPlaceType;
}

/** The arguments of `audit`. */
@ArgsType()
class AuditArguments {
  @Field(() => ID, { nullable: true, description: '`next` of the page before; null: from the oldest.' })
  after?: string | null;

  @Field(() => Int, { nullable: true, defaultValue: 100, description: 'Most rows in the page, 1 to 1,000.' })
  limit?: number | null;
}

/** The log of who did what, for operators to read and to prove. */
@Resolver()
export class AuditResolver {
  @Query(() => AuditPageType, {
    description:
      'The audit log: who did what, each row with the hash of the one before it. For operators only; others get FORBIDDEN.',
  })
  async audit(
    @Args(() => AuditArguments) asked: AuditArguments,
    @Ctx() context: RequestContext,
  ): Promise<AuditPageType> {
    return asOperator(context, async ({ tenant }, { audit }) => {
      const limit = limitOf(asked);
      checkLimit(limit);
      const after = asked.after === null || asked.after === undefined ? 0 : readNumber('after', asked.after);
      const { anchor, head, rows } = await audit.read(tenant, { after, limit: limit + 1 });
      const page = rows.slice(0, limit);
      return {
        tenant,
        rows: page.map(toRow),
        next: rows.length > limit ? String(page.at(-1)?.no) : null,
        anchor: { ...anchor, no: String(anchor.no) },
        head: { ...head, no: String(head.no) },
      };
    });
  }
}

function toRow({ no, outcomeOf, ...row }: AuditRow): AuditRowType {
  return { ...row, no: String(no), outcomeOf: outcomeOf === null ? null : String(outcomeOf) };
}
