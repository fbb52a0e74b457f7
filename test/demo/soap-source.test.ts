import { createClientAsync, type Client } from 'soap';
import { buildDemo, type RunningProgram } from './built-demo.js';

type Supply = Readonly<Record<string, unknown>> & {
  readonly sku: string;
  readonly version: number;
  readonly modifiedAt: Date;
};
interface Page {
  readonly supplies?: readonly Supply[];
  readonly total: number;
  readonly hasMore: boolean;
}

const demo = buildDemo();
afterAll(() => demo.remove());

interface Store {
  readonly client: Client;
  readonly url: string;
  readonly folder: string;
  readonly program: RunningProgram;
}

async function openStore(folder = demo.newFolder()): Promise<Store> {
  const program = demo.start('soap-source', ['--folder', folder, '--today', '2026-11-24']);
  const [, url = ''] = await program.line(/(http:\S+)/);
  return { client: await createClientAsync(`${url}/supplies?wsdl`), url, folder, program };
}

async function call<T>(client: Client, operation: string, request: object): Promise<T> {
  const [answer] = (await (client[`${operation}Async`] as (request: object) => Promise<unknown[]>)(request)) as [T];
  return answer;
}

/** The SupplyFault of a call that must fail. */
async function faultOf(client: Client, operation: string, request: object): Promise<Record<string, unknown>> {
  try {
    await call(client, operation, request);
  } catch (error) {
    const { response, root } = error as {
      readonly response: { readonly status: number };
      readonly root: {
        readonly Envelope: {
          readonly Body: { readonly Fault: { readonly detail: { readonly SupplyFault: Record<string, unknown> } } };
        };
      };
    };
    expect(response.status).toBe(500);
    return root.Envelope.Body.Fault.detail.SupplyFault;
  }
  throw new Error(`expected ${operation} to fault`);
}

const NEW_SUPPLY = {
  name: 'Eye dressing & patch <sterile>',
  category: 'woundCare',
  unit: 'box',
  quantity: 4,
  reorderLevel: 2,
  unitPrice: '6.80',
  gtin: '2000000009990',
  expiresOn: '2028-02-29',
  coldChain: false,
};

describe('the store room', () => {
  let client: Client;
  let url: string;
  beforeAll(async () => ({ client, url } = await openStore()));

  test('pages by offset show every supply once, in order of sku', async () => {
    const skus: string[] = [];
    for (let offset = 0, hasMore = true; hasMore; offset += 100) {
      const page = await call<Page>(client, 'ListSupplies', { offset, limit: 100 });
      skus.push(...(page.supplies ?? []).map((supply) => supply.sku));
      ({ hasMore } = page);
      expect(page.total).toBe(279);
    }
    expect(skus).toHaveLength(279);
    expect([...new Set(skus)].sort()).toEqual(skus);
  });

  test('modifiedSince is inclusive and finds what was written', async () => {
    const { supply } = await call<{ supply: Supply }>(client, 'CreateSupply', { supply: NEW_SUPPLY });
    const page = await call<Page>(client, 'ListSupplies', { modifiedSince: supply.modifiedAt.toISOString() });
    expect(page.supplies?.map((found) => found.sku)).toEqual([supply.sku]);
    const later = new Date(supply.modifiedAt.getTime() + 1).toISOString();
    expect(await call<Page>(client, 'ListSupplies', { modifiedSince: later })).toMatchObject({ total: 0 });
  });

  test('a new supply keeps the key that the caller gave; without one it gets the next number', async () => {
    const sku = '0d0f3a58-5a8e-4f7e-9d57-0f5a3f1c2b12';
    await call(client, 'CreateSupply', { sku, supply: NEW_SUPPLY });
    expect(await call(client, 'GetSupply', { sku })).toMatchObject({
      supply: { sku, version: 1, name: NEW_SUPPLY.name },
    });
    expect(await faultOf(client, 'CreateSupply', { sku, supply: NEW_SUPPLY })).toMatchObject({ code: 'KEY_TAKEN' });
    const { supply } = await call<{ supply: Supply }>(client, 'CreateSupply', { supply: NEW_SUPPLY });
    expect(supply.sku).toMatch(/^SUP-\d{6}$/);
  });

  test('an update from an old version faults and changes nothing', async () => {
    const { supply: updated } = await call<{ supply: Supply }>(client, 'UpdateSupply', {
      sku: 'WND-001',
      version: 1,
      supply: NEW_SUPPLY,
    });
    expect(updated.version).toBe(2);
    const fault = await faultOf(client, 'UpdateSupply', {
      sku: 'WND-001',
      version: 1,
      supply: { ...NEW_SUPPLY, quantity: 0 },
    });
    expect(fault).toMatchObject({ code: 'VERSION_CONFLICT', currentVersion: '2' });
    expect(await call(client, 'GetSupply', { sku: 'WND-001' })).toEqual({ supply: updated });
  });

  test('a delete from an old version faults; from the current one the supply is gone', async () => {
    expect(await faultOf(client, 'DeleteSupply', { sku: 'WND-003', version: 5 })).toMatchObject({
      code: 'VERSION_CONFLICT',
    });
    await call(client, 'DeleteSupply', { sku: 'WND-003', version: 1 });
    expect(await faultOf(client, 'GetSupply', { sku: 'WND-003' })).toMatchObject({ code: 'NOT_FOUND' });
    expect(await faultOf(client, 'DeleteSupply', { sku: 'WND-003', version: 1 })).toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([
    ['unit', { unit: 'barrel' }],
    ['quantity', { quantity: -1 }],
    ['unitPrice', { unitPrice: 'cheap' }],
    ['expiresOn', { expiresOn: '2027-02-30' }],
    ['name', { name: '' }],
  ])('a supply whose %s does not fit faults with the field', async (field, fields) => {
    const fault = await faultOf(client, 'UpdateSupply', {
      sku: 'WND-004',
      version: 1,
      supply: { ...NEW_SUPPLY, ...fields },
    });
    expect(fault).toMatchObject({ code: 'VALIDATION', field });
  });

  test('an answer is well-formed XML that leaves out what has no value, with digits and zeros kept', async () => {
    const answer = await fetch(`${url}/supplies`, {
      method: 'POST',
      headers: { 'content-type': 'text/xml; charset=utf-8', soapaction: '"urn:homecare:supplies:1/GetSupply"' },
      body: envelope('<GetSupply xmlns="urn:homecare:supplies:1"><sku>GLV-006</sku></GetSupply>'),
    });
    const xml = await answer.text();
    expect(xml).toContain('<unitPrice>1.60</unitPrice><gtin>200');
    expect(xml).not.toMatch(/expiresOn|xsi:/);
  });
});

function envelope(body: string): string {
  return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`;
}

test('every answered write to the store room is there after kill -9 in the middle of writing', async () => {
  const { client, folder, program } = await openStore();
  let version = 1;
  await call(client, 'CreateSupply', { sku: 'KEPT', supply: NEW_SUPPLY });
  const others = ['INF-001', 'INF-002', 'INF-003'].map(async (sku) => {
    for (let turn = 1; ; turn += 1) {
      try {
        await call(client, 'UpdateSupply', { sku, version: turn, supply: NEW_SUPPLY });
      } catch {
        return;
      }
    }
  });
  for (; version < 30; version += 1)
    await call(client, 'UpdateSupply', { sku: 'KEPT', version, supply: { ...NEW_SUPPLY, quantity: version } });
  await program.kill();
  await Promise.all(others);
  const again = await openStore(folder);
  expect(await call(again.client, 'GetSupply', { sku: 'KEPT' })).toMatchObject({
    supply: { version, quantity: version - 1 },
  });
});
