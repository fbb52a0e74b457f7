import type { SentCall } from '../../src/core/intent.js';
import type { RecordStore } from '../../src/core/record-port.js';
import type { Push } from '../../src/push/push.js';
import { createClinic, edit, turns, type Clinic } from './pushing-clinic.js';

/** A process that looks into doubts, and what it asked its store. */
interface Watch {
  readonly push: Push;
  /** Most doubts that it asked for, at each look. */
  readonly asked: readonly number[];
  /** Records that it looked into. */
  readonly found: ReadonlySet<string>;
  /** Holds what it writes of doubts. */
  hold(): { readonly release: (count: number) => void };
}

function watch(clinic: Clinic): Watch {
  const { store } = clinic;
  const asked: number[] = [];
  const found = new Set<string>();
  let waiting: (() => void)[] | null = null;
  const watched: RecordStore = {
    ...store,
    async leaseInDoubt(request) {
      asked.push(request.limit);
      const leased = await store.leaseInDoubt(request);
      for (const { id } of leased) found.add(id);
      return leased;
    },
    async leaveInDoubt(intent, lookInMs) {
      if (waiting !== null) await new Promise<void>((resolve) => waiting?.push(resolve));
      return store.leaveInDoubt(intent, lookInMs);
    },
  };
  return {
    push: clinic.another({ holder: 'watching', store: watched }),
    asked,
    found,
    hold() {
      waiting = [];
      return { release: (count) => waiting?.splice(0, count).forEach((go) => go()) };
    },
  };
}

/** Calls that a process made and did not live to see answered; the source is down since. */
async function lostCalls(clinic: Clinic, ids: readonly string[], deadlineMs = 1): Promise<void> {
  const { store, tenant, source } = clinic;
  source.isBroken = true;
  const changes = [];
  for (const id of ids) changes.push(edit(id, await clinic.visit(id), { note: 'done' }));
  await clinic.push.push(clinic.session(), changes, null);
  const collections = ['visits'];
  const leased = await store.leaseIntents({ tenant, collections, holder: 'gone', leaseMs: 1, limit: ids.length });
  for (const { intentNo, fence, id } of leased) {
    const { seq, mark, sourceKey } = await clinic.view(id);
    const call: SentCall = { kind: 'update', sourceKey, fields: { note: 'done' }, status: 'APPLIED' };
    const note = { intentNo, fence, collection: 'visits', id, expected: { seq, mark }, guard: 'v1', deadlineMs };
    expect(await store.noteSent(tenant, [{ ...note, payload: JSON.stringify(call) }])).toEqual(['sent']);
  }
}

async function pass(clinic: Clinic, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clinic.clock.advance(50);
    await turns();
  }
}

const IDS = Array.from({ length: 120 }, (_, at) => `${at + 1}`);

describe('R11: calls whose holder is gone', () => {
  test('are looked into fifty at a time, and what did not fit follows when half of them is done', async () => {
    const clinic = await createClinic({ isStarted: false });
    await lostCalls(clinic, IDS);
    clinic.clock.advance(1_000);
    const watching = watch(clinic);
    const { push, asked, found } = watching;
    const { release } = watching.hold();
    push.start();
    await pass(clinic, 3_000);
    expect([asked, found.size]).toEqual([[50], 50]);
    release(25);
    await pass(clinic, 2_000);
    expect([asked, found.size]).toEqual([[50, 25], 75]);
    const stopped = push.stop();
    let isStopped = false;
    void stopped.then(() => (isStopped = true));
    await turns(30);
    // What was begun is ended before.
    expect(isStopped).toBe(false);
    release(50);
    await stopped;
  });

  test('are all looked into one after the other, without a rest while there are more', async () => {
    const clinic = await createClinic({ isStarted: false });
    await lostCalls(clinic, IDS);
    clinic.clock.advance(1_000);
    const { push, found } = watch(clinic);
    push.start();
    await pass(clinic, 750);
    expect(found.size).toBe(IDS.length);
    clinic.source.isBroken = false;
    const isOpen = async (id: string) => (await clinic.view(id)).intents.length > 0;
    await clinic.until(async () => !(await Promise.all(IDS.map(isOpen))).includes(true));
    expect(clinic.source.journal).toHaveLength(IDS.length);
    await push.stop();
  });

  test('are not asked for at every look at the outbox', async () => {
    const clinic = await createClinic({ isStarted: false });
    const { push, asked } = watch(clinic);
    push.start();
    await pass(clinic, 750);
    expect(asked).toEqual([50]);
    await pass(clinic, 2_000);
    expect(asked).toEqual([50, 50]);
    await push.stop();
  });

  test('are found in time although another doubt has to wait for long', async () => {
    const facts = { updateGuard: 'none', maxRequestLifetimeMs: 60_000 } as const;
    const clinic = await createClinic({ isStarted: false, facts });
    await lostCalls(clinic, ['17'], 3_000);
    clinic.source.isBroken = false;
    const version = await clinic.visit('18');
    const { push, found } = watch(clinic);
    push.start();
    clinic.source.script.push('loseRequest');
    void push.push(clinic.session(), [edit('18', version, { note: 'done' })], null);
    await pass(clinic, 2_000);
    expect(found.size).toBe(0);
    await pass(clinic, 4_000);
    expect([...found]).toEqual(['17']);
    await push.stop();
  });
});

test.each([30_000, 30_500, 31_000, 31_500])(
  'R11: a doubt is looked into when its time has come, although the outbox was idle for %i ms',
  async (idleMs) => {
    const facts = { idempotencyKeyLifetimeMs: 3_600_000, readOne: false, updateGuard: 'none' } as const;
    const clinic = await createClinic({ facts });
    const version = await clinic.visit('17');
    await pass(clinic, idleMs);
    clinic.source.script.push('loseRequest');
    const begun = clinic.clock.nowMs();
    expect(await clinic.sendOne(edit('17', version, { note: 'done' }))).toMatchObject({ status: 'APPLIED' });
    expect(clinic.clock.nowMs() - begun).toBeLessThan(1_000);
  },
);
