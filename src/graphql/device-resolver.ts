import 'reflect-metadata';
import { Args, ArgsType, Ctx, Field, ID, Int, Mutation, ObjectType, Query, Resolver } from 'type-graphql';
import type { DeviceStanding, KnownDevice, Platform } from '../core/device-port.js';
import { SyncError } from '../core/errors.js';
import { checkLimit } from '../push/operator.js';
import type { RequestContext } from './context.js';
import { DeviceStateEnum, PlatformEnum } from './enums.js';
import { limitOf } from './operator-arguments.js';
import { asOperator, deciding } from './operator-resolver.js';
import { DateTimeScalar } from './scalars.js';
import { iso, isoOrNull } from './times.js';

const ONLY = 'For operators only; others get FORBIDDEN.';

const STATE_OF: Readonly<Record<DeviceStanding, keyof typeof DeviceStateEnum>> = {
  kept: 'ACTIVE',
  evicted: 'EVICTED',
  revoked: 'REVOKED',
};

@ObjectType('KnownDevice', { description: 'A device as operators see it.', simpleResolvers: true })
export class KnownDeviceType {
  @Field(() => String, { description: 'Whose it is.' })
  user!: string;

  @Field(() => ID, { description: 'Its `Tidegate-Device`.' })
  device!: string;

  @Field(() => DeviceStateEnum)
  state!: keyof typeof DeviceStateEnum;

  @Field(() => PlatformEnum, { nullable: true, description: 'Where it gets hints; null: it is not registered.' })
  platform!: Platform | null;

  @Field(() => DateTimeScalar, {
    nullable: true,
    description: 'When it pulled last; null: not since it is registered for hints.',
  })
  pulledAt!: string | null;

  @Field(() => DateTimeScalar, { nullable: true, description: 'When its push service took the last hint for it.' })
  hintedAt!: string | null;

  @Field(() => Boolean, {
    description: 'It did not pull for too long after hints: until it does, it is hinted rarely.',
  })
  isStale!: boolean;

  @Field(() => DateTimeScalar, { description: 'When it was here last, to the hour.' })
  seenAt!: string;

  @Field(() => DateTimeScalar, { nullable: true, description: 'Since when it is revoked; null: it is not.' })
  revokedAt!: string | null;
}

@ObjectType('KnownDevicePage', { description: 'Devices by user and id.', simpleResolvers: true })
export class KnownDevicePageType {
  @Field(() => [KnownDeviceType])
  devices!: readonly KnownDeviceType[];

  @Field(() => ID, { nullable: true, description: 'The `after` of the next page; null: this is the last one.' })
  next!: string | null;
}

/** The arguments of `devices`. */
@ArgsType()
class DevicesArguments {
  @Field(() => String, { nullable: true, description: 'Only those of this user; null: of all.' })
  user?: string | null;

  @Field(() => ID, { nullable: true, description: '`next` of the page before; null: from the first.' })
  after?: string | null;

  @Field(() => Int, { nullable: true, defaultValue: 100, description: 'Most devices in the page, 1 to 1,000.' })
  limit?: number | null;
}

/** The arguments of `revokeDevice`. */
@ArgsType()
class RevokeDeviceArguments {
  @Field(() => ID, { description: 'The device, as `devices` names it.' })
  device!: string;

  @Field(() => String, { nullable: true, description: 'Whose device it is; null: yours.' })
  user?: string | null;
}

/** What operators see of devices, and what they do when one is lost. */
@Resolver()
export class DeviceResolver {
  @Query(() => KnownDevicePageType, { description: `Devices that were here, by user and id. ${ONLY}` })
  async devices(
    @Args(() => DevicesArguments) asked: DevicesArguments,
    @Ctx() context: RequestContext,
  ): Promise<KnownDevicePageType> {
    return asOperator(context, async ({ tenant }, { readDevices }) => {
      const limit = limitOf(asked);
      checkLimit(limit);
      const after = readPlace(asked.after ?? null);
      const found = await readDevices(tenant, { user: asked.user ?? null, after, limit: limit + 1 });
      const devices = found.slice(0, limit).map(toKnownDevice);
      const last = devices.at(-1);
      return { devices, next: found.length > limit && last !== undefined ? placeOf(last) : null };
    });
  }

  @Mutation(() => KnownDeviceType, {
    description: `For a device that is lost: its hints stop, its sockets are closed, and whatever it asks from now on is DEVICE_REVOKED, for ever. What it did not push yet is not accepted any more. Safe to repeat. ${ONLY}`,
  })
  async revokeDevice(
    @Args(() => RevokeDeviceArguments) { device, user }: RevokeDeviceArguments,
    @Ctx() context: RequestContext,
  ): Promise<KnownDeviceType> {
    const key = { tenant: context.session.tenant, user: user ?? context.session.user, device };
    return deciding(
      context,
      { action: 'revokeDevice', subject: `${key.user}/${device}` },
      async (_session, useCases) => {
        const revoked = await useCases.revokeDevice(key);
        if (revoked !== null) return toKnownDevice(revoked);
        throw new SyncError('NOT_FOUND', 'expected a device that was here once, there is none of this user and name', {
          field: 'device',
        });
      },
    );
  }
}

function toKnownDevice({ key, phone, seenAtMs, standing, revokedAtMs }: KnownDevice): KnownDeviceType {
  return {
    user: key.user,
    device: key.device,
    state: STATE_OF[standing],
    platform: phone?.platform ?? null,
    pulledAt: isoOrNull(phone?.pulledAtMs),
    hintedAt: isoOrNull(phone?.hintedAtMs),
    isStale: phone?.isStale ?? false,
    seenAt: iso(seenAtMs),
    revokedAt: isoOrNull(revokedAtMs),
  };
}

function placeOf({ user, device }: Pick<KnownDeviceType, 'user' | 'device'>): string {
  return `${encodeURIComponent(user)}/${device}`;
}

function readPlace(place: string | null): { readonly user: string; readonly device: string } | null {
  if (place === null) return null;
  const [, user, device] = /^([^/]*)\/([^/]+)$/.exec(place) ?? [];
  try {
    if (user !== undefined && device !== undefined) return { user: decodeURIComponent(user), device };
  } catch {
    // Not encoded as ours are.
  }
  throw new SyncError('BAD_REQUEST', 'after: expected `next` of a page before, got another text', { field: 'after' });
}
