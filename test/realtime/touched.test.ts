import fc from '../support/properties.js';
import type { TouchedPair } from '../../src/core/feed-port.js';
import { sameDevice, type DeviceKey, type ScopeGrant } from '../../src/core/session.js';
import { Audience } from '../../src/realtime/audience.js';
import { offerTouched, type Touchable } from '../../src/realtime/touched.js';

const COLLECTIONS = ['visits', 'patients', 'notes'];
const SCOPES = ['a', 'b', 'c', 'd'];
const DEVICES: readonly DeviceKey[] = ['tablet', 'phone'].map((device) => ({
  tenant: 'clinic',
  user: 'nurse',
  device,
}));

function listener(grant: ScopeGrant, collections: readonly string[], device: DeviceKey | null): Touchable {
  const session = { tenant: 'clinic', user: 'nurse', device: device?.device ?? null, grant };
  return { session, device, collections: new Set(collections) };
}

/** R18, one listener and one pair at a time. */
function dueFor(
  { session: { grant }, collections, device }: Touchable,
  touched: readonly TouchedPair[],
): readonly string[] {
  const isDue = ({ collection, scope, author }: TouchedPair): boolean =>
    collections.has(collection) &&
    (grant.kind === 'every' || grant.scopes.includes(scope)) &&
    !(author !== null && device !== null && sameDevice(author, device));
  return [...new Set(touched.filter(isDue).map(({ collection }) => collection))].sort();
}

function offered(audience: Audience<Touchable>, touched: readonly TouchedPair[]) {
  const due = new Map<Touchable, Set<string>>();
  let offers = 0;
  offerTouched(audience, touched, (member, collection) => {
    offers += 1;
    due.set(member, (due.get(member) ?? new Set()).add(collection));
  });
  return { offers, dueFor: (member: Touchable) => [...(due.get(member) ?? [])].sort() };
}

test('R18: whom a commit concerns is the same, whether its scopes are looked through or its listeners', () => {
  const device = fc.constantFrom(null, ...DEVICES);
  const grant: fc.Arbitrary<ScopeGrant> = fc.oneof(
    fc.constant({ kind: 'every' as const }),
    fc.subarray(SCOPES).map((scopes) => ({ kind: 'listed' as const, scopes })),
  );
  const members = fc.array(fc.tuple(grant, fc.subarray(COLLECTIONS), device), { maxLength: 6 });
  const pair = fc.record({
    collection: fc.constantFrom(...COLLECTIONS),
    scope: fc.constantFrom(...SCOPES),
    author: device,
  });
  fc.assert(
    fc.property(members, fc.array(pair, { maxLength: 12 }), (described, touched) => {
      const listeners = described.map(([may, collections, own]) => listener(may, collections, own));
      const audience = new Audience<Touchable>();
      for (const one of listeners) audience.add(one);
      const heard = offered(audience, touched);
      for (const one of listeners) expect(heard.dueFor(one)).toEqual(dueFor(one, touched));
      for (const one of [...listeners, ...listeners]) audience.remove(one);
      expect([audience.size, audience.places, audience.countIn('a')]).toEqual([0, 0, 0]);
    }),
    { numRuns: 500 },
  );
});

test('a commit that touches nearly everything costs each listener no more than its scopes', () => {
  const scopes = Array.from({ length: 200 }, (_, n) => `route:${n}`);
  const audience = new Audience<Touchable>();
  for (let n = 0; n < 100; n++) audience.add(listener({ kind: 'listed', scopes }, COLLECTIONS, null));
  const touched = COLLECTIONS.flatMap((collection) => scopes.map((scope) => ({ collection, scope, author: null })));
  // Each of 600 pairs for each of 100 listeners would be 60,000.
  expect(offered(audience, touched).offers).toBe(100 * COLLECTIONS.length);
});
