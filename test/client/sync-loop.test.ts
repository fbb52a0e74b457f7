import { GatewayFault } from '../../src/client/gateway.js';
import type { HintListener, HintSession } from '../../src/client/hints.js';
import { createSyncLoop, type SyncLoop } from '../../src/client/sync-loop.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { openFilledTablet, settled } from './device.js';

const PACE = { intervalMs: 100_000, retryMs: 1_000, mostRetryMs: 8_000 };

/** A loop whose cycles end as the test says; chance is at its most, so that a pause is as long as it may be. */
function loopOf(ends: (() => Promise<boolean>)[]) {
  const clock = createManualClock();
  const begun: number[] = [];
  const told: string[] = [];
  const pauses: (AbortSignal | undefined)[] = [];
  const wait: ManualClock['wait'] = (ms, signal) => {
    pauses.push(signal);
    return clock.wait(ms, signal);
  };
  const loop = createSyncLoop(
    () => {
      begun.push(clock.monotonicMs());
      return (ends.shift() ?? (async () => false))();
    },
    { clock: { ...clock, wait }, chance: () => 1, pace: PACE },
    ({ code }) => told.push(code),
  );
  return { loop, clock, begun, told, pauses };
}

const fails = (retryAfterMs?: number) => async (): Promise<boolean> => {
  throw new GatewayFault('UNAVAILABLE', 'away', retryAfterMs === undefined ? {} : { retryAfterMs });
};

async function pass(clock: ManualClock, ms: number): Promise<void> {
  clock.advance(ms);
  await settled();
}

test('it syncs at its start and at every interval', async () => {
  const { loop, clock, begun } = loopOf([]);
  loop.start();
  loop.start();
  await settled();
  for (let n = 0; n < 2; n++) await pass(clock, 100_000);
  expect(begun).toEqual([0, 100_000, 200_000]);
  await loop.stop();
});

test('what fails is tried again, ever later, up to a limit; a success begins anew', async () => {
  const { loop, clock, begun, told } = loopOf([fails(), fails(), fails(), fails(), fails()]);
  loop.start();
  for (let second = 0; second < 40; second++) await pass(clock, second === 0 ? 0 : 1_000);
  expect(begun.map((at) => at / 1_000)).toEqual([0, 1, 3, 7, 15, 23]);
  expect(told).toEqual(Array.from({ length: 5 }, () => 'UNAVAILABLE'));
  await loop.stop();
});

test('the gateway’s wish to be left alone counts for more', async () => {
  const { loop, clock, begun } = loopOf([fails(20_000)]);
  loop.start();
  await settled();
  await pass(clock, 19_999);
  loop.wake(true);
  await settled();
  expect(begun.length).toBe(1);
  await pass(clock, 1);
  expect(begun.length).toBe(2);
  await loop.stop();
});

test('R8: an edit does not wait for another one that stays queued', async () => {
  const { loop, clock, begun } = loopOf([async () => true, async () => true, async () => true]);
  loop.start();
  for (let second = 0; second < 4; second++) await pass(clock, second === 0 ? 0 : 1_000);
  expect(begun.map((at) => at / 1_000)).toEqual([0, 1, 3]);
  loop.wake(false);
  await settled();
  expect(begun.length).toBe(4);
  await loop.stop();
});

test('an edit ends the pause between syncs, but not the one after a failure; that the network is back does', async () => {
  const { loop, clock, begun } = loopOf([async () => false, fails()]);
  loop.start();
  await settled();
  loop.wake(false);
  await settled();
  expect(begun.length).toBe(2);
  loop.wake(false);
  await settled();
  expect(begun.length).toBe(2);
  loop.wake(true);
  await settled();
  expect(begun.length).toBe(3);
  await pass(clock, 0);
  await loop.stop();
});

test('one cycle at a time: whatever comes in the midst of it is one more', async () => {
  let running = 0;
  let most = 0;
  const slow = async (): Promise<boolean> => {
    most = Math.max(most, (running += 1));
    await settled();
    running -= 1;
    return false;
  };
  const { loop, begun } = loopOf(Array.from({ length: 9 }, () => slow));
  loop.start();
  for (let n = 0; n < 5; n++) loop.wake(true);
  await Promise.all([loop.run(), loop.run()]);
  for (let n = 0; n < 6; n++) await settled();
  expect([most, begun.length]).toEqual([1, 4]);
  await loop.stop();
});

test('the network that comes back while a request fails for want of it is not forgotten; a gateway’s wish counts for more', async () => {
  let fail: () => void = () => undefined;
  const hangs = (fault: GatewayFault) => (): Promise<boolean> =>
    new Promise((_resolve, reject) => (fail = () => reject(fault)));
  const { loop, begun } = loopOf([
    hangs(new GatewayFault('UNREACHABLE', 'away')),
    hangs(new GatewayFault('RATE_LIMITED', 'too many', { retryAfterMs: 20_000 })),
  ]);
  loop.start();
  const begins: number[] = [];
  for (let n = 0; n < 2; n++) {
    await settled();
    loop.wake(true);
    fail();
    await settled();
    begins.push(begun.length);
  }
  expect(begins).toEqual([2, 2]);
  await loop.stop();
});

test('what is left queued is tried again soon, without being a failure', async () => {
  const { loop, clock, begun, told } = loopOf([async () => true]);
  loop.start();
  await settled();
  await pass(clock, 1_000);
  expect([begun.length, told]).toEqual([2, []]);
  await loop.stop();
});

test.each([
  ['after a sync', []],
  ['after a failure', [fails()]],
  ['that the gateway asked for', [fails(20_000)]],
])('stopping ends the pause %s, so that no timer is left', async (_what, ends) => {
  const { loop, pauses } = loopOf([...ends]);
  loop.start();
  await settled();
  await loop.stop();
  expect(pauses.map((signal) => signal?.aborted)).toEqual([true]);
});

test('stopping waits for the cycle under way', async () => {
  let end: () => void = () => undefined;
  const { loop }: { loop: SyncLoop } = loopOf([() => new Promise((resolve) => (end = () => resolve(false)))]);
  loop.start();
  await settled();
  let isStopped = false;
  const stopped = loop.stop().then(() => (isStopped = true));
  await settled();
  expect(isStopped).toBe(false);
  end();
  await stopped;
});

describe('hints', () => {
  async function hinted() {
    const lines: { readonly session: HintSession; readonly listener: HintListener; isEnded: boolean }[] = [];
    const wakes: (() => void)[] = [];
    const tablet = await openFilledTablet({
      device: 'tablet',
      collections: ['visits'],
      headers: () => ({ authorization: 'Bearer token' }),
      pace: PACE,
      triggers: (wake) => {
        wakes.push(wake);
        return () => void wakes.pop();
      },
      hints: (session, listener) => {
        const line = { session, listener, isEnded: false };
        lines.push(line);
        return () => (line.isEnded = true);
      },
    });
    tablet.client.start();
    await settled();
    return { tablet, lines, wakes, pulls: () => tablet.gateway.pulls.length };
  }

  test('a line names the device and its credentials; once it is up, and at every hint, there is a pull', async () => {
    const { tablet, lines, pulls } = await hinted();
    expect(lines[0]?.session).toEqual({
      url: 'ws://ward.example/graphql',
      device: 'tablet',
      headers: { authorization: 'Bearer token' },
      collections: ['visits'],
    });
    const before = pulls();
    lines[0]?.listener.up();
    await settled();
    lines[0]?.listener.hint(['visits']);
    await settled();
    expect(pulls()).toBe(before + 2);
    await tablet.client.close();
    expect(lines[0]?.isEnded).toBe(true);
  });

  test('R18: a line that is lost is opened again, ever later, and nothing depends on it', async () => {
    const { tablet, lines } = await hinted();
    lines[0]?.listener.down(1006);
    await settled();
    expect(lines.length).toBe(1);
    await pass(tablet.clock, 1_000);
    expect(lines.length).toBe(2);
    lines[1]?.listener.down(1006);
    await settled();
    await pass(tablet.clock, 1_000);
    expect(lines.length).toBe(2);
    await pass(tablet.clock, 1_000);
    expect(lines.length).toBe(3);
    // One that was up begins anew.
    lines[2]?.listener.up();
    lines[2]?.listener.down(1006);
    await settled();
    await pass(tablet.clock, 1_000);
    expect(lines.length).toBe(4);
    await tablet.client.close();
    await pass(tablet.clock, 60_000);
    expect(lines.length).toBe(4);
  });

  test('a device that is sent away asks once more, and hears why', async () => {
    const { tablet, lines } = await hinted();
    tablet.gateway.pullFault = 'DEVICE_REVOKED';
    lines[0]?.listener.down(4410);
    await settled();
    expect(tablet.heard).toContain('revoked');
    await pass(tablet.clock, 60_000);
    expect(lines.length).toBe(1);
    await tablet.client.close();
  });

  test('when the network is back, or the app in front again, both line and pull are tried at once', async () => {
    const { tablet, lines, wakes, pulls } = await hinted();
    lines[0]?.listener.down(1006);
    tablet.gateway.pullFault = 'UNAVAILABLE';
    await tablet.client.sync().catch(() => undefined);
    const before = pulls();
    wakes[0]?.();
    await settled();
    expect([lines.length, pulls()]).toEqual([2, before + 1]);
    await tablet.client.close();
    expect(wakes).toEqual([]);
  });
});
