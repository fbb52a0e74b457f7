import ts from 'typescript';
import { StartupError } from '../../src/core/errors.js';
import type { Inspection } from '../../src/inspect/inspect.js';
import { openWorkshop, type Workshop } from './written-connector.js';
import fc from '../support/properties.js';

let workshop: Workshop;
beforeAll(() => {
  workshop = openWorkshop();
});
afterAll(() => workshop.remove());

/** What generated files may call. */
const CALLS = new Set([
  'get',
  'post',
  'put',
  'patch',
  'del',
  'call',
  'encodeURIComponent',
  'defineConnector',
  'collection',
  'rest',
  'soap',
  'deletesByScan',
  'offset',
  'page',
  'keyset',
  'token',
  'nextUrl',
  'link',
  'entity',
  'entitySet',
  'insert',
  'update',
  'remove',
  'odata',
  'changedSince',
]);

/** Everything in a file that is not what `inspect` writes: what does not parse, other statements, calls and templates. */
function foreignCode(file: string, text: string): readonly string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true) as ts.SourceFile & {
    readonly parseDiagnostics: readonly ts.Diagnostic[];
  };
  const found = source.parseDiagnostics.map(({ messageText }) => `does not parse: ${String(messageText)}`);
  const own = new Set(source.statements.flatMap((one) => (ts.isImportDeclaration(one) ? importedBy(one) : [])));
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && !isOwnCall(node, own)) found.push(`calls ${node.expression.getText()}`);
    if (ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node))
      found.push(`has the template ${node.getText()}`);
    if (ts.isNewExpression(node) || ts.isTaggedTemplateExpression(node)) found.push(`does ${node.getText()}`);
    ts.forEachChild(node, visit);
  };
  for (const statement of source.statements) {
    const isKnown =
      ts.isImportDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement) ||
      ts.isVariableStatement(statement) ||
      ts.isFunctionDeclaration(statement);
    if (!isKnown) found.push(`has the statement ${statement.getText()}`);
    visit(statement);
  }
  return found;
}

function importedBy({ importClause, moduleSpecifier }: ts.ImportDeclaration): readonly string[] {
  const bindings = importClause?.namedBindings;
  const isGenerated = (moduleSpecifier as ts.StringLiteral).text === './generated.js';
  return isGenerated && bindings !== undefined && ts.isNamedImports(bindings)
    ? bindings.elements.map(({ name }) => name.text)
    : [];
}

function isOwnCall({ expression }: ts.CallExpression, own: ReadonlySet<string>): boolean {
  if (ts.isPropertyAccessExpression(expression)) return expression.expression.getText() === 'field';
  return ts.isIdentifier(expression) && (CALLS.has(expression.text) || own.has(expression.text));
}

function openApi([a, b, c, d]: readonly string[]): string {
  const [one, other, third, fourth] = [a ?? '', b ?? '', c ?? '', d ?? ''];
  const row = {
    type: 'object',
    title: third,
    required: [one],
    properties: Object.fromEntries([
      [one, { type: 'string', enum: [other, third] }],
      [other, { type: 'integer', format: third }],
      [third, { type: 'string', example: fourth }],
      [fourth, { $ref: '#/components/schemas/x' }],
    ]),
  };
  const parameters = [
    { name: one, in: 'query', schema: { type: 'string', enum: [other] } },
    { name: other, in: 'query', required: true, schema: { type: 'string' } },
    { name: third, in: 'path', required: true, schema: { type: 'string' } },
  ];
  const list = {
    operationId: one,
    summary: other,
    description: third,
    parameters,
    responses: {
      200: {
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: { [third]: { type: 'array', items: row }, [fourth]: { type: 'string' } },
            },
          },
        },
      },
    },
  };
  const item = { operationId: third, responses: { 200: { content: { 'application/json': { schema: row } } } } };
  return JSON.stringify({
    openapi: '3.0.0',
    info: { title: fourth, version: one },
    servers: [{ url: other }],
    components: { schemas: { x: row }, securitySchemes: { s: { type: 'apiKey', in: one, name: other } } },
    paths: {
      [`/a${one.replaceAll('/', '')}`]: { get: list, post: item },
      [`/a${one.replaceAll('/', '')}/{${third}}`]: { get: item, put: item, delete: item },
      [`/{${fourth}}/b`]: { get: list },
    },
  });
}

/** Names where a reader asks for names of OData, and others: a set of each is read, and what is no name is left out. */
function csdl(names: readonly string[]): string {
  const xml = (text: string): string =>
    text
      .replaceAll(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`)
      .replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '');
  const [one = '', other = '', third = '', fourth = ''] = names.map(xml);
  const property = (name: string, type: string): string =>
    `<Property Name="${name}" Type="${type}" MaxLength="${other}"/>`;
  return `<e:Edmx Version="4.0" xmlns:e="http://docs.oasis-open.org/odata/ns/edmx"><e:DataServices>
    <Schema Namespace="${one}" Alias="S" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EnumType Name="E"><Member Name="${one}"/><Member Name="${other}"/><Member Name="${third}"/></EnumType>
      <ComplexType Name="${fourth}"><Property Name="${one}" Type="${other}"/></ComplexType>
      <EntityType Name="${third}"><Key><PropertyRef Name="${one}"/></Key>
        ${property(one, 'Edm.String')}${property(other, 'S.E')}${property(third, `S.${fourth}`)}${property(`a${fourth}`, one)}
        <Property Name="Modified" Type="Edm.DateTimeOffset"/><Property Name="E" Type="S.E"/></EntityType>
      <EntityContainer Name="${other}"><EntitySet Name="Plain" EntityType="S.${third}"/><EntitySet Name="${one}" EntityType="S.${third}"/>
        <EntitySet Name="a${fourth}" EntityType="S.${third}"/></EntityContainer>
    </Schema></e:DataServices></e:Edmx>`;
}

const NASTY = [
  "'); process.exit(1); ('",
  '`${process.exit(1)}`',
  '*/ process.exit(1); /*',
  '\n process.exit(1) \r\u2028\u2029',
  '// x\n',
  '\\',
  "\\'",
  '__proto__',
  'constructor',
  'toString',
  'prototype',
  'default',
  'class',
  'await',
  'get',
  'field',
  'GetOptions',
  'Record',
  '',
  ' ',
  '1',
  '12monkeys',
  'Straße',
  '订单',
  '🩹',
  'a.b',
  'a/b',
  '{key}',
  '{reference}',
  '}',
  '\u202eevil',
  '\ud800',
  '$',
  '</script>',
  'x'.repeat(5_000),
  'Ünïcödé Ñame',
  'snake_case_name',
  'snakeCaseName',
  'snake-case-name',
];
const text = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ maxLength: 20 }),
);

describe('names of a description never become code', () => {
  test('of REST systems, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 4, maxLength: 4 }), async (names) => {
        const made = await workshop.inspect(workshop.write('hostile.json', openApi(names)), {
          name: 'hostile',
          write: true,
        });
        for (const file of ['generated.ts', 'connector.ts']) {
          expect(foreignCode(file, workshop.read(made.name, file))).toEqual([]);
        }
        workshop.forget('hostile');
      }),
      { numRuns: 150 },
    );
  });

  test('of OData services, whatever they are', async () => {
    let read = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 4, maxLength: 4 }), async (names) => {
        const source = workshop.write('hostile.edmx', csdl(names));
        const made = await workshop.inspect(source, { name: 'odd', write: true }).catch((thrown: unknown) => thrown);
        // A type whose name cannot be referred to leaves nothing to read.
        if (made instanceof StartupError) return;
        const { name, counts } = made as Inspection;
        read += counts.collections;
        for (const file of ['generated.ts', 'connector.ts']) {
          expect(foreignCode(file, workshop.read(name, file))).toEqual([]);
        }
        workshop.forget('odd');
      }),
      { numRuns: 150 },
    );
    expect(read).toBeGreaterThan(50);
  });

  test('are told apart after they were made alike, and keep to their own members', async () => {
    const names = ['order-line', 'orderLine', 'order_line', 'class'];
    const made = await workshop.inspect(workshop.write('alike.json', openApi(names)), { name: 'alike' });
    const generated = workshop.read(made.name, 'generated.ts');
    for (const line of [`'order-line': 'orderLine' | 'order_line'`, `orderLine?: number`, `from: 'order-line'`]) {
      expect(generated).toContain(line);
    }
    const declared = [...generated.matchAll(/^export (?:const|interface|type) (\S+)/gm)].map(([, name]) => name);
    expect(new Set(declared).size).toBe(declared.length);
  });

  test('are no paths of files', async () => {
    const made = await workshop.inspect(workshop.write('paths.json', openApi(['../../a', '..', 'con', '/etc/x'])), {
      name: null,
    });
    expect(made.folder.startsWith(`${workshop.folder}/connectors/`)).toBe(true);
    expect(made.name).toBe('etcX');
    const named = await workshop.inspect(`${workshop.folder}/paths.json`, { name: '../../evil' });
    expect([named.name, named.folder]).toEqual(['evil', `${workshop.folder}/connectors/evil`]);
    expect(workshop.golden(made.name)).toEqual(expect.arrayContaining(['a.json', 'con.json']));
  });

  test('a file that lets one through is seen by the check', () => {
    expect(foreignCode('a.ts', `process.exit(1);`)).not.toEqual([]);
    expect(foreignCode('a.ts', `export const a = { b: evil() };`)).toEqual(['calls evil']);
    expect(foreignCode('a.ts', 'export const a = `x`;')).not.toEqual([]);
    expect(foreignCode('a.ts', `export const a = 'x`)).not.toEqual([]);
  });
});
