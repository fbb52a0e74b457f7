import { SUPPLIES_NAMESPACE } from './supply-stock.js';
import { SUPPLY_CATEGORIES, SUPPLY_UNITS } from './supply-words.js';

/** The names that the soap package needs to find the operations. */
export const SUPPLIES_SERVICE = 'SuppliesService';
export const SUPPLIES_PORT = 'SuppliesPort';
export const SUPPLIES_PATH = '/supplies';

const OPERATIONS = ['ListSupplies', 'GetSupply', 'CreateSupply', 'UpdateSupply', 'DeleteSupply'] as const;
export type SuppliesOperation = (typeof OPERATIONS)[number];

/** The store room's WSDL 1.1: SOAP 1.1, document/literal wrapped, one fault type. */
export function suppliesWsdl(url: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions name="Supplies" targetNamespace="${SUPPLIES_NAMESPACE}" xmlns:tns="${SUPPLIES_NAMESPACE}" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <wsdl:types>
    <xsd:schema targetNamespace="${SUPPLIES_NAMESPACE}" elementFormDefault="qualified">
      <xsd:simpleType name="Category">
        <xsd:restriction base="xsd:string">${enumeration(SUPPLY_CATEGORIES)}
        </xsd:restriction>
      </xsd:simpleType>
      <xsd:simpleType name="Unit">
        <xsd:restriction base="xsd:string">${enumeration(SUPPLY_UNITS)}
        </xsd:restriction>
      </xsd:simpleType>
      <xsd:complexType name="SupplyInput">
        <xsd:sequence>
${SUPPLY_ELEMENTS}
        </xsd:sequence>
      </xsd:complexType>
      <xsd:complexType name="Supply">
        <xsd:sequence>
          <xsd:element name="sku" type="xsd:string"/>
${SUPPLY_ELEMENTS}
          <xsd:element name="version" type="xsd:int"/>
          <xsd:element name="modifiedAt" type="xsd:dateTime"/>
        </xsd:sequence>
      </xsd:complexType>
      <xsd:element name="SupplyFault">
        <xsd:complexType>
          <xsd:sequence>
            <xsd:element name="code" type="xsd:string"/>
            <xsd:element name="message" type="xsd:string"/>
            <xsd:element name="field" type="xsd:string" minOccurs="0"/>
            <xsd:element name="currentVersion" type="xsd:int" minOccurs="0"/>
          </xsd:sequence>
        </xsd:complexType>
      </xsd:element>
${wrapper('ListSupplies', ['offset xsd:int ?', 'limit xsd:int ?', 'modifiedSince xsd:dateTime ?'])}
${wrapper('ListSuppliesResponse', ['supplies tns:Supply *', 'total xsd:int', 'hasMore xsd:boolean'])}
${wrapper('GetSupply', ['sku xsd:string'])}
${wrapper('GetSupplyResponse', ['supply tns:Supply'])}
${wrapper('CreateSupply', ['sku xsd:string ?', 'supply tns:SupplyInput'])}
${wrapper('CreateSupplyResponse', ['supply tns:Supply'])}
${wrapper('UpdateSupply', ['sku xsd:string', 'version xsd:int', 'supply tns:SupplyInput'])}
${wrapper('UpdateSupplyResponse', ['supply tns:Supply'])}
${wrapper('DeleteSupply', ['sku xsd:string', 'version xsd:int'])}
${wrapper('DeleteSupplyResponse', ['sku xsd:string'])}
    </xsd:schema>
  </wsdl:types>
  <wsdl:message name="SupplyFault"><wsdl:part name="fault" element="tns:SupplyFault"/></wsdl:message>
${OPERATIONS.map(messages).join('\n')}
  <wsdl:portType name="SuppliesPortType">
${OPERATIONS.map(portOperation).join('\n')}
  </wsdl:portType>
  <wsdl:binding name="SuppliesBinding" type="tns:SuppliesPortType">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
${OPERATIONS.map(bindingOperation).join('\n')}
  </wsdl:binding>
  <wsdl:service name="${SUPPLIES_SERVICE}">
    <wsdl:port name="${SUPPLIES_PORT}" binding="tns:SuppliesBinding">
      <soap:address location="${url}${SUPPLIES_PATH}"/>
    </wsdl:port>
  </wsdl:service>
</wsdl:definitions>
`;
}

const SUPPLY_ELEMENTS = [
  'name xsd:string',
  'category tns:Category',
  'unit tns:Unit',
  'quantity xsd:int',
  'reorderLevel xsd:int',
  'unitPrice xsd:decimal',
  'gtin xsd:long ?',
  'expiresOn xsd:date ?',
  'shelf xsd:string ?',
  'supplier xsd:string ?',
  'coldChain xsd:boolean',
]
  .map(element)
  .join('\n');

/** `name type ?`: may be missing; `name type *`: any number. */
function element(short: string): string {
  const [name = '', type = '', occurs = ''] = short.split(' ');
  const times: Readonly<Record<string, string>> = {
    '?': ' minOccurs="0"',
    '*': ' minOccurs="0" maxOccurs="unbounded"',
  };
  return `          <xsd:element name="${name}" type="${type}"${times[occurs] ?? ''}/>`;
}

function wrapper(name: string, elements: readonly string[]): string {
  return `      <xsd:element name="${name}">
        <xsd:complexType>
          <xsd:sequence>
${elements.map(element).join('\n')}
          </xsd:sequence>
        </xsd:complexType>
      </xsd:element>`;
}

function enumeration(values: readonly string[]): string {
  return values.map((value) => `\n          <xsd:enumeration value="${value}"/>`).join('');
}

function messages(operation: SuppliesOperation): string {
  return `  <wsdl:message name="${operation}"><wsdl:part name="parameters" element="tns:${operation}"/></wsdl:message>
  <wsdl:message name="${operation}Response"><wsdl:part name="parameters" element="tns:${operation}Response"/></wsdl:message>`;
}

function portOperation(operation: SuppliesOperation): string {
  return `    <wsdl:operation name="${operation}">
      <wsdl:input message="tns:${operation}"/>
      <wsdl:output message="tns:${operation}Response"/>
      <wsdl:fault name="SupplyFault" message="tns:SupplyFault"/>
    </wsdl:operation>`;
}

function bindingOperation(operation: SuppliesOperation): string {
  return `    <wsdl:operation name="${operation}">
      <soap:operation soapAction="${SUPPLIES_NAMESPACE}/${operation}"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input>
      <wsdl:output><soap:body use="literal"/></wsdl:output>
      <wsdl:fault name="SupplyFault"><soap:fault name="SupplyFault" use="literal"/></wsdl:fault>
    </wsdl:operation>`;
}
