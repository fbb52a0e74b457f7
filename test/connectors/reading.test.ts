import { collection, defineConnector, field, page, type AnyCollectionDefinition } from '../../src/connectors/define.js';
import {
  basic,
  bearer,
  clientCredentials,
  get,
  rest,
  sessionLogin,
  type RestOptions,
} from '../../src/connectors/rest.js';
import { createSource } from '../../src/connectors/source.js';
import type { Reading } from '../../src/core/reading.js';
import { silentLog } from '../support/postgres.js';
import { createManualClock } from '../support/manual-clock.js';
import { seededChance } from '../support/seeded-chance.js';

interface Changed {
  readonly options?: Partial<RestOptions>;
  readonly definition?: Partial<AnyCollectionDefinition>;
}

function readingOf({ options = {}, definition = {} }: Changed, seed = 1): Reading {
  const one = collection({
    type: 'Visit',
    key: 'id',
    fields: { note: field.string(), size: field.int() },
    read: { list: get('/visits', { query: { ward: 'a' } }) },
  });
  const transport = rest({ baseUrl: 'http://office.example', auth: basic('clerk', 'one'), ...options });
  const connector = defineConnector({
    source: 'office',
    transport,
    collections: { visits: { ...one, ...definition } },
  });
  const deps = { clock: createManualClock(), chance: seededChance(seed), log: silentLog };
  return createSource(connector, deps).collections[0]?.reading as Reading;
}

const FIRST = readingOf({});
const SET = FIRST.mark('set', null);
const WHOLE = FIRST.mark('whole', null);

/** What a changed connector is noticed by. */
function seen(changed: Changed): readonly string[] {
  const reading = readingOf(changed, 2);
  return [
    ...(reading.mark('set', SET) === SET ? [] : ['another set']),
    ...(reading.mark('whole', WHOLE) === WHOLE ? [] : ['read anew']),
    ...(reading.shape.key === FIRST.shape.key ? [] : ['other keys']),
  ];
}

const login = (user: string, password: string) =>
  sessionLogin({ login: { url: 'http://office.example/in', json: { user, password } }, token: 'cookie' });
const granted = (clientId: string, clientSecret: string) =>
  clientCredentials({ tokenUrl: 'http://office.example/token', clientId, clientSecret });

test.each<readonly [string, Changed, readonly string[]]>([
  ['nothing', {}, []],
  ['the password of the same user', { options: { auth: basic('clerk', 'two') } }, []],
  ['limits and pace', { options: { timeout: '5s', limit: { perSecond: 1 } } }, []],
  ['a key that is named as a list of one', { definition: { key: ['id'] } }, []],
  [
    'the page size',
    {
      definition: {
        read: { list: get('/visits', { query: { ward: 'a' }, paging: page({ numberIn: 'p', size: 9 }) }) },
      },
    },
    [],
  ],
  ['the user', { options: { auth: basic('trainee', 'one') } }, ['another set', 'read anew']],
  ['the address', { options: { baseUrl: 'http://test.example' } }, ['another set', 'read anew']],
  ['a header that names a tenant', { options: { headers: { 'x-tenant': 'b' } } }, ['another set', 'read anew']],
  [
    'the filter of the list',
    { definition: { read: { list: get('/visits', { query: { ward: 'b' } }) } } },
    ['another set', 'read anew'],
  ],
  ['map', { definition: { map: (row: { note: string }) => ({ note: row.note, size: 1 }) } }, ['read anew']],
  ['scopes', { definition: { scopes: () => ['everybody'] } }, ['read anew']],
  ['a type', { definition: { fields: { note: field.string(), size: field.string() } } }, ['read anew']],
  [
    'where a field comes from',
    { definition: { fields: { note: field.string({ from: 'NOTE' }), size: field.int() } } },
    ['read anew'],
  ],
  ['keyForm', { definition: { keyForm: { trim: true } } }, ['read anew', 'other keys']],
  ['the key', { definition: { key: (row: { no: string }) => row.no } }, ['read anew', 'other keys']],
])('R14: when another %s is declared, that is seen as: %j', (_what, changed, expected) => {
  expect(seen(changed)).toEqual(expected);
});

test.each([
  ['a session', login('clerk', 'one'), login('clerk', 'two'), login('trainee', 'one')],
  ['a client', granted('clerk', 'one'), granted('clerk', 'two'), granted('trainee', 'one')],
])(
  'R14: %s is the same reader with another secret, and another one with another name',
  (_what, one, renewed, other) => {
    const mark = readingOf({ options: { auth: one } }).mark('set', null);
    expect(readingOf({ options: { auth: renewed } }).mark('set', mark)).toBe(mark);
    expect(readingOf({ options: { auth: other } }).mark('set', mark)).not.toBe(mark);
  },
);

test('a mark tells nothing of what it is made from, and is another one for each salt', () => {
  const reading = readingOf({ options: { auth: bearer('a token') } });
  const marks = [reading.mark('set', null), reading.mark('set', null)];
  for (const mark of marks) expect(mark).toMatch(/^[0-9a-f]{32}:[0-9a-f]{64}$/);
  expect(marks[0]).not.toBe(marks[1]);
  expect(reading.mark('set', marks[0] as string)).toBe(marks[0]);
});
