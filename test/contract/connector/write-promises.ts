import type { Fields, SourceKey } from '../../../src/core/change.js';
import type { Observation } from '../../../src/core/source-port.js';
import { readPresent, write, type SourceUnderTest } from './source-under-test.js';

const signal = new AbortController().signal;

/** What delivery relies on: each outcome says what is true at the source. For a source with `readOne`. */
export function writePromises(source: () => SourceUnderTest): void {
  async function created(name: string): Promise<Observation> {
    const key = await source().backDoor.create(`contract-write-${name}` as SourceKey, source().samples.whole);
    return await readPresent(source(), key);
  }

  test('a create is there as it was written, under the key of the device where the source takes it', async () => {
    const { collection, samples } = source();
    const own = collection.facts.createKey === 'device' ? ('contract-write-create' as SourceKey) : null;
    const outcome = await write(source(), 'create', { key: own, fields: samples.whole });
    const observation = outcome.kind === 'applied' ? outcome.observation : null;
    const key = own ?? observation?.sourceKey;
    expect(outcome.kind).toBe('applied');
    if (key === undefined) throw new Error('expected the key that the source gave, got none');
    const found = await readPresent(source(), key);
    expect(found.fields).toMatchObject(samples.whole);
    if (observation !== null) expect(observation).toEqual(found);
  });

  test('R8: an update changes its fields and leaves all others; its answer is what a read shows', async () => {
    const seen = await created('update');
    const fields = source().samples.edit(5);
    const outcome = await write(source(), 'update', { key: seen.sourceKey, fields, seen });
    const found = await readPresent(source(), seen.sourceKey);
    expect(outcome.kind).toBe('applied');
    expect(writable(source(), found)).toEqual({ ...writable(source(), seen), ...fields });
    if (outcome.kind === 'applied' && outcome.observation !== null) expect(outcome.observation).toEqual(found);
    if (source().collection.facts.updateGuard === 'version') expect(found.sourceVersion).not.toBe(seen.sourceVersion);
  });

  test('R9: an update or a delete of what changed meanwhile is stale and changes nothing', async () => {
    const { collection, backDoor, samples } = source();
    const seen = await created('stale');
    await backDoor.edit(seen.sourceKey, samples.edit(6));
    const now = await readPresent(source(), seen.sourceKey);
    const late = { key: seen.sourceKey, seen };
    if (collection.facts.updateGuard === 'version')
      expect(await write(source(), 'update', { ...late, fields: samples.edit(7) })).toEqual({ kind: 'stale' });
    if (collection.facts.deleteGuard === 'version')
      expect(await write(source(), 'delete', late)).toEqual({ kind: 'stale' });
    if (collection.facts.updateGuard === 'version' || collection.facts.deleteGuard === 'version')
      expect(await readPresent(source(), seen.sourceKey)).toEqual(now);
  });

  test('R10: a value that the source does not take is refused with our field and changes nothing', async () => {
    const { fields, field } = source().samples.refused;
    const seen = await created('refused');
    const outcome = await write(source(), 'update', { key: seen.sourceKey, fields, seen });
    expect(outcome).toMatchObject({ kind: 'refused', field });
    expect(outcome.kind === 'refused' && outcome.message).not.toBe('');
    expect(await readPresent(source(), seen.sourceKey)).toEqual(seen);
  });

  test('R11: a deleted record is absent, and deleting it again leaves nothing in doubt', async () => {
    const seen = await created('delete');
    expect(await write(source(), 'delete', { key: seen.sourceKey, seen })).toMatchObject({ kind: 'applied' });
    expect(await source().collection.readOne(seen.sourceKey, signal)).toBe('absent');
    const again = await write(source(), 'delete', { key: seen.sourceKey, seen, idempotencyKey: 'contract-again' });
    expect(['applied', 'stale']).toContain(again.kind);
  });

  test('R12: a source that answers is not down, whatever it answers', () => {
    expect(source().collection.isDown()).toBe(false);
  });
}

/** The fields that devices write: the others, like a time of change, are the source's own. */
function writable({ collection }: SourceUnderTest, { fields }: Observation): Fields {
  const names = collection.collection.fields.filter((field) => field.writable).map(({ name }) => name);
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([name]) => names.includes(name)));
}
