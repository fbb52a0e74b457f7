import type { HttpHead } from '../../../src/connectors/http-client.js';
import { readEnvelope, type ExpectedAnswer, type SoapContent } from '../../../src/connectors/soap-answer.js';
import { answered, enveloped, NOTES_NAMESPACE } from './notes-source.js';

const EXPECTED: ExpectedAnswer = {
  version: '1.1',
  isEncoded: false,
  output: {
    name: 'ListNotesResponse',
    namespace: NOTES_NAMESPACE,
    nillable: false,
    type: null,
    content: () => ({ kind: 'elements', elements: [], open: true }),
  },
};
const XML = 'text/xml; charset=utf-8';

async function* pieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    // Nothing else happens between two chunks, as when they come at once.
    yield await Promise.resolve(bytes.subarray(from, cut));
    from = cut;
  }
}

function read(xml: string | Buffer, cuts: readonly number[] = [], contentType = XML): Promise<SoapContent> {
  const head: HttpHead = { status: 200, headers: new Map([['content-type', contentType]]) };
  return readEnvelope(head, pieces(typeof xml === 'string' ? Buffer.from(xml) : xml, cuts), EXPECTED, [
    'notes',
    'note',
  ]);
}

async function reasonOf(xml: string | Buffer, contentType = XML): Promise<string> {
  const content = await read(xml, [], contentType);
  if (content.kind !== 'misfit') throw new Error(`expected a misfit, got ${JSON.stringify(content)}`);
  return content.reason;
}

const list = (notes: string, rest = ''): string => answered('ListNotes', `<notes>${notes}</notes>${rest}`);

describe('an envelope', () => {
  test('gives rows and the rest apart: repeated elements as lists, absent ones not at all, nil as null', async () => {
    const xml = list(
      `<note><id>1</id><tag>a</tag><tag>b</tag><text xsi:nil="true"/></note><note><id>2</id><tag/><at><x>1</x></at></note>`,
      '<total>2</total>',
    );
    expect(await read(xml)).toEqual({
      kind: 'answer',
      answer: { notes: {}, total: '2' },
      rows: [
        { id: '1', tag: ['a', 'b'], text: null },
        { id: '2', tag: '', at: { x: '1' } },
      ],
    });
  });

  test('is the same in whatever pieces its bytes come', async () => {
    const xml = Buffer.from(
      list(`<!-- é --><note><id>&#x1F9EA;&amp;</id><text>Größe “🩹” <![CDATA[<b> ]] & ü]]> end</text></note>`),
    );
    const whole = await read(xml);
    expect(whole).toMatchObject({ rows: [{ id: '🧪&', text: 'Größe “🩹” <b> ]] & ü end' }] });
    for (let cut = 0; cut <= xml.length; cut += 1) expect(await read(xml, [cut])).toEqual(whole);
    expect(await read(xml, [...xml.keys()])).toEqual(whole);
  });

  test('may use other prefixes, a byte order mark, a header, comments and processing instructions', async () => {
    const xml = `\ufeff<?xml version="1.0" encoding="utf-8"?><!-- a --><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/">
      <Header><Body>not this one</Body></Header>
      <Body><q:ListNotesResponse xmlns:q="urn:notes"><q:notes><?p i?><q:note><z:id xmlns:z="urn:z">1</z:id></q:note></q:notes></q:ListNotesResponse></Body></Envelope>`;
    expect(await read(xml)).toMatchObject({ kind: 'answer', rows: [{ id: '1' }] });
  });

  test('keeps the white space of a text and drops that between elements', async () => {
    const content = await read(list('\n  <note>\n <id> 1\t</id>\n <text> \n </text></note>\n'));
    expect(content).toMatchObject({ rows: [{ id: ' 1\t', text: ' \n ' }] });
  });

  test('may have members that are called like those of every object', async () => {
    const content = await read(list('<note><__proto__>1</__proto__><constructor>2</constructor></note>'));
    expect(content.kind === 'answer' && JSON.stringify(content.rows)).toBe('[{"__proto__":"1","constructor":"2"}]');
  });

  test('may have 64 elements within each other', async () => {
    const content = await read(list(`<note>${'<a>'.repeat(59)}deep${'</a>'.repeat(59)}</note>`));
    expect(JSON.stringify(content)).toContain('"deep"');
  });

  test('a list without rows, or with one that is nil, is empty', async () => {
    expect(await read(list(''))).toMatchObject({ rows: [] });
    expect(await read(list('<note xsi:nil="true"/>'))).toMatchObject({ rows: [] });
  });

  test('a fault is told by its local code, its message and its detail', async () => {
    const detail = '<detail><e:Why xmlns:e="urn:e"><code>7</code></e:Why></detail>';
    const fault = `<f:Fault xmlns:f="http://schemas.xmlsoap.org/soap/envelope/"><faultcode>f:Client.Busy</faultcode><faultstring xml:lang="en"> no </faultstring>${detail}</f:Fault>`;
    expect(await read(enveloped(fault))).toEqual({
      kind: 'fault',
      fault: {
        code: 'Client.Busy',
        codes: [{ namespace: 'http://schemas.xmlsoap.org/soap/envelope/', local: 'Client.Busy' }],
        message: 'no',
        detail: { Why: { code: '7' } },
      },
    });
  });
});

describe('an envelope that cannot be believed', () => {
  const laughs = `<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`;
  const body = list('<note><id>1</id></note>').replace('<?xml version="1.0"?>', '');

  test.each([
    ['a DOCTYPE', `<!DOCTYPE html>${body}`, /no DOCTYPE/],
    ['a DOCTYPE with an external subset', `<!DOCTYPE a SYSTEM "file:///etc/passwd">${body}`, /no DOCTYPE/],
    ['a thousand laughs', laughs + list('<note><id>&b;</id></note>').slice(21), /no DOCTYPE/],
    ['an entity that is not one of the five', list('<note><id>&nbsp;</id></note>'), /undefined entity/],
    ['an entity called like a member of every object', list('<note><id>&constructor;</id></note>'), /undefined entity/],
    ['a reference to a character that XML does not have', list('<note><id>&#0;</id></note>'), /malformed character/],
    ['65 elements within each other', list('<note>' + '<a>'.repeat(60) + '</a>'.repeat(60) + '</note>'), /at most 64/],
    ['HTML in disguise', '<html><body>Log in</body></html>', /SOAP 1.1 envelope, got \{\}html/],
    ['SOAP 1.2', body.replace(/schemas.xmlsoap.org\/soap\/envelope/, 'www.w3.org/2003/05/soap-envelope'), /SOAP 1.1/],
    [
      'the answer of another operation',
      answered('GetNote', ''),
      /ListNotesResponse in the body, got .*GetNoteResponse/,
    ],
    ['the right name in another namespace', body.replaceAll('"urn:notes"', '"urn:other"'), /got \{urn:other\}/],
    ['an empty body', enveloped(''), /ListNotesResponse in the body, got nothing/],
    ['no body', '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"/>', /a body, got none/],
    ['two elements in the body', enveloped('<a/><b/>'), /one element in the body/],
    ['a second root', `${body}<a/>`, /well-formed/],
    ['tags that do not match', body.replace('</id>', '</di>'), /well-formed/],
    ['nothing at all', '', /well-formed/],
    [
      'an encoding that would lose characters',
      `<?xml version="1.0" encoding="ISO-8859-1"?>${body}`,
      /in UTF-8, got ISO/,
    ],
  ])('is one with %s', async (_what, xml, reason) => {
    expect(await reasonOf(xml)).toMatch(reason);
  });

  test('is one that ends anywhere before its end', async () => {
    const bytes = Buffer.from(list('<note><id>é</id></note>'));
    for (let end = 0; end < bytes.length; end += 1) {
      expect((await read(bytes.subarray(0, end))).kind).toBe('misfit');
    }
  });

  test('is one whose bytes are not UTF-8', async () => {
    const bytes = Buffer.from(list('<note><id>é</id></note>'), 'latin1');
    expect(await reasonOf(bytes)).toMatch(/in UTF-8/);
  });

  test('is one of another media type', async () => {
    expect(await reasonOf(body, 'text/html')).toMatch(/XML in UTF-8, got text\/html/);
    expect(await reasonOf(body, 'text/xml; charset=iso-8859-1')).toMatch(/got text\/xml; charset=iso-8859-1/);
    expect(await reasonOf(body, 'multipart/related; type="text/xml"')).toMatch(/got multipart/);
  });
});
