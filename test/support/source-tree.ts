import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** Texts of source files by path from the top of the project, with forward slashes. */
export type SourceTree = ReadonlyMap<string, string>;

/** One import, export-from, `import()` or `require()` of a file. */
export interface Import {
  readonly specifier: string;
  /** Path from the top for relative imports (`.js` read as the `.ts` it stands for), else null: a package. */
  readonly target: string | null;
  /** `import type`: nothing of it is there when the program runs. */
  readonly isTypeOnly: boolean;
}

/** Where the tests run: the top of the project. */
export const PROJECT_FOLDER = path.resolve(import.meta.dirname, '../..');

/** Reads the TypeScript sources of some folders; what programs generate is not ours to judge. */
export function readSources(folders: readonly string[]): SourceTree {
  const tree = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(path.join(PROJECT_FOLDER, folder), { recursive: true, withFileTypes: true })) {
      const file = path.relative(PROJECT_FOLDER, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/');
      if (!entry.isFile() || !file.endsWith('.ts') || file.startsWith('src/store/generated/')) continue;
      tree.set(file, readFileSync(path.join(PROJECT_FOLDER, file), 'utf8'));
    }
  }
  return tree;
}

export function parse(file: string, text: string): ts.SourceFile {
  return ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
}

/** Every import of a file, in whichever form and quotes it is written. */
export function importsOf(source: ts.SourceFile): readonly Import[] {
  const imports: Import[] = [];
  visit(source, (node) => {
    const specifier = specifierOf(node);
    if (specifier === null) return;
    const isTypeOnly = ts.isImportDeclaration(node) && node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    imports.push({ specifier, target: targetOf(source.fileName, specifier), isTypeOnly });
  });
  return imports;
}

/** Calls `see` for a node and everything below it. */
export function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}

function specifierOf(node: ts.Node): string | null {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
    return textOf(node.moduleSpecifier);
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return textOf(node.argument.literal);
  if (ts.isExternalModuleReference(node)) return textOf(node.expression);
  if (!ts.isCallExpression(node) || node.arguments[0] === undefined) return null;
  const isImport = node.expression.kind === ts.SyntaxKind.ImportKeyword;
  const isRequire = ts.isIdentifier(node.expression) && node.expression.text === 'require';
  return isImport || isRequire ? textOf(node.arguments[0]) : null;
}

function textOf(node: ts.Node): string | null {
  return ts.isStringLiteralLike(node) ? node.text : null;
}

function targetOf(file: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null;
  return path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts');
}
