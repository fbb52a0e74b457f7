import fc from '../support/properties.js';
import { fitValue, type FieldDefinition, type FieldType } from '../../src/core/field.js';

function fieldOf(type: FieldType): FieldDefinition {
  return { name: 'value', type, list: false, required: false, writable: true };
}

const digits = (count: number, max: number) =>
  fc.integer({ min: 0, max }).map((number) => String(number).padStart(count, '0'));
/** Days as anybody could write them, real ones and others. */
const day = fc.tuple(digits(4, 9_999), digits(2, 13), digits(2, 32)).map((parts) => parts.join('-'));
const time = fc
  .tuple(digits(2, 25), digits(2, 61), digits(2, 61), fc.constantFrom('', '.1', '.123', '.1234'))
  .map(([hour, minute, second, fraction]) => `${hour}:${minute}:${second}${fraction}`);
const zone = fc.constantFrom('Z', '+00:00', '+02:00', '-05:30', '');

/** What the language makes of it, and only if it is a day of the calendar. */
function byLanguage(text: string): string | null {
  const ms = Date.parse(text);
  const midnight = Date.parse(`${text.slice(0, 10)}T00:00:00Z`);
  const isDay = !Number.isNaN(midnight) && new Date(midnight).toISOString().startsWith(text.slice(0, 10));
  return Number.isNaN(ms) || !isDay ? null : new Date(ms).toISOString();
}

test('a day fits exactly if the calendar has it', () => {
  fc.assert(
    fc.property(day, (text) => {
      const fit = fitValue(fieldOf('date'), text);
      expect(fit.ok ? fit.value : null).toBe(byLanguage(text) === null ? null : text);
    }),
    { numRuns: 2_000 },
  );
});

test('a time with a zone fits as UTC with milliseconds, whatever form it came in; without a zone it does not fit', () => {
  fc.assert(
    fc.property(day, time, zone, (date, clock, offset) => {
      const text = `${date}T${clock}${offset}`;
      const fit = fitValue(fieldOf('dateTime'), text);
      expect(fit.ok ? fit.value : null).toBe(offset === '' ? null : byLanguage(text));
    }),
    { numRuns: 4_000 },
  );
});

test.each<[FieldType, unknown, unknown]>([
  ['date', '2024-02-29', '2024-02-29'],
  ['date', '2023-02-29', null],
  ['date', '1900-02-29', null],
  ['dateTime', '2026-01-31T24:00:00Z', '2026-02-01T00:00:00.000Z'],
  ['dateTime', '2026-01-31T12:00:60.000Z', null],
  ['long', '9223372036854775807', '9223372036854775807'],
  ['long', '9223372036854775808', null],
  ['long', '-0', null],
  ['int', 2_147_483_648, null],
  ['int', -0, 0],
  ['float', Number.NaN, null],
  ['float', Number.POSITIVE_INFINITY, null],
  ['decimal', '12.50', '12.50'],
  ['decimal', '1e3', null],
  ['boolean', 'true', null],
])('%s %p is kept as %p', (type, value, kept) => {
  const fit = fitValue(fieldOf(type), value);
  expect(fit.ok ? fit.value : null).toBe(kept);
});
