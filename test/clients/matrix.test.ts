import type { ClientUnderTest, Replica } from './client-under-test.js';
import { openRoundWorld, type RoundWorld } from './round-world.js';
import { replicacheClient } from './replicache-client.js';
import { rxdbClient } from './rxdb-client.js';
import { sdkClient } from './sdk-client.js';
import { SCENARIOS } from './scenarios.js';
import { commitTable, committedTable, tableOf } from './table.js';
import { watermelondbClient } from './watermelondb-client.js';

/** Each on a world of its own: a system, a Postgres, a gateway process, a network. */
const CLIENTS: readonly ClientUnderTest[] = [sdkClient, rxdbClient, watermelondbClient, replicacheClient];

const matrix = new Map<string, Map<string, boolean>>();

describe.each(CLIENTS)('$name $version', (client) => {
  const held = new Map<string, boolean>();
  let world: RoundWorld;
  let replica: Replica;
  beforeAll(async () => {
    matrix.set(`${client.name} ${client.version}`, held);
    world = await openRoundWorld();
    replica = await world.open(client);
  });
  afterAll(async () => {
    await replica.close();
    await world.stop();
  });

  test.each(SCENARIOS)(
    '$name: in the end the replica equals the system, nothing lost, nothing twice',
    async (scenario) => {
      held.set(scenario.name, false);
      await scenario.run(world, replica);
      await world.untilEqual(replica);
      held.set(scenario.name, true);
    },
  );
});

test('docs/clients.md shows the table of this run', async () => {
  const table = await tableOf(matrix);
  const isWhole = matrix.size === CLIENTS.length && [...matrix.values()].every(({ size }) => size === SCENARIOS.length);
  if (isWhole && process.env['npm_lifecycle_event'] === 'test:clients') commitTable(table);
  expect(committedTable()).toBe(table);
});
