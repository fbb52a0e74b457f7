import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SaxesParser } from 'saxes';
import { collection, createSource, defineConnector, field } from '../src/connectors/define.js';
import { call, soap } from '../src/connectors/soap.js';
import { systemClock } from '../src/server/clock.js';
import { median, ownCpuMs, report } from './measure.js';
import { quietLog } from './own-store.js';

const ROWS = 5_000;
const ROUNDS = 15;
const WARM_UP = 5;
const GOAL_CPU_MS = 120;

/**
 * An answer of 5,000 rows with eight fields, over HTTP in this process: read, mapped and fitted to its declared types (goal: 120 ms of
 * CPU), beside `saxes` alone over the same bytes; and by how much the heap has grown after all rounds.
 */
export async function benchSoap(): Promise<void> {
  const wsdl = wsdlOf();
  const answer = Buffer.from(answerOf(ROWS));
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const body = request.method === 'GET' ? wsdl : answer;
      response.writeHead(200, { 'content-type': 'text/xml; charset=utf-8' }).end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stock`;
  const source = createSource(stock(url), { clock: systemClock, chance: Math.random, log: quietLog });
  const [items] = source.collections;
  if (items === undefined) throw new Error('expected one collection');

  const ours: number[] = [];
  const limits: number[] = [];
  const heaps: number[] = [];
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const before = ownCpuMs();
    let rows = 0;
    for await (const { observations } of items.scan(new AbortController().signal)) rows += observations.length;
    const spent = ownCpuMs() - before;
    if (rows !== ROWS) throw new Error(`expected ${ROWS} rows, got ${rows}`);
    const limit = parsedAlone(answer.toString('utf8'));
    if (round < WARM_UP) continue;
    ours.push(spent);
    limits.push(limit);
    heaps.push(keptMb());
  }
  report({
    bench: 'soap: an answer of 5,000 rows',
    rows: ROWS,
    bytes: answer.length,
    rounds: ours.length,
    cpuMs: median(ours),
    bestCpuMs: Math.min(...ours),
    limitCpuMs: median(limits),
    ratio: median(ours) / median(limits),
    goalCpuMs: GOAL_CPU_MS,
    keptGrowthMb: (heaps.at(-1) ?? 0) - (heaps[0] ?? 0),
  });
  await source.close();
  server.closeAllConnections();
  server.close();
}

/** What is still in use once everything else was collected, MB. */
function keptMb(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed / 1_048_576;
}

/** CPU of the parser alone, ms. */
function parsedAlone(text: string): number {
  const before = ownCpuMs();
  let texts = 0;
  const parser = new SaxesParser({ xmlns: true, position: false });
  parser.on('text', (part) => (texts += part.length));
  parser.on('opentag', () => undefined);
  parser.on('closetag', () => undefined);
  parser.write(text).close();
  if (texts === 0) throw new Error('expected texts, got none');
  return ownCpuMs() - before;
}

function stock(url: string) {
  return defineConnector({
    source: 'stock',
    transport: soap({ wsdl: `${url}?wsdl`, endpoint: url, timeout: '60s' }),
    collections: {
      items: collection({
        type: 'Item',
        key: 'id',
        version: 'version',
        read: { list: call('ListItems', { rows: 'items.item', total: 'total' }) },
        fields: {
          name: field.string({ required: true }),
          category: field.string(),
          quantity: field.int(),
          price: field.decimal(),
          active: field.boolean(),
          changedAt: field.dateTime(),
        },
      }),
    },
  });
}

const NAMES = ['id', 'version', 'name', 'category', 'quantity', 'price', 'active', 'changedAt'] as const;

function answerOf(rows: number): string {
  const row = (id: number): string => {
    const values = [
      id,
      3,
      `Bandage 10 &amp; ${id} cm`,
      'woundCare',
      id % 97,
      '6.80',
      'true',
      '2026-11-24T08:15:30.000Z',
    ];
    return `<item>${NAMES.map((name, at) => `<${name}>${values[at] ?? ''}</${name}>`).join('')}</item>`;
  };
  const items = Array.from({ length: rows }, (_one, id) => row(id)).join('');
  return `<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><ListItemsResponse xmlns="urn:stock"><items>${items}</items><total>${rows}</total></ListItemsResponse></s:Body></s:Envelope>`;
}

function wsdlOf(): string {
  const element = (name: string, type = 'x:string'): string => `<x:element name="${name}" type="${type}"/>`;
  const many = '<x:element name="item" type="t:Item" minOccurs="0" maxOccurs="unbounded"/>';
  const of = (inside: string): string => `<x:complexType><x:sequence>${inside}</x:sequence></x:complexType>`;
  const io = (message: string): string =>
    `<w:message name="${message}"><w:part name="p" element="t:${message}"/></w:message>`;
  return `<w:definitions targetNamespace="urn:stock" xmlns:t="urn:stock" xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://www.w3.org/2001/XMLSchema">
<w:types><x:schema targetNamespace="urn:stock" elementFormDefault="qualified">
<x:complexType name="Item"><x:sequence>${NAMES.map((name) => element(name)).join('')}</x:sequence></x:complexType>
<x:element name="ListItems">${of('')}</x:element>
<x:element name="ListItemsResponse">${of(`<x:element name="items">${of(many)}</x:element>${element('total', 'x:int')}`)}</x:element>
</x:schema></w:types>${io('ListItems')}${io('ListItemsResponse')}
<w:portType name="P"><w:operation name="ListItems"><w:input message="t:ListItems"/><w:output message="t:ListItemsResponse"/></w:operation></w:portType>
<w:binding name="B" type="t:P"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/><w:operation name="ListItems"><s:operation soapAction="list"/><w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation></w:binding>
<w:service name="S"><w:port name="P" binding="t:B"/></w:service></w:definitions>`;
}
