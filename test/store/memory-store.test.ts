import { runStoreContract } from '../contract/store.contract.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';

runStoreContract('the store in memory', async () =>
  createMemoryStore({ clock: createManualClock(), chance: seededChance(1) }),
);
