import type {
  DescribedOperation,
  DescribedSystem,
  Member,
  ODataCall,
  RestCall,
  Shape,
  SoapCall,
  XmlElement,
} from './described-system.js';
import { exampleOf, xmlExampleOf, type Example, type ExampleOf, type XmlExample } from './example-values.js';
import type { GivenNames } from './given-names.js';

/** Files of `golden/` by name: of each operation one example of a request and of its answer, made from the schema. */
export function goldenFiles({ operations }: DescribedSystem, names: GivenNames): ReadonlyMap<string, string> {
  return new Map(operations.flatMap((call) => filesOf(call, names.operationOf(call))));
}

function filesOf(call: DescribedOperation, name: string): readonly (readonly [string, string])[] {
  switch (call.kit) {
    case 'rest':
      return [[`${name}.json`, jsonText(restExample(call))]];
    case 'odata':
      return [[`${name}.json`, jsonText(odataExample(call))]];
    case 'soap':
      return [
        [`${name}.request.xml`, envelope(call, call.input, 'request')],
        [`${name}.answer.xml`, envelope(call, call.output, 'answer')],
      ];
  }
}

function jsonText(example: Example): string {
  return `${JSON.stringify(example, null, 2)}\n`;
}

function restExample(call: RestCall): Example {
  const query = call.query
    .filter(({ required }) => required)
    .map((member) => `${encoded(member.name)}=${inAddress(member)}`);
  const path = call.path.replaceAll(/\{([^{}/]+)\}/g, (whole, name: string) => {
    const parameter = call.pathParameters.find((one) => one.name === name);
    return parameter === undefined ? encoded(whole) : inAddress(parameter);
  });
  const request = { method: call.method, path: query.length === 0 ? path : `${path}?${query.join('&')}` };
  return {
    request: call.body === null ? request : { ...request, body: exampleOf(call.body, 'request') },
    answer:
      call.answer.shape === null
        ? { status: call.answer.status }
        : { status: call.answer.status, body: exampleOf(call.answer.shape, 'answer') },
  };
}

function inAddress({ name, shape }: Member): string {
  const example = exampleOf(shape, 'request', name);
  return encoded(typeof example === 'object' ? name : String(example));
}

function odataExample({ does, set }: ODataCall): Example {
  const shape: Shape = { kind: 'object', type: set.type };
  const body = exampleOf(shape, 'request');
  const record = exampleOf(shape, 'answer');
  const address = `/${set.name}(${keyText(set)})`;
  switch (does) {
    case 'list':
      return { request: { method: 'GET', path: `/${set.name}` }, answer: { status: 200, body: { value: [record] } } };
    case 'one':
      return { request: { method: 'GET', path: address }, answer: { status: 200, body: record } };
    case 'insert':
      return { request: { method: 'POST', path: `/${set.name}`, body }, answer: { status: 201, body: record } };
    case 'update':
      return { request: { method: 'PATCH', path: address, body }, answer: { status: 200, body: record } };
    case 'remove':
      return { request: { method: 'DELETE', path: address }, answer: { status: 204 } };
  }
}

function keyText({ type, key }: ODataCall['set']): string {
  const parts = key.map((name) => {
    const shape = type.members.find((member) => member.name === name)?.shape;
    const example = shape === undefined ? '' : plainText(exampleOf(shape, 'request'));
    const isText = shape?.kind === 'scalar' && shape.wire === 'string' && shape.says === 'Edm.String';
    return [name, isText ? `'${encoded(example.replaceAll("'", "''"))}'` : encoded(String(example))] as const;
  });
  return parts.length === 1 ? (parts[0]?.[1] ?? '') : parts.map(([name, value]) => `${name}=${value}`).join(',');
}

/** Half a character cannot be written in an address. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function plainText(example: Example): string {
  return typeof example === 'object' ? '' : String(example);
}

const ENVELOPES: Readonly<Record<SoapCall['soapVersion'], string>> = {
  '1.1': 'http://schemas.xmlsoap.org/soap/envelope/',
  '1.2': 'http://www.w3.org/2003/05/soap-envelope',
};

function envelope({ soapVersion, isEncoded }: SoapCall, element: XmlElement | null, purpose: ExampleOf): string {
  const body =
    element === null ? '' : elementText(xmlExampleOf(element.shape, element, purpose, isEncoded), null, '    ');
  return `<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="${ENVELOPES[soapVersion]}">
  <s:Body>
${body}  </s:Body>
</s:Envelope>
`;
}

/** @param around the default namespace where it stands */
function elementText({ member, content }: XmlExample, around: string | null, indent: string): string {
  const namespace = member.namespace ?? null;
  const declared = namespace === around ? '' : ` xmlns="${escaped(namespace ?? '')}"`;
  const name = /^[\p{L}_][\p{L}\p{N}\p{M}._-]*$/u.test(member.name) ? member.name : 'element';
  if (content.length === 0) return `${indent}<${name}${declared}/>\n`;
  if (typeof content === 'string') return `${indent}<${name}${declared}>${escaped(content)}</${name}>\n`;
  const inner = content.map((one) => elementText(one, namespace, `${indent}  `)).join('');
  return `${indent}<${name}${declared}>\n${inner}${indent}</${name}>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text
    .replaceAll(/[&<>"]/g, (found) => ENTITIES[found] ?? found)
    .replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '');
}
