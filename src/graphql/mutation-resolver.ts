import 'reflect-metadata';
import { Arg, createParameterDecorator, Ctx, Mutation, Resolver, type ResolverData } from 'type-graphql';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { fitValue } from '../core/field.js';
import type { Platform } from '../core/device-port.js';
import { checkStanding, deviceOf, type DeviceKey, type Session } from '../core/session.js';
import type { RequestContext } from './context.js';
import type { PushedChange, PushResult } from '../push/pushed-change.js';
import { PlatformEnum } from './enums.js';
import { answering } from './errors.js';
import { checkListened } from './listened-collections.js';
import { isRefusal, readChangeArgument, type ChangeArgument } from './push-input.js';
import { ChangeInputType, DeviceType, PushPayloadType, type PushResultType } from './push-types.js';
import { DateTimeScalar } from './scalars.js';
import { iso } from './times.js';

/** Tokens of push services are of visible ASCII, and have about 160 characters. */
const TOKEN = /^[\x21-\x7e]{1,1024}$/;

/**
 * The raw argument: TypeGraphQL would turn it into an instance of ChangeInputType and drop the `record` that the typed
 * schema adds, in silence.
 */
const RawChanges = (): ParameterDecorator =>
  createParameterDecorator(({ args }: ResolverData) => args['changes'] as unknown, {
    arg: {
      name: 'changes',
      typeFunc: () => [ChangeInputType],
      options: { description: 'In the order in which they were made.' },
    },
  }) as ParameterDecorator;

/** Writing: push, and the device's registration for hints. */
@Resolver()
export class MutationResolver {
  @Mutation(() => PushPayloadType, {
    description:
      'Hands changes over. Each has a result of its own, and a repeat of the same `changeId` gets the stored one. Needs the `Tidegate-Device` header.',
  })
  async push(
    // TypeGraphQL prints arguments last to first: `changes` is to be read first.
    @Arg('epoch', () => String, {
      nullable: true,
      description:
        'The `epoch` of the last page. Where another one is in force nothing is taken (`NEW_EPOCH`): what a restore took away comes again first.',
    })
    epoch: string | null,
    @Arg('sentAt', () => DateTimeScalar, {
      nullable: true,
      description: "The device's clock now, so that its skew can be corrected.",
    })
    sentAt: string | null,
    @RawChanges() changes: readonly ChangeArgument[],
    @Ctx() { session, services, useCases }: RequestContext,
  ): Promise<PushPayloadType> {
    return answering(services.log, async () => {
      if (changes.length > services.maxChangesPerPush) {
        throw new SyncError(
          'LIMIT_EXCEEDED',
          `changes: expected at most ${services.maxChangesPerPush} in one push, got ${changes.length}`,
          { field: 'changes' },
        );
      }
      requireDevice(session);
      const read = changes.map(readChangeArgument);
      const sent = read.filter((one): one is PushedChange => !isRefusal(one));
      const results = await useCases.push(session, sent, readSentAt(sentAt), epoch);
      const next = results.values();
      return {
        results: read.map((one) => toPushResult(isRefusal(one) ? one : (next.next().value as PushResult))),
        serverTime: iso(services.clock.nowMs()),
        epoch: await useCases.readEpoch(session),
      };
    });
  }

  @Mutation(() => DeviceType, {
    description:
      'Registers this device for hints by its push service. Safe to repeat; a newer token replaces the older.',
  })
  async registerDevice(
    @Arg('collections', () => [String], { nullable: true, description: 'Of which it wants hints: names; null: all.' })
    collections: readonly string[] | null,
    @Arg('platform', () => PlatformEnum) platform: Platform,
    @Arg('token', () => String, { description: "The push service's token for this installation." }) token: string,
    @Ctx() { session, services, useCases }: RequestContext,
  ): Promise<DeviceType> {
    return answering(services.log, async () => {
      const device = requireDevice(session);
      const asked = { token: checkToken(token), platform, collections: wanted(collections, services.collections) };
      const { registeredAtMs } = await useCases.registerDevice(session, device, asked);
      return { id: device.device, platform, registeredAt: iso(registeredAtMs) };
    });
  }

  @Mutation(() => Boolean, { description: 'Ends the registration; false when there was none. Safe to repeat.' })
  async unregisterDevice(@Ctx() { session, services, useCases }: RequestContext): Promise<boolean> {
    return answering(services.log, async () => useCases.unregisterDevice(requireDevice(session)));
  }
}

function requireDevice(session: Session): DeviceKey {
  const device = deviceOf(session);
  if (device === null) throw new SyncError('DEVICE_REQUIRED', 'expected a Tidegate-Device header, got none');
  if (session.isEvicted === true) checkStanding('evicted');
  return device;
}

function checkToken(token: string): string {
  if (TOKEN.test(token)) return token;
  throw new SyncError(
    'VALIDATION',
    'token: expected 1 to 1024 visible ASCII characters, as the push service gave them',
    {
      field: 'token',
    },
  );
}

function wanted(
  names: readonly string[] | null | undefined,
  collections: readonly Collection[],
): readonly string[] | null {
  if (names === null || names === undefined) return null;
  if (names.length > 0) return [...new Set(checkListened(names, collections))];
  throw new SyncError('BAD_REQUEST', 'collections: expected at least one name, or null for all, got an empty list', {
    field: 'collections',
  });
}

function readSentAt(sentAt: string | null | undefined): number | null {
  if (sentAt === null || sentAt === undefined) return null;
  const fit = fitValue({ name: 'sentAt', type: 'dateTime', list: false, required: false, writable: true }, sentAt);
  if (fit.ok) return Date.parse(fit.value as string);
  throw new SyncError('BAD_REQUEST', `sentAt: expected ${fit.misfit.expected}, got ${fit.misfit.got}`, {
    field: 'sentAt',
  });
}

function toPushResult({ changeId, status, error, blockedBy, collection, id }: PushResult): PushResultType {
  return { changeId, status, error, blockedBy, collection, id };
}
