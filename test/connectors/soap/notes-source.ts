import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  collection,
  defineConnector,
  field,
  offset,
  type Classify,
  type WriteFacts,
} from '../../../src/connectors/define.js';
import { call, soap, type CallOptions, type SoapOptions } from '../../../src/connectors/soap.js';
import { DIALECTS, type SoapVersion } from '../../../src/connectors/soap-version.js';
import { createSource, type Source } from '../../../src/connectors/source.js';
import type { SourceKey } from '../../../src/core/change.js';
import type { SourceCollection, SourceWrite } from '../../../src/core/source-port.js';
import { eagerDeps } from './eager-deps.js';

export const NOTES_NAMESPACE = 'urn:notes';

/** A request as the source got it. */
export interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the source answers: `cutAt` breaks the connection off after so many bytes, `after` is waited for. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly cutAt?: number;
  readonly after?: Promise<void>;
}

/** A SOAP source over real HTTP that answers what a test tells it to. */
export interface NotesSource {
  readonly url: string;
  readonly asked: Asked[];
  /** The answer to a call; may be changed at any time. */
  answer: (asked: Asked) => Reply;
  /** The answer to a GET. */
  wsdl: (asked: Asked) => Reply;
  /** A gateway's view of it; ended by `close`. */
  open(settings?: OpenSettings): SourceCollection;
  /** Moves the gateway's time on. */
  advance(ms: number): void;
  /** The gateway's time. */
  nowMs(): number;
  close(): Promise<void>;
}

export interface OpenSettings {
  readonly transport?: Partial<SoapOptions>;
  readonly classify?: Classify;
  /** Other names for the operations of list and single read, whose call is as it is told here. */
  readonly listBy?: string;
  readonly oneBy?: string;
  readonly list?: CallOptions;
  readonly one?: CallOptions;
  readonly update?: CallOptions;
  /** Another name for the update's operation. */
  readonly updateBy?: string;
  readonly write?: Partial<WriteFacts>;
}

export async function startNotes(): Promise<NotesSource> {
  const asked: Asked[] = [];
  const opened: Source[] = [];
  const deps = eagerDeps();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const one: Asked = { path, headers, body: Buffer.concat(chunks).toString() };
      asked.push(one);
      const reply = request.method === 'GET' ? notes.wsdl(one) : notes.answer(one);
      void (reply.after ?? Promise.resolve()).then(() => send(response, reply));
    });
  });
  const url = await listening(server);
  const notes: NotesSource = {
    url,
    asked,
    answer: () => ({ status: 500 }),
    wsdl: () => ({ body: notesWsdl() }),
    open(settings = {}) {
      const source = createSource(
        defineConnector({
          source: 'office',
          transport: soap({ wsdl: `${url}/notes?wsdl`, endpoint: `${url}/notes`, ...settings.transport }),
          ...(settings.classify === undefined ? {} : { classify: settings.classify }),
          collections: { notes: notesCollection(settings) },
        }),
        deps,
      );
      opened.push(source);
      return source.collections[0] as SourceCollection;
    },
    nowMs: () => deps.clock.nowMs(),
    advance: (ms) => deps.clock.advance(ms),
    async close() {
      await Promise.all(opened.map((source) => source.close()));
      server.closeAllConnections();
      server.close();
    },
  };
  return notes;
}

function send(response: ServerResponse, { status = 200, headers, body = '', cutAt }: Reply): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const length = String(bytes.length);
  response.writeHead(status, { 'content-type': 'text/xml; charset=utf-8', 'content-length': length, ...headers });
  if (cutAt === undefined) response.end(bytes);
  else response.write(bytes.subarray(0, cutAt), () => response.destroy());
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function notesCollection(settings: OpenSettings) {
  return collection({
    type: 'Note',
    key: 'id',
    version: 'version',
    read: {
      list:
        settings.listBy === undefined
          ? call('ListNotes', {
              rows: 'notes.note',
              total: 'total',
              more: 'more',
              paging: offset({ fromIn: 'page.from', sizeIn: 'page.size', size: 3, overlap: 1 }),
              ...settings.list,
            })
          : call(settings.listBy, settings.list),
      one:
        settings.oneBy === undefined
          ? call('GetNote', { keyIn: 'id', rows: 'note', ...settings.one })
          : call(settings.oneBy, settings.one),
    },
    write: {
      create: call('SaveNote', { keyIn: 'note.id', bodyIn: 'note', rows: 'note' }),
      update: call(settings.updateBy ?? 'SaveNote', {
        keyIn: 'note.id',
        versionIn: 'note.version',
        bodyIn: 'note',
        rows: 'note',
        args: { reason: 'sync' },
        ...settings.update,
      }),
      guard: 'argument',
      ...settings.write,
    },
    fields: {
      title: field.string(),
      text: field.string(),
      tags: field.list(field.string(), { from: 'tag' }),
      pinned: field.boolean(),
    },
  });
}

const NOTE = `<xsd:complexType name="Note"><xsd:sequence>
  <xsd:element name="id" type="xsd:string"/>
  <xsd:element name="version" type="xsd:int" minOccurs="0"/>
  <xsd:element name="title" type="xsd:string" minOccurs="0"/>
  <xsd:element name="text" type="xsd:string" nillable="true"/>
  <xsd:element name="tag" type="xsd:string" minOccurs="0" maxOccurs="unbounded"/>
  <xsd:element name="pinned" type="xsd:boolean" minOccurs="0"/>
  <xsd:element name="ref" type="xsd:string" minOccurs="0"/>
</xsd:sequence></xsd:complexType>`;

const ELEMENTS = `${NOTE}
<xsd:complexType name="Notes"><xsd:sequence>
  <xsd:element name="note" type="tns:Note" minOccurs="0" maxOccurs="unbounded"/>
</xsd:sequence></xsd:complexType>
<xsd:element name="ListNotes"><xsd:complexType><xsd:sequence>
  <xsd:element name="page" minOccurs="0"><xsd:complexType><xsd:sequence>
    <xsd:element name="from" type="xsd:int"/><xsd:element name="size" type="xsd:int"/>
  </xsd:sequence></xsd:complexType></xsd:element>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="ListNotesResponse"><xsd:complexType><xsd:sequence>
  <xsd:element name="notes" type="tns:Notes"/>
  <xsd:element name="total" type="xsd:int" minOccurs="0"/><xsd:element name="more" type="xsd:boolean" minOccurs="0"/>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="GetNote"><xsd:complexType><xsd:sequence>
  <xsd:element name="id" type="xsd:string"/>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="GetNoteResponse"><xsd:complexType><xsd:sequence>
  <xsd:element name="note" type="tns:Note" minOccurs="0"/>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="SaveNote"><xsd:complexType><xsd:sequence>
  <xsd:element name="reason" type="xsd:string" minOccurs="0"/><xsd:element name="note" type="tns:Note"/>
  <xsd:element name="requestKey" type="xsd:string" minOccurs="0"/>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="FindNotes"><xsd:complexType><xsd:sequence>
  <xsd:element name="ref" type="xsd:string"/>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="FindNotesResponse"><xsd:complexType><xsd:sequence>
  <xsd:element name="notes" type="tns:Notes" minOccurs="0"/>
</xsd:sequence></xsd:complexType></xsd:element>
<xsd:element name="SaveNoteResponse"><xsd:complexType><xsd:sequence>
  <xsd:element name="note" type="tns:Note" minOccurs="0"/>
</xsd:sequence></xsd:complexType></xsd:element>`;

/** The source's WSDL. Its address is wrong on purpose: the configuration names the endpoint. */
export function notesWsdl(
  facts: {
    readonly schema?: string;
    readonly operations?: readonly string[];
    readonly style?: string;
    readonly form?: string;
    readonly version?: SoapVersion;
  } = {},
): string {
  const {
    operations = ['ListNotes', 'GetNote', 'SaveNote', 'FindNotes'],
    style = 'document',
    form = 'qualified',
    version = '1.1',
  } = facts;
  const each = (render: (name: string) => string): string => operations.map(render).join('\n');
  return `<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions targetNamespace="${NOTES_NAMESPACE}" xmlns:tns="${NOTES_NAMESPACE}" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap${version === '1.1' ? '' : '12'}/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
<wsdl:types><xsd:schema targetNamespace="${NOTES_NAMESPACE}" elementFormDefault="${form}">${facts.schema ?? ELEMENTS}</xsd:schema></wsdl:types>
${each((name) => `<wsdl:message name="${name}In"><wsdl:part name="parameters" element="tns:${name}"/></wsdl:message><wsdl:message name="${name}Out"><wsdl:part name="parameters" element="tns:${name}Response"/></wsdl:message>`)}
<wsdl:portType name="NotesPort">${each((name) => `<wsdl:operation name="${name}"><wsdl:input message="tns:${name}In"/><wsdl:output message="tns:${name}Out"/></wsdl:operation>`)}</wsdl:portType>
<wsdl:binding name="NotesBinding" type="tns:NotesPort"><soap:binding style="${style}" transport="http://schemas.xmlsoap.org/soap/http"/>
${each((name) => `<wsdl:operation name="${name}"><soap:operation soapAction="urn:do/${name}"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>`)}
</wsdl:binding>
<wsdl:service name="Notes"><wsdl:port name="Notes" binding="tns:NotesBinding"><soap:address location="http://unreachable.invalid/notes"/></wsdl:port></wsdl:service>
</wsdl:definitions>`;
}

/** An envelope around the content of a body. */
export function enveloped(body: string, version: SoapVersion = '1.1'): string {
  return `<?xml version="1.0"?><S:Envelope xmlns:S="${DIALECTS[version].envelope}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><S:Body>${body}</S:Body></S:Envelope>`;
}

/** The answer of an operation, with these elements in it. */
export function answered(operation: string, elements: string, version: SoapVersion = '1.1'): string {
  return enveloped(
    `<r:${operation}Response xmlns:r="${NOTES_NAMESPACE}" xmlns="${NOTES_NAMESPACE}">${elements}</r:${operation}Response>`,
    version,
  );
}

export function faulted(code: string, message: string, detail = ''): string {
  return enveloped(`<S:Fault><faultcode>${code}</faultcode><faultstring>${message}</faultstring>${detail}</S:Fault>`);
}

/** An update of note 7 from version 3, of its title. */
export const RETITLED: SourceWrite = {
  kind: 'update',
  sourceKey: '7' as SourceKey,
  fields: { title: 'New' },
  current: { title: 'Old', text: 'words', tags: ['a', 'b'], pinned: true },
  guard: '3',
  idempotencyKey: 'i',
};
