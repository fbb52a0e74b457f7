import { createReadiness } from '../../src/server/readiness.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';

const TENANT = 'clinic';

test('R2, F5: a collection is ready when it was read once, and after a restore when it was scanned once more', async () => {
  const clock = createManualClock();
  const store = createMemoryStore({ clock, chance: seededChance(1) });
  await store.openTenant(TENANT);
  const readiness = createReadiness({ store, clock, collections: ['visits', 'patients'] });
  const unready = async () => [...(await readiness.priming(TENANT)).priming];
  const scanned = (collection: string) =>
    store.commit(TENANT, [], { ingest: { collection, state: 'READY', scannedAtMs: clock.nowMs() } });
  await scanned('visits');
  expect(await unready()).toEqual(['patients']);
  await scanned('patients');
  expect(await unready()).toEqual([]);

  await store.newEpoch(TENANT, (await store.readHead(TENANT)).epoch);
  // What is believed for a second is of the epoch before.
  const { epoch } = await store.readHead(TENANT);
  expect((await readiness.priming(TENANT)).epoch).not.toBe(epoch);
  clock.advance(1_000);
  expect(await unready()).toEqual(['visits', 'patients']);
  await scanned('visits');
  expect(await unready()).toEqual(['patients']);
  await scanned('patients');
  expect(await readiness.priming(TENANT)).toEqual({ epoch, priming: new Set() });
});
