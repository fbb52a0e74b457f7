import type { ClientUnderTest, Replica } from './client-under-test.js';
import { openRoundWorld, type RoundWorld } from './round-world.js';
import { rxdbClient } from './rxdb-client.js';
import { watermelondbClient } from './watermelondb-client.js';

const CLIENTS: readonly ClientUnderTest[] = [rxdbClient, watermelondbClient];
/** More than the 4 MiB that a gateway takes in one body. */
const HUGE = 'x'.repeat(5_000_000);

describe.each(CLIENTS)('$name', (client) => {
  let world: RoundWorld;
  let replica: Replica;
  beforeAll(async () => {
    world = await openRoundWorld();
    replica = await world.open(client);
    await world.untilEqual(replica);
  });
  afterAll(async () => {
    await replica.close();
    await world.stop();
  });

  const noteOf = (id: string): unknown => world.system.records('visits', 'north').get(id)?.['note'];

  /** Visits from number 10 on. */
  async function editMany(count: number, note: (at: number) => string): Promise<void> {
    const numbers = Array.from({ length: count }, (_one, at) => at + 10);
    for (const at of numbers) await replica.edit('visits', `V-${at}`, { note: note(at) });
    const areThere = (): boolean => numbers.every((at) => noteOf(`V-${at}`) === note(at));
    await world.untilSynced(replica, 'all are in the system', areThere);
    await world.untilEqual(replica);
  }

  test('R8: one note that no gateway takes holds up no other edit and no pull', async () => {
    await replica.edit('visits', 'V-1', { note: HUGE });
    await replica.edit('visits', 'V-2', { note: 'small' });
    world.system.edit('visits', 'V-3', { note: 'by the office' });
    await world.untilSynced(replica, 'the small one is there', () => noteOf('V-2') === 'small');
    await world.untilSynced(
      replica,
      'the pull goes on',
      async () => (await replica.all('visits')).get('V-3')?.['note'] === 'by the office',
    );
    if (replica.waiting === undefined) expect(replica.refusals()).toEqual(['V-1']);
    else {
      expect([await replica.waiting(), replica.refusals()]).toEqual([['V-1'], []]);
      expect((await replica.all('visits')).get('V-1')?.['note']).toBe(HUGE);
    }
    // Its user makes it shorter.
    await replica.edit('visits', 'V-1', { note: 'shorter' });
    await world.untilEqual(replica);
    expect(noteOf('V-1')).toBe('shorter');
  });

  test('R8: edits that are too much for one body go out in several', () =>
    editMany(55, (at) => `${at} ${'x'.repeat(80_000)}`));

  test('R8: a gateway that takes ten changes in a push gets all', async () => {
    await world.kill();
    await world.restart({ ROUND_CHANGES_PER_PUSH: '10' });
    await editMany(30, (at) => `one of many ${at}`);
  });
});
