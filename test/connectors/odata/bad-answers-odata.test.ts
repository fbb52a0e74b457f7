import { field } from '../../../src/connectors/define.js';
import { bytesGrownBy, KITS, reply, scanOf, startOdd, type Kit, type OddSource } from '../odd-source.js';

const BASIC = KITS.find(({ name }) => name === 'OData') as Kit;
const KIT: Kit = {
  ...BASIC,
  fields: {
    ...BASIC.fields,
    minutes: field.int({ from: 'Minutes' }),
    price: field.decimal({ from: 'Price' }),
    day: field.date({ from: 'Day' }),
    at: field.dateTime({ from: 'LastModified' }),
  },
};
const NEVER = new AbortController().signal;
const GOOD = { ID: 'V-1', Note: 'well' };

let source: OddSource;
beforeEach(async () => (source = await startOdd(KIT, 33_554_432)));
afterEach(() => source.close());

const list = (...value: readonly unknown[]): string => JSON.stringify({ value });

test.each<readonly [string, (contract: string) => string, RegExp]>([
  ['an external entity', declared('<!ENTITY x SYSTEM "http://127.0.0.1:1/secret">'), /expected no DOCTYPE, got one/],
  ['a parameter entity', declared('<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;'), /expected no DOCTYPE/],
  ['entities that multiply', declared('<!ENTITY a "lol"><!ENTITY x "&a;&a;&a;">'), /expected no DOCTYPE/],
  ['elements within each other', within('<a>'.repeat(100_000)), /at most 64 elements within each other/],
  ['the same attribute twice', within('<a b="" b=""/>'), /duplicate attribute: b/],
  ['no end', within(' '.repeat(33_554_432)), /an answer of at most 33554432 bytes, got more/],
  ['another document', () => '<html/>', /expected the \$metadata of OData 4\.0/],
])('a $metadata with %s keeps the service from being called', async (_what, change, told) => {
  source.contract = change(source.contract);
  let fault: Error | null = null;
  const grown = await bytesGrownBy(async () => ({ fault } = await scanOf(source.visits)));
  expect((fault as Error | null)?.message).toMatch(
    /^clinic\.visits read\.list: its \$metadata cannot be read: expected /,
  );
  expect((fault as Error | null)?.message).toMatch(told);
  expect((fault as Error | null)?.message.length).toBeLessThan(300);
  expect(source.calls()).toBe(0);
  expect(grown).toBeLessThan(500_000_000);
});

function declared(declarations: string): (contract: string) => string {
  return (contract) => contract.replace(/(<\?xml[^>]*>)?/, `$1<!DOCTYPE Edmx [${declarations}]>`);
}

function within(inner: string): (contract: string) => string {
  return (contract) => contract.replace('<Schema', `${inner}<Schema`);
}

test.each<readonly [string, string, RegExp]>([
  ['a list of lists', list([1]), /row 1: expected a record, got a list of 1$/],
  [
    'an entity without a key',
    list({ Note: 'whose?' }),
    /row 1: expected a record of visits to have a key, got nothing$/,
  ],
  ['an object for the list', '{"value":{}}', /expected a list in the member value of the answer$/],
  ['a list without its object', '[]', /expected a list in the member value of the answer$/],
  ['an error at its end', '{"value":[],"error":{"code":"500"}}', /expected a list, got one that ends with an error$/],
  [
    'brackets',
    `{"value":[${'['.repeat(100_000)}${']'.repeat(100_000)}]}`,
    /row 1: expected a record, got a list of 1$/,
  ],
])('R14: %s ends a scan with a fault that says where', async (_what, body, told) => {
  source.respond = (response) => reply(response, KIT, body);
  const { keys, fault } = await scanOf(source.visits);
  expect(keys).toEqual([]);
  expect(fault?.message).toMatch(/^clinic\.visits read\.list: /);
  expect(fault?.message).toMatch(told);
});

test.each<readonly [string, object, string | null]>([
  ['a text for a number', { Minutes: '3' }, 'minutes'],
  ['a number of more digits than JSON keeps', { Price: 2 ** 53 }, 'price'],
  ['a day of another form', { Day: '05.01.2026' }, 'day'],
  ['a day that is none', { Day: '2026-02-30' }, 'day'],
  ['a time of OData 2', { LastModified: '/Date(1767600000000)/' }, 'at'],
  ['a list for a text', { Note: ['well'] }, 'note'],
  ['a key with a control character', { ID: 'V\u0000' }, null],
  ['a key that is too long', { ID: 'V'.repeat(300) }, null],
])('a record that does not fit is set aside, and the one beside it is taken: %s', async (_what, odd, name) => {
  source.respond = (response) => reply(response, KIT, list({ ...GOOD, ID: 'V-2', ...odd }, GOOD));
  const { keys, misfits, fault } = await scanOf(source.visits);
  expect([keys, fault]).toEqual([['V-1'], null]);
  expect(misfits).toMatchObject([{ field: name, reason: expect.stringMatching(/^expected .*got/s) as string }]);
});

test.each(['a/b', '../..', `it's "quoted"`, 'Zoë 7', '訪問', '%2F', 'a?b#c', 'a\\b', '.'])(
  'attacks 31 and 32: a key like %p is a key like any other, and finds its record',
  async (id) => {
    source.respond = (response) => reply(response, KIT, list({ ...GOOD, ID: id }));
    const { keys } = await scanOf(source.visits);
    source.respond = (response) => {
      expect(decodeURIComponent(response.req.url ?? '')).toContain(`/Visits('${id.replaceAll("'", "''")}')`);
      reply(response, KIT, JSON.stringify({ ...GOOD, ID: id }));
    };
    expect(await source.visits.readOne(keys[0] as never, NEVER)).toMatchObject({ fields: { note: 'well' } });
  },
);
