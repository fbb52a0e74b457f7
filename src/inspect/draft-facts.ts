/** One fact of a draft: a member of an object literal, with what is to be said about it; without code only that is said. */
export interface DraftFact {
  readonly code: string | null;
  readonly remark?: string;
}

/** A fact and how sure it is. */
export function fact(code: string, remark?: string): DraftFact {
  return remark === undefined ? { code } : { code, remark };
}

/** A fact that is missing, as a comment that says what to find out. */
export function todo(remark: string): DraftFact {
  return { code: null, remark: `TODO ${remark}` };
}

/** Lines of an object literal. */
export function factLines(facts: readonly DraftFact[], indent: string): string {
  return facts
    .map(({ code, remark }) => {
      if (code === null) return `${indent}// ${remark ?? ''}\n`;
      if (remark === undefined) return `${indent}${code},\n`;
      // Behind something long, or several lines, nobody sees it.
      return code.length + remark.length > 100 || code.includes('\n')
        ? `${indent}// ${remark}\n${indent}${code},\n`
        : `${indent}${code}, // ${remark}\n`;
    })
    .join('');
}

/** A call with its options: on one line where there is nothing to say about them. */
export function callText(
  name: string,
  before: readonly string[],
  options: readonly DraftFact[],
  indent: string,
): string {
  if (options.length === 0) return `${name}(${before.join(', ')})`;
  const head = before.map((one) => `${one}, `).join('');
  const isPlain = options.every(({ code, remark }) => code !== null && remark === undefined && !code.includes('\n'));
  const line = options.map(({ code }) => code).join(', ');
  if (isPlain && line.length < 80) return `${name}(${head}{ ${line} })`;
  return `${name}(${head}{\n${factLines(options, `${indent}  `)}${indent}})`;
}
