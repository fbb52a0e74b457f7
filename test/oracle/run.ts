import { difference } from './convergence.js';
import { TENANT, type WatchedDevice } from './device.js';
import { editOnDevice, workInOffice } from './people.js';
import type { Plan, Step } from './plan.js';
import { World, type RunOptions } from './world.js';

/** What a run came to: null, or the promise that it found broken. */
export interface Outcome {
  readonly breach: string | null;
  readonly world: World;
}

/** After the troubles every collection is scanned again before anything is compared. */
const SCANNED_MS = 13_000;
const REST_MS = 5_000;
/** Everything must have come to rest after so long, whatever happened. */
const MOST_REST_MS = 1_500_000;
/** What is at rest stays at rest: so often in a row nothing may differ. */
const QUIET_LOOKS = 2;

/** Runs a plan to its end: the steps, then heal, quiesce, compare. In memory the same plan and mutation give the same run. */
export async function run(plan: Plan, options: RunOptions = {}): Promise<Outcome> {
  const world = new World(plan, options);
  await world.open();
  for (const step of plan.steps) {
    if (world.judge.breach !== null) break;
    await world.pass(step.gapMs);
    await take(world, step);
  }
  await rest(world);
  return { breach: world.judge.breach?.message ?? null, world };
}

async function rest(world: World): Promise<void> {
  world.tell(() => 'all is well from here on');
  world.heal();
  await world.pass(SCANNED_MS);
  // Requests under way when the troubles ended may still take effect, and do.
  while (world.hasRequestsUnderWay() && world.judge.breach === null) await world.pass(1_000);
  const begunMs = world.sim.elapsed;
  let differs: string | null = 'nothing was compared';
  for (let quiet = 0; quiet < QUIET_LOOKS && world.judge.breach === null;) {
    if (world.sim.elapsed - begunMs > MOST_REST_MS) return world.judge.fail(differs ?? 'it does not stay at rest');
    for (const device of world.devices) sync(world, device);
    await world.pass(REST_MS);
    differs = await difference(world);
    quiet = differs === null ? quiet + 1 : 0;
  }
}

function sync(world: World, device: WatchedDevice): void {
  world.watch(world.network.push(device).then(() => world.network.pull(device, 50)));
}

/** One step: most things begin here and go on by themselves. */
async function take(world: World, step: Step): Promise<void> {
  const { network, judge } = world;
  world.tell(() => JSON.stringify(step));
  const at = 'device' in step ? step.device % world.devices.length : 0;
  const device = world.devices[at] as WatchedDevice;
  switch (step.do) {
    case 'edit':
      return editOnDevice(world, device, step);
    case 'push':
      return world.watch(network.push(device));
    case 'pull':
      return world.watch(network.pull(device, step.limit));
    case 'office':
      return workInOffice(world, step);
    case 'trouble':
      return void world.weathers.get(world.system(step.collection).plan.name)?.troubles.push(step.trouble);
    case 'outage':
      for (const [name, weather] of world.weathers) {
        if (world.systems.get(name)?.plan.source !== world.system(step.collection).plan.source) continue;
        weather.downUntilMs = world.sim.nowMs() + step.ms;
        weather.isNoticed = step.isNoticed;
      }
      return;
    case 'blank':
      return void world.weathers.get(world.system(step.collection).plan.name)?.blank(world.sim.nowMs() + step.ms);
    case 'crash':
    case 'storeFault': {
      const { calls, when } = step;
      const at = step.do === 'crash' ? step.at : 'store';
      const what = step.do === 'crash' ? 'crash' : 'fault';
      return void world.nodes[step.node]?.ambushes.push({ at, what, when, calls });
    }
    case 'pause': {
      const node = world.nodes[step.node];
      if (node !== undefined) node.pausedUntilMs = world.sim.nowMs() + step.ms;
      return;
    }
    case 'cut':
      return network.cut(device, step.ms);
    case 'restart':
      return network.hangUp(device);
    case 'forget':
      network.hangUp(device);
      return device.forget();
    case 'grant':
      device.scopes = step.scopes;
      return;
    case 'purge':
      await world.store.purge(TENANT, world.sim.nowMs() - step.ageMs);
      return;
    case 'backup':
      world.keepBackup();
      return;
    case 'restore':
      if (judge.breach === null) await world.restore();
  }
}
