import { randomUUID } from 'node:crypto';
import { SEQ_ZERO, type RecordId } from '../../src/core/change.js';
import { createReferenceMap } from '../../src/core/reference-map.js';
import { createFates } from '../../src/push/fates.js';
import { createOutbox, type Outbox } from '../../src/push/outbox.js';
import { hashText } from '../../src/server/telemetry.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { visitsCollection } from './pushing-clinic.js';
import { createScriptedSource, type ScriptedSource } from './scripted-source.js';

const TENANT = 'clinic';
const CONCURRENCY = 8;
const CALL_MS = 10;

interface Outage {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly source: ScriptedSource;
  readonly outbox: Outbox;
  /** Calls of the store by method. */
  readonly asked: Map<string, number>;
  /** How many intents it asked for, at each lease. */
  readonly limits: readonly number[];
  readonly open: () => Promise<number>;
}

/** Changes that were accepted while their source was down: `perRecord` of each of `records` new visits. */
async function begin(records: number, perRecord: number): Promise<Outage> {
  const clock = createManualClock();
  const store = createMemoryStore({ clock, chance: seededChance(1) });
  await store.openTenant(TENANT);
  const source = createScriptedSource(visitsCollection(), { concurrency: CONCURRENCY });
  const write = source.write.bind(source);
  source.write = async (...call) => {
    source.traffic.now += 1;
    source.traffic.most = Math.max(source.traffic.most, source.traffic.now);
    await clock.wait(CALL_MS);
    source.traffic.now -= 1;
    return write(...call);
  };
  source.isBroken = true;
  const device = { tenant: TENANT, user: 'nurse', device: 'phone' };
  const ids = Array.from({ length: records }, () => randomUUID() as string as RecordId);
  for (let round = 0; round < perRecord; round++) {
    const writes = ids.map((id, at) => ({
      collection: 'visits',
      id,
      expected: { seq: SEQ_ZERO, mark: round },
      acceptance: {
        device,
        changeId: `${at}.${round}`,
        bodyHash: '',
        intent: {
          kind: 'UPSERT' as const,
          fields: JSON.stringify({ note: `note ${round}`, route: '7' }),
          baseSeq: (round === 0 ? 0 : 1) as typeof SEQ_ZERO,
          editedAtMs: clock.nowMs(),
          lease: null,
          waitsFor: null,
          isShown: false,
        },
      },
    }));
    await store.commit(TENANT, writes);
  }
  const asked = new Map<string, number>();
  const limits: number[] = [];
  const counting = Object.fromEntries(
    Object.entries(store).map(([name, step]) => [
      name,
      (...values: unknown[]) => {
        asked.set(name, (asked.get(name) ?? 0) + 1);
        if (name === 'leaseIntents') limits.push((values[0] as { readonly limit: number }).limit);
        return (step as (...all: unknown[]) => unknown)(...values);
      },
    ]),
  ) as unknown as MemoryStore;
  const outbox = createOutbox(
    {
      store: counting,
      references: createReferenceMap(counting, [source]),
      clock,
      chance: seededChance(2),
      hash: hashText,
      log: silentLog,
      fates: createFates(clock),
    },
    { tenant: TENANT, sources: [source], holder: 'node', parentPatienceMs: 900_000 },
  );
  outbox.start();
  const open = async (): Promise<number> => [...(await store.countOutbox(TENANT)).values()].reduce((a, b) => a + b, 0);
  return { clock, store, source, outbox, asked, limits, open };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function pass(clock: ManualClock, ms: number, stepMs: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    clock.advance(stepMs);
    await turn();
  }
}

describe('a source that is down', () => {
  test('R10: for ten minutes with 10,000 changes waiting costs a look now and then, and nothing is leased', async () => {
    const { clock, source, outbox, asked, open } = await begin(10_000, 1);
    await pass(clock, 600_000, 250);
    expect(source.calls).toEqual([]);
    expect(asked.get('leaseIntents') ?? 0).toBe(0);
    // Every two seconds, for calls whose holder is gone.
    expect([...asked.values()].reduce((a, b) => a + b, 0)).toBeLessThan(400);
    expect(await open()).toBe(10_000);
    await outbox.stop();
  });

  test('R8, R10: when it is back 10,000 changes drain in order, as many calls at once as it allows, leased by the hundred', async () => {
    const { clock, source, outbox, asked, limits, open } = await begin(5_000, 2);
    await pass(clock, 10_000, 250);
    source.isBroken = false;
    const begun = clock.nowMs();
    for (let ms = 0; source.journal.length < 10_000 && ms < 60_000; ms += CALL_MS) await pass(clock, CALL_MS, CALL_MS);
    expect(await open()).toBe(0);
    expect(new Set(source.journal).size).toBe(10_000);
    expect(source.journal).toHaveLength(10_000);
    expect(source.traffic.most).toBe(CONCURRENCY);
    const notes = [...source.rows.values()].map(({ fields }) => fields['note']);
    expect(new Set(notes)).toEqual(new Set(['note 1']));
    expect(asked.get('leaseIntents')).toBeLessThan(150);
    // Before a pace is known no more than can be called for at once, and never more than a process can hold.
    expect(limits[0]).toBe(CONCURRENCY);
    expect(Math.max(...limits)).toBeLessThanOrEqual(1_000 + CONCURRENCY);
    // 12.5 s if no slot were ever free: more is leased before the last one is called for.
    expect(clock.nowMs() - begun).toBeLessThan(15_000);
    await outbox.stop();
  });

  test('R10: while its calls hang nothing more is leased than can be called for', async () => {
    const { clock, source, outbox, limits, open } = await begin(100, 1);
    source.isBroken = false;
    source.script.push(...Array.from({ length: CONCURRENCY }, () => 'hang' as const));
    await pass(clock, 4_000, 250);
    expect([source.calls.length, limits]).toEqual([CONCURRENCY, [CONCURRENCY]]);
    expect(await open()).toBe(100);
    const stopped = outbox.stop();
    await pass(clock, 10_000, 250);
    await stopped;
  });
});
