import ts from 'typescript';
import { parse, visit, type SourceTree } from './source-tree.js';

/** The title of a test or a group of tests, and the file it stands in. */
export interface TestTitle {
  readonly file: string;
  readonly title: string;
}

/** Titles of all `test`, `it` and `describe` calls, also of their `.each` forms and of suites that files share. */
export function testTitles(tree: SourceTree): readonly TestTitle[] {
  const titles: TestTitle[] = [];
  for (const [file, text] of tree) {
    visit(parse(file, text), (node) => {
      if (!ts.isCallExpression(node) || !isTestCall(node.expression)) return;
      const first = node.arguments[0];
      if (first === undefined) return;
      const title = ts.isStringLiteralLike(first)
        ? first.text
        : ts.isTemplateExpression(first)
          ? first.getText()
          : null;
      if (title !== null) titles.push({ file, title });
    });
  }
  return titles;
}

/** `R1`, `F10`: the numbers of rules that a text names. */
export function rulesNamed(text: string): readonly string[] {
  return [...text.matchAll(/\b([RF][1-9][0-9]?)\b/g)].map((match) => match[1] ?? '');
}

/** `attack 12: …`, `R13, attacks 18 and 19: …`: the numbers of attacks that a title names. */
export function attacksNamed(title: string): readonly number[] {
  const [, numbers = ''] = /\battacks? ([0-9]+(?:(?:, | and )[0-9]+)*):/.exec(title) ?? [];
  return [...numbers.matchAll(/[0-9]+/g)].map(([number]) => Number(number));
}

function isTestCall(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return ['test', 'it', 'describe'].includes(callee.text);
  if (ts.isPropertyAccessExpression(callee)) return isTestCall(callee.expression);
  // `test.each(table)(title, …)`
  return (
    ts.isCallExpression(callee) && ts.isPropertyAccessExpression(callee.expression) && isTestCall(callee.expression)
  );
}
