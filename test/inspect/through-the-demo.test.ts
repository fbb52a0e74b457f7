import { createSource } from '../../src/connectors/source.js';
import type { SourceKey } from '../../src/core/change.js';
import type { Observation, SourceCollection, SourceWrite } from '../../src/core/source-port.js';
import { eagerDeps } from '../connectors/soap/eager-deps.js';
import { drain } from '../contract/connector/source-under-test.js';
import { buildDemo } from '../demo/built-demo.js';
import { loadConnector, openWorkshop, typeErrors } from './written-connector.js';

const signal = new AbortController().signal;
const demo = buildDemo();
const workshop = openWorkshop();
afterAll(async () => {
  workshop.remove();
  await demo.remove();
});

/** What an author finds out about the store room, and puts where the draft has its guesses and questions. */
const ANSWERS: readonly (readonly [draft: string, answer: string])[] = [
  ['overlap: 0', 'overlap: 5'],
  ["precision: '1s'", "precision: '1ms'"],
  ['inclusive: false', 'inclusive: true'],
  ['ordered: false', 'ordered: true'],
  ["maxTransaction: '1m'", "maxTransaction: '1s'"],
];

test('a draft of the store room, its open questions answered, reads and writes the real one', async () => {
  const program = demo.start('soap-source', ['--folder', demo.newFolder(), '--today', '2026-11-24']);
  const [, url = ''] = await program.line(/(http:\S+)/);
  const { counts } = await workshop.inspect(`${url}/supplies?wsdl`);
  expect(counts).toMatchObject({ operations: 5, collections: 1 });
  workshop.replace('supplies', 'connector.ts', (text) => {
    for (const [draft] of ANSWERS) expect(text).toContain(draft);
    return ANSWERS.reduce((made, [draft, answer]) => made.replace(draft, answer), text);
  });
  expect(typeErrors(workshop, ['supplies'])).toEqual([]);
  const definition = await loadConnector(workshop, 'supplies', {
    wsdl: `${url}/supplies?wsdl`,
    endpoint: `${url}/supplies`,
  });
  const source = createSource(definition, eagerDeps());
  const supplies = source.collections[0] as SourceCollection;

  const { shown } = await drain(supplies.scan(signal));
  expect(shown.size).toBeGreaterThan(50);
  const [key] = shown.keys() as unknown as [SourceKey];
  const seen = await observed(supplies, key);
  expect(seen.fields).toMatchObject({ name: expect.any(String), coldChain: expect.any(Boolean) });
  expect(
    await supplies.write({ kind: 'update', sourceKey: key, fields: { shelf: 'Q-9' }, ...known(seen, 'a') }, signal),
  ).toMatchObject({
    kind: 'applied',
  });
  const edited = await observed(supplies, key);
  expect(edited.fields).toMatchObject({
    ...seen.fields,
    shelf: 'Q-9',
    version: expect.any(Number),
    modifiedAt: expect.any(String),
  });
  // The guard that the draft guessed is real: the old version is refused (only `classify` could say that it is stale).
  expect(
    await supplies.write({ kind: 'delete', sourceKey: key, fields: {}, ...known(seen, 'b') }, signal),
  ).toMatchObject({ kind: 'refused' });
  const changes = await drain(supplies.readChanges(null, signal));
  expect(changes.shown.get(key)?.fields).toMatchObject({ shelf: 'Q-9' });
  expect(
    await supplies.write({ kind: 'delete', sourceKey: key, fields: {}, ...known(edited, 'c') }, signal),
  ).toMatchObject({ kind: 'applied' });
  await source.close();
});

function known(
  seen: Observation,
  idempotencyKey: string,
): Pick<SourceWrite, 'current' | 'guard' | 'idempotencyKey' | 'isRepeat'> {
  return { current: seen.fields, guard: seen.sourceVersion, idempotencyKey, isRepeat: false };
}

async function observed(supplies: SourceCollection, key: SourceKey): Promise<Observation> {
  const found = await supplies.readOne(key, signal);
  if (found === 'absent') throw new Error(`expected ${key}, got absent`);
  return found;
}
