import { randomUUID } from 'node:crypto';
import { createCallSlots, type CallSlots } from '../../src/push/call-slots.js';
import { turns } from './pushing-clinic.js';
import { changeOf, createReferringClinic } from './referring-clinic.js';

/** Asks for slots and notes who has got one, in order; a refused one is noted with "no". */
function takers(slots: CallSlots, count: number): { readonly got: string[]; readonly settle: () => Promise<void> } {
  const got: string[] = [];
  for (let taker = 1; taker <= count; taker++) {
    void slots.take().then((isTaken) => got.push(isTaken ? `${taker}` : `no ${taker}`));
  }
  return { got, settle: () => new Promise((resolve) => setImmediate(resolve)) };
}

describe('the calls to a source that run at once', () => {
  test('are as many as it allows, and the next one is whoever asked first', async () => {
    const slots = createCallSlots(2);
    const { got, settle } = takers(slots, 5);
    await settle();
    expect([got, slots.free()]).toEqual([['1', '2'], -3]);
    slots.give();
    await settle();
    expect([got, slots.free()]).toEqual([['1', '2', '3'], -2]);
    for (let given = 0; given < 2; given++) slots.give();
    await settle();
    expect([got, slots.free()]).toEqual([['1', '2', '3', '4', '5'], 0]);
    for (let given = 0; given < 2; given++) slots.give();
    expect(slots.free()).toBe(2);
  });

  test('are given in order also where thousands wait', async () => {
    const slots = createCallSlots(1);
    const { got, settle } = takers(slots, 3_000);
    for (let given = 0; given < 2_999; given++) slots.give();
    await settle();
    expect(got).toEqual(Array.from({ length: 3_000 }, (_, at) => `${at + 1}`));
    slots.give();
    expect(slots.free()).toBe(1);
  });

  test('are no more than those under way once it is closed: who waits is told, and so is who asks', async () => {
    const slots = createCallSlots(1);
    const { got, settle } = takers(slots, 3);
    await settle();
    slots.close();
    await settle();
    expect(got).toEqual(['1', 'no 2', 'no 3']);
    slots.give();
    expect(await slots.take()).toBe(false);
    expect(slots.free()).toBe(1);
  });

  test('are counted over all collections of the source', async () => {
    const clinic = await createReferringClinic({ facts: { concurrency: 2 } });
    const { customers, visits } = clinic.sources;
    const releases = [customers.hold(), visits.hold()];
    const under = () => customers.traffic.now + visits.traffic.now;
    const changes = (['customers', 'visits', 'customers', 'visits'] as const).map((name) =>
      changeOf(name, randomUUID(), {}),
    );
    const answer = clinic.push.push(clinic.session(), changes, null);
    await turns(20);
    expect(under()).toBe(2);
    for (const release of releases) release();
    expect((await answer).map(({ status }) => status)).toEqual(changes.map(() => 'APPLIED'));
  });
});
