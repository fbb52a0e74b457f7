import { isOlderVersion } from '../../src/core/version-order.js';

test.each([
  ['9', '10', true],
  ['10', '9', false],
  ['10', '10', false],
  ['9007199254740993', '9007199254740994', true],
  ['2026-01-31T09:00:00.000Z', '2026-01-31T12:00:00+02:00', true],
  ['2026-01-31T12:00:00+02:00', '2026-01-31T09:00:00Z', false],
  ['"a9f"', '"b10"', false],
  ['W/"1"', 'W/"2"', false],
  ['7', '2026-01-31T09:00:00Z', false],
  [null, '7', false],
  ['7', null, false],
])('the version %j is certainly older than %j: %j', (version, than, isOlder) => {
  expect(isOlderVersion(version, than)).toBe(isOlder);
});
