import type { SourceKey } from '../../../src/core/change.js';
import type { Observation, SourceWriteOutcome } from '../../../src/core/source-port.js';
import { drain, readPresent, write, type SourceUnderTest } from './source-under-test.js';

const signal = new AbortController().signal;

/** What is relied on after an answer was lost: only what a connector declares is asked of its source. */
export function repeatPromises(source: () => SourceUnderTest): void {
  async function created(name: string): Promise<Observation> {
    const { backDoor, samples } = source();
    return await readPresent(source(), await backDoor.create(`contract-repeat-${name}` as SourceKey, samples.whole));
  }

  /** A write, and the same again as if its answer had been lost; what happens in between. */
  async function twice(
    kind: 'create' | 'update' | 'delete',
    given: Parameters<typeof write>[2],
    meanwhile: (first: SourceWriteOutcome) => Promise<void> = () => Promise.resolve(),
  ): Promise<readonly SourceWriteOutcome[]> {
    const first = await write(source(), kind, given);
    await meanwhile(first);
    return [first, await write(source(), kind, { ...given, isRepeat: true })];
  }

  test('R11: a create that is repeated under its idempotency key makes one record', async () => {
    const { collection, samples } = source();
    if (collection.facts.idempotencyKeyLifetimeMs === undefined) return;
    const own = collection.facts.createKey === 'device' ? ('contract-repeat-create' as SourceKey) : null;
    const before = (await drain(collection.scan(signal))).shown.size;
    const outcomes = await twice('create', { key: own, fields: samples.whole, idempotencyKey: 'contract-key-create' });
    expect(outcomes).toMatchObject([{ kind: 'applied' }, { kind: 'applied' }]);
    expect((await drain(collection.scan(signal))).shown.size).toBe(before + 1);
  });

  test('R11: an update that is repeated under its idempotency key leaves what others made of the record since', async () => {
    const { collection, backDoor, samples } = source();
    if (collection.facts.idempotencyKeyLifetimeMs === undefined) return;
    const seen = await created('update');
    const given = { key: seen.sourceKey, fields: samples.edit(1), seen, idempotencyKey: 'contract-key-update' };
    const [first, again] = await twice('update', given, () => backDoor.edit(seen.sourceKey, samples.edit(2)));
    const now = await readPresent(source(), seen.sourceKey);
    expect(first).toMatchObject({ kind: 'applied', observation: { fields: samples.edit(1) } });
    expect(again).toEqual({ kind: 'applied', observation: now });
    expect(now.fields).toMatchObject(samples.edit(2));
  });

  test('R11: a deletion that is repeated under its idempotency key is done', async () => {
    const { collection } = source();
    if (collection.facts.idempotencyKeyLifetimeMs === undefined) return;
    const seen = await created('delete');
    const outcomes = await twice('delete', { key: seen.sourceKey, seen, idempotencyKey: 'contract-key-delete' });
    expect(outcomes).toMatchObject([{ kind: 'applied' }, { kind: 'applied' }]);
  });

  test('R11: an idempotency key that names another change is never taken for done', async () => {
    const { collection, samples } = source();
    if (collection.facts.idempotencyKeyLifetimeMs === undefined) return;
    const seen = await created('other');
    const given = { key: seen.sourceKey, seen, idempotencyKey: 'contract-key-other' };
    expect(await write(source(), 'update', { ...given, fields: samples.edit(1) })).toMatchObject({ kind: 'applied' });
    expect((await write(source(), 'update', { ...given, fields: samples.edit(2) })).kind).not.toBe('applied');
  });

  test('R11: the record that a create made is found by its key, and no other is', async () => {
    const { collection, samples } = source();
    if (collection.lookUp === undefined) {
      expect(collection.facts.lookUp ?? false).toBe(false);
      return;
    }
    expect(collection.facts.lookUp).toBe(true);
    await created('unreferenced');
    expect(await collection.lookUp('contract-reference', signal)).toBe('absent');
    const idempotencyKey = 'contract-reference';
    const outcome = await write(source(), 'create', { key: null, fields: samples.whole, idempotencyKey });
    const found = await collection.lookUp('contract-reference', signal);
    if (found === 'absent') throw new Error('expected the record that was created, got absent');
    expect(found).toEqual(await readPresent(source(), found.sourceKey));
    if (outcome.kind === 'applied' && outcome.observation !== null) expect(outcome.observation).toEqual(found);
    expect(await collection.lookUp('contract-reference-of-another', signal)).toBe('absent');
  });

  test('R11: a source that made two records for one reference is not believed', async () => {
    const { collection, samples } = source();
    if (collection.lookUp === undefined || collection.facts.createKey === 'device') return;
    const given = { key: null, fields: samples.whole, idempotencyKey: 'contract-reference-twice' };
    await twice('create', given);
    await expect(collection.lookUp('contract-reference-twice', signal)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
    });
  });
}
