import { randomBytes } from 'node:crypto';
import type { SourceKey } from '../../src/core/change.js';
import { keptWhole } from '../../src/core/keeping.js';
import type { SourceCollection, SourceWrite, SourceWriteOutcome } from '../../src/core/source-port.js';
import { createSource } from '../../src/connectors/define.js';
import { digestedSource } from '../../src/sealing/digested-source.js';
import { keptCollection } from '../../src/sealing/digests.js';
import { systemClock } from '../../src/server/clock.js';
import { startWardSystem, ward, type WardSystem } from '../integration/ward-system.js';
import { silentLog } from '../support/postgres.js';

const KEY = '10' as SourceKey;
let system: WardSystem;

beforeAll(async () => {
  system = await startWardSystem();
});
afterAll(() => system.stop());

/** The ward's patients without guards, as they are and as they are kept. */
function patients(): { readonly source: SourceCollection; readonly kept: SourceCollection } {
  const deps = { clock: systemClock, chance: () => 0, log: silentLog };
  const [source] = createSource(ward(system.url, { isGuarded: false }), deps).collections as [SourceCollection];
  return { source, kept: digestedSource(source, keptCollection(source.collection, randomBytes(32))) };
}

async function write(kept: SourceCollection, more: Partial<SourceWrite>): Promise<SourceWriteOutcome> {
  const update = {
    kind: 'update',
    sourceKey: KEY,
    fields: { note: 'mine' },
    guard: null,
    idempotencyKey: 'k',
  } as const;
  return kept.write({ ...update, current: null, ...more }, new AbortController().signal);
}

test('R9: without a guard, a write meets what others wrote by digests: what it would overwrite must be as it was known', async () => {
  const { kept } = patients();
  system.edit('10', { name: 'Anna', note: 'as known', isolated: false });
  const { isolated, name, note, ward: of } = system.patients.get('10') ?? {};
  const current = keptWhole(kept.collection, KEY, { isolated, name, note, ward: of } as never);
  system.edit('10', { note: 'of the office' });
  expect(await write(kept, { current })).toEqual({ kind: 'stale' });
  expect(system.patients.get('10')?.note).toBe('of the office');
  // Another field of the office's is no matter.
  system.edit('10', { note: 'as known', name: 'Anne' });
  const done = await write(kept, { current });
  expect(done).toMatchObject({ kind: 'applied', observation: { sourceKey: KEY } });
  expect(system.patients.get('10')).toMatchObject({ note: 'mine', name: 'Anne' });
  expect(JSON.stringify(done)).not.toMatch(/mine|Anne/);
});

test('F29: what is read comes as digests, by every way; a deleted and an absent record stay what they are', async () => {
  const { source, kept } = patients();
  system.edit('11', { name: 'Bert' });
  const { signal } = new AbortController();
  const one = await kept.readOne('11' as SourceKey, signal);
  expect(one).toMatchObject({ fields: { $: { scopes: ['ward:A'], by: ['ward'] } } });
  expect(JSON.stringify(one)).not.toContain('Bert');
  expect(await kept.readOne('12' as SourceKey, signal)).toBe('absent');
  for await (const { observations } of kept.scan(signal)) {
    expect(observations).toContainEqual(one);
    expect(JSON.stringify(observations)).not.toContain('Bert');
  }
  const asked: unknown[] = [];
  const watched = {
    ...source,
    async *scan(_signal: AbortSignal, isProof?: boolean) {
      asked.push(isProof);
      yield { observations: [] };
    },
  };
  // A scan of which absences are believed is one through the digests, too (F14).
  for await (const { observations } of digestedSource(watched, kept.collection).scan(signal, true))
    expect(observations).toEqual([]);
  expect(asked).toEqual([true]);
  const gone = { sourceKey: KEY, fields: null, sourceVersion: null };
  const found = { ...source, lookUp: async () => gone, readOne: async () => gone };
  const digested = digestedSource(found, kept.collection);
  expect(await digested.lookUp?.('k', signal)).toBe(gone);
  expect(await digested.readOne(KEY, signal)).toBe(gone);
});
