import type { Config } from '../../src/server/config.js';
import { readsAtOnce } from '../../src/server/configured-access.js';

const auth = {} as NonNullable<Config['auth']>;

test.each([
  [1, 1],
  [50, 1],
  [51, 2],
  [1_000, 20],
])('of a user who may send %d requests a second, %d pages are read at once', (requestsPerSecond, expected) => {
  expect(readsAtOnce({ auth, requestsPerSecond })).toBe(expected);
});

test('in development mode, in which everybody may be one user, reads do not wait for each other', () => {
  expect(readsAtOnce({ auth: undefined, requestsPerSecond: 50 })).toBe(Infinity);
});
