import 'reflect-metadata';
import { Args, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Audited } from '../audit/audit.js';
import type { Fields, Seq } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import type { DeviceKey, Session } from '../core/session.js';
import { sentCall } from '../push/call-history.js';
import type { OpenConflict } from '../push/kept-conflicts.js';
import type { Decided, OutboxChange } from '../push/operator.js';
import { KeptConflictPageType, toConflict, type KeptConflictType } from './conflict-types.js';
import type { RequestContext, UseCases } from './context.js';
import { answering } from './errors.js';
import {
  ConflictsArguments,
  KeptConflictArguments,
  limitOf,
  OutboxArguments,
  readNumber,
  RejectArguments,
  RetryArguments,
  SettleArguments,
} from './operator-arguments.js';
import { OutboxChangeType, OutboxCountsType, OutboxPageType, type SourceCallType } from './outbox-types.js';
import { PushResultType } from './push-types.js';
import { iso, isoOrNull } from './times.js';

const ONLY = 'For operators only; others get FORBIDDEN.';

/** What operators see and decide: open changes that the gateway must not decide alone, and refused edits that are kept. */
@Resolver()
export class OperatorResolver {
  @Query(() => OutboxPageType, { description: `Accepted changes that are not settled yet, oldest first. ${ONLY}` })
  async outbox(
    @Args(() => OutboxArguments) asked: OutboxArguments,
    @Ctx() context: RequestContext,
  ): Promise<OutboxPageType> {
    return asOperator(context, async ({ tenant }, { operator }) => {
      const { states, collection } = asked;
      const { changes, hasMore } = await operator.outbox(tenant, {
        states: states ?? [],
        collection: collection ?? null,
        after: afterOf(asked),
        limit: limitOf(asked),
      });
      return { changes: changes.map(toOutboxChange), next: hasMore ? String(changes.at(-1)?.intentNo) : null };
    });
  }

  @Query(() => OutboxCountsType, { description: `How many changes are open, by state. ${ONLY}` })
  async outboxCounts(@Ctx() context: RequestContext): Promise<OutboxCountsType> {
    return asOperator(context, async ({ tenant }, { operator }) => {
      const { byState, oldestAcceptedAtMs } = await operator.counts(tenant);
      return {
        pending: byState.get('PENDING') ?? 0,
        sent: byState.get('SENT') ?? 0,
        inDoubt: byState.get('IN_DOUBT') ?? 0,
        parked: byState.get('PARKED') ?? 0,
        oldestAcceptedAt: isoOrNull(oldestAcceptedAtMs),
      };
    });
  }

  @Query(() => KeptConflictPageType, {
    description: `Edits that were refused as CONFLICT and are kept, oldest first. ${ONLY}`,
  })
  async conflicts(
    @Args(() => ConflictsArguments) asked: ConflictsArguments,
    @Ctx() context: RequestContext,
  ): Promise<KeptConflictPageType> {
    return asOperator(context, async ({ tenant }, { conflicts }) => {
      const found = await conflicts.list(tenant, { after: afterOf(asked) as Seq | null, limit: limitOf(asked) });
      const next = found.hasMore ? String(found.conflicts.at(-1)?.settledSeq) : null;
      return { conflicts: found.conflicts.map(toKeptConflict), next };
    });
  }

  @Mutation(() => OutboxChangeType, {
    description: `Sends a PARKED change again. Needs \`mayApplyTwice\` where a call of it may have taken effect. Safe to repeat. ${ONLY}`,
  })
  async retryChange(
    @Args(() => RetryArguments) { intentNo, mayApplyTwice }: RetryArguments,
    @Ctx() context: RequestContext,
  ): Promise<OutboxChangeType> {
    return deciding(context, { action: 'retryChange', subject: intentNo }, async ({ tenant }, { operator }) =>
      toOutboxChange(await operator.retry(tenant, readNumber('intentNo', intentNo), mayApplyTwice ?? false)),
    );
  }

  @Mutation(() => PushResultType, {
    description: `Refuses an open change: its device gets REJECTED with the reason, and its record goes on without it. ${ONLY}`,
  })
  async rejectChange(
    @Args(() => RejectArguments) { intentNo, reason }: RejectArguments,
    @Ctx() context: RequestContext,
  ): Promise<PushResultType> {
    return deciding(
      context,
      { action: 'rejectChange', subject: intentNo },
      async ({ tenant }, { operator }) =>
        toResult(await operator.reject(tenant, readNumber('intentNo', intentNo), reason)),
      statusOf,
    );
  }

  @Mutation(() => PushResultType, {
    description: `Says that the source has an open change: it is settled with the source's own copy, and never sent again. ${ONLY}`,
  })
  async settleChange(
    @Args(() => SettleArguments) { intentNo, sourceKey }: SettleArguments,
    @Ctx() context: RequestContext,
  ): Promise<PushResultType> {
    return deciding(
      context,
      { action: 'settleChange', subject: intentNo },
      async ({ tenant }, { operator }) =>
        toResult(await operator.settle(tenant, readNumber('intentNo', intentNo), sourceKey ?? null)),
      statusOf,
    );
  }

  @Mutation(() => Boolean, {
    description: `Forgets a kept edit; false when none is kept. Safe to repeat. ${ONLY}`,
  })
  async dismissConflict(
    @Args(() => KeptConflictArguments) named: KeptConflictArguments,
    @Ctx() context: RequestContext,
  ): Promise<boolean> {
    return deciding(
      context,
      { action: 'dismissConflict', subject: editOf(context.session, named) },
      async (session, { conflicts }) => conflicts.dismiss(deviceOf(session, named), named.changeId),
      (wasKept) => (wasKept ? 'DONE' : 'NOTHING'),
    );
  }

  @Mutation(() => PushResultType, {
    description: `Pushes a kept edit again, made from the record's current version, as its device. The change gets an id of its own; safe to repeat. ${ONLY}`,
  })
  async reapplyConflict(
    @Args(() => KeptConflictArguments) named: KeptConflictArguments,
    @Ctx() context: RequestContext,
  ): Promise<PushResultType> {
    return deciding(
      context,
      { action: 'reapplyConflict', subject: editOf(context.session, named) },
      async (session, { conflicts }) => conflicts.reapply(session, deviceOf(session, named), named.changeId),
      statusOf,
    );
  }
}

/** Reads for an operator; what changes anything goes by `deciding`. @throws SyncError FORBIDDEN - as GraphQL answers it */
export async function asOperator<T>(
  { session, services: { log }, useCases }: RequestContext,
  act: (session: Session, useCases: UseCases) => Promise<T>,
): Promise<T> {
  return answering(log, async () => {
    if (session.isOperator !== true) throw new SyncError('FORBIDDEN', 'expected the session of an operator');
    await useCases.audit.sawOperator(session);
    return act(session, useCases);
  });
}

/** Acts for an operator, between two rows of the audit log. @throws SyncError FORBIDDEN, UNAVAILABLE - as GraphQL answers it */
export async function deciding<T>(
  context: RequestContext,
  what: Audited,
  act: (session: Session, useCases: UseCases) => Promise<T>,
  outcome?: (value: T) => string,
): Promise<T> {
  return asOperator(context, (session, useCases) =>
    useCases.audit.around(session, what, () => act(session, useCases), outcome),
  );
}

function statusOf({ status }: PushResultType): string {
  return status;
}

function afterOf({ after }: { readonly after?: string | null }): number | null {
  return after === null || after === undefined ? null : readNumber('after', after);
}

function deviceOf({ tenant, user: own }: Session, { user, device }: KeptConflictArguments): DeviceKey {
  return { tenant, user: user ?? own, device };
}

/** A kept edit by its device, since its change id is that device's own. */
function editOf(session: Session, named: KeptConflictArguments): string {
  const { user, device } = deviceOf(session, named);
  return `${user}/${device} ${named.changeId}`;
}

function toOutboxChange(change: OutboxChange): OutboxChangeType {
  const { intentNo, changeId, collection, id, kind, state, error, blockedBy, known, attempt } = change;
  return {
    ...{ intentNo: String(intentNo), changeId, collection, id, kind, state, error, blockedBy, known },
    user: change.device.user,
    device: change.device.device,
    fields: kind === 'DELETE' ? null : (JSON.parse(change.fields) as Fields),
    call: callOf(change),
    attempts: attempt,
    acceptedAt: iso(change.acceptedAtMs),
    editedAt: iso(change.editedAtMs),
    dueAt: state === 'PARKED' ? null : iso(change.dueAtMs),
  };
}

function callOf(change: OutboxChange): SourceCallType | null {
  const call = sentCall(change);
  return call === null
    ? null
    : { kind: call.kind, sourceKey: call.sourceKey, fields: call.fields, guard: change.guard };
}

function toKeptConflict({
  device: { user, device },
  changeId,
  collection,
  id,
  error,
  clash,
}: OpenConflict): KeptConflictType {
  return { user, device, changeId, collection, id, error, conflict: toConflict(clash, { collection, id }) };
}

function toResult(decided: Decided): PushResultType {
  return { ...decided, blockedBy: null };
}
