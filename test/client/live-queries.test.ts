import { createLiveQueries } from '../../src/client/live-queries.js';
import { openFilledTablet } from './device.js';
import { refusal } from './scripted-gateway.js';

const VISITS = { collection: 'visits', id: null };

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

test('what changes in the very moment in which an answer was told is told, too', async () => {
  for (let moment = 0; moment < 12; moment++) {
    const queries = createLiveQueries(() => undefined);
    let held = 1;
    const told: number[] = [];
    queries.observe(
      VISITS,
      async () => held,
      (answer) => told.push(answer),
    );
    await turns(moment);
    held = 2;
    queries.changed(null);
    await turns(40);
    expect([moment, told.at(-1)]).toEqual([moment, 2]);
  }
});

test('a question that failed is asked again when something changed meanwhile', async () => {
  const failures: unknown[] = [];
  const queries = createLiveQueries((thrown) => failures.push(thrown));
  const told: string[] = [];
  let asks = 0;
  queries.observe(
    VISITS,
    async () => {
      if (asks++ > 0) return 'read';
      queries.changed(null);
      throw new Error('the store was busy');
    },
    (answer) => told.push(answer),
  );
  await turns(40);
  expect([told, failures.length]).toEqual([['read'], 1]);
});

test('an app whose callbacks throw is synced all the same, and hears of every edit', async () => {
  const heard: string[] = [];
  const tablet = await openFilledTablet({
    on: {
      rejected({ id }) {
        heard.push(id);
        throw new Error('the app has a fault');
      },
    },
  });
  const errors: (string | undefined)[] = [];
  tablet.client.status.observe(({ error }) => errors.push(error?.message));
  let states = 0;
  tablet.client.status.observe(() => {
    if (states++ > 0) throw new Error('the page has another');
  });
  for (const id of ['V-1', 'V-2']) await tablet.client.collection('visits').patch(id, { notes: 'mine' });
  tablet.gateway.answer = ({ changes }) => changes.map(({ changeId }) => refusal(changeId, 'SOURCE_REFUSED'));
  const pulls = tablet.gateway.pulls.length;
  await tablet.client.sync();
  expect(heard).toEqual(['V-1', 'V-2']);
  expect(tablet.gateway.pulls.length).toBeGreaterThan(pulls);
  expect(errors).toEqual(expect.arrayContaining(['the app has a fault', 'the page has another']));
  expect(states).toBe(2);
});
