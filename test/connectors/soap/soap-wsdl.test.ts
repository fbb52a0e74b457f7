import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collection, defineConnector, field } from '../../../src/connectors/define.js';
import { call, soap } from '../../../src/connectors/soap.js';
import { openSoap } from '../../../src/connectors/soap-transport.js';
import type { SourceKey } from '../../../src/core/change.js';
import type { SourceCollection } from '../../../src/core/source-port.js';
import { eagerDeps } from './eager-deps.js';
import { answered, enveloped, notesWsdl, RETITLED, startNotes, type Asked, type NotesSource } from './notes-source.js';

const signal = new AbortController().signal;
const found = { body: answered('GetNote', '<note><id>7</id></note>') };

let notes: NotesSource;
beforeEach(async () => {
  notes = await startNotes();
  notes.answer = () => found;
});
afterEach(() => notes.close());

const read = (collection: SourceCollection) => collection.readOne('7' as SourceKey, signal);
const loads = (): readonly Asked[] => notes.asked.filter(({ body }) => body === '');

describe('the WSDL', () => {
  test('is read at the first call, once for all calls', async () => {
    const collection = notes.open();
    expect(notes.asked).toEqual([]);
    await Promise.all([read(collection), read(collection)]);
    await read(collection);
    expect(loads().map(({ path }) => path)).toEqual(['/notes?wsdl']);
  });

  test('R11: that cannot be read keeps a write from being sent, and is read again at the next call', async () => {
    const good = notes.wsdl;
    const collection = notes.open({ update: { sends: 'mapped' } });
    notes.wsdl = () => ({ status: 503, headers: { 'content-type': 'text/html' }, body: 'down' });
    const outcome = await collection.write(RETITLED, signal);
    expect(outcome).toMatchObject({ kind: 'notSent' });
    expect(outcome.kind === 'notSent' && outcome.reason).toBe(
      `office.notes write.update: the WSDL ${notes.url}/notes cannot be read: expected status 200, got 503`,
    );
    notes.wsdl = good;
    expect(await read(collection)).toMatchObject({ sourceKey: '7' });
  });

  test('R11: that does not come in time keeps a write from being sent', async () => {
    const collection = notes.open({ update: { sends: 'mapped' }, transport: { timeout: '3s' } });
    const asked = new Promise<void>((resolve) => {
      notes.wsdl = () => {
        resolve();
        return { after: new Promise<void>(() => undefined) };
      };
    });
    const writing = collection.write(RETITLED, signal);
    await asked;
    notes.advance(3_000);
    expect(await writing).toMatchObject({ kind: 'notSent' });
    notes.wsdl = () => ({ body: notesWsdl() });
    expect(await read(collection)).toMatchObject({ sourceKey: '7' });
  });

  test('is read for all that wait for it: one that gives up does not end it for the others', async () => {
    let answer: () => void = () => undefined;
    const collection = notes.open();
    const slow = new Promise<void>((resolve) => {
      const { wsdl } = notes;
      notes.wsdl = (asked) => {
        resolve();
        return { ...wsdl(asked), after: new Promise<void>((go) => (answer = go)) };
      };
    });
    const leaver = new AbortController();
    const leaving = collection.readOne('7' as SourceKey, leaver.signal);
    const staying = read(collection);
    await slow;
    leaver.abort();
    await expect(leaving).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
    answer();
    expect(await staying).toMatchObject({ sourceKey: '7' });
    expect(loads()).toHaveLength(1);
  });

  test.each([
    ['HTML', '<html></html>', /expected a WSDL 1.1, got a document of \{\}html/],
    ['another document', '<a/>', /expected a WSDL 1.1, got a document of \{\}a/],
    ['half of itself', notesWsdl().slice(0, 900), /cannot be read/],
    ['nothing', '', /cannot be read/],
    ['no operations', '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"/>', /with operations, got none/],
  ])('that is %s makes reads fail with its reason', async (_what, body, reason) => {
    notes.wsdl = () => ({ body });
    await expect(read(notes.open())).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE', message: reason });
  });

  test('R11: without the operation of a write keeps it from being sent, and the reason names those that there are', async () => {
    const collection = notes.open({ updateBy: 'StoreNote', update: { sends: 'mapped' } });
    expect(await collection.write(RETITLED, signal)).toEqual({
      kind: 'notSent',
      reason: `office.notes write.update: expected one of the operations ListNotes, GetNote, SaveNote, FindNotes of ${notes.url}/notes, got StoreNote`,
      retryAfterMs: null,
    });
    expect(notes.asked).toHaveLength(1);
    const schema = /<xsd:schema[^>]*>([^]*)<\/xsd:schema>/.exec(notesWsdl())?.[1]?.replaceAll('SaveNote', 'StoreNote');
    notes.wsdl = () => ({ body: notesWsdl({ operations: ['StoreNote', 'GetNote'], schema: schema ?? '' }) });
    notes.answer = () => ({ body: answered('StoreNote', '<note><id>7</id></note>') });
    expect(await collection.write(RETITLED, signal)).toMatchObject({ kind: 'applied' });
  });

  test.each([
    ['rows', { one: { rows: 'nota' } }, 'GetNote: rows: expected one of note in GetNoteResponse, got nota'],
    ['keyIn', { one: { keyIn: 'sku' } }, 'GetNote: keyIn: expected one of id in GetNote, got sku'],
    [
      'keyIn',
      { one: { keyIn: ['id', 'id'] } },
      'GetNote: keyIn: expected one argument for each of the 1 parts of a key, got 2',
    ],
    [
      'args',
      { one: { args: { 'id.part': 1 } } },
      'GetNote: args: expected nothing below id, which is a text, got part',
    ],
  ])('holds against a connector whose %s it does not have', async (_key, settings, message) => {
    await expect(read(notes.open(settings))).rejects.toThrow(message);
  });

  test.each<readonly [string, string, string]>([
    ['rpc', 'literal', 'expected parts of rpc that have a type, got parameters (element tns:GetNote)'],
    ['document', 'encoded', 'expected document/literal, rpc/literal, rpc/encoded, got document/encoded'],
  ])('of a style that is none (%s/%s with elements) is told apart, not called wrongly', async (style, use, message) => {
    notes.wsdl = () => ({ body: notesWsdl({ style }).replaceAll('use="literal"', `use="${use}"`) });
    await expect(read(notes.open())).rejects.toThrow(message);
  });

  test('names an address that is not used: the configuration has the endpoint', async () => {
    await read(notes.open({ transport: { endpoint: `${notes.url}/elsewhere?v=2` } }));
    expect(notes.asked.at(-1)?.path).toBe('/elsewhere?v=2');
  });

  test('at another host is read without our credentials', async () => {
    const other = await startNotes();
    try {
      const auth = { header: 'authorization', value: 'Bearer secret' };
      const collection = notes.open({ transport: { wsdl: `${other.url}/notes?wsdl`, auth } });
      await read(collection);
      expect(other.asked[0]?.headers['authorization']).toBeUndefined();
      expect(notes.asked[0]?.headers['authorization']).toBe('Bearer secret');
    } finally {
      await other.close();
    }
  });

  test('may be a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tidegate-wsdl-'));
    try {
      writeFileSync(join(folder, 'notes.wsdl'), notesWsdl());
      expect(await read(notes.open({ transport: { wsdl: join(folder, 'notes.wsdl') } }))).toMatchObject({
        sourceKey: '7',
      });
      await expect(read(notes.open({ transport: { wsdl: join(folder, 'none.wsdl') } }))).rejects.toThrow('ENOENT');
      expect(loads()).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('may include a schema, which is read from the same host', async () => {
    const [, schema = ''] = /(<xsd:schema[^]*<\/xsd:schema>)/.exec(notesWsdl()) ?? [];
    const included = schema.replace(
      '<xsd:schema',
      '<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns="urn:notes"',
    );
    const body = notesWsdl({ schema: '<xsd:include schemaLocation="notes.xsd"/>' });
    notes.wsdl = ({ path }) => ({ body: path.endsWith('.xsd') ? included : body });
    expect(await read(notes.open())).toMatchObject({ sourceKey: '7' });
    expect(loads().map(({ path }) => path)).toEqual(['/notes?wsdl', '/notes.xsd']);
  });

  test('that includes without end is given up', async () => {
    let number = 0;
    const next = (): string => `<xsd:include schemaLocation="${(number += 1)}.xsd"/>`;
    notes.wsdl = ({ path }) => ({
      body: path.endsWith('.xsd')
        ? `<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:notes">${next()}</xsd:schema>`
        : notesWsdl({ schema: next() }),
    });
    await expect(read(notes.open())).rejects.toThrow('expected at most 100 parts, got more');
    expect(loads()).toHaveLength(101);
  });

  test('whose address is none is a fault of the configuration', () => {
    const credentials = { send: () => Promise.reject(new Error('never')), close: () => Promise.resolve() };
    const told = { classify: undefined, heard: () => undefined, credentials };
    const choice = { service: null, port: null, version: null, security: null };
    const settings = { ...told, ...choice, headers: {}, notProcessed: [], partsFrom: [], wsdlTimeoutMs: 1 };
    const http = { connections: 1, connectTimeoutMs: 1, maxAnswerBytes: 1 };
    const open = (wsdl: string, endpoint: string) => () => openSoap({ ...settings, http, wsdl, endpoint }, eagerDeps());
    expect(open('http://', 'http://a.example')).toThrow('wsdl: expected an address like');
    expect(open('a.wsdl', 'ftp://a.example')).toThrow('endpoint: expected an address like');
    expect(open('a.wsdl', 'http://me:secret@a.example')).toThrow('without a user');
  });
});

describe('the elements of a request', () => {
  /** The body of the request that the WSDL's schema makes of a read by key. */
  async function bodyOf(schema: string, form = 'qualified', keyIn = 'id'): Promise<string> {
    const response = `<xsd:element name="GetNoteResponse"><xsd:complexType><xsd:sequence><xsd:any/></xsd:sequence></xsd:complexType></xsd:element>`;
    notes.wsdl = () => ({ body: notesWsdl({ schema: schema + response, form, operations: ['GetNote'] }) });
    await read(notes.open({ one: { keyIn, args: keyIn === 'GetNote' ? {} : { last: 1 } } }));
    return /<s:Body>(.*)<\/s:Body>/.exec(notes.asked.at(-1)?.body ?? '')?.[1] ?? '';
  }
  const sequence = (elements: string): string => `<xsd:sequence>${elements}</xsd:sequence>`;
  const ID = '<xsd:element name="id" type="xsd:string"/>';
  const LAST = '<xsd:element name="last" type="xsd:int"/>';

  test('are unqualified where the schema says so', async () => {
    const schema = `<xsd:element name="GetNote"><xsd:complexType>${sequence(ID + LAST)}</xsd:complexType></xsd:element>`;
    expect(await bodyOf(schema, 'unqualified')).toBe('<n1:GetNote><id>7</id><last>1</last></n1:GetNote>');
    const one = schema.replace('name="id"', 'name="id" form="qualified"');
    expect(await bodyOf(one, 'unqualified')).toBe('<n1:GetNote><n1:id>7</n1:id><last>1</last></n1:GetNote>');
  });

  test('come from named types, their base types, groups, choices and references, in that order', async () => {
    const schema = `<xsd:element name="GetNote" type="tns:Get"/>
      <xsd:complexType name="Base">${sequence(ID)}</xsd:complexType>
      <xsd:complexType name="Get"><xsd:complexContent><xsd:extension base="tns:Base">${sequence(
        '<xsd:group ref="tns:More"/>',
      )}</xsd:extension></xsd:complexContent></xsd:complexType>
      <xsd:group name="More"><xsd:sequence><xsd:choice><xsd:element name="by" type="xsd:string"/><xsd:element ref="tns:last"/></xsd:choice></xsd:sequence></xsd:group>
      <xsd:element name="last" type="xsd:int"/>`;
    expect(await bodyOf(schema, 'unqualified')).toBe('<n1:GetNote><id>7</id><n1:last>1</n1:last></n1:GetNote>');
  });

  test('may be one bare text', async () => {
    expect(await bodyOf('<xsd:element name="GetNote" type="xsd:string"/>', 'qualified', 'GetNote')).toBe(
      '<n1:GetNote>7</n1:GetNote>',
    );
  });

  test('of a type that contains itself end with the values', async () => {
    const schema = `<xsd:element name="GetNote" type="tns:Tree"/>
      <xsd:complexType name="Tree">${sequence(ID + LAST + '<xsd:element name="child" type="tns:Tree" minOccurs="0"/>')}</xsd:complexType>`;
    expect(await bodyOf(schema)).toBe('<n1:GetNote><n1:id>7</n1:id><n1:last>1</n1:last></n1:GetNote>');
    expect(await bodyOf(schema, 'qualified', 'child.child.id')).toContain('<n1:child><n1:child><n1:id>7<');
  });

  test('may be none at all', async () => {
    const schema = '<xsd:element name="GetNote"><xsd:complexType/></xsd:element>';
    await expect(bodyOf(schema)).rejects.toThrow('GetNote: args: expected one of (nothing) in GetNote, got last');
  });
});

test('an operation that does not fit its kit is told when the connector is defined', () => {
  const kit = soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example' });
  expect(kit.misfitOf(call('ListNotes', { rows: 'notes.note' }), 'list', 1)).toBeNull();
  expect(kit.misfitOf(call('ListNotes', { rows: 'note', paging: { kind: 'link' } }), 'list', 1)).toContain('got link');
  expect(kit.misfitOf(call('ListNotes', { paging: { kind: 'page', numberIn: 'page', size: 5 } }), 'list', 1)).toContain(
    'expected rows',
  );
  expect(kit.misfitOf(call('SaveNote', { guarded: true }), 'list', 1)).toContain('expected versionIn');
  expect(kit.misfitOf(call(''), 'list', 1)).toContain('name of an operation');
});

test('a guard that no SOAP call takes is told when the connector is defined', () => {
  const define = (guard: 'ifMatch' | 'argument', versionIn: object) =>
    defineConnector({
      source: 'office',
      transport: soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example' }),
      collections: {
        notes: collection({
          type: 'Note',
          key: 'id',
          version: 'version',
          fields: { title: field.string() },
          read: { list: call('ListNotes', { rows: 'note' }) },
          write: { update: call('SaveNote', { keyIn: 'id', sends: 'changed', ...versionIn }), guard },
        }),
      },
    });
  expect(() => define('argument', { versionIn: 'version' })).not.toThrow();
  expect(() => define('ifMatch', { versionIn: 'version' })).toThrow('notes.write.guard: expected "argument"');
  expect(() => define('argument', {})).toThrow('notes.write.guard: expected an update or remove that takes it');
});

test('the answer of a bare operation is its element', async () => {
  notes.answer = () => ({ body: enveloped('<GetNoteResponse xmlns="urn:notes"><id>7</id></GetNoteResponse>') });
  notes.wsdl = () => ({
    body: notesWsdl({
      operations: ['GetNote'],
      schema: `<xsd:element name="GetNote" type="tns:Key"/><xsd:element name="GetNoteResponse" type="tns:Key"/>
        <xsd:complexType name="Key"><xsd:sequence><xsd:element name="id" type="xsd:string"/></xsd:sequence></xsd:complexType>`,
    }),
  });
  expect(await read(notes.open({ one: { rows: '' } }))).toMatchObject({ sourceKey: '7' });
});
