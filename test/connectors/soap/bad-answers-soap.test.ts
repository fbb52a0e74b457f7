import { bytesGrownBy, KITS, reply, scanOf, startOdd, type Kit, type OddSource } from '../odd-source.js';
import { answered } from './notes-source.js';

const KIT = KITS.find(({ name }) => name === 'SOAP') as Kit;
const MOST_BYTES = 33_554_432;
const NEVER = new AbortController().signal;

let source: OddSource;
beforeEach(async () => (source = await startOdd(KIT, MOST_BYTES)));
afterEach(() => source.close());

const note = (inner: string): string => `<note>${inner}</note>`;
const list = (notes: string): string => answered('ListNotes', `<notes>${notes}</notes>`);
/** A document type with these declarations, before an envelope with this text in it. */
const declared = (declarations: string, text: string, good = KIT.good): string =>
  good
    .replace('<?xml version="1.0"?>', `<?xml version="1.0"?><!DOCTYPE S:Envelope [${declarations}]>`)
    .replace('well', text);
/** Ten times ten times … "lol". */
const LAUGHS = [...Array(10).keys()]
  .map((n) => `<!ENTITY l${n + 1} "${n === 0 ? 'lol' : `&l${n};`.repeat(10)}">`)
  .join('');

const ENTITIES: readonly (readonly [string, (url: string) => string, RegExp])[] = [
  [
    'an external entity',
    (url) => declared(`<!ENTITY x SYSTEM "${url}/secret">`, '&x;'),
    /expected no DOCTYPE, got one/,
  ],
  ['an entity of a file', () => declared('<!ENTITY x SYSTEM "file:///etc/passwd">', '&x;'), /expected no DOCTYPE/],
  ['a parameter entity', (url) => declared(`<!ENTITY % x SYSTEM "${url}/x.dtd"> %x;`, 'well'), /expected no DOCTYPE/],
  ['entities that multiply', () => declared(LAUGHS, '&l10;'), /expected no DOCTYPE/],
  ['a DOCTYPE that does nothing', () => declared('', 'well'), /expected no DOCTYPE/],
  ['a DOCTYPE elsewhere', (url) => KIT.good.replace('<S:', `<!DOCTYPE a SYSTEM "${url}/a.dtd"><S:`), /no DOCTYPE/],
  ['an entity that is not declared', () => KIT.good.replace('well', '&x;'), /well-formed XML: undefined entity/],
];

test.each(ENTITIES)('R14, attack 30: %s ends a scan, and nothing is loaded for it', async (_what, body, told) => {
  source.respond = (response) => reply(response, KIT, body(source.url));
  const { keys, fault } = await scanOf(source.visits);
  expect(keys).toEqual([]);
  expect(fault?.message).toMatch(/^clinic\.visits read\.list: /);
  expect(fault?.message).toMatch(told);
  expect(source.calls()).toBe(1);
});

test.each(ENTITIES)('attack 30: in the WSDL %s keeps the source from being called', async (_what, body, told) => {
  const [, doctype = ''] = /(<!DOCTYPE[^]*?\]?>)<S:/.exec(body(source.url)) ?? [];
  source.contract = source.contract.replace('?>', `?>${doctype}`).replace('name="Notes"', 'name="&x;"');
  const { fault } = await scanOf(source.visits);
  expect(fault?.message).toMatch(/^clinic\.visits read\.list: the WSDL http:\S+ cannot be read: expected /);
  expect(fault?.message).toMatch(told);
  expect(source.calls()).toBe(0);
});

test.each<readonly [string, string, RegExp]>([
  [
    'elements within each other',
    list(`${'<a>'.repeat(100_000)}${'</a>'.repeat(100_000)}`),
    /at most 64 elements within/,
  ],
  ['the same attribute twice', list('<note a="1" a="2"/>'), /well-formed XML: duplicate attribute: a/],
  [
    'the same attribute twice, by two prefixes',
    list('<note xmlns:a="u" xmlns:b="u" a:c="" b:c=""/>'),
    /duplicate attribute/,
  ],
  ['two bodies in one', list('').replace('</S:Body>', '<x/></S:Body>'), /expected one element in the body, got more/],
  ['a control character', list(note('<id>V&#0;</id>')), /expected whole, well-formed XML/],
])('R14: %s end a scan with a fault', async (_what, body, told) => {
  source.respond = (response) => reply(response, KIT, body);
  const { keys, fault } = await scanOf(source.visits);
  expect(keys).toEqual([]);
  expect(fault?.message).toMatch(/^clinic\.visits read\.list: /);
  expect(fault?.message).toMatch(told);
  expect(fault?.message.length).toBeLessThan(300);
});

test.each([
  ['elements', list('<note><id/></note>'.repeat(1_000_000))],
  ['attributes', list(`<note ${[...Array(2_000_000).keys()].map((n) => `a${n}=""`).join(' ')}/>`)],
])(
  'two million %s are more than are taken, and cost what they cost',
  async (_what, body) => {
    source.respond = (response) => reply(response, KIT, body);
    const grown = await bytesGrownBy(async () => {
      const { fault } = await scanOf(source.visits);
      expect(fault?.message).toMatch(/expected at most 2000000 elements and attributes, got more/);
    });
    // Attributes cost the most: some hundred bytes each while their element is open.
    expect(grown).toBeLessThan(500_000_000);
  },
  60_000,
);

test('attack 30: 200,000 characters by their numbers are a text like any other', async () => {
  source.respond = (response) =>
    reply(response, KIT, list(note(`<id>V-1</id><title>${'&#65;'.repeat(50_000)}</title>`)));
  expect(await scanOf(source.visits)).toMatchObject({ keys: ['V-1'], misfits: [], fault: null });
  source.respond = (response) =>
    reply(response, KIT, list(note(`<id>V-1</id><title>${'&#65;'.repeat(200_000)}</title>`)));
  expect(await scanOf(source.visits)).toMatchObject({
    keys: [],
    misfits: [{ sourceKey: 'V-1', field: 'note' }],
    fault: null,
  });
});

test.each<readonly [string, string, string | null]>([
  ['elements for a text', '<id>V-2</id><title><b>well</b></title>', 'note'],
  ['a text twice', '<id>V-2</id><title>well</title><title>ill</title>', 'note'],
  ['a key that is too long', `<id>${'V'.repeat(300)}</id>`, null],
  ['the same key twice, with other fields', '<id>V-2</id></note><note><id>V-2</id><title>ill</title>', null],
])('a record that does not fit is set aside, and the one beside it is taken: %s', async (_what, inner, name) => {
  source.respond = (response) => reply(response, KIT, list(note(inner) + note('<id>V-1</id><title>well</title>')));
  const { keys, misfits, fault } = await scanOf(source.visits);
  expect([keys, fault]).toEqual([['V-1'], null]);
  expect(misfits).toMatchObject([{ field: name, reason: expect.stringMatching(/^expected .*got/s) as string }]);
});

test.each(['a record that is nil', 'a record without elements'])(
  'R14: %s has no key, and the one beside it is taken',
  async (what) => {
    const odd = what.includes('nil') ? '<note xsi:nil="true"/><note/>' : '<note>text</note>';
    source.respond = (response) => reply(response, KIT, list(odd + note('<id>V-1</id>')));
    const { keys, fault } = await scanOf(source.visits);
    expect(keys).toEqual(['V-1']);
    expect(fault?.message).toMatch(/^clinic\.visits read\.list: row 1: expected a record/);
  },
);

test.each(['a/b', '../..', `it's <"quoted"> &amp;`, 'Zoë 7', '訪問', '%2F', ']]>', 'a\\b'])(
  'attacks 31 and 32: a key like %p is a key like any other, and finds its record',
  async (id) => {
    const asText = id.replace(/[&<>]/g, (one) => `&#${one.charCodeAt(0)};`);
    source.respond = (response) => reply(response, KIT, list(note(`<id>${asText}</id>`)));
    const { keys } = await scanOf(source.visits);
    source.respond = (response) =>
      reply(response, KIT, answered('GetNote', note(`<id>${asText}</id><title>well</title>`)));
    expect(await source.visits.readOne(keys[0] as never, NEVER)).toMatchObject({
      sourceKey: keys[0],
      fields: { note: 'well' },
    });
  },
);

test('a single record that does not fit names source, collection, field, record and call', async () => {
  source.respond = (response) =>
    reply(response, KIT, answered('GetNote', note('<id>V-1</id><title><b>well</b></title>')));
  await expect(source.visits.readOne('V-1' as never, NEVER)).rejects.toMatchObject({
    code: 'VALIDATION',
    field: 'note',
    message: 'clinic.visits.note: expected a text from the source, got an object (record V-1, shown by read.one)',
  });
});
