import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ERROR_CATALOGUE } from '../src/core/errors.js';
import { FIELD_TYPES } from '../src/core/field.js';
import { deadLinks, tableRows, type Pages } from './support/markdown.js';
import { PROJECT_FOLDER, readSources } from './support/source-tree.js';
import { attacksNamed, rulesNamed, testTitles, type TestTitle } from './support/test-titles.js';

const pages = readPages();
const protocol = pages.get('docs/protocol.md') ?? '';
/** Attacks that nothing is built against yet; the page says why. */
const OPEN_ATTACKS: readonly number[] = [];
const titles = testTitles(readSources(['test']));

describe('the protocol', () => {
  const declared = [...protocol.matchAll(/^- \*\*([RF]\d+)\*\* /gm)].map((match) => match[1] ?? '');
  const states = new Map(
    tableRows(protocol.slice(protocol.indexOf('\n## In force'))).flatMap(([rules = '', state = '']) =>
      rulesNamed(rules).map((rule) => [rule, state] as const),
    ),
  );

  test('numbers its rules without gaps, each once', () => {
    expect(declared).toEqual([...numbered('R', 18), ...numbered('F', 32)]);
  });

  test('says of every rule whether it is in force or what it comes with', () => {
    expect([...states.keys()].sort()).toEqual([...declared].sort());
    for (const state of states.values()) expect(state).toMatch(/^(in force|come)/);
  });

  test('refers only to rules that it has', () => {
    expect(rulesNamed(protocol).filter((rule) => !declared.includes(rule))).toEqual([]);
  });

  test('has every rule that a test names', () => {
    expect(unknownRules(titles, declared)).toEqual([]);
  });

  test('has a test for every rule in force', () => {
    const inForce = declared.filter((rule) => rule.startsWith('R') && states.get(rule) === 'in force');
    expect(untestedRules(titles, inForce)).toEqual([]);
  });

  test('lists the codes of the error catalogue, and whether a repeat can help', () => {
    const listed = tableRows(protocol).filter(
      ([code = '']) => /^`[A-Z_]+`$/.test(code) && code.slice(1, -1) in ERROR_CATALOGUE,
    );
    expect(Object.fromEntries(listed.map(([code = '', retryable]) => [code.slice(1, -1), retryable]))).toMatchObject(
      Object.fromEntries(
        Object.entries(ERROR_CATALOGUE).map(([code, { retryable }]) => [code, retryable ? 'yes' : 'no']),
      ),
    );
  });

  test('lists the field types', () => {
    const names = tableRows(protocol).map(([name = '']) => name.replaceAll('`', ''));
    expect(FIELD_TYPES.filter((type) => !names.includes(type))).toEqual([]);
  });
});

describe('the attacks', () => {
  const security = pages.get('docs/security.md') ?? '';
  const rows = tableRows(security.slice(security.indexOf('\n## How each attack ends')));
  const told = new Map(rows.map(([number, , , held = '']) => [Number(number), held] as const));
  const numbers = Array.from({ length: 38 }, (_, at) => at + 1);
  const open = [...told].filter(([, held]) => held.startsWith('open: ')).map(([number]) => number);

  test('are 38, each with its outcome', () => {
    expect(rows.map(([number]) => Number(number))).toEqual(numbers);
    for (const [, attack, outcome] of rows) expect([attack, outcome]).not.toContain('');
  });

  test('are held by tests that name them, in the files that the page names', () => {
    for (const number of numbers.filter((one) => !open.includes(one))) {
      const files = new Set(titles.filter(({ title }) => attacksNamed(title).includes(number)).map(({ file }) => file));
      const named = [...(told.get(number) ?? '').matchAll(/`([^`]+)`/g)].map(([, file]) => `test/${file}`);
      expect([number, named.length > 0, named.filter((file) => !files.has(file))]).toEqual([number, true, []]);
    }
  });

  test('are open only where the page says why', () => {
    expect(open).toEqual(OPEN_ATTACKS);
  });
});

describe('the pages', () => {
  test('link to files and headings that are there', () => {
    expect(deadLinks(pages, (file) => existsSync(path.join(PROJECT_FOLDER, file)))).toEqual([]);
  });

  test('name the two commands', () => {
    expect(pages.get('README.md')).toContain('npm ci && npm start');
    expect(pages.get('README.md')).toContain('npm ci && npm test');
  });
});

describe('a fault of the pages is seen:', () => {
  const title = (text: string): TestTitle => ({ file: 'a.test.ts', title: text });

  test('a test names a rule that is not there', () => {
    expect(unknownRules([title('R1: fine'), title('R99: made up')], ['R1'])).toEqual(['a.test.ts: R99']);
  });

  test('a rule has no test', () => {
    expect(untestedRules([title('R1: fine'), title('R10: fine too')], ['R1', 'R2'])).toEqual(['R2']);
  });

  test('a title in any form is read', () => {
    const text = `
      describe('R1: a', () => { test("R2: b", () => {}); it(\`R3: c\`, () => {}); });
      test.each([1])('R4: %d', () => {});
      test.concurrent(\`R5: \${x}\`, () => {});
      other('R6: no test');`;
    const found = testTitles(new Map([['a.test.ts', text]])).flatMap((one) => rulesNamed(one.title));
    expect(found).toEqual(['R1', 'R2', 'R3', 'R4', 'R5']);
  });

  test('a link leads nowhere', () => {
    const faulty: Pages = new Map([
      [
        'docs/a.md',
        '# One: Two\n[b](b.md) [c](c.md) [d](#one-two) [e](#three) [f](b.md#four) `[g](h.md)` [i](https://x.y)',
      ],
      ['docs/b.md', '# Five'],
    ]);
    const links = deadLinks(faulty, (file) => faulty.has(file)).map(({ link }) => link);
    expect(links).toEqual(['c.md', '#three', 'b.md#four']);
  });
});

function unknownRules(from: readonly TestTitle[], declared: readonly string[]): readonly string[] {
  return from.flatMap(({ file, title }) =>
    rulesNamed(title)
      .filter((rule) => !declared.includes(rule))
      .map((rule) => `${file}: ${rule}`),
  );
}

function untestedRules(from: readonly TestTitle[], inForce: readonly string[]): readonly string[] {
  const named = new Set(from.flatMap(({ title }) => rulesNamed(title)));
  return inForce.filter((rule) => !named.has(rule));
}

function numbered(letter: string, last: number): readonly string[] {
  return Array.from({ length: last }, (_, at) => `${letter}${at + 1}`);
}

function readPages(): Pages {
  const files = ['.', 'docs', 'bench', 'connectors']
    .filter((folder) => existsSync(path.join(PROJECT_FOLDER, folder)))
    .flatMap((folder) =>
      readdirSync(path.join(PROJECT_FOLDER, folder), { recursive: folder !== '.' }).map((file) =>
        path.posix.join(folder, String(file)),
      ),
    )
    .filter((file) => file.endsWith('.md'));
  return new Map(files.map((file) => [file, readFileSync(path.join(PROJECT_FOLDER, file), 'utf8')]));
}
