import type { SourceKey } from '../../../src/core/change.js';
import { changesSince, drain, readPresent, write, type SourceUnderTest } from './source-under-test.js';

const signal = new AbortController().signal;
const HOUR_MS = 3_600_000;
/** A clock of the collection's own may stand since its test began. */
const STANDS_MS = 60_000;

/** What stays true while the source is declared to be under maintenance. */
export function maintenancePromises(source: () => SourceUnderTest): void {
  test('R11: under maintenance nothing is asked of the source, and writes wait until its end', async () => {
    const { backDoor, samples } = source();
    const key = await backDoor.create('contract-maintained' as SourceKey, samples.whole);
    const seen = await readPresent(source(), key);
    const timeOf = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
    const window = { from: timeOf(Date.now() - HOUR_MS), to: timeOf(Date.now() + HOUR_MS), zone: 'UTC' };
    const collection = source().view({ maintenance: [window] });
    expect(collection.isDown()).toBe(true);
    const leftMs = collection.maintenanceLeftMs?.() ?? 0;
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(HOUR_MS + STANDS_MS);
    const maintained = { ...source(), collection };
    const writes = [
      () => write(maintained, 'create', { key: null, fields: samples.whole }),
      () => write(maintained, 'update', { key, fields: samples.edit(1), seen }),
      () => write(maintained, 'delete', { key, seen }),
    ];
    for (const one of writes) expect(await one()).toMatchObject({ kind: 'notSent', retryAfterMs: leftMs });
    const reads = [
      () => collection.readOne(key, signal),
      () => drain(collection.scan(signal)),
      () => drain(changesSince({ collection }, null, signal)),
    ];
    for (const read of reads) await expect(read()).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    expect(await readPresent(source(), key)).toEqual(seen);
  });
}
