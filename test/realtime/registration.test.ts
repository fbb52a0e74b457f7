import type { Session } from '../../src/core/session.js';
import { createRegistration } from '../../src/realtime/registration.js';
import { createSeenScopes } from '../../src/realtime/seen-scopes.js';
import { hashText } from '../../src/server/telemetry.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';

const TENANT = 'clinic';
const AT_MOST = 100;
const asked = (token: string) => ({ token, platform: 'ANDROID', collections: null }) as const;
const sessionOf = (...scopes: readonly string[]): Session => ({
  tenant: TENANT,
  user: 'nurse',
  device: 'tablet',
  grant: { kind: 'listed', scopes },
});

test('10,000 tokens of one user are refused from the 101st on, and the others stay', async () => {
  const store = createMemoryStore({ clock: createManualClock(), chance: seededChance(1) });
  await store.openTenant(TENANT);
  const register = createRegistration({ store, seenBy: createSeenScopes(hashText) }, { atMost: AT_MOST });
  const session = sessionOf('north');
  const refused: unknown[] = [];
  for (let n = 0; n < 10_000; n++) {
    const device = { tenant: TENANT, user: 'nurse', device: `tablet ${n}` };
    await register(session, device, asked(`token ${n}`)).catch((thrown: unknown) => refused.push(thrown));
  }
  expect(refused).toHaveLength(10_000 - AT_MOST);
  expect(new Set(refused.map((thrown) => (thrown as { code: string }).code))).toEqual(new Set(['LIMIT_EXCEEDED']));
  expect((await store.countPhones(TENANT)).byPlatform.ANDROID).toBe(AT_MOST);
});

test('equal sets of scopes have one name, whatever their order, and others another', () => {
  const seenBy = createSeenScopes(hashText);
  const seen = seenBy(sessionOf('b', 'a', 'b'));
  expect(seen.scopes).toEqual(['a', 'b']);
  expect(seenBy(sessionOf('a', 'b')).hash).toBe(seen.hash);
  const every = seenBy({ ...sessionOf(), grant: { kind: 'every' } });
  expect(new Set([seen.hash, every.hash, seenBy(sessionOf()).hash, seenBy(sessionOf('a')).hash]).size).toBe(4);
});
