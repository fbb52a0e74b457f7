import { createHmac } from 'node:crypto';
import { odataDelta } from '../../../connectors/templates/odata-delta.js';
import { restListOnly } from '../../../connectors/templates/rest-list-only.js';
import { restNumbered } from '../../../connectors/templates/rest-numbered.js';
import { restUpdatedSince } from '../../../connectors/templates/rest-updated-since.js';
import { soapSeries } from '../../../connectors/templates/soap-series.js';
import { soapVersion } from '../../../connectors/templates/soap-version.js';
import { createSource, type ConnectorDefinition, type Source } from '../../../src/connectors/define.js';
import type { Fields, SourceKey } from '../../../src/core/change.js';
import { connectorContract } from '../../contract/connector.contract.js';
import { readPresent, write, type SourceUnderTest } from '../../contract/connector/source-under-test.js';
import { startODataService } from '../odata/odata-service.js';
import { eagerDeps } from '../soap/eager-deps.js';
import { startRestCare, type RestCare } from './rest-care.js';
import { startSoapOffice } from './soap-office.js';

// Each template at a server that offers what it takes up: what is copied from it works.

const SECRET = 'a secret of the source';

/** @param field the one that devices write */
function underTest(
  definition: ConnectorDefinition,
  field: string,
  door: {
    readonly put: (key: string, text: string) => string;
    readonly remove: (key: string) => void;
    readonly close: () => Promise<void>;
  },
  more: { readonly whole?: Fields; readonly refused?: SourceUnderTest['samples']['refused'] } = {},
): SourceUnderTest {
  const opened: Source[] = [];
  const view: SourceUnderTest['view'] = (facts) => {
    const source = createSource({ ...definition, ...facts }, eagerDeps());
    opened.push(source);
    const [collection] = source.collections;
    if (collection === undefined) throw new Error('expected a collection, got none');
    return collection;
  };
  return {
    collection: view({}),
    view,
    backDoor: {
      create: (wanted, fields) => Promise.resolve(door.put(wanted, String(fields[field])) as SourceKey),
      edit: (key, fields) => Promise.resolve(void door.put(key, String(fields[field]))),
      remove: (key) => Promise.resolve(door.remove(key)),
    },
    samples: {
      whole: more.whole ?? { [field]: 'ring twice & “wait” <here>' },
      edit: (number) => ({ [field]: `edit ${number}` }),
      refused: more.refused ?? { fields: { [field]: 'refused' }, field },
    },
    stopSource: door.close,
    close: async () => {
      await Promise.all(opened.map((source) => source.close()));
      await door.close();
    },
  };
}

async function overRest(template: (care: RestCare) => ConnectorDefinition, stepMs?: number): Promise<SourceUnderTest> {
  const care = await startRestCare(stepMs);
  return underTest(template(care), 'note', care);
}

connectorContract('the template for REST by its time of change', () =>
  overRest(({ url }) => restUpdatedSince({ baseUrl: url })),
);
// Its clock goes on by more than a minute with each request: what was changed before is no more of this second.
connectorContract('the template for REST with a list of keys only', () =>
  overRest(({ url }) => restListOnly({ baseUrl: url }), 61_000),
);
connectorContract('the template for REST by a number, with a log and a webhook', () =>
  overRest(({ url }) => restNumbered({ baseUrl: url, webhookSecret: SECRET })),
);
connectorContract('the template for SOAP with a version', async () => {
  const office = await startSoapOffice();
  return underTest(soapVersion({ wsdl: `${office.url}?wsdl`, endpoint: office.url }), 'title', office);
});
connectorContract('the template for SOAP in several calls', async () => {
  const office = await startSoapOffice();
  return underTest(soapSeries({ wsdl: `${office.url}?wsdl`, endpoint: office.url }), 'title', office);
});
connectorContract('the template for OData by delta links', async () => {
  const service = await startODataService();
  const { store } = service;
  const put = (key: string, note: string): string => {
    const before = store.get('Visits', [key]);
    store.put(
      'Visits',
      [key],
      { Note: note, ...(before === undefined ? { Status: 'Planned', Minutes: 30 } : {}) },
      before !== undefined,
    );
    return key;
  };
  for (let at = 0; at < 120; at += 1) put(`V-${at}`, `visit ${at}`);
  const door = { put, remove: (key: string) => store.remove('Visits', [key]), close: () => service.close() };
  return underTest(odataDelta({ serviceUrl: service.url }), 'note', door, {
    whole: { note: 'ring twice', status: 'Planned', minutes: 30 },
    refused: { fields: { status: 'Forgotten' }, field: 'status' },
  });
});

test('the template in several calls leaves no edit open, whatever became of it', async () => {
  const office = await startSoapOffice();
  const door = underTest(soapSeries({ wsdl: `${office.url}?wsdl`, endpoint: office.url }), 'title', office);
  const seen = await readPresent(door, 'N-10' as SourceKey);
  const edit = (title: string) => write(door, 'update', { key: seen.sourceKey, fields: { title }, seen });
  expect(await edit('refused')).toMatchObject({ kind: 'refused', field: 'title' });
  expect(await edit('taken')).toMatchObject({ kind: 'applied', observation: { fields: { title: 'taken' } } });
  expect(await edit('late')).toEqual({ kind: 'stale' });
  expect(office.openEdits()).toBe(0);
  await door.close();
});

test("the template with a webhook takes its source's word for which visit to read, and nobody else's", async () => {
  const source = createSource(restNumbered({ baseUrl: 'http://127.0.0.1:9', webhookSecret: SECRET }), eagerDeps());
  const body = Buffer.from('{"visit":"V-1"}');
  const sign = (secret: string): string => createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-signature': sign(SECRET) };
  expect(source.webhook?.read(headers, body)).toEqual({
    kind: 'good',
    named: [{ collection: 'visits', keys: ['V-1'] }],
  });
  expect(source.webhook?.read({ ...headers, 'x-signature': sign('another secret of somebody') }, body)).toEqual({
    kind: 'forged',
  });
  await source.close();
});
