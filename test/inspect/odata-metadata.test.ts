import { createSource } from '../../src/connectors/source.js';
import type { Observation, SourceCollection } from '../../src/core/source-port.js';
import { sourceKey } from '../../src/core/id.js';
import { startODataService } from '../connectors/odata/odata-service.js';
import { eagerDeps } from '../connectors/soap/eager-deps.js';
import { drain } from '../contract/connector/source-under-test.js';
import { STORES_CSDL } from './stores-description.js';
import { loadConnector, openWorkshop, typeErrors, type Workshop } from './written-connector.js';
import type { Inspection } from '../../src/inspect/inspect.js';

const signal = new AbortController().signal;

describe('the $metadata of an OData service', () => {
  let workshop: Workshop;
  let found: Inspection;
  beforeAll(async () => {
    workshop = openWorkshop();
    found = await workshop.inspect(workshop.write('stores.edmx', STORES_CSDL));
  });
  afterAll(() => workshop.remove());

  /** What the draft says of one collection. */
  function drafted(name: string): string {
    const [, text = ''] = workshop.read('stores', 'connector.ts').split(`\n      ${name}: collection<`);
    return text.split('\n      }),\n')[0] ?? '';
  }

  test('is named by its container, and tells what was left out and why', () => {
    expect([found.name, found.system.format]).toEqual(['stores', 'OData 4.01']);
    expect(found.system.notes).toEqual([
      'Item: a create takes Serial, an update does not',
      'Item: left out, since these are no names that OData has: "a/b"',
      'the entity set "Far" is left out: expected the type Other.Thing in the $metadata, got none',
      'the entity set "Round" is left out: expected a type with at most 50 bases, got Acme.Types.Round',
      'the entity set "no name" is left out: its name is none that OData has',
      'singletons, functions and actions are left out: 2',
    ]);
    const draft = workshop.read('stores', 'connector.ts');
    expect(draft).toContain('// - Inbox has no list\n');
    expect(draft).toContain('// - Keyless has no key\n');
    expect(draft).toContain('// - Deep has a key that is no plain property of its own, W\n');
  });

  test('gives rows as the kit hands them out, with what they inherit', () => {
    expect(workshop.read('stores', 'generated.ts')).toContain(`export interface Item {
  readonly Id: string;
  readonly ModifiedAt?: string;
  readonly Name: string;
  readonly Note?: string | null;
  readonly Price?: string | null;
  readonly Count?: string;
  readonly Rank?: number | null;
  readonly Weight?: number | null;
  readonly Sold?: string | null;
  readonly OpensAt?: string | null;
  readonly Fresh?: boolean | null;
  readonly Kind: 'Small' | 'Large';
  readonly Answer?: 'true' | 'false' | null;
  readonly Colours?: string | null;
  readonly Box?: Box | null;
  readonly Boxes?: readonly Box[];
  readonly Tags?: readonly string[];
  readonly Place?: unknown | null;
  readonly class?: number | null;
  readonly Serial?: string | null;
  readonly Owner?: string | null;
  readonly Buyer?: string | null;
  readonly Stock?: number | null;
}
`);
  });

  test('gives fields of the types that the kit takes, and knows which ones the system keeps', () => {
    const generated = workshop.read('stores', 'generated.ts');
    for (const line of [
      `  ModifiedAt: field.dateTime({ writable: false }),`,
      `  Name: field.string({ required: true, maxLength: 40 }),`,
      `  Note: field.string(),`,
      `  Price: field.decimal(),`,
      `  Count: field.long(),`,
      `  Rank: field.int(),`,
      `  Weight: field.float(),`,
      `  Sold: field.date(),`,
      `  Kind: field.enum(['Small', 'Large'], { required: true }),`,
      `  Answer: field.string(),`,
      `  Colours: field.string(),`,
      `  Box: field.json(),`,
      `  Boxes: field.json(),`,
      `  Tags: field.list(field.string()),`,
      `  Place: field.json(),`,
      `  Owner: field.string({ writable: false }),`,
      `  Buyer: field.string(),`,
      `  Stock: field.int(),`,
      `export const listItems = (options: EntitySetOptions = {}): ODataOperation =>`,
      `  entitySet('Items', options);`,
    ]) {
      expect(generated).toContain(line);
    }
    expect(generated).not.toMatch(/Ghost|Photo|a\/b/);
  });

  test('drafts what it says: key, ETag, delta links; and marks the time of change as a guess', () => {
    const items = drafted('items');
    for (const line of [
      `key: 'Id',\n`,
      `version: 'etag', // the description says that writes need the ETag`,
      `changes: changedSince('ModifiedAt', {\n            precision: '1s', // TODO`,
      `// guess\n          changes:`,
      `// TODO delta: the description says that it tracks changes. Then trackedChanges('Items') stands for changes and deletes`,
      `create: insertItems(), // TODO: does it take the device's id? Then keyIn names the member`,
      `update: updateItems(),\n          remove: removeItems(),\n          guard: 'ifMatch',`,
    ]) {
      expect(items).toContain(line);
    }
    expect(items).not.toContain('ordered');
  });

  test('drafts nothing that it says is not allowed', () => {
    const lines = drafted('lines');
    expect(lines).toContain(`key: ['Item', 'No'],\n`);
    expect(lines).toContain('count: false');
    expect(lines).toContain('ordered: false, // the description says so');
    expect(lines).toContain('update: updateLines(),\n          remove: removeLines(),');
    expect(lines).not.toContain('create:');
    expect(lines).toContain(
      `TODO delta: does it track changes (Prefer: odata.track-changes)? Then trackedChanges('Lines')`,
    );
    const journal = drafted('journal');
    expect(journal).toContain(`version: 'RowVersion', // guess`);
    expect(journal).toContain('create: insertJournal(),\n');
    expect(journal).toContain('TODO one: is there a call');
    expect(journal).toContain('TODO changes: nothing looks like');
    expect(journal).not.toMatch(/update:|remove:|changedSince/);
  });

  test('compiles under the strictest settings, also in part, and is a connector that the gateway takes', async () => {
    await workshop.inspect(`${workshop.folder}/stores.edmx`, { name: 'part', only: ['insertJournal'] });
    await workshop.inspect(`${workshop.folder}/stores.edmx`, { name: 'lines', only: ['LINES'] });
    expect(typeErrors(workshop, ['stores', 'part', 'lines'])).toEqual([]);
    const { collections } = await loadConnector(workshop, 'stores', { serviceUrl: 'https://example.com' });
    expect(Object.keys(collections)).toEqual(['items', 'lines', 'journal']);
  });

  test('gives examples of each request and its answer', () => {
    expect(JSON.parse(workshop.read('stores', 'golden/updateLines.json'))).toEqual({
      request: {
        method: 'PATCH',
        path: '/Lines(Item=00000000-0000-4000-8000-000000000001,No=1)',
        body: { Item: '00000000-0000-4000-8000-000000000001', No: 1, Changed: '2026-01-31T08:30:00Z', Text: 'Text' },
      },
      answer: {
        status: 200,
        body: { Item: '00000000-0000-4000-8000-000000000001', No: 1, Changed: '2026-01-31T08:30:00Z', Text: 'Text' },
      },
    });
    expect(JSON.parse(workshop.read('stores', 'golden/insertItems.json'))).not.toHaveProperty(
      'request.body.ModifiedAt',
    );
  });
});

describe('is refused with its place:', () => {
  const edmx = (inner: string, namespace = 'http://docs.oasis-open.org/odata/ns/edmx', version = '4.0'): string =>
    `<?xml version="1.0"?>\n<edmx:Edmx Version="${version}" xmlns:edmx="${namespace}">${inner}</edmx:Edmx>`;
  const refused: readonly (readonly [what: string, text: string, message: RegExp])[] = [
    [
      'OData 2',
      edmx('', 'http://schemas.microsoft.com/ado/2007/06/edmx', '1.0'),
      /^a\.xml:2: .*4\.01, got one of OData 2 or 3$/,
    ],
    ['a later one', edmx('', undefined, '5.0'), /^a\.xml:2: .*4\.01, got an Edmx of version 5\.0$/],
    ['a document without sets', edmx(''), /^a\.xml:2: expected a service with entity sets, got none$/],
    [
      'one whose sets are all of types elsewhere',
      edmx(
        '<edmx:DataServices><Schema Namespace="A" xmlns="http://docs.oasis-open.org/odata/ns/edm"><EntityContainer Name="C"><EntitySet Name="B" EntityType="D.E"/></EntityContainer></Schema></edmx:DataServices>',
      ),
      /^a\.xml:2: expected an entity set that can be read, got none: the entity set "B" is left out: expected the type D\.E/,
    ],
    ['a DOCTYPE', edmx('').replace('\n', '\n<!DOCTYPE a>\n'), /^a\.xml:2: expected no DOCTYPE, got one$/],
  ];
  test.each(refused)('%s', async (_what, text, message) => {
    const workshop = openWorkshop();
    await expect(workshop.inspect(workshop.write('a.xml', text))).rejects.toMatchObject({
      reason: 'config',
      message: expect.stringMatching(message),
    });
    workshop.remove();
  });
});

/** What an author finds out about the care service, and puts where the draft has its guesses and questions. */
const ANSWERS: readonly (readonly [draft: string, answer: string])[] = [
  ["precision: '1s'", "precision: '1ms'"],
  ["maxTransaction: '1m'", "maxTransaction: '1s'"],
  ['create: insertVisits()', "create: insertVisits({ keyIn: 'ID' })"],
];

test('a draft of a service, its open questions answered, reads and writes it', async () => {
  const workshop = openWorkshop();
  const service = await startODataService();
  service.store.put('Visits', ['V/1'], { Status: 'Planned', Note: 'old', Serial: '9007199254740993' }, false);
  service.store.put('Visits', ['V-2'], { Status: 'Done', Price: '12.50', Vitals: { Pulse: 70 } }, false);
  service.store.put('Lines', ['V-2', 7], { Sku: 'S-7' }, false);
  const found = await workshop.inspect(`${service.url}/$metadata`);
  expect(found.system.address).toBe(service.url);
  workshop.replace(found.name, 'connector.ts', (text) => {
    for (const [draft] of ANSWERS) expect(text).toContain(draft);
    return ANSWERS.reduce((made, [draft, answer]) => made.replaceAll(draft, answer), text);
  });
  expect(typeErrors(workshop, [found.name])).toEqual([]);
  const definition = await loadConnector(workshop, found.name, { serviceUrl: service.url });
  expect(Object.keys(definition.collections)).toEqual(['visits', 'patients', 'lines', 'rooms']);
  const source = createSource(definition, eagerDeps());
  const [visits, , lines] = source.collections as [SourceCollection, SourceCollection, SourceCollection];

  const { shown } = await drain(visits.scan(signal));
  expect(new Set(shown.keys())).toEqual(new Set([sourceKey(['V/1']), sourceKey(['V-2'])]));
  expect(shown.get(sourceKey(['V-2']))?.fields).toMatchObject({ Price: '12.50', Vitals: { Pulse: 70 }, Tags: [] });
  const key = sourceKey(['V/1']);
  const seen = await observed(visits, key);
  expect(seen.fields).toMatchObject({ Note: 'old', Serial: '9007199254740993', Status: 'Planned' });
  const edit = { sourceKey: key, current: seen.fields, guard: seen.sourceVersion, idempotencyKey: 'a' } as const;
  expect(await visits.write({ ...edit, kind: 'update', fields: { Note: 'new' } }, signal)).toMatchObject({
    kind: 'applied',
    observation: { fields: { ...seen.fields, Note: 'new', LastModified: expect.any(String) } },
  });
  expect(await visits.write({ ...edit, kind: 'update', fields: { Note: 'late' } }, signal)).toEqual({ kind: 'stale' });
  const made = {
    kind: 'create',
    current: null,
    guard: null,
    idempotencyKey: 'b',
    fields: { Status: 'Missed' },
  } as const;
  expect(await visits.write({ ...made, sourceKey: sourceKey(['V-3']) }, signal)).toMatchObject({ kind: 'applied' });
  const changes = await drain(visits.readChanges(null, signal));
  expect(changes.shown.get(key)?.fields).toMatchObject({ Note: 'new' });
  expect(changes.shown.get(sourceKey(['V-3']))?.fields).toMatchObject({ Status: 'Missed' });
  expect((await observed(lines, sourceKey(['V-2', 7]))).fields).toMatchObject({ Sku: 'S-7' });
  await source.close();
  await service.close();
  workshop.remove();
});

async function observed(collection: SourceCollection, key: ReturnType<typeof sourceKey>): Promise<Observation> {
  const found = await collection.readOne(key, signal);
  if (found === 'absent') throw new Error(`expected ${key}, got absent`);
  return found;
}
