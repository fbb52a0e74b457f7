import type { PushRequest } from 'replicache';
import { deviceClock } from '../../src/client/client-clock.js';
import { GatewayFault, type Gateway } from '../../src/client/gateway.js';
import { createFateBook } from '../../src/client/replicache/fate-book.js';
import { createPusher } from '../../src/client/replicache/pusher.js';

test('R8: a mutation that makes whole pushes fail holds up its own record only', async () => {
  const taken: string[] = [];
  const group = { id: 'group', fates: createFateBook(() => undefined), generation: 0 };
  const gateway: Pick<Gateway, 'push'> = {
    async push(_device, changes) {
      if (changes.some(({ changeId }) => changeId === 'tab:3')) throw new GatewayFault('PAYLOAD_TOO_LARGE', 'too much');
      taken.push(...changes.map(({ changeId }) => changeId));
      return changes.map(({ changeId }) => ({ changeId, status: 'APPLIED' }));
    },
  };
  const push = createPusher({
    gateway: gateway as Gateway,
    clock: deviceClock,
    groupOf: () => group,
    unsent: new Set(),
    pullSoon: () => undefined,
  });
  const records = ['V-1', 'V-2', 'poison', 'V-3', 'poison', 'V-1'];
  const mutations = records.map((id, at) => ({
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
  const { httpRequestInfo } = await push(request as unknown as PushRequest, 'request');
  expect(taken).toEqual(['tab:1', 'tab:2', 'tab:4', 'tab:6']);
  // Replicache tries again, ever later.
  expect(httpRequestInfo.httpStatusCode).toBe(503);
});
