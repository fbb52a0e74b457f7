import { readFileSync } from 'node:fs';
import path from 'node:path';
import { minifySync, transformSync } from '@swc/core';
import ts from 'typescript';
import { importsOf, parse, PROJECT_FOLDER } from './source-tree.js';

/** Modules of the client with all that they need, minified as an app's bundler does it. */
export interface ClientBundle {
  readonly code: string;
  /** The files in it, from the top of the project. */
  readonly files: readonly string[];
}

/**
 * Puts the modules one behind the other, those that others need first, without the imports and exports between them.
 *
 * @param entries like `src/client/sync-client.ts`
 * @param kept the names that the app imports
 * @throws Error - two modules have a name at the top in common: then one of them has to take another
 */
export function bundleClient(entries: readonly string[], kept: readonly string[]): ClientBundle {
  const files: string[] = [];
  const owners = new Map<string, string>();
  const codes: string[] = [];
  const add = (file: string): void => {
    if (files.includes(file)) return;
    const text = readFileSync(path.join(PROJECT_FOLDER, file), 'utf8');
    const source = parse(file, text);
    for (const { target, isTypeOnly } of importsOf(source)) if (target !== null && !isTypeOnly) add(target);
    files.push(file);
    const { code } = transformSync(text, {
      swcrc: false,
      jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
      module: { type: 'es6' },
    });
    for (const name of namesOf(parse('module.js', code))) {
      const owner = owners.get(name);
      if (owner !== undefined) throw new Error(`${name} is a name of ${owner} and of ${file}`);
      owners.set(name, file);
    }
    codes.push(code.replace(/^import [^;]*;$/gm, '').replace(/\bexport (?=(async )?(function|const|class) )/g, ''));
  };
  entries.forEach(add);
  const whole = `${codes.join('\n')}\nexport { ${kept.join(', ')} };`;
  const { code } = minifySync(whole, { compress: true, mangle: true, module: true });
  return { code, files };
}

function namesOf(source: ts.SourceFile): readonly string[] {
  return source.statements.flatMap((statement) => {
    if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) return statement.name?.text ?? [];
    if (!ts.isVariableStatement(statement)) return [];
    return statement.declarationList.declarations.map(({ name }) => name.getText());
  });
}
