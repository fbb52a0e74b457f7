import type { PushRequest } from 'replicache';
import { GatewayFault, type FaultCode, type Gateway } from '../../src/client/gateway.js';
import { createPortions } from '../../src/client/portions.js';
import { createFateBook } from '../../src/client/replicache/fate-book.js';
import { createPusher, PUSH_LIMITS } from '../../src/client/replicache/pusher.js';
import { createManualClock } from '../support/manual-clock.js';

const RECORDS = ['V-1', 'V-2', 'poison', 'V-3', 'poison', 'V-1'];

/** A pusher whose gateway fails every push of the third mutation with this code. Each `push` is one of Replicache's. */
function pusherBefore(code: FaultCode) {
  const asked: string[][] = [];
  const taken: string[] = [];
  const clock = createManualClock();
  const portions = createPortions(PUSH_LIMITS, () => clock.nowMs());
  const group = { id: 'group', fates: createFateBook(() => undefined), portions, generation: 0, epoch: 'e1' };
  const gateway: Pick<Gateway, 'push'> = {
    async push(_device, changes) {
      asked.push(changes.map(({ changeId }) => changeId));
      if (asked.at(-1)?.includes('tab:3') === true) throw new GatewayFault(code, 'as the test said');
      taken.push(...changes.map(({ changeId }) => changeId));
      return changes.map(({ changeId }) => ({ changeId, status: 'APPLIED' }));
    },
  };
  let pulls = 0;
  const push = createPusher({
    gateway: gateway as Gateway,
    clock,
    groupOf: () => group,
    unsent: new Set(),
    held: async () => undefined,
    pullSoon: () => void (pulls += 1),
  });
  const mutations = RECORDS.map((id, at) => ({
    clientID: 'tab',
    id: at + 1,
    name: 'visits.update',
    args: {
      id,
      base: 'v1',
      fields: { notes: `${at}` },
      at: '2026-01-01T08:00:00.000Z',
      origin: { epoch: 'e1', generation: 0 },
    },
    timestamp: at,
  }));
  const request = { pushVersion: 1, clientGroupID: 'group', profileID: 'p', schemaVersion: '', mutations };
  return {
    asked,
    taken,
    clock,
    pulls: () => pulls,
    push: async () => (await push(request as unknown as PushRequest, 'request')).httpRequestInfo.httpStatusCode,
  };
}

test.each(['PAYLOAD_TOO_LARGE', 'LIMIT_EXCEEDED', 'BAD_REQUEST'] as const)(
  'R8: a mutation that makes whole pushes fail with %s holds up its own record only',
  async (code) => {
    const { push, taken, asked, clock } = pusherBefore(code);
    // Replicache tries again, ever later.
    expect(await push()).toBe(503);
    expect(taken).toEqual(['tab:1', 'tab:2', 'tab:4', 'tab:6']);
    const before = asked.length;
    expect(await push()).toBe(503);
    expect(asked.length).toBe(before);
    clock.advance(15 * 60_000);
    expect(await push()).toBe(503);
    expect(asked.slice(before)).toEqual([['tab:3']]);
  },
);

test('R8: so does one whose pushes are INTERNAL: less is sent each time, and a pull goes on between', async () => {
  const { push, taken, asked, pulls } = pusherBefore('INTERNAL');
  for (let times = 1; times <= 6; times += 1) expect(await push()).toBe(503);
  // One request of each push fails, so that a gateway in trouble is left alone until Replicache comes again.
  expect(asked.filter((changes) => changes.includes('tab:3')).map(({ length }) => length)).toEqual([6, 3, 2, 2, 1]);
  expect([...taken].sort()).toEqual(['tab:1', 'tab:2', 'tab:4', 'tab:6']);
  expect(pulls()).toBe(6);
});
