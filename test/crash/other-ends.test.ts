import pg from 'pg';
import { stopGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { seededChance } from '../support/seeded-chance.js';
import { createSyncDevice, type SyncDevice } from '../support/sync-device.js';
import { until } from '../support/until.js';
import { createChangeLog, type ChangeLog } from './change-log.js';
import type { Armed, PointName } from './crash-points.js';
import { createSweepEdits, type SweepEdits } from './sweep-edits.js';
import { startSweepWorld, type SweepWorld } from './sweep-world.js';
import { CAPABILITIES } from './capabilities.js';
import { isSettled, judge } from './verdict.js';

// What ends besides a gateway: points 12, 14 and 15 of the design's list.

/** A lease lasts 30 s, and a call in doubt is looked at when nothing of it can come any more. */
const FOUND_OUT_WITHIN_MS = 90_000;
const SETTLED_WITHIN_MS = 120_000;
const OUTAGES = 8;

let world: SweepWorld;
let log: ChangeLog;
let edits: SweepEdits;

beforeAll(async () => {
  world = await startSweepWorld(200);
  log = createChangeLog(world.device);
  edits = createSweepEdits(world.device, log);
});

afterAll(async () => {
  await world.stop();
});

/** The same device through another gateway. */
function deviceAt(gateway: GatewayProcess): SyncDevice {
  return createSyncDevice('nurse', () => gateway.url);
}

function newUpdate(changeId: string): ReturnType<SweepEdits['one']> {
  return edits.one({ capability: 'guarded', kind: 'update', changeId, label: changeId, isUnwanted: false });
}

function effectsOf(note: string): number {
  return world.journal().filter((entry) => entry.note === note).length;
}

function heldAt(point: PointName, changes: string): Armed {
  return { point, capability: 'guarded', kind: 'update', changes, pass: 1, isHeld: true };
}

describe('a device that ends', () => {
  test('R7: after its push and before the answer: the repeat gets what is stored, and nothing is done twice', async () => {
    const edit = newUpdate('device-push');
    await world.deviceProxy.set({ kind: 'resetAfter' });
    expect(await log.push([edit])).toBe(false);
    await world.deviceProxy.set({ kind: 'pass' });
    expect(await log.push([edit])).toBe(true);
    expect(log.fateOf(edit.changeId)?.status).toBe('APPLIED');
    expect(effectsOf(edit.changeId)).toBe(1);
  });

  test('R2: between a page and its checkpoint: the same page comes again', async () => {
    const before = world.device.checkpoint;
    await world.deviceProxy.set({ kind: 'truncateAnswer', bytes: 300 });
    await expect(world.device.page(1_000)).rejects.toThrow();
    await world.deviceProxy.set({ kind: 'pass' });
    expect(world.device.checkpoint).toBe(before);
    const { changes, receipts } = await world.device.page(1_000);
    expect(changes.map(({ id }) => id)).toEqual([...log.changes.values()].map(({ edit }) => edit.id));
    expect(receipts.map(({ changeId, status }) => [changeId, status])).toEqual([['device-push', 'APPLIED']]);
  });
});

describe('a store whose connections end', () => {
  test('R10, R11: in the middle of whatever it does: nothing is lost or done twice', async () => {
    const chance = seededChance(5);
    const client = new pg.Client({ connectionString: world.databaseUrl });
    await client.connect();
    let isOver = false;
    let made = 0;
    const pushing = Array.from({ length: 3 }, async () => {
      while (!isOver) {
        const capability = CAPABILITIES[Math.floor(chance() * CAPABILITIES.length)] as (typeof CAPABILITIES)[number];
        const change = { capability, kind: 'create', label: 'store', isUnwanted: false } as const;
        await log.push([edits.one({ ...change, changeId: `store-${made++}` })]);
      }
    });
    for (let outage = 0; outage < OUTAGES; outage++) {
      const madeBefore = made;
      await until('there is work', async () => made > madeBefore + 2);
      await client.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tidegate:%'`,
      );
    }
    isOver = true;
    await Promise.all(pushing);
    await client.end();
    await until(
      'every change is settled',
      async () => {
        await log.push(log.unanswered());
        await world.device.pull().catch(() => undefined);
        return isSettled(log);
      },
      SETTLED_WITHIN_MS,
    );
    const { lost, twice, wrong, parkedWrongly } = judge(log, world.journal());
    expect({ lost, twice, wrong, parkedWrongly }).toEqual({ lost: [], twice: [], wrong: [], parkedWrongly: [] });
  }, 200_000);
});

describe('a gateway that stands still until others take its calls for ended', () => {
  test('R11, F13: begins no call and settles none when it goes on', async () => {
    world.gateway.signal('SIGKILL');
    await world.gateway.ended;
    await world.start(null);
    const [noted, called] = [newUpdate('held-note'), newUpdate('held-answer')];
    const holders = await Promise.all([
      world.startAnother(heldAt('after note', 'held-note')),
      world.startAnother(heldAt('after answer', 'held-answer')),
    ]);
    const [first, second] = holders.map(deviceAt) as [SyncDevice, SyncDevice];
    const pushes = [first.push([noted]), second.push([called])];
    for (const holder of holders) await holder.line(/^crash: /);
    await until(
      'another gateway found out what became of them',
      async () => {
        await world.device.pull();
        return [noted, called].every(({ changeId }) => world.device.receipts.get(changeId)?.status === 'APPLIED');
      },
      FOUND_OUT_WITHIN_MS,
    );
    for (const holder of holders) holder.signal('SIGCONT');
    await Promise.allSettled(pushes);
    // What they do next comes after whatever they would still do with the old calls.
    for (const [at, holder] of holders.entries()) {
      const device = deviceAt(holder);
      await device.pull();
      const later = { ...newUpdate(`held-later-${at}`) };
      // Whether its source is still there it finds out first, and no push waits for that.
      await until('a later change is applied', async () => (await device.push([later]))[0]?.status === 'APPLIED');
    }
    expect([noted, called].map(({ changeId }) => effectsOf(changeId))).toEqual([1, 1]);
    const repeats = await world.device.push([noted, called]);
    expect(repeats.map(({ status }) => status)).toEqual(['APPLIED', 'APPLIED']);
    for (const holder of holders) expect(await stopGatewayProcess(holder)).toBe(0);
  }, 200_000);
});
