import { randomBytes } from 'node:crypto';
import type { Fields } from '../../src/core/change.js';
import { parseBody, renderBody } from '../../src/core/collection.js';
import type { ChangePart } from '../../src/core/shape.js';
import { fullShape, renderChange } from '../../src/core/shape.js';
import { createSealer } from '../../src/sealing/sealer.js';
import { namedShape, openBody, openPage, sealBody } from '../../src/sealing/sealed-values.js';
import { visitsCollection } from '../push/pushing-clinic.js';
import fc from '../support/properties.js';

const VISITS = visitsCollection();
const SEALED = new Set(['note', 'number']);
const sealer = createSealer(`k1:${randomBytes(32).toString('base64')}`);
const named = { tenant: 'clinic', collection: 'visits', id: 'v1' };

const value = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.integer(), fc.constant(null));
const fields = fc.record({ note: value, status: value, route: value, number: value });
const seal = (body: string, of = named): string => sealBody(sealer, SEALED, of, body);

test('F32: a text is opened to the byte, differs each time it is sealed, and shows its other fields only', () => {
  fc.assert(
    fc.property(fields, (one) => {
      const body = renderBody(VISITS, one);
      const sealed = seal(body);
      expect(openBody(sealer, named, sealed)).toBe(body);
      const { note, number, ...plain } = parseBody(body);
      if (note !== null || number !== null) expect(seal(body)).not.toBe(sealed);
      const shown = parseBody(sealed.replaceAll(/\u0003[^\u0004]*\u0004/g, '"?"'));
      expect(shown).toEqual({ ...plain, note: note === null ? null : '?', number: number === null ? null : '?' });
    }),
  );
});

test('F32: a page is opened to the byte in any shape, whatever the letters, and so is one without sealed values', async () => {
  const begun: ChangePart = { slot: 'fields', prefix: '"__typename":"Visit",', suffix: ',"x":1' };
  const shape = { key: 'own', parts: new Map([['visits', [{ literal: '{"ü":' }, begun, { literal: '}' }]]]) };
  await fc.assert(
    fc.asyncProperty(fc.array(fields), fc.constantFrom(shape, fullShape(['visits'])), async (records, of) => {
      const bodies = records.map((one) => renderBody(VISITS, one as Fields));
      const inShape = namedShape(of, new Set(['visits']));
      const texts = (form: typeof of, own: (body: string, id: string) => string): Buffer =>
        Buffer.from(
          bodies.map((body, at) => textOf(form.parts.get('visits') ?? [], `v${at}`, own(body, `v${at}`))).join(),
        );
      const sealed = texts(inShape, (body, id) => seal(body, { ...named, id }));
      const plain = texts(of, (body) => body);
      const opened = await openPage(sealer, 'clinic', [sealed, plain]);
      expect(opened.map((text) => Buffer.from(text).toString())).toEqual([plain.toString(), plain.toString()]);
      expect(opened[1]).toBe(plain);
      expect(inShape.key).toMatch(/^[a-z0-9_]{1,40}$/);
      expect(inShape.key).not.toBe(of.key);
    }),
  );
});

test('F32: a value cannot be moved to another record, field, collection or tenant', async () => {
  const body = seal('{"note":"a diagnosis","number":null,"status":"open","route":"7"}');
  const fault = 'expected a text that the key "k1" has sealed';
  for (const other of [{ id: 'v2' }, { collection: 'patients' }, { tenant: 'other' }])
    expect(() => openBody(sealer, { ...named, ...other }, body)).toThrow(fault);
  expect(() => openBody(sealer, named, body.replace('"note":', '"number":'))).toThrow(fault);
  const page = textOf(namedShape(fullShape(['visits']), new Set(['visits'])).parts.get('visits') ?? [], 'v2', body);
  await expect(openPage(sealer, 'clinic', [Buffer.from(page)])).rejects.toThrow(fault);
});

test('F32: a value that looks like a sealed one is a value', () => {
  const body = JSON.stringify({
    note: '\u0003k1.AAAA\u0004',
    status: '\u0005"visits" "v1"\u0006',
    route: null,
    number: 1,
  });
  expect(openBody(sealer, named, body)).toBe(body);
  expect(openBody(sealer, named, seal(body))).toBe(body);
});

test('F32: the length of a short value does not tell it', () => {
  const lengths = ['true', 'false', '1', '"a word of an enum"'].map((json) => seal(`{"note":${json}}`).length);
  expect(new Set(lengths).size).toBe(1);
});

function textOf(parts: readonly ChangePart[], id: string, body: string): string {
  const change = { collection: 'visits', id, version: 'e.1', changedAt: '', kind: 'UPSERT', pending: false, mine: [] };
  return renderChange(parts, change as never, body);
}
