import 'reflect-metadata';
import { Arg, Args, ArgsType, Ctx, Field, ID, Int, Mutation, ObjectType, Query, Resolver } from 'type-graphql';
import type { CollectionState } from '../core/record-port.js';
import type { CollectionOversight } from '../ingest/oversight.js';
import type { RequestContext } from './context.js';
import { CollectionStateEnum } from './enums.js';
import { asOperator, deciding } from './operator-resolver.js';
import { DateTimeScalar } from './scalars.js';
import { iso, isoOrNull } from './times.js';

const ONLY = 'For operators only; others get FORBIDDEN.';
const COLLECTION = { description: 'Its name, as `collections` gives it.' } as const;

@ObjectType('IngestProgress', {
  description: 'Where the gateway stands in reading a collection.',
  simpleResolvers: true,
})
export class IngestProgressType {
  @Field(() => ID)
  collection!: string;

  @Field(() => String, { description: 'The source that it is read from.' })
  source!: string;

  @Field(() => CollectionStateEnum)
  state!: CollectionState;

  @Field(() => Int, { description: 'Records that the source has, as far as is known.' })
  records!: number;

  @Field(() => Int, { description: 'Deletions that wait for an operator; 0 unless the state is HELD.' })
  heldDeletions!: number;

  @Field(() => Int, {
    description: 'So many deletions within an hour an operator allows now; 0: the limit alone decides.',
  })
  allowedDeletions!: number;

  @Field(() => Int, {
    description:
      'Records that the source shows, but not as declared: set aside until they fit. `quarantine` lists them.',
  })
  quarantined!: number;

  @Field(() => DateTimeScalar, { nullable: true, description: 'When the last complete poll ended.' })
  polledAt!: string | null;

  @Field(() => DateTimeScalar, { nullable: true, description: 'When the last complete scan ended.' })
  scannedAt!: string | null;

  @Field(() => Boolean, { description: 'A scan was asked for and is not complete yet.' })
  isScanAsked!: boolean;
}

@ObjectType('QuarantinedRecord', {
  description:
    'A record that its source shows, but not as declared. Devices keep its last good state, or do not see it yet. It leaves by itself when it fits or is gone.',
  simpleResolvers: true,
})
export class QuarantinedRecordType {
  @Field(() => ID)
  collection!: string;

  @Field(() => ID, { description: 'Its key at the source, in the form that ids have; an overlong one is cut.' })
  sourceKey!: string;

  @Field(() => String, { nullable: true, description: 'The field that does not fit; null: the record as a whole.' })
  field!: string | null;

  @Field(() => String, { description: 'What was expected and what kind of thing came; never a value.' })
  reason!: string;

  @Field(() => DateTimeScalar)
  firstSeenAt!: string;

  @Field(() => DateTimeScalar)
  lastSeenAt!: string;
}

/** The arguments of `allowDeletions`. */
@ArgsType()
class AllowDeletionsArguments {
  @Field(() => ID, COLLECTION)
  collection!: string;

  @Field(() => Int, { description: 'Most deletions within an hour, those of the last hour included.' })
  upTo!: number;
}

/** What operators see and decide of ingest: records that do not fit, held deletions, and scans that cannot wait. */
@Resolver()
export class IngestResolver {
  @Query(() => [IngestProgressType], { description: `Where ingest stands in each collection. ${ONLY}` })
  async ingest(@Ctx() context: RequestContext): Promise<readonly IngestProgressType[]> {
    return asOperator(context, async ({ tenant }, { oversight }) => (await oversight.list(tenant)).map(toProgress));
  }

  @Query(() => [QuarantinedRecordType], {
    description: `Records of a collection that are set aside because they do not fit, by key; at most 1,000. ${ONLY}`,
  })
  async quarantine(
    @Arg('collection', () => ID, COLLECTION) collection: string,
    @Ctx() context: RequestContext,
  ): Promise<readonly QuarantinedRecordType[]> {
    return asOperator(context, async ({ tenant }, { oversight }) =>
      (await oversight.quarantine(tenant, collection)).map(({ firstSeenAtMs, lastSeenAtMs, ...record }) => ({
        ...record,
        collection,
        firstSeenAt: iso(firstSeenAtMs),
        lastSeenAt: iso(lastSeenAtMs),
      })),
    );
  }

  @Mutation(() => IngestProgressType, {
    description: `Reads a collection whole as soon as its source allows. Safe to repeat. ${ONLY}`,
  })
  async scanNow(
    @Arg('collection', () => ID, COLLECTION) collection: string,
    @Ctx() context: RequestContext,
  ): Promise<IngestProgressType> {
    return deciding(context, { action: 'scanNow', collection }, async ({ tenant }, { oversight }) =>
      toProgress(await oversight.scan(tenant, collection)),
    );
  }

  @Mutation(() => IngestProgressType, {
    description: `Says that so many records are really gone: for an hour so many deletions in an hour are not held, and the collection is read whole now. Each is still confirmed; more than that stays held. Safe to repeat. ${ONLY}`,
  })
  async allowDeletions(
    @Args(() => AllowDeletionsArguments) { collection, upTo }: AllowDeletionsArguments,
    @Ctx() context: RequestContext,
  ): Promise<IngestProgressType> {
    const what = { action: 'allowDeletions', collection, subject: `up to ${upTo}` };
    return deciding(context, what, async ({ tenant }, { oversight }) =>
      toProgress(await oversight.allowDeletions(tenant, collection, upTo)),
    );
  }
}

function toProgress(one: CollectionOversight): IngestProgressType {
  const { collection, source, state, recordCount, heldDeletions, allowedDeletions, quarantined } = one;
  return {
    ...{ collection, source, state, records: recordCount, allowedDeletions, quarantined },
    heldDeletions: state === 'HELD' ? heldDeletions : 0,
    polledAt: isoOrNull(one.polledAtMs),
    scannedAt: isoOrNull(one.scannedAtMs),
    isScanAsked: one.scanAskedAtMs !== null,
  };
}
