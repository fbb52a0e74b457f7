import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceKey } from '../../../src/core/change.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import { answered, notesWsdl, startNotes, type NotesSource } from './notes-source.js';

const signal = new AbortController().signal;
const XSD = 'xmlns:xsd="http://www.w3.org/2001/XMLSchema"';

let notes: NotesSource;
beforeEach(async () => {
  notes = await startNotes();
  notes.answer = () => ({ body: answered('GetNote', '<note><id>7</id></note>') });
});
afterEach(() => notes.close());

const read = (collection: SourceCollection) => collection.readOne('7' as SourceKey, signal);
const loaded = (): readonly string[] => notes.asked.filter(({ body }) => body === '').map(({ path }) => path);

/** What the schema of the WSDL has in it. */
function schema(): string {
  return /<xsd:schema[^>]*>([^]*)<\/xsd:schema>/.exec(notesWsdl())?.[1] ?? '';
}

test('schemas that include each other are read once', async () => {
  const body = notesWsdl({ schema: '<xsd:include schemaLocation="a.xsd"/>' });
  const include = (name: string): string => `<xsd:include schemaLocation="${name}.xsd"/>`;
  notes.wsdl = ({ path }) => {
    if (!path.endsWith('.xsd')) return { body };
    const other = path.includes('a.xsd') ? include('b') + schema() : include('a');
    return {
      body: `<xsd:schema ${XSD} xmlns:tns="urn:notes" targetNamespace="urn:notes" elementFormDefault="qualified">${other}</xsd:schema>`,
    };
  };
  expect(await read(notes.open())).toMatchObject({ sourceKey: '7' });
  expect(loaded()).toEqual(['/notes?wsdl', '/a.xsd', '/b.xsd']);
});

test('a schema without a namespace is part of the one that includes it', async () => {
  notes.wsdl = ({ path }) => ({
    body: path.endsWith('.xsd')
      ? `<xsd:schema ${XSD} elementFormDefault="qualified">${schema().replaceAll('tns:', '')}</xsd:schema>`
      : notesWsdl({ schema: '<xsd:include schemaLocation="notes.xsd"/>' }),
  });
  expect(await read(notes.open())).toMatchObject({ sourceKey: '7' });
  expect(notes.asked.at(-1)?.body).toContain('<n1:GetNote><n1:id>7</n1:id></n1:GetNote>');
  // Its types are known, too: what they do not have is not asked for.
  await expect(read(notes.open({ one: { rows: 'note.words' } }))).rejects.toThrow('expected one of id, version');
});

test('what everybody knows is not loaded', async () => {
  const known =
    '<xsd:import namespace="http://schemas.xmlsoap.org/soap/encoding/" schemaLocation="http://a.invalid/"/>';
  notes.wsdl = () => ({ body: notesWsdl({ schema: known + schema() }) });
  expect(await read(notes.open())).toMatchObject({ sourceKey: '7' });
});

test('a WSDL may import another one, and be of files in folders', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidegate-wsdl-'));
  try {
    const whole = notesWsdl();
    const at = whole.indexOf('<wsdl:binding');
    const abstractPart = `${whole.slice(0, at)}</wsdl:definitions>`;
    const open = /<wsdl:definitions[^>]*>/.exec(whole)?.[0] ?? '';
    mkdirSync(join(folder, 'parts'));
    writeFileSync(
      join(folder, 'parts', 'abstract.wsdl'),
      abstractPart.replace(schema(), '<xsd:include schemaLocation="../notes.xsd"/>'),
    );
    writeFileSync(
      join(folder, 'notes.xsd'),
      `<xsd:schema ${XSD} xmlns:tns="urn:notes" targetNamespace="urn:notes" elementFormDefault="qualified">${schema()}</xsd:schema>`,
    );
    const main = `${open}<wsdl:import namespace="urn:notes" location="parts/abstract.wsdl"/>${whole.slice(at)}`;
    writeFileSync(join(folder, 'main.wsdl'), main);
    expect(await read(notes.open({ transport: { wsdl: join(folder, 'main.wsdl') } }))).toMatchObject({
      sourceKey: '7',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe('attack 28: a WSDL', () => {
  const including = (location: string) => ({
    body: notesWsdl({ schema: `<xsd:include schemaLocation="${location}"/>` }),
  });

  test('from the network leads to no other host, unless it is named', async () => {
    const elsewhere = await startNotes();
    try {
      const { origin } = new URL(elsewhere.url);
      elsewhere.wsdl = () => ({
        body: `<xsd:schema ${XSD} xmlns:tns="urn:notes" targetNamespace="urn:notes" elementFormDefault="qualified">${schema()}</xsd:schema>`,
      });
      notes.wsdl = () => including(`${origin}/notes.xsd`);
      await expect(read(notes.open())).rejects.toThrow(
        `expected parts at the origins of wsdl, endpoint or wsdlPartsFrom, got ${origin}`,
      );
      expect(elsewhere.asked).toEqual([]);
      expect(await read(notes.open({ transport: { wsdlPartsFrom: [origin] } }))).toMatchObject({ sourceKey: '7' });
    } finally {
      await elsewhere.close();
    }
  });

  test('in a file leads to no address inside', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidegate-wsdl-'));
    try {
      const file = join(folder, 'notes.wsdl');
      writeFileSync(file, including('http://169.254.169.254/latest/meta-data/').body);
      await expect(read(notes.open({ transport: { wsdl: file } }))).rejects.toThrow(
        'expected a public address, got 169.254.169.254',
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

test('attack 30: a WSDL from the network does not lead to our files', async () => {
  notes.wsdl = () => ({ body: notesWsdl({ schema: '<xsd:include schemaLocation="file:///etc/passwd"/>' }) });
  await expect(read(notes.open())).rejects.toThrow('expected parts at http or https, got file:');
});

test.each<readonly [string, string, RegExp]>([
  [
    'a DOCTYPE',
    `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>${notesWsdl().slice(38)}`,
    /no DOCTYPE, got one/,
  ],
  ['elements without end', `<a>`.repeat(100_000), /at most 200 elements within each other/],
  [
    'groups that stand for more than there is',
    notesWsdl({
      schema: `${schema()}<xsd:element name="Bomb"><xsd:complexType><xsd:group ref="tns:g0"/></xsd:complexType></xsd:element>${[
        ...Array(40).keys(),
      ]
        .map((n) => {
          const next = `<xsd:group ref="tns:g${n + 1}"/>`;
          return `<xsd:group name="g${n}"><xsd:sequence>${next}${next}</xsd:sequence></xsd:group>`;
        })
        .join('')}<xsd:group name="g40"><xsd:sequence/></xsd:group>`,
    }).replace('element="tns:GetNote"', 'element="tns:Bomb"'),
    /a schema of at most 1000000 parts, got more/,
  ],
])('a WSDL with %s is not read', async (_what, body, message) => {
  notes.wsdl = () => ({ body });
  await expect(read(notes.open())).rejects.toThrow(message);
});
