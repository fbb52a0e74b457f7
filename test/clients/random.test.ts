import { liveDay } from './random-day.js';
import { replicacheClient } from './replicache-client.js';
import { openRoundWorld, type RoundWorld } from './round-world.js';
import { rxdbClient } from './rxdb-client.js';
import { sdkClient } from './sdk-client.js';
import { watermelondbClient } from './watermelondb-client.js';

/** `CLIENTS_SEEDS=200 npm run test:clients`: so many days of each client. `CLIENTS_SEED`: the first; `CLIENT`: of this one only. */
const FIRST_SEED = Number(process.env['CLIENTS_SEED'] ?? 1);
const SEEDS = Number(process.env['CLIENTS_SEEDS'] ?? 1);
const CLIENTS = [sdkClient, rxdbClient, watermelondbClient, replicacheClient].filter(
  ({ name }) => (process.env['CLIENT'] ?? name) === name,
);
const MOST_DAY_MS = 60_000;

describe('days that are drawn by a seed', () => {
  let world: RoundWorld;
  beforeAll(async () => {
    world = await openRoundWorld();
  });
  afterAll(() => world.stop());

  const seeds = Array.from({ length: SEEDS }, (_, at) => FIRST_SEED + at);
  const days = seeds.flatMap((seed) => CLIENTS.map((client) => ({ client, seed, name: client.name })));
  test.each(days)(
    '$name, seed $seed: in the end the replica equals the system, nothing lost, nothing twice',
    async ({ client, seed }) => {
      const told = await liveDay(world, client, seed);
      if (process.env['TRACE'] !== undefined) console.log(told.join('\n'));
    },
    MOST_DAY_MS,
  );
});
