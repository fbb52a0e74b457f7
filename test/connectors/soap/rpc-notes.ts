import { DIALECTS, type SoapVersion } from '../../../src/connectors/soap-version.js';
import { enveloped, NOTES_NAMESPACE } from './notes-source.js';

/** How the messages of an rpc source are made. */
export interface RpcFacts {
  readonly use: 'encoded' | 'literal';
  readonly version?: SoapVersion;
}

const OPERATIONS: Readonly<Record<string, readonly [parts: string, returned: string]>> = {
  ListNotes: [
    '<w:part name="page" type="t:Page"/>',
    '<w:part name="notes" type="t:Notes"/><w:part name="total" type="x:int"/><w:part name="more" type="x:boolean"/>',
  ],
  GetNote: ['<w:part name="id" type="x:string"/>', '<w:part name="note" type="t:Note"/>'],
  SaveNote: [
    '<w:part name="reason" type="x:string"/><w:part name="note" type="t:Note"/><w:part name="requestKey" type="x:string"/>',
    '<w:part name="note" type="t:Note"/>',
  ],
};

/** The notes' WSDL as an rpc source of old times writes it: unqualified elements, arrays of SOAP's own. */
export function rpcWsdl({ use, version = '1.1' }: RpcFacts): string {
  const isEncoded = use === 'encoded';
  const { encoding } = DIALECTS[version];
  const array = (name: string, item: string, of: string): string =>
    isEncoded
      ? `<x:complexType name="${name}"><x:complexContent><x:restriction base="e:Array"><x:attribute ref="e:arrayType" w:arrayType="${of}[]"/></x:restriction></x:complexContent></x:complexType>`
      : `<x:complexType name="${name}"><x:sequence><x:element name="${item}" type="${of}" minOccurs="0" maxOccurs="unbounded"/></x:sequence></x:complexType>`;
  const tag = isEncoded
    ? '<x:element name="tag" type="t:Tags"/>'
    : '<x:element name="tag" type="x:string" maxOccurs="unbounded"/>';
  const body = `<s:body use="${use}" namespace="${NOTES_NAMESPACE}"${isEncoded ? ` encodingStyle="${encoding}"` : ''}/>`;
  const each = (render: (name: string, parts: string, returned: string) => string): string =>
    Object.entries(OPERATIONS)
      .map(([name, [parts, returned]]) => render(name, parts, returned))
      .join('');
  return `<w:definitions targetNamespace="${NOTES_NAMESPACE}" xmlns:t="${NOTES_NAMESPACE}" xmlns:w="http://schemas.xmlsoap.org/wsdl/"
    xmlns:s="http://schemas.xmlsoap.org/wsdl/soap${version === '1.1' ? '' : '12'}/" xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:e="${encoding}">
    <w:types><x:schema targetNamespace="${NOTES_NAMESPACE}">
      <x:complexType name="Page"><x:sequence><x:element name="from" type="x:int"/><x:element name="size" type="x:int"/></x:sequence></x:complexType>
      <x:complexType name="Note"><x:all><x:element name="id" type="x:string"/><x:element name="version" type="x:int"/>
        <x:element name="title" type="x:string"/><x:element name="text" type="x:string" nillable="true"/>${tag}<x:element name="pinned" type="x:boolean"/></x:all></x:complexType>
      ${array('Notes', 'note', 't:Note')}${array('Tags', 'tag', 'x:string')}
    </x:schema></w:types>
    ${each((name, parts, returned) => `<w:message name="${name}In">${parts}</w:message><w:message name="${name}Out">${returned}</w:message>`)}
    <w:portType name="Type">${each((name) => `<w:operation name="${name}"><w:input message="t:${name}In"/><w:output message="t:${name}Out"/></w:operation>`)}</w:portType>
    <w:binding name="Binding" type="t:Type"><s:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    ${each((name) => `<w:operation name="${name}"><s:operation soapAction=""/><w:input>${body}</w:input><w:output>${body}</w:output></w:operation>`)}</w:binding>
    <w:service name="Notes"><w:port name="Notes" binding="t:Binding"/></w:service></w:definitions>`;
}

/** An rpc answer: the operation's element with its parts, and what stands beside it in the body. */
export function rpcAnswered(operation: string, parts: string, beside = '', version: SoapVersion = '1.1'): string {
  const { encoding } = DIALECTS[version];
  const open = `<r:${operation}Response xmlns:r="${NOTES_NAMESPACE}" xmlns:e="${encoding}" xmlns:x="http://www.w3.org/2001/XMLSchema">`;
  const around = `xmlns:e="${encoding}" xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="${NOTES_NAMESPACE}"`;
  return enveloped(
    `${open}${parts}</r:${operation}Response>${beside.replaceAll('<multiRef', `<multiRef ${around}`)}`,
    version,
  );
}
