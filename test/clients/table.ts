import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format } from 'prettier';
import { PROJECT_FOLDER } from '../support/source-tree.js';

const PAGE = path.join(PROJECT_FOLDER, 'docs/clients.md');
const [BEGIN, END] = ['<!-- matrix: written by npm run test:clients -->', '<!-- end of matrix -->'];

/** The table of a run: what held of each scenario, by the client's name and version. */
export type Matrix = ReadonlyMap<string, ReadonlyMap<string, boolean>>;

/** What `docs/clients.md` shows between its marks. */
export function committedTable(): string {
  const page = readFileSync(PAGE, 'utf8');
  return page.slice(page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)).trim();
}

/** A table with a row for each scenario and a column for each client. */
export async function tableOf(matrix: Matrix): Promise<string> {
  const clients = [...matrix.keys()];
  const scenarios = [...new Set(clients.flatMap((client) => [...(matrix.get(client)?.keys() ?? [])]))];
  const cells = (scenario: string): readonly string[] =>
    clients.map((client) => (matrix.get(client)?.get(scenario) === true ? 'holds' : 'fails'));
  const rows = [
    ['', ...clients],
    ['---', ...clients.map(() => '---')],
    ...scenarios.map((one) => [one, ...cells(one)]),
  ];
  const text = rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
  return (await format(text, { parser: 'markdown' })).trim();
}

export function commitTable(table: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const [before, after] = [page.slice(0, page.indexOf(BEGIN) + BEGIN.length), page.slice(page.indexOf(END))];
  writeFileSync(PAGE, `${before}\n\n${table}\n\n${after}`);
}
