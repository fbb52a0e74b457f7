import { createClientAsync } from 'soap';
import { supplies } from '../../connectors/supplies.js';
import { createSource, type Source } from '../../src/connectors/source.js';
import type { Fields } from '../../src/core/change.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { connectorContract } from '../contract/connector.contract.js';
import type { SourceUnderTest } from '../contract/connector/source-under-test.js';
import { buildDemo } from '../demo/built-demo.js';
import { eagerDeps } from './soap/eager-deps.js';

const demo = buildDemo();
afterAll(() => demo.remove());

const SUPPLY: Fields = {
  name: 'Eye dressing & patch <sterile> “Größe 8” 🩹',
  category: 'woundCare',
  unit: 'box',
  quantity: 4,
  reorderLevel: 2,
  unitPrice: '6.80',
  gtin: '2000000009990',
  expiresOn: '2028-02-29',
  shelf: 'A-1',
  supplier: null,
  coldChain: false,
};

/** As texts the values go back as they came: the soap package would make days and decimals something else. */
const AS_TEXT = Object.fromEntries(
  ['int', 'long', 'decimal', 'boolean', 'date', 'dateTime'].map((type) => [type, (text: string) => text]),
);

async function openSupplies(): Promise<SourceUnderTest> {
  const program = demo.start('soap-source', ['--folder', demo.newFolder(), '--today', '2026-11-24']);
  const [, url = ''] = await program.line(/(http:\S+)/);
  const wsdl = `${url}/supplies?wsdl`;
  const opened: Source[] = [];
  const view = (facts: object): SourceCollection => {
    const source = createSource({ ...supplies({ wsdl, endpoint: `${url}/supplies` }), ...facts }, eagerDeps());
    opened.push(source);
    return source.collections[0] as SourceCollection;
  };
  const client = await createClientAsync(wsdl, { customDeserializer: AS_TEXT });
  const call = async (operation: string, request: object): Promise<Readonly<Record<string, unknown>>> => {
    const ask = client[`${operation}Async`] as (request: object) => Promise<[{ readonly supply?: object }]>;
    const [{ supply = {} }] = await ask(request);
    return supply as Readonly<Record<string, unknown>>;
  };
  return {
    collection: view({}),
    view,
    backDoor: {
      create: async (sku, fields) => {
        await call('CreateSupply', { sku, supply: withoutNulls(fields) });
        return sku;
      },
      edit: async (sku, fields) => {
        const supply = await call('GetSupply', { sku });
        const version = supply['version'];
        await call('UpdateSupply', { sku, version, supply: withoutNulls({ ...supply, ...fields }) });
      },
      remove: async (sku) => {
        const { version } = await call('GetSupply', { sku });
        await call('DeleteSupply', { sku, version });
      },
    },
    samples: {
      whole: SUPPLY,
      edit: (number) => ({ shelf: `Z-${number}` }),
      refused: { fields: { unitPrice: '1.005' }, field: 'unitPrice' },
    },
    stopSource: () => program.kill(),
    close: async () => {
      await Promise.all(opened.map((source) => source.close()));
      await program.kill();
    },
  };
}

function withoutNulls(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

connectorContract("the store room's supplies over SOAP", openSupplies);
