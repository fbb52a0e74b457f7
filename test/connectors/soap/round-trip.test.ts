import fc from '../../support/properties.js';
import type { SourceKey } from '../../../src/core/change.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import { answered, startNotes, type NotesSource } from './notes-source.js';

const signal = new AbortController().signal;
let notes: NotesSource;
let collection: SourceCollection;

/** Keeps what it is sent as it is written, and shows it again: what comes back went through XML twice. */
beforeAll(async () => {
  notes = await startNotes();
  let kept = '';
  notes.answer = ({ body }) => {
    kept = /<n1:note>([^]*)<\/n1:note>/.exec(body)?.[1] ?? kept;
    const named = `xmlns:n1="urn:notes" xmlns:n2="http://www.w3.org/2001/XMLSchema-instance"`;
    const operation = body.includes('SaveNote') ? 'SaveNote' : 'GetNote';
    return { body: answered(operation, `<note ${named}>${kept}</note>`) };
  };
  collection = notes.open();
});
afterAll(() => notes.close());

/** Texts of any code units, half surrogate pairs included, with many of those that XML treats in its own way. */
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('<', '>', '&', ']]>', '"', "'", '\r', '\n', '\t', ' ', '&amp;', '<!--', '🩹', 'é'),
  }),
  fc.string({
    unit: fc.constantFrom('a', '\ud83e', '\ude79', '\u0000', '\u0085', '\u2028', '\ufffd', '\ufffe', '\ufeff'),
  }),
);

/** XML 1.0, production 2. */
function isSendable(given: string): boolean {
  return [...given].every((character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
    return !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff;
  });
}

test('any record of texts comes back as it was written, or is refused with the field that XML cannot carry', async () => {
  const record = fc.record({ title: fc.option(text), text: fc.option(text), tags: fc.array(text, { maxLength: 4 }) });
  let refusals = 0;
  await fc.assert(
    fc.asyncProperty(record, async (given) => {
      const fields = { ...given, pinned: true };
      const sourceKey = 'n-1' as SourceKey;
      const write = { kind: 'create', sourceKey, fields, current: null, guard: null, idempotencyKey: 'i' } as const;
      const outcome = await collection.write(write, signal);
      const unsendable = [given.title, given.text, ...given.tags].some((one) => one !== null && !isSendable(one));
      if (unsendable) {
        refusals += 1;
        expect(outcome).toMatchObject({ kind: 'refused' });
        expect(['title', 'text', 'tags']).toContain(outcome.kind === 'refused' && outcome.field);
      } else {
        expect(outcome).toEqual({ kind: 'applied', observation: { sourceKey, fields, sourceVersion: null } });
        expect(await collection.readOne(sourceKey, signal)).toMatchObject({ fields });
      }
    }),
    { numRuns: 300 },
  );
  // Both ends of the property were seen.
  expect(refusals).toBeGreaterThan(10);
  expect(refusals).toBeLessThan(290);
});

test('any key is asked for as it is, or with a reason not at all', async () => {
  await fc.assert(
    fc.asyncProperty(text, async (key) => {
      fc.pre(key !== '' && key.isWellFormed());
      const before = notes.asked.length;
      const reading = collection.readOne(encodeURIComponent(key) as SourceKey, signal);
      await expect(reading).rejects.toThrow(
        isSendable(key) ? /asked for the record|expected a record/ : /expected a text that XML can carry in id/,
      );
      expect(notes.asked.length - before).toBe(isSendable(key) ? 1 : 0);
    }),
    { numRuns: 100 },
  );
});
