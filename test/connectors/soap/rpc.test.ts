import fc from '../../support/properties.js';
import type { SourceKey } from '../../../src/core/change.js';
import type { Observation, SourceCollection } from '../../../src/core/source-port.js';
import type { SoapVersion } from '../../../src/connectors/soap-version.js';
import { answered, faulted, RETITLED, startNotes, type NotesSource } from './notes-source.js';
import { rpcAnswered, rpcWsdl } from './rpc-notes.js';

const signal = new AbortController().signal;

let notes: NotesSource;
beforeEach(async () => {
  notes = await startNotes();
  notes.wsdl = () => ({ body: rpcWsdl({ use: 'encoded' }) });
});
afterEach(() => notes.close());

async function scan(collection: SourceCollection): Promise<readonly Observation[]> {
  const observations: Observation[] = [];
  for await (const batch of collection.scan(signal)) observations.push(...batch.observations);
  return observations;
}

const encoded = (): SourceCollection => notes.open({ list: { rows: 'notes' }, update: { sends: 'mapped' } });
const body = (): string => /<s:Body>(.*)<\/s:Body>/.exec(notes.asked.at(-1)?.body ?? '')?.[1] ?? '';

describe('a call by rpc', () => {
  test('has an element called like the operation and one for each part, in no namespace', async () => {
    notes.wsdl = () => ({ body: rpcWsdl({ use: 'literal' }) });
    notes.answer = () => ({ body: rpcAnswered('SaveNote', '<note><id>7</id><title>New</title></note>') });
    await notes.open({ update: { sends: 'mapped' } }).write(RETITLED, signal);
    expect(body()).toBe(
      '<n1:SaveNote><reason>sync</reason><note><id>7</id><version>3</version><title>New</title><text>words</text>' +
        '<tag>a</tag><tag>b</tag><pinned>true</pinned></note></n1:SaveNote>',
    );
  });

  test.each<readonly [SoapVersion, string, string]>([
    ['1.1', 'http://schemas.xmlsoap.org/soap/encoding/', 'n4:arrayType="n3:string[2]"'],
    ['1.2', 'http://www.w3.org/2003/05/soap-encoding', 'n4:itemType="n3:string" n4:arraySize="2"'],
  ])('in the encoding of SOAP %s tells the type of each value, and has all parts', async (version, encoding, array) => {
    notes.wsdl = () => ({ body: rpcWsdl({ use: 'encoded', version }) });
    notes.answer = () => ({ body: rpcAnswered('SaveNote', '<note><id>7</id><title>New</title></note>', '', version) });
    const write = { ...RETITLED, current: { ...RETITLED.current, text: null } };
    expect(await encoded().write(write, signal)).toMatchObject({ kind: 'applied' });
    expect(body()).toBe(
      `<n1:SaveNote s:encodingStyle="${encoding}"><reason n2:type="n3:string">sync</reason><note n2:type="n1:Note"><id n2:type="n3:string">7</id>` +
        '<version n2:type="n3:int">3</version><title n2:type="n3:string">New</title><text n2:nil="true"/>' +
        `<tag n2:type="n4:Array" ${array}><item n2:type="n3:string">a</item><item n2:type="n3:string">b</item></tag>` +
        '<pinned n2:type="n3:boolean">true</pinned></note><requestKey n2:nil="true"/></n1:SaveNote>',
    );
    expect(notes.asked.at(-1)?.body).toContain(
      ` xmlns:n1="urn:notes" xmlns:n2="http://www.w3.org/2001/XMLSchema-instance" xmlns:n3="http://www.w3.org/2001/XMLSchema" xmlns:n4="${encoding}"`,
    );
  });

  test('whose fault says Client is refused', async () => {
    notes.answer = () => ({ status: 500, body: faulted('S:Client', 'no') });
    expect(await encoded().write(RETITLED, signal)).toMatchObject({ kind: 'refused', message: 'no' });
  });
});

describe('a list in an encoded answer', () => {
  const ENDS = '<total xsi:type="x:int">2</total><more xsi:type="x:boolean">false</more>';
  const TAGS = '<tag xsi:type="e:Array" e:arrayType="x:string[2]"><item>a</item><item>b</item></tag>';
  const NO_TAGS = '<tag xsi:type="e:Array" e:arrayType="x:string[0]"/>';
  const first = `<id xsi:type="x:string">1</id><version xsi:type="x:int">3</version><title>A</title><text xsi:nil="true"/>${TAGS}<pinned>1</pinned>`;
  const second = `<id>2</id><version>1</version><title>B</title><text>words</text>${NO_TAGS}<pinned>0</pinned>`;

  /** What the same notes are as an ordinary answer. */
  async function ordinary(): Promise<readonly Observation[]> {
    const list = notes.wsdl;
    notes.wsdl = () => ({ body: rpcWsdl({ use: 'literal' }) });
    notes.answer = () => ({
      body: rpcAnswered(
        'ListNotes',
        `<notes><note><id>1</id><version>3</version><title>A</title><text xsi:nil="true"/><tag>a</tag><tag>b</tag><pinned>1</pinned></note>
        <note><id>2</id><version>1</version><title>B</title><text>words</text><pinned>0</pinned></note></notes>${ENDS}`,
      ),
    });
    const observations = await scan(notes.open());
    notes.wsdl = list;
    return observations;
  }

  test.each<readonly [string, string]>([
    [
      'with its rows where they belong',
      rpcAnswered(
        'ListNotes',
        `<notes e:arrayType="t:Note[2]" xmlns:t="urn:notes" xsi:type="e:Array"><item xsi:type="t:Note">${first}</item><item>${second}</item></notes>${ENDS}`,
      ),
    ],
    [
      'with everything referred to, further on',
      rpcAnswered(
        'ListNotes',
        `<notes href="#id0"/><total href="#n"/><more href="#m"/>`,
        `<multiRef id="n" e:root="0">2</multiRef><multiRef id="m" e:root="0">false</multiRef>
         <multiRef id="id0" e:root="0" xsi:type="e:Array" e:arrayType="t:Note[2]"><item href="#id1"/><item href="#id2"/></multiRef>
         <multiRef id="id2" e:root="0" xsi:type="t:Note">${second.replace(NO_TAGS, '<tag href="#no"/>')}</multiRef>
         <multiRef id="no" e:root="0" e:arrayType="x:string[0]"/>
         <multiRef id="id1" e:root="0" xsi:type="t:Note">${first.replace('<title>A</title>', '<title href="#t"/>')}</multiRef>
         <multiRef id="t" e:root="0" xsi:type="x:string">A</multiRef>`,
      ),
    ],
    [
      'of a type of its own, without a word on arrays',
      rpcAnswered(
        'ListNotes',
        `<notes xmlns:t="urn:notes" xsi:type="t:Notes"><a>${first}</a><b>${second.replace(NO_TAGS, '<tag/>')}</b></notes>${ENDS}`,
      ),
    ],
    [
      'whose rows are maps',
      rpcAnswered(
        'ListNotes',
        `<notes e:arrayType="m:Map[2]" xmlns:m="http://xml.apache.org/xml-soap">${[first, second]
          .map(
            (row) =>
              `<item xsi:type="m:Map">${row.replace(/<(\w+)([^>]*?)(\/>|>(.*?)<\/\1>)/g, (_all, name: string, facts: string, _rest: string, held = '') => `<item><key>${name}</key><value${facts}>${held as string}</value></item>`)}</item>`,
          )
          .join('')}</notes>${ENDS}`,
      ),
    ],
  ])('%s is read like an ordinary one', async (_what, xml) => {
    const expected = await ordinary();
    notes.answer = () => ({ body: xml });
    expect(expected).toHaveLength(2);
    expect(expected[0]).toMatchObject({ sourceKey: '1', fields: { tags: ['a', 'b'], text: null, pinned: true } });
    expect(await scan(encoded())).toEqual(expected);
  });

  test('by SOAP 1.2 has its own ways to refer and to count', async () => {
    const expected = await ordinary();
    const row = (text: string): string =>
      text.replaceAll(/e:arrayType="x:string\[(\d)\]"/g, 'e:itemType="x:string" e:arraySize="$1"');
    notes.wsdl = () => ({ body: rpcWsdl({ use: 'encoded', version: '1.2' }) });
    const xml = rpcAnswered(
      'ListNotes',
      `<notes e:itemType="x:anyType" e:arraySize="2"><item e:ref="one"/><item e:id="two">${row(second)}</item></notes>${ENDS}`,
      `<multiRef e:id="one">${row(first)}</multiRef>`,
      '1.2',
    );
    notes.answer = () => ({ body: xml, headers: { 'content-type': 'application/soap+xml' } });
    expect(await scan(encoded())).toEqual(expected);
  });

  test.each([
    ['empty', '<notes e:arrayType="x:anyType[0]"/>'],
    ['nil', '<notes xsi:nil="true"/>'],
    ['of rows that are nil', '<notes e:arrayType="x:anyType[1]"><item xsi:nil="1"/></notes>'],
  ])('may be %s', async (_what, list) => {
    notes.answer = () => ({ body: rpcAnswered('ListNotes', `${list}<total>0</total><more>false</more>`) });
    expect(await scan(encoded())).toEqual([]);
  });

  const circle =
    '<multiRef id="a" e:root="0"><x href="#b"/></multiRef><multiRef id="b" e:root="0"><y href="#a"/></multiRef>';
  const laughs = [...Array(25).keys()].map(
    (n) => `<multiRef id="l${n}" e:root="0"><a href="#l${n + 1}"/><b href="#l${n + 1}"/></multiRef>`,
  );
  test.each<readonly [string, string, string, RegExp]>([
    ['refers to nothing', '<notes href="#nowhere"/>', '', /the element that notes refers to, got none/],
    ['refers to elsewhere', '<notes href="cid:part2"/>', '', /an element of the answer in notes, got one to elsewhere/],
    ['refers to itself', '<notes href="#a"/>', '<multiRef id="a" href="#a"/>', /at most 64 elements/],
    ['refers in a circle', '<notes href="#a"/>', circle, /elements that end, got multiRef within itself/],
    [
      'refers to more than there is',
      '<notes href="#l0"/>',
      `${laughs.join('')}<multiRef id="l25" e:root="0">ha</multiRef>`,
      /at most 2000000 elements/,
    ],
    ['has an id twice', '<notes href="#a"/>', '<multiRef id="a"/><multiRef id="a"/>', /each id once, got a twice/],
    [
      'R14: lacks rows that it counts',
      '<notes e:arrayType="x:anyType[3]"><item/></notes>',
      '',
      /the 3 items that notes says it has, got 1/,
    ],
    [
      'R14: is a part of an array',
      '<notes e:arrayType="x:anyType[9]" e:offset="[4]"><item/></notes>',
      '',
      /whole arrays, got a part/,
    ],
    ['has two dimensions', '<notes e:arrayType="x:anyType[2,2]"/>', '', /arrays of one dimension/],
  ])('that %s is not believed', async (_what, list, beside, message) => {
    notes.answer = () => ({ body: rpcAnswered('ListNotes', `${list}<total>0</total><more>false</more>`, beside) });
    await expect(scan(encoded())).rejects.toThrow(message);
  });

  test("that is another operation's is not believed", async () => {
    notes.answer = () => ({ body: answered('GetNote', '<note/>') });
    await expect(scan(encoded())).rejects.toThrow('{urn:notes}ListNotesResponse in the body');
  });

  test('is the same wherever its parts stand', async () => {
    const rows = fc.array(fc.record({ id: fc.uuid(), title: fc.stringMatching(/^[a-z ]{0,9}$/) }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(rows, fc.infiniteStream(fc.boolean()), fc.boolean(), async (given, isReferred, isReversed) => {
        const beside: string[] = [];
        /** Puts some elements to where they are referred to. */
        const put = (name: string, facts: string, inside: string): string => {
          if (isReferred.next().value !== true) return `<${name} ${facts}>${inside}</${name}>`;
          beside.push(`<multiRef id="i${beside.length}" e:root="0" ${facts}>${inside}</multiRef>`);
          return `<${name} href="#i${beside.length - 1}"/>`;
        };
        const items = given.map(({ id, title }) => put('item', '', put('id', '', id) + put('title', '', title)));
        const list = put('notes', `e:arrayType="x:anyType[${given.length}]"`, items.join(''));
        const besides = (isReversed ? beside.reverse() : beside).join('');
        const ends = `<total>${given.length}</total><more>false</more>`;
        notes.answer = () => ({ body: rpcAnswered('ListNotes', list + ends, besides) });
        const found = await scan(encoded());
        expect(found.map(({ sourceKey, fields }) => [sourceKey, fields?.['title']])).toEqual(
          given.map(({ id, title }) => [id, title]),
        );
      }),
      { numRuns: 50 },
    );
  });
});

test('a read by key finds the record by its part', async () => {
  notes.answer = () => ({
    body: rpcAnswered('GetNote', '<note href="#a"/>', '<multiRef id="a"><id>7</id></multiRef>'),
  });
  expect(await encoded().readOne('7' as SourceKey, signal)).toMatchObject({ sourceKey: '7' });
});

test('elements that are repeated are a list, in whatever order they come', async () => {
  notes.answer = () => ({
    body: rpcAnswered(
      'GetNote',
      '<note><x>1</x><id>7</id><x href="#a"/></note><x href="#a"/>',
      '<multiRef id="a">2</multiRef>',
    ),
  });
  const seen: unknown[] = [];
  const classify = ({ body }: { readonly body: unknown }) => void seen.push(body);
  await notes.open({ classify }).readOne('7' as SourceKey, signal);
  expect(JSON.stringify(seen[0])).toBe('{"note":{"x":["1","2"],"id":"7"},"x":"2"}');
});

test('a path into an array is told by its kind', async () => {
  await expect(scan(notes.open({ list: { rows: 'notes.item' } }))).rejects.toThrow(
    'ListNotes: rows: expected nothing below notes, which is an array, got item',
  );
});
