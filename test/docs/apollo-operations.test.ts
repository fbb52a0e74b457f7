import { codegen } from '@graphql-codegen/core';
import * as typescript from '@graphql-codegen/typescript';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { buildSchema, Kind, parse, print, validate, type DocumentNode } from 'graphql';
import ts from 'typescript';
import { readTrustedDocuments } from '../../src/graphql/trusted-documents.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';

const FOLDER = path.join(PROJECT_FOLDER, 'examples/apollo/operations');
const schemaText = readFileSync(path.join(PROJECT_FOLDER, 'schema.graphql'), 'utf8');
const operations = readdirSync(FOLDER).map((location) => ({
  location,
  document: parse(readFileSync(path.join(FOLDER, location), 'utf8')),
}));
const together: DocumentNode = {
  kind: Kind.DOCUMENT,
  definitions: operations.flatMap(({ document }) => document.definitions),
};

/** What an app that was generated from these operations does with them. */
const USE = `
import type { PullQuery, PullQueryVariables, PushMutation, PushMutationVariables } from './operations';
import type { VisitInput } from './schema';

const edit: VisitInput = { status: 'done', price: '12.50' };

interface Row { id: string; version: string; status: string | null; price: string | null; vitals: unknown }

export function take(pull: PullQuery['pull']): { rows: Row[]; since: string } {
  const rows = pull.changes.flatMap((change) => {
    if (change.kind !== 'UPSERT' || !('record' in change) || !change.record) return [];
    const { status, price, vitals } = change.record;
    return [{ id: change.id, version: change.version, status, price, vitals }];
  });
  return { rows, since: pull.checkpoint };
}

export const next = (since: string | null): PullQueryVariables => ({ since, collections: ['visits'], limit: 500 });

export const pushed: PushMutationVariables = {
  sentAt: '2026-01-31T12:00:00.000Z', epoch: 'abcdefgh',
  changes: [{
    changeId: 'c1', collection: 'visits', id: 'V-00001', kind: 'UPSERT', baseVersion: 'v', sentEpoch: null,
    changedAt: '2026-01-31T11:00:00.000Z', record: { visits: edit },
  }],
};

export const isOpen = ({ status }: PushMutation['push']['results'][number]): boolean =>
  status === 'ACCEPTED' || status === 'PARKED';
`;

describe('the operations of the Apollo recipes', () => {
  test('are valid against schema.graphql, and are those that the page names', () => {
    expect(validate(buildSchema(schemaText), together).map(({ message }) => message)).toEqual([]);
    const names = together.definitions.flatMap((one) =>
      one.kind === Kind.OPERATION_DEFINITION ? [one.name?.value] : [],
    );
    expect(names.sort()).toEqual(['Hints', 'Pull', 'Push', 'RegisterDevice', 'UnregisterDevice']);
  });

  test('give generated types that an app can use', async () => {
    expect(typeErrors(await generated(schemaText))).toEqual([]);
  });

  test.each([
    ['is not there any more', '  status: VisitStatus\n', ''],
    ['has another name', '  sentEpoch: String', '  firstEpoch: String'],
    ['has another type', '  price: Decimal', '  price: Float'],
    ['may be null', '  checkpoint: Checkpoint!', '  checkpoint: Checkpoint'],
  ])('are broken by a schema in which a field %s', async (_what, before, after) => {
    const broken = schemaText.replaceAll(before, after);
    expect(broken).not.toBe(schemaText);
    const errors = await generated(broken).then(typeErrors, (thrown: unknown) => [String(thrown)]);
    expect(errors).not.toEqual([]);
  });

  test('become a list of trusted documents as Apollo writes it', () => {
    // Apollo's tools put the fragments that an operation needs behind it.
    const fragments = together.definitions.filter((one) => one.kind === Kind.FRAGMENT_DEFINITION);
    const manifest = together.definitions.flatMap((one) => {
      if (one.kind !== Kind.OPERATION_DEFINITION) return [];
      const body = [one, ...fragments].map(print).join('\n');
      return [{ id: hashOf(body), body, name: one.name?.value, type: one.operation }];
    });
    const text = JSON.stringify({ format: 'apollo-persisted-query-manifest', version: 1, operations: manifest });
    const documents = readTrustedDocuments(text, 'operations.json');
    for (const { id, body } of manifest)
      expect(documents.resolveOperation({ query: '', extensions: { persistedQuery: { sha256Hash: id } } }).query).toBe(
        body,
      );
    expect(() => documents.resolveOperation({ query: '{ collections { name } }' })).toThrow(/one of the documents/);
  });
});

describe.each(['docs/apollo-kotlin.md', 'docs/apollo-ios.md'])('the code of %s', (file) => {
  const rules = readFileSync(path.join(PROJECT_FOLDER, 'docs/mobile-apollo.md'), 'utf8');
  const code = codeOf(file);

  test('meets every fault of a whole request that the rules name', () => {
    const table = rules.slice(rules.indexOf('| code | what a phone does |'));
    const codes = [...table.matchAll(/^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*)/gm)].flatMap(([, names = '']) =>
      names.split(', '),
    );
    expect(codes.length).toBeGreaterThan(9);
    expect(codes.map((name) => name.replaceAll('`', '')).filter((name) => !code.includes(`"${name}"`))).toEqual([]);
  });

  test('uses the operations', () => {
    const names = ['PullQuery(', 'PushMutation(', 'HintsSubscription(', 'RegisterDeviceMutation('];
    expect(names.filter((name) => !code.includes(name))).toEqual([]);
  });
});

describe('GraphQL on the pages', () => {
  const pages = ['README.md', ...readdirSync(path.join(PROJECT_FOLDER, 'docs')).map((file) => `docs/${file}`)];
  const blocks = pages
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const text = readFileSync(path.join(PROJECT_FOLDER, file), 'utf8');
      return [...text.matchAll(/^```graphql\n([^]*?)^```/gm)].map(([, block = '']) => [file, block] as const);
    });

  test.each(blocks)('is valid against schema.graphql: %s', (_file, block) => {
    expect(validate(buildSchema(schemaText), parse(block)).map(({ message }) => message)).toEqual([]);
  });
});

function codeOf(file: string): string {
  const text = readFileSync(path.join(PROJECT_FOLDER, file), 'utf8');
  return [...text.matchAll(/^```(?:kotlin|swift)\n([^]*?)^```/gm)].map(([, block = '']) => block).join('\n');
}

const SCALARS = {
  Checkpoint: 'string',
  Version: 'string',
  DateTime: 'string',
  Date: 'string',
  Long: 'string',
  Decimal: 'string',
  JSON: 'unknown',
  JSONObject: 'Record<string, unknown>',
};

/** Types by file: of the whole schema, and of the operations. */
async function generated(schema: string): Promise<ReadonlyMap<string, string>> {
  const config = { strictScalars: true, scalars: SCALARS, enumsAsTypes: true };
  const write = (
    filename: string,
    documents: typeof operations,
    name: string,
    plugin: typeof typescript | typeof typescriptOperations,
  ) =>
    codegen({
      filename,
      schema: parse(schema),
      documents,
      config,
      plugins: [{ [name]: {} }],
      pluginMap: { [name]: plugin },
    });
  return new Map([
    ['/schema.ts', await write('schema.ts', [], 'typescript', typescript)],
    ['/operations.ts', await write('operations.ts', operations, 'operations', typescriptOperations)],
  ]);
}

const parsed = new Map<string, ts.SourceFile | undefined>();

function typeErrors(types: ReadonlyMap<string, string>): readonly string[] {
  const files = new Map([...types, ['/use.ts', USE]]);
  const options = { strict: true, noEmit: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022, types: [] };
  const real = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...real,
    getSourceFile(name, version) {
      const text = files.get(name);
      if (text !== undefined) return ts.createSourceFile(name, text, version);
      // The language's own types are the same each time.
      if (!parsed.has(name)) parsed.set(name, real.getSourceFile(name, version));
      return parsed.get(name);
    },
    fileExists: (name) => files.has(name) || real.fileExists(name),
    readFile: (name) => files.get(name) ?? real.readFile(name),
  };
  const program = ts.createProgram({ rootNames: ['/use.ts'], options, host });
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
