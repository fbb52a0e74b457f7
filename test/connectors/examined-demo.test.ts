import { clinic } from '../../connectors/clinic.js';
import { supplies } from '../../connectors/supplies.js';
import { createSource, type ConnectorDefinition } from '../../src/connectors/define.js';
import { examineCollection } from '../../src/connectors/examination.js';
import { createAnswerWatch } from '../../src/connectors/probe-answers.js';
import { buildDemo } from '../demo/built-demo.js';
import { eagerDeps } from './soap/eager-deps.js';

const demo = buildDemo();
afterAll(() => demo.remove());

async function addressOf(program: string): Promise<string> {
  const started = demo.start(program, ['--folder', demo.newFolder(), '--today', '2026-11-24']);
  const [, url = ''] = await started.line(/(http:\S+)/);
  return url;
}

/** Contradictions by collection, and how many facts were found to fit. */
async function examineAll(
  connector: ConnectorDefinition,
): Promise<Record<string, { wrong: string[]; fitting: number }>> {
  const deps = eagerDeps();
  const watch = createAnswerWatch(deps.clock);
  const source = createSource(connector, { ...deps, answered: watch.note });
  const found: Record<string, { wrong: string[]; fitting: number }> = {};
  for (const one of source.examined) {
    const { findings } = await examineCollection(one, { ...deps, watch }, null, new AbortController().signal);
    const wrong = findings.filter(({ verdict }) => verdict === 'contradicts').map(({ fact, got }) => `${fact}: ${got}`);
    const fitting = findings.filter(({ verdict }) => verdict === 'ok').length;
    found[one.source.collection.name] = { wrong, fitting };
  }
  await source.close();
  return found;
}

test("the demo's REST system does what its connector says", async () => {
  const found = await examineAll(clinic({ baseUrl: await addressOf('rest-source') }));
  expect(Object.keys(found)).toEqual(['visits', 'patients', 'incidents', 'staff', 'routes', 'places']);
  for (const { wrong, fitting } of Object.values(found)) {
    expect(wrong).toEqual([]);
    expect(fitting).toBeGreaterThan(15);
  }
});

test("the demo's SOAP system does what its connector says", async () => {
  const url = await addressOf('soap-source');
  const found = await examineAll(supplies({ wsdl: `${url}/supplies?wsdl`, endpoint: `${url}/supplies` }));
  expect(found.supplies?.wrong).toEqual([]);
  expect(found.supplies?.fitting).toBeGreaterThan(15);
});
