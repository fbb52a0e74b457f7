import type { PhoneContact } from '../../src/core/phone-port.js';
import type { Session } from '../../src/core/session.js';
import { createSeenScopes } from '../../src/realtime/seen-scopes.js';
import { createPhones } from '../../src/server/phones.js';
import { PUSH_SETTINGS } from '../../src/server/push-settings.js';
import { hashText } from '../../src/server/telemetry.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';

const tenant = 'clinic';
const nurse: Session = { tenant, user: 'nurse', device: 'tablet', grant: { kind: 'every' } };

/** What is noted of one use of a gateway that serves visits and patients. */
async function noted(use: (phones: ReturnType<typeof createPhones>) => Promise<unknown>): Promise<PhoneContact[]> {
  const clock = createManualClock();
  const chance = seededChance(1);
  const contacts: PhoneContact[] = [];
  const store = createMemoryStore({ clock, chance });
  await store.openTenant(tenant);
  const noting = {
    ...store,
    async noteContacts(_tenant: string, some: readonly PhoneContact[]) {
      contacts.push(...some);
      return [];
    },
  };
  const phones = createPhones(
    {
      store: noting,
      sender: { send: async () => [] },
      clock,
      chance,
      log: silentLog,
      seenBy: createSeenScopes(hashText),
      counts: null,
    },
    {
      tenant,
      holder: 'node',
      collections: ['visits', 'patients'],
      push: PUSH_SETTINGS.parse({ fcm: { endpoint: 'http://127.0.0.1:9' } }),
    },
  );
  phones.start();
  await use(phones);
  await phones.stop();
  return contacts;
}

const pulling = (hasMore: boolean, collections: readonly string[] | null): Promise<PhoneContact[]> =>
  noted((phones) =>
    phones.noting(async () => ({ epoch: 'e1', seq: 7, hasMore }) as never)(nurse, { collections } as never),
  );

describe('H3: what a phone holds', () => {
  test.each([
    ['everything', null, null],
    ['everything, by name', ['patients', 'visits'], null],
    ['one collection', ['visits'], ['visits']],
  ])('is what a pull to the end brought: %s', async (_what, asked, collections) => {
    expect(await pulling(false, asked)).toMatchObject([{ pulled: { epoch: 'e1', seq: 7, collections }, told: [] }]);
  });

  test('is not what a pull brought that has more', async () => {
    expect(await pulling(true, null)).toMatchObject([{ pulled: null }]);
  });

  test('H6: its author was told of what is settled, and not of what is only accepted: its receipt is news', async () => {
    const results = ['APPLIED', 'ACCEPTED', 'REJECTED'].map((status, n) => ({ status, changeId: `c${n}` }));
    const contacts = await noted((phones) => phones.notingPush(async () => results as never)(nurse, [], null));
    expect(contacts).toMatchObject([{ pulled: null, told: ['c0', 'c2'] }]);
    const nothing = [{ status: 'ACCEPTED', changeId: 'c1' }] as never;
    expect(await noted((phones) => phones.notingPush(async () => nothing)(nurse, [], null))).toEqual([]);
  });
});
