import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { startStallWatchdog } from '../../src/server/stall-watchdog.js';
import { builtProgram } from '../support/built-program.js';
import { createManualClock } from '../support/manual-clock.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function watched() {
  const clock = createManualClock();
  const said: string[] = [];
  const say = (what: string): void => void said.push(what);
  const log = { debug: say, info: say, warn: say, error: say };
  let ends = 0;
  const watchdog = startStallWatchdog({ clock, log, end: () => void (ends += 1) });
  return { clock, said, watchdog, ends: () => ends };
}

describe('the stall watchdog', () => {
  test('F13: lets a process live whose event loop goes round', async () => {
    const { clock, said, watchdog, ends } = watched();
    for (let second = 0; second < 120; second++) {
      clock.advance(1_000);
      await turn();
    }
    // Busy, but well within half a lease.
    clock.advance(15_000);
    await turn();
    await watchdog.stop();
    expect({ ends: ends(), said }).toEqual({ ends: 0, said: [] });
  });

  test('F13: ends a process that stood still for longer than half a lease, and says why', async () => {
    const { clock, said, watchdog, ends } = watched();
    clock.advance(16_001);
    await turn();
    expect({ ends: ends(), said }).toEqual({
      ends: 1,
      said: ['the process stood still for too long and ends: others may have taken over what it was doing'],
    });
    await watchdog.stop();
  });

  test('F13: a real process that was blocked ends as after a fault, once it goes on', () => {
    const built = pathToFileURL(builtProgram());
    const script = `
      const from = (name) => import(new URL('../server/' + name, ${JSON.stringify(built.href)}));
      const { startStallWatchdog } = await from('stall-watchdog.js');
      const { systemClock } = await from('clock.js');
      const { createLog } = await from('telemetry.js');
      startStallWatchdog({ clock: systemClock, log: createLog('error'), limitMs: 300, end: () => process.exit(1) });
      setTimeout(() => {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);
      }, 10);
      setTimeout(() => process.exit(0), 60_000);`;
    const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(stderr).toContain('stood still for too long');
    expect(status).toBe(1);
  });
});
