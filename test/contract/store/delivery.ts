import type { LeasedIntent, SendNote } from '../../../src/core/outbox-port.js';
import type { OpenIntent, Settlement } from '../../../src/core/record-port.js';
import { settled, VISITS, type World, type Written } from './world.js';

/** Ends at once: what it covers is free again without waiting. */
export const NO_LEASE_MS = -1;
export const LONG_MS = 60_000;
/** A call whose time, grace included, is over when it is noted. */
export const OVER_MS = -60_000;

/** Leases this tenant's due intents of visits. */
export async function lease(world: World, leaseMs = LONG_MS, limit = 10_000): Promise<readonly LeasedIntent[]> {
  return world.store.leaseIntents({ tenant: world.tenant, collections: [VISITS], holder: 'node', leaseMs, limit });
}

/** Leases this tenant's intents whose call's outcome is unknown, for no time at all. */
export async function inDoubt(world: World): Promise<readonly LeasedIntent[]> {
  return world.store.leaseInDoubt({ tenant: world.tenant, holder: 'node', leaseMs: NO_LEASE_MS, limit: 10_000 });
}

/** The note before a call, decided on the record as it is. */
export async function noteOf(
  world: World,
  intent: Pick<OpenIntent, 'intentNo' | 'id'>,
  fence: number,
  deadlineMs = LONG_MS,
): Promise<SendNote> {
  const { seq, mark } = await world.view(intent.id);
  const { intentNo, id } = intent;
  return { intentNo, fence, collection: VISITS, id, expected: { seq, mark }, payload: '{}', guard: null, deadlineMs };
}

/** A change that is accepted and noted as sent under fence 1; with a deadline that is over its outcome is unknown. */
export async function sent(world: World, id: string, changeId: string, deadlineMs = LONG_MS): Promise<OpenIntent> {
  const leaseMs = deadlineMs < 0 ? NO_LEASE_MS : LONG_MS;
  const intent = await world.accept(id, changeId, world.nurse, { holder: 'node', leaseMs });
  expect(await world.store.noteSent(world.tenant, [await noteOf(world, intent, 1, deadlineMs)])).toEqual(['sent']);
  return intent;
}

/** Settles an open intent under its fence, without a new state of its record. */
export async function settle(
  world: World,
  { intentNo, id, changeId, fence }: OpenIntent,
  how: Partial<Settlement> = {},
): Promise<Written> {
  const { seq, mark } = await world.view(id);
  const { intents } = await world.view(id);
  const held = intents.find((one) => one.intentNo === intentNo)?.fence ?? fence;
  const settlement = settled(world.nurse, changeId, { intent: { intentNo, fence: held }, ...how });
  const write = { collection: VISITS, id: id, expected: { seq, mark }, settlement };
  return (await world.write([write]))[0] as Written;
}
