import type { SourceCollection } from '../../../src/core/source-port.js';
import type { SourceKey } from '../../../src/core/change.js';
import { refused } from '../../../src/connectors/define.js';
import { soap } from '../../../src/connectors/soap.js';
import {
  answered,
  enveloped,
  faulted,
  NOTES_NAMESPACE,
  notesWsdl,
  RETITLED,
  startNotes,
  type NotesSource,
  type Reply,
} from './notes-source.js';

const signal = new AbortController().signal;
const NOTE = '<note><id>7</id><version>3</version><title>Old</title></note>';
const SOAP_12 = { 'content-type': 'application/soap+xml; charset=utf-8' };

let notes: NotesSource;
beforeEach(async () => {
  notes = await startNotes();
  notes.wsdl = () => ({ body: notesWsdl({ version: '1.2' }) });
});
afterEach(() => notes.close());

const read = (collection: SourceCollection) => collection.readOne('7' as SourceKey, signal);
const open = (): SourceCollection => notes.open({ update: { sends: 'mapped' } });

function fault(code: string, reasons: string, detail = ''): string {
  return enveloped(
    `<S:Fault xmlns:n="urn:notes"><S:Code>${code}</S:Code><S:Reason>${reasons}</S:Reason>${detail}</S:Fault>`,
    '1.2',
  );
}

const coded = (code: string): string =>
  fault(`<S:Value>S:${code}</S:Value>`, '<S:Text xml:lang="en">The title is taken</S:Text>');

describe('a call by SOAP 1.2', () => {
  test('has its envelope, its media type, and the action as a parameter of it', async () => {
    notes.answer = () => ({ headers: SOAP_12, body: answered('GetNote', NOTE, '1.2') });
    expect(await read(open())).toMatchObject({ sourceKey: '7', fields: { title: 'Old' } });
    const asked = notes.asked.at(-1);
    expect(asked?.headers['content-type']).toBe('application/soap+xml; charset=utf-8; action="urn:do/GetNote"');
    expect(asked?.headers['soapaction']).toBeUndefined();
    expect(asked?.body).toContain('xmlns:s="http://www.w3.org/2003/05/soap-envelope"');
  });

  test('that is answered by SOAP 1.1 has shown nothing', async () => {
    notes.answer = () => ({ body: answered('GetNote', NOTE) });
    await expect(read(open())).rejects.toThrow('expected a SOAP 1.2 envelope, got one of SOAP 1.1');
  });

  test.each<readonly [string, Reply]>([
    ['Sender', { status: 400, headers: SOAP_12, body: coded('Sender') }],
    ['Sender with the status of a success', { headers: SOAP_12, body: coded('Sender') }],
    [
      'Sender with a subcode',
      {
        status: 400,
        headers: SOAP_12,
        body: fault(
          '<S:Value>S:Sender</S:Value><S:Subcode><S:Value>n:Taken</S:Value></S:Subcode>',
          '<S:Text xml:lang="de">Der Titel ist vergeben</S:Text><S:Text xml:lang="en-GB">The title is taken</S:Text>',
        ),
      },
    ],
    ['the code of SOAP 1.1', { status: 500, body: faulted('S:Client', 'The title is taken') }],
  ])('R11: whose fault says %s is refused with its English reason', async (_what, reply) => {
    notes.answer = () => reply;
    expect(await open().write(RETITLED, signal)).toEqual({
      kind: 'refused',
      message: 'The title is taken',
      field: null,
    });
  });

  test.each([['Receiver'], ['Whatever']])('R11: whose fault says %s is in doubt', async (code) => {
    notes.answer = () => ({ status: 500, headers: SOAP_12, body: coded(code) });
    expect(await open().write(RETITLED, signal)).toMatchObject({ kind: 'unknown' });
    expect(notes.asked.filter(({ body }) => body.includes('SaveNote'))).toHaveLength(1);
  });

  test.each([['VersionMismatch'], ['MustUnderstand'], ['DataEncodingUnknown']])(
    'R11: whose fault says %s has done nothing, for our configuration does not fit',
    async (code) => {
      notes.answer = () => ({ status: 500, headers: SOAP_12, body: coded(code) });
      expect(await open().write(RETITLED, signal)).toMatchObject({
        kind: 'notSent',
        reason: `office.notes write.update: it does not take requests as they are configured: it says ${code}: The title is taken`,
      });
    },
  );

  test('shows its connector the code with its subcodes, and the detail', async () => {
    const code = '<S:Value>S:Receiver</S:Value><S:Subcode><S:Value>n:Locked</S:Value></S:Subcode>';
    // What a detail is made of is its own: a code in it is none of the fault's.
    const detail = '<S:Detail><n:Lock><n:by>mel</n:by><S:Value>n:Other</S:Value></n:Lock></S:Detail>';
    notes.answer = () => ({
      status: 500,
      headers: SOAP_12,
      body: fault(code, '<S:Text xml:lang="en">no</S:Text>', detail),
    });
    const seen: unknown[] = [];
    const classify = (answer: { readonly code: string | null; readonly body: unknown }) => {
      seen.push(answer.code, answer.body);
      return refused('locked');
    };
    await notes.open({ classify, update: { sends: 'mapped' } }).write(RETITLED, signal);
    expect(seen.slice(-2)).toEqual(['Receiver.Locked', { Lock: { by: 'mel', Value: 'n:Other' } }]);
  });
});

describe('of several ports', () => {
  const PORTS = ['Queue', 'Old', 'New', 'Files'] as const;
  const soapOf = (name: string): string => (name === 'New' ? 'soap12' : 'soap');

  /** A WSDL whose ports have an operation each beside the one that they share: Queue over JMS, Old by SOAP 1.1, New by 1.2, Files by HTTP alone. */
  function manyPorts(): string {
    const element = (name: string): string => `<xsd:element name="${name}" type="tns:Note"/>`;
    const operations = (port: string): readonly string[] => ['GetNote', `Save${port}`];
    const each = (render: (port: string) => string): string => PORTS.map(render).join('');
    const names = ['GetNote', ...PORTS.map((port) => `Save${port}`)];
    return `<w:definitions targetNamespace="${NOTES_NAMESPACE}" xmlns:tns="${NOTES_NAMESPACE}" xmlns:w="http://schemas.xmlsoap.org/wsdl/"
      xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:soap12="http://schemas.xmlsoap.org/wsdl/soap12/" xmlns:http="http://schemas.xmlsoap.org/wsdl/http/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
      <w:types><xsd:schema targetNamespace="${NOTES_NAMESPACE}" elementFormDefault="qualified">
      <xsd:complexType name="Note"><xsd:sequence><xsd:element name="id" type="xsd:string"/></xsd:sequence></xsd:complexType>
      ${names.map((name) => element(name) + element(`${name}Response`)).join('')}</xsd:schema></w:types>
      ${names.map((name) => `<w:message name="${name}In"><w:part name="p" element="tns:${name}"/></w:message><w:message name="${name}Out"><w:part name="p" element="tns:${name}Response"/></w:message>`).join('')}
      ${each(
        (port) =>
          `<w:portType name="${port}Type">${operations(port)
            .map(
              (name) =>
                `<w:operation name="${name}"><w:input message="tns:${name}In"/><w:output message="tns:${name}Out"/></w:operation>`,
            )
            .join('')}</w:portType>`,
      )}
      ${each(
        (
          port,
        ) => `<w:binding name="${port}Binding" type="tns:${port}Type">${port === 'Files' ? '<http:binding verb="POST"/>' : `<${soapOf(port)}:binding transport="http://schemas.xmlsoap.org/soap/${port === 'Queue' ? 'jms' : 'http'}"/>`}
      ${operations(port)
        .map(
          (name) =>
            `<w:operation name="${name}"><${soapOf(port)}:operation soapAction="urn:${port}/${name}"/><w:input><${soapOf(port)}:body use="literal"/></w:input><w:output><${soapOf(port)}:body use="literal"/></w:output></w:operation>`,
        )
        .join('')}</w:binding>`,
      )}
      <w:service name="Files"><w:port name="Files" binding="tns:FilesBinding"/></w:service>
      <w:service name="Notes"><w:port name="Queue" binding="tns:QueueBinding"/><w:port name="Old" binding="tns:OldBinding"/><w:port name="New" binding="tns:NewBinding"/></w:service></w:definitions>`;
  }

  beforeEach(() => {
    notes.wsdl = () => ({ body: manyPorts() });
    notes.answer = ({ body }) => {
      const version = body.includes('2003/05') ? '1.2' : '1.1';
      const operation = /<s:Body><\w+:(\w+)/.exec(body)?.[1] ?? '';
      return { headers: version === '1.2' ? SOAP_12 : {}, body: answered(operation, '<id>7</id>', version) };
    };
  });

  const ONE = { rows: '' };
  const SAVE = { sends: 'mapped', keyIn: 'id', bodyIn: '', rows: '', args: {}, answers: 'nothing' } as const;
  const action = (): unknown =>
    notes.asked.at(-1)?.headers['soapaction'] ?? notes.asked.at(-1)?.headers['content-type'];

  test.each<readonly [string, object, string]>([
    ['the first over SOAP', {}, '"urn:Old/GetNote"'],
    ['the one that is named', { port: 'New' }, 'application/soap+xml; charset=utf-8; action="urn:New/GetNote"'],
    ['that of the service that is named', { service: 'Notes' }, '"urn:Old/GetNote"'],
    ['the first of the version', { version: '1.2' }, 'application/soap+xml; charset=utf-8; action="urn:New/GetNote"'],
    [
      'the one that is named, in the version that is told',
      { port: 'Old', version: '1.2' },
      'application/soap+xml; charset=utf-8; action="urn:Old/GetNote"',
    ],
  ])('%s is called', async (_which, transport, expected) => {
    expect(await read(notes.open({ one: ONE, transport }))).toMatchObject({ sourceKey: '7' });
    expect(action()).toBe(expected);
  });

  test('the one that has the operation is called', async () => {
    const update = { ...SAVE, versionIn: 'id' };
    await notes.open({ one: ONE, updateBy: 'SaveNew', update }).write({ ...RETITLED, fields: {}, current: {} }, signal);
    const saved = notes.asked.find(({ body }) => body.includes('SaveNew'));
    expect(saved?.headers['content-type']).toBe('application/soap+xml; charset=utf-8; action="urn:New/SaveNew"');
  });

  test.each<readonly [string, object, RegExp]>([
    ['a port that there is not', { port: 'Newer' }, /expected one of the ports Old, New, got Newer/],
    ['a port that speaks no SOAP', { port: 'Files' }, /expected one of the ports Old, New, got Files/],
    ['a service that there is not', { service: 'Nodes' }, /expected one of the services Notes, got Nodes/],
  ])('%s is told by those that there are', async (_which, transport, message) => {
    await expect(read(notes.open({ one: ONE, transport }))).rejects.toThrow(message);
  });

  test('an operation that no port over SOAP has is told by those that they have', async () => {
    const collection = notes.open({ one: ONE, updateBy: 'SaveFiles', update: { ...SAVE, versionIn: 'id' } });
    expect(await collection.write({ ...RETITLED, fields: {}, current: {} }, signal)).toMatchObject({
      kind: 'notSent',
      reason: expect.stringContaining('expected one of the operations GetNote, SaveOld, SaveNew of') as string,
    });
  });
});

test('a version that there is not is told when the connector is defined', () => {
  const kit = soap({ wsdl: 'a.wsdl', endpoint: 'http://a.example', version: '2.0' as '1.2' });
  expect(kit.misfits).toEqual(['.version: expected "1.1" or "1.2", got "2.0"']);
});
