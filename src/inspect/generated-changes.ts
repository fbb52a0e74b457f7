/**
 * What changed between two texts of `generated.ts`. Comments, spaces and line breaks do not count, so that a formatter may have been at it.
 */

/** One thing that was added, removed or is another now; `before` and `after` as code. */
export interface Change {
  readonly kind: 'added' | 'removed' | 'changed';
  /** A declaration, or a member of one, like `Visit.price`. */
  readonly what: string;
  readonly before: string | null;
  readonly after: string | null;
}

export function changesBetween(before: string, after: string): readonly Change[] {
  const old = declarationsOf(before);
  const now = declarationsOf(after);
  const changes: Change[] = [];
  for (const what of new Set([...old.keys(), ...now.keys()])) {
    const [one, other] = [old.get(what) ?? null, now.get(what) ?? null];
    if (one === other) continue;
    const kind = one === null ? 'added' : other === null ? 'removed' : 'changed';
    changes.push({ kind, what, before: readable(one), after: readable(other) });
  }
  return withoutRepeats(changes);
}

/** A declaration that came or went is told once, not member by member; a field that did so with its member is told by that one. */
function withoutRepeats(changes: readonly Change[]): readonly Change[] {
  const whole = new Set(
    changes.filter(({ kind, what }) => kind !== 'changed' && !what.includes('.')).map(({ what }) => what),
  );
  const members = new Set(changes.map(({ what }) => what.toLowerCase()));
  return changes.filter(({ kind, what }) => {
    const dot = what.indexOf('.');
    if (dot < 0) return true;
    const holder = what.slice(0, dot);
    if (whole.has(holder)) return false;
    const row = /^(.+)Fields$/.exec(holder)?.[1];
    return kind === 'changed' || row === undefined || !members.has(`${row}${what.slice(dot)}`.toLowerCase());
  });
}

/** Each exported declaration and each of its members with its code, in one form. */
export function declarationsOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const tokens = tokensOf(text);
  for (let at = 0; at < tokens.length; at++) {
    const [word, kind, name] = [tokens[at], tokens[at + 1], tokens[at + 2]];
    if (word !== 'export' || name === undefined || (kind !== 'interface' && kind !== 'type' && kind !== 'const'))
      continue;
    const end = endOf(tokens, at + 3);
    const body = tokens.slice(at + 3, end);
    at = end - 1;
    const open = kind === 'interface' ? 0 : body[0] === '=' && body[1] === '{' ? 1 : -1;
    if (open < 0 || body[open] !== '{' || body.at(-1) !== '}') {
      found.set(name, joined(body));
      continue;
    }
    found.set(name, kind);
    for (const member of membersOf(body.slice(open + 1, -1))) found.set(`${name}.${member.name}`, member.code);
  }
  return found;
}

/** The place behind a declaration that begins here: its semicolon, or the brace that ends an interface. */
function endOf(tokens: readonly string[], from: number): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at] ?? '';
    if (OPENING.has(token)) depth += 1;
    if (CLOSING.has(token)) depth -= 1;
    if (
      depth === 0 &&
      (token === ';' || (token === '}' && (tokens[at + 1] === 'export' || at === tokens.length - 1)))
    ) {
      return token === ';' ? at : at + 1;
    }
  }
  return tokens.length;
}

function membersOf(tokens: readonly string[]): readonly { readonly name: string; readonly code: string }[] {
  const members: { readonly name: string; readonly code: string }[] = [];
  let depth = 0;
  let current: string[] = [];
  const end = (): void => {
    const plain = current[0] === 'readonly' ? current.slice(1) : current;
    const [name, ...rest] = plain;
    if (name !== undefined) members.push({ name: unquoted(name), code: joined(rest) });
    current = [];
  };
  for (const token of tokens) {
    if (OPENING.has(token)) depth += 1;
    if (CLOSING.has(token)) depth -= 1;
    if (depth === 0 && (token === ';' || token === ',')) end();
    else current.push(token);
  }
  end();
  return members;
}

const OPENING = new Set(['{', '(', '[', '<']);
const CLOSING = new Set(['}', ')', ']', '>']);

/** Names, numbers, texts and signs; no comments. Of `=>` nothing is an angle. */
function tokensOf(text: string): readonly string[] {
  const tokens = text.match(/\/\*[^]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|[\w$]+|=>|\S/g) ?? [];
  return tokens
    .filter((token) => !token.startsWith('/*') && !token.startsWith('//'))
    .map((token) => (token.startsWith('"') ? requoted(token) : token));
}

/** A formatter may have taken the other quotes. */
function requoted(token: string): string {
  return `'${token
    .slice(1, -1)
    .replaceAll('\\"', '"')
    .replaceAll(/(?<!\\)'/g, "\\'")}'`;
}

function unquoted(token: string): string {
  return token.startsWith("'") ? token.slice(1, -1) : token;
}

/** In one form: no comma before a closing sign, no stroke before the first of several. */
function joined(tokens: readonly string[]): string {
  const kept = tokens.filter((token, at) => {
    const before = tokens[at - 1] ?? ':';
    if (token === ',') return !CLOSING.has(tokens[at + 1] ?? '');
    return !(token === '|' && (OPENING.has(before) || before === ':' || before === '='));
  });
  return kept.join(' ');
}

/** Code as people write it. */
function readable(code: string | null): string | null {
  if (code === null) return null;
  return code
    .replaceAll(/ ([,;:)\]>.?]|$)/g, '$1')
    .replaceAll(/([([<.]) /g, '$1')
    .replaceAll(/ ([(<])/g, '$1')
    .replace(/^(\??): ?/, '$1')
    .replace(/^\? ?/, 'optional ');
}
