import type { SourceKey } from '../../../src/core/change.js';
import { changesSince, drain, readPresent, write, type SourceUnderTest } from './source-under-test.js';

const signal = new AbortController().signal;
/** A breaker that needs more calls than this would hold a worker up for long. */
const CALLS_UNTIL_DOWN = 6;

/** What stays true when the source's process is gone. Takes a source of its own, as it does not come back. */
export function outagePromises(open: () => Promise<SourceUnderTest>): void {
  let source: SourceUnderTest;
  beforeAll(async () => {
    source = await open();
  });
  afterAll(() => source.close());

  test('R11, R12: without its process writes are not sent, reads fail, and the source soon counts as down', async () => {
    const { collection, backDoor, samples } = source;
    const key = await backDoor.create('contract-outage' as SourceKey, samples.whole);
    const seen = await readPresent(source, key);
    await source.stopSource();
    const outcome = await write(source, 'update', { key, fields: samples.edit(1), seen });
    expect(outcome).toMatchObject({ kind: 'notSent' });
    const reads = [
      () => collection.readOne(key, signal),
      () => drain(collection.scan(signal)),
      () => drain(changesSince({ collection }, null, signal)),
    ];
    for (const read of reads) await expect(read()).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    for (let calls = 1 + reads.length; calls < CALLS_UNTIL_DOWN && !collection.isDown(); calls += 1)
      await write(source, 'delete', { key, seen });
    expect(collection.isDown()).toBe(true);
    expect(await write(source, 'delete', { key, seen })).toMatchObject({ kind: 'notSent' });
  });
}
