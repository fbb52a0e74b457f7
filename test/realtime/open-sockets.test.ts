import type { DeviceKey } from '../../src/core/session.js';
import { createOpenSockets, type OpenSockets } from '../../src/realtime/open-sockets.js';
import { createManualClock } from '../support/manual-clock.js';
import { silentLog } from '../support/postgres.js';

const tablet: DeviceKey = { tenant: 'clinic', user: 'nurse', device: 'tablet' };

interface Gateway {
  readonly sockets: OpenSockets;
  /** What was written: `awake` and for how long, `asleep`. */
  readonly written: string[];
  isAway: boolean;
  isRegistered: boolean;
  readonly pass: (ms: number) => Promise<void>;
}

function gateway(): Gateway {
  const clock = createManualClock();
  const answer = (what: string): void => {
    if (one.isAway) throw new Error('the store does not answer');
    one.written.push(what);
  };
  const store = {
    async noteAwake(_tenant: string, _node: string, all: readonly { readonly forMs: number }[]) {
      answer(`awake ${all.map(({ forMs }) => forMs).join()}`);
      return one.isRegistered ? [] : [tablet];
    },
    noteAsleep: async () => answer('asleep'),
  };
  const sockets = createOpenSockets({ store, clock, log: silentLog }, { node: 'north' });
  const one: Gateway = {
    sockets,
    written: [],
    isAway: false,
    isRegistered: true,
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 3_000) {
        clock.advance(3_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  sockets.start();
  return one;
}

describe('H3: who is awake is known to all gateways', () => {
  test('within three seconds, until 30 s after the last sign of life, and written again only before that ends', async () => {
    const { sockets, written, pass } = gateway();
    const socket = sockets.opened(tablet);
    await pass(3_000);
    expect(written).toEqual(['awake 27000']);
    await pass(6_000);
    socket.seen();
    await pass(6_000);
    expect(written).toEqual(['awake 27000']);
    await pass(3_000);
    expect(written).toEqual(['awake 27000', 'awake 21000']);
    // Half open: it says nothing any more.
    await pass(60_000);
    expect(written).toHaveLength(2);
    await sockets.stop();
  });

  test('as long as one of its sockets is open', async () => {
    const { sockets, written, pass } = gateway();
    const first = sockets.opened(tablet);
    const second = sockets.opened(tablet);
    await pass(3_000);
    first.closed();
    await pass(3_000);
    expect(written).toEqual(['awake 27000']);
    second.closed();
    await pass(3_000);
    expect(written).toEqual(['awake 27000', 'asleep']);
    await sockets.stop();
    expect(written).toHaveLength(2);
  });

  test('what the store did not take is written when it is back', async () => {
    const world = gateway();
    const { sockets, written, pass } = world;
    sockets.opened(tablet);
    world.isAway = true;
    await pass(3_000);
    world.isAway = false;
    await pass(3_000);
    expect(written).toEqual(['awake 24000']);
    await sockets.stop();
  });

  test('also one that registers when its socket is open', async () => {
    const world = gateway();
    const { sockets, written, pass } = world;
    world.isRegistered = false;
    sockets.opened(tablet);
    await pass(3_000);
    world.isRegistered = true;
    await pass(6_000);
    expect(written).toEqual(['awake 27000', 'awake 24000']);
    await sockets.stop();
  });

  test('a gateway that stops has nobody awake', async () => {
    const { sockets, written, pass } = gateway();
    sockets.opened(tablet);
    await pass(3_000);
    await sockets.stop();
    expect(written).toEqual(['awake 27000', 'asleep']);
  });
});
