import { suppliesWsdl } from '../../demo/supplies-wsdl.js';
import { DEPOT_OPENAPI, LEDGER_WSDL, METERS_SWAGGER, PATROL_OPENAPI } from './descriptions.js';
import { loadConnector, openWorkshop, typeErrors, type Workshop } from './written-connector.js';

const REST = { baseUrl: 'https://example.com', siteCode: 'A 1' };
const SOAP = { wsdl: 'ledger.wsdl', endpoint: 'https://example.com' };
const SYSTEMS = [
  ['depotOrders', 'depot.yaml', DEPOT_OPENAPI, REST],
  ['patrol', 'patrol.json', PATROL_OPENAPI, REST],
  ['meters', 'meters.yml', METERS_SWAGGER, REST],
  ['ledger', 'ledger.wsdl', LEDGER_WSDL, SOAP],
  ['supplies', 'supplies.wsdl', suppliesWsdl('http://127.0.0.1:5002'), SOAP],
] as const;

let workshop: Workshop;

beforeAll(async () => {
  workshop = openWorkshop();
  for (const [, file, text] of SYSTEMS) await workshop.inspect(workshop.write(file, text));
});
afterAll(() => workshop.remove());

describe('what is made of a description', () => {
  test("compiles against the package's own types, under the strictest settings", () => {
    expect(
      typeErrors(
        workshop,
        SYSTEMS.map(([system]) => system),
      ),
    ).toEqual([]);
  });

  test('is found by the compiler when a description has another member than its connector reads', async () => {
    const other = openWorkshop();
    await other.inspect(other.write('meters.yml', METERS_SWAGGER));
    other.replace('meters', 'generated.ts', (text) => text.replaceAll('version', 'edition'));
    expect(typeErrors(other, ['meters'])).toEqual([
      expect.stringContaining("'version' does not exist on type"),
      expect.stringContaining(`'"version"' is not assignable to type`),
    ]);
    other.remove();
  });

  test('has the facts of a REST system, each guess and each open question marked', () => {
    const draft = workshop.read('depotOrders', 'connector.ts');
    for (const line of [
      `source: 'depotOrders',`,
      `baseUrl: settings.baseUrl, // the description names https://depot.example.com/api`,
      `// TODO auth: how does the system know us? The description says: bearer.`,
      `// - GET /orders/{orderId}/lines lists what belongs to one record of /orders`,
      `key: 'id',`,
      `version: 'etag', // guess; TODO: does each single read answer with an ETag?`,
      `total: 'total', // guess`,
      `more: 'has_more', // guess`,
      `paging: offset({ fromIn: 'offset', sizeIn: 'limit', size: 200, overlap: 0 }),`,
      `one: getOrder({ rows: 'order' }),`,
      `param: 'modified_since', // guess: it takes the moment of the last change`,
      `stamp: 'updatedAt', // guess`,
      `inclusive: false,`,
      `precision: '1s', // TODO: how finely does it count? Finer than it does loses changes`,
      `guard: 'ifMatch', // guess; TODO: does it refuse a write from an older version?`,
      `Or do deleted rows still come, with 'deleted' set? Then deletesByFlag`,
      `paging: token({ in: 'cursor', from: 'meta.nextCursor', size: 100 }), // guess`,
      `{ 'site-code': settings.siteCode }`,
      `query: { kind: 'cold' }, // TODO: the description says that it is required`,
      `barcode: { ...orderFields.barcode, writable: false, required: false },`,
    ]) {
      expect(draft).toContain(line);
    }
  });

  test('has rows, fields and calls as the kit takes them', () => {
    const generated = workshop.read('depotOrders', 'generated.ts');
    for (const line of [
      `  readonly customer: string;`,
      `  readonly state?: 'open' | 'sent' | 'in transit';`,
      `  readonly due?: string | null;`,
      `  readonly lines?: readonly Line[];`,
      `  readonly 'unit-price'?: string;`,
      `  customer: field.string({ required: true, maxLength: 200 }),`,
      `  state: field.string(),`,
      `  urgency: field.enum(['low', 'high']),`,
      `  unitPrice: field.string({ from: 'unit-price' }),`,
      `  sourceId: field.string({ required: true, from: 'id', maxLength: 40 }),`,
      `  updatedAt: field.dateTime({ writable: false }),`,
      `  get('/orders', { rows: 'items', ...options });`,
      `export const delete_ = (`,
      `  del('/orders/{key}', options);`,
      `  patch('/orders/{key}', { answers: 'nothing', ...options });`,
      `  get('/sites/' + encodeURIComponent(at['site-code']) + '/bays', options);`,
    ]) {
      expect(generated).toContain(line);
    }
  });

  test('has the facts of a SOAP system, whatever its style', () => {
    const supplies = workshop.read('supplies', 'connector.ts');
    for (const line of [
      `key: 'sku',`,
      `paging: offset({ fromIn: 'offset', sizeIn: 'limit', size: 100, overlap: 0 }),`,
      `param: 'modifiedSince',`,
      `guard: 'argument',`,
      `bodyIn: 'supply',`,
    ]) {
      expect(supplies).toContain(line);
    }
    const ledger = workshop.read('ledger', 'generated.ts');
    expect(ledger).toContain(`  readonly entries: Several<Entry>;`);
    expect(ledger).toContain(`call('entryList', { rows: 'entries', ...options });`);
    expect(workshop.read('ledger', 'connector.ts')).toContain(`key: 'entryNumber',`);
    expect(workshop.read('ledger', 'golden/entryList.answer.xml')).toContain(
      '<entries xmlns="">\n        <item>\n          <entryNumber>1<',
    );
  });

  test('has one example of a request and its answer for each operation', () => {
    expect(workshop.golden('meters')).toEqual(['addMeter.json', 'changeMeter.json', 'meter.json', 'meters.json']);
    expect(JSON.parse(workshop.read('depotOrders', 'golden/updateOrder.json'))).toEqual({
      request: {
        method: 'PATCH',
        path: '/orders/orderId',
        body: {
          id: 'id',
          customer: 'customer',
          state: 'open',
          urgency: 'low',
          due: '2026-01-31',
          weight: 1.5,
          barcode: 1,
          deleted: true,
          lines: [{ sku: 'sku' }],
          delete: 'delete',
          'unit-price': 'unit-price',
        },
      },
      answer: { status: 204 },
    });
    expect(workshop.read('supplies', 'golden/getSupply.request.xml')).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
  <s:Body>
    <GetSupply xmlns="urn:homecare:supplies:1">
      <sku>sku</sku>
    </GetSupply>
  </s:Body>
</s:Envelope>
`);
  });

  // Last, since it changes what the files import.
  test.each(SYSTEMS)('is a connector that the gateway takes: %s', async (system, _file, _text, settings) => {
    const definition = await loadConnector(workshop, system, settings);
    expect(definition.source).toBe(system);
    expect(Object.keys(definition.collections)).not.toEqual([]);
  });
});
