import type { SourceKey } from '../../../src/core/change.js';
import { fitValue } from '../../../src/core/field.js';
import type { Observation, ObservedBatch } from '../../../src/core/source-port.js';
import { changesSince, drain, readPresent, type SourceUnderTest } from './source-under-test.js';

const signal = new AbortController().signal;

/** What ingest relies on: scans, changes since a cursor, single records. */
export function readPromises(source: () => SourceUnderTest): void {
  async function created(name: string): Promise<SourceKey> {
    const { backDoor, samples } = source();
    return await backDoor.create(`contract-read-${name}` as SourceKey, samples.whole);
  }

  /** Numbered sources give their keys in the order of asking. */
  async function createdAll(names: readonly string[]): Promise<readonly SourceKey[]> {
    const keys: SourceKey[] = [];
    for (const name of names) keys.push(await created(name));
    return keys;
  }

  test('R14: a scan shows every record once and ends', async () => {
    const { collection, samples } = source();
    const keys = await createdAll(['scan-a', 'scan-b', 'scan-c']);
    const { batches, shown } = await drain(collection.scan(signal));
    const seen = batches.flatMap(({ observations }) => observations.map(({ sourceKey }) => sourceKey));
    expect(new Set(seen).size).toBe(seen.length);
    expect([...shown.keys()]).toEqual(expect.arrayContaining(keys));
    for (const one of keys) expect(shown.get(one)?.fields).toMatchObject(samples.whole);
  });

  test('R14: a scan no longer shows what was removed', async () => {
    const { collection, backDoor } = source();
    const key = await created('removed');
    await backDoor.remove(key);
    const found = (await drain(collection.scan(signal))).shown.get(key);
    expect(found?.fields ?? null).toBeNull();
  });

  test('R17: each record has all its fields in the one encoding that they are compared in, and its version', async () => {
    const { collection } = source();
    const declared = collection.collection.fields.filter(({ name }) => name !== 'id');
    const isVersioned = [collection.facts.updateGuard, collection.facts.deleteGuard].includes('version');
    for (const { fields, sourceVersion } of (await drain(collection.scan(signal))).shown.values()) {
      if (fields === null) continue;
      expect(Object.keys(fields).sort()).toEqual(declared.map(({ name }) => name).sort());
      for (const field of declared) {
        const value = fields[field.name] ?? null;
        if (value !== null) expect(fitValue(field, value)).toEqual({ ok: true, value });
      }
      if (isVersioned) expect(sourceVersion).toEqual(expect.any(String));
    }
  });

  test('R14: a scan that is broken off throws and does not pass for a whole one', async () => {
    const leaver = new AbortController();
    const scan = source().collection.scan(leaver.signal)[Symbol.asyncIterator]();
    expect((await scan.next()).done).toBe(false);
    leaver.abort();
    await expect(scan.next()).rejects.toThrow();
  });

  test('R16: changes from the very beginning are all records', async () => {
    const { collection } = source();
    const { shown } = await drain(changesSince(source(), null, signal));
    // What was deleted before may be told as well.
    const records = new Map([...shown].filter(([, { fields }]) => fields !== null));
    expect(records).toEqual((await drain(collection.scan(signal))).shown);
  });

  test('R16: from each cursor that was given out, every edit made after it is shown, also of the same instant', async () => {
    const { backDoor, samples } = source();
    const keys = await createdAll(Array.from({ length: 6 }, (_, index) => `edited-${index}`));
    let { cursor } = await drain(changesSince(source(), null, signal));
    const cursors = [cursor];
    for (const round of [1, 2, 3]) {
      // At once: a source whose times are milliseconds gives several of these the same one.
      await Promise.all(keys.map((one, index) => backDoor.edit(one, samples.edit(round * 10 + index))));
      const since = await drain(changesSince(source(), cursor, signal));
      keys.forEach((one, index) => {
        expect(since.shown.get(one)?.fields).toMatchObject(samples.edit(round * 10 + index));
      });
      cursor = since.cursor ?? cursor;
      cursors.push(cursor);
    }
    // The last cursor is after every edit; from all before it the last round is still to be seen.
    for (const earlier of cursors.slice(0, -1)) {
      const { shown } = await drain(changesSince(source(), earlier, signal));
      for (const one of keys) expect(shown.get(one)?.fields).toMatchObject(samples.edit(30 + keys.indexOf(one)));
    }
  });

  test('R15: a batch is asked of the source only when the reader asks for it: an edit before that is in it', async () => {
    const { samples, backDoor } = source();
    const whole = (await drain(changesSince(source(), null, signal))).batches.filter(hasRecords);
    const edited = whole.at(-1)?.observations.findLast(isRecord)?.sourceKey;
    if (edited === undefined || whole.length < 2) throw new Error(`expected two batches, got ${whole.length}`);
    const changes = changesSince(source(), null, signal)[Symbol.asyncIterator]();
    for (let taken = 1; taken < whole.length; taken += 1) await changes.next();
    // Time for a request that was sent too early to be answered.
    await readPresent(source(), edited);
    await backDoor.edit(edited, samples.edit(77));
    const rest = await drain({ [Symbol.asyncIterator]: () => changes });
    expect(rest.shown.get(edited)?.fields).toMatchObject(samples.edit(77));
  });

  test('F6: a single record is read as it is now; one that was removed, or never was, is absent', async () => {
    const { collection, backDoor, samples } = source();
    if (!collection.facts.readOne) return;
    expect(await collection.readOne('contract-read-never' as SourceKey, signal)).toBe('absent');
    const key = await created('one');
    await backDoor.edit(key, samples.edit(1));
    const found = await readPresent(source(), key);
    expect(found).toMatchObject({ sourceKey: key, fields: { ...samples.whole, ...samples.edit(1) } });
    expect((await drain(collection.scan(signal))).shown.get(key)).toEqual(found);
    await backDoor.remove(key);
    expect(await collection.readOne(key, signal)).toBe('absent');
  });
}

function hasRecords({ observations }: ObservedBatch): boolean {
  return observations.some(isRecord);
}

function isRecord({ fields }: Observation): boolean {
  return fields !== null;
}
