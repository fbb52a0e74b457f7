import { type Command, InvalidArgumentError } from 'commander';
import { EXIT_CODES, StartupError } from '../core/errors.js';
import type { Change } from '../inspect/generated-changes.js';
import type { Inspection } from '../inspect/inspect.js';
import { lines, printable } from './text-page.js';

interface InspectOptions {
  readonly name?: string;
  readonly out: string;
  readonly header: readonly string[];
  readonly only: readonly string[];
  readonly root?: string;
  readonly write?: true;
}

/** Longest time for one part of a description. */
const TIME_LIMIT_MS = 60_000;
/** More lines than this are no overview any more. */
const MOST_CHANGES = 200;

/** `tidegate inspect <description>`: makes the beginnings of a connector of what a system says of itself. */
export function addInspect(program: Command): void {
  program
    .command('inspect <description>')
    .description(
      "make a draft of a connector from a WSDL, OpenAPI, Swagger or OData's $metadata: the address or file of one",
    )
    .option('--name <system>', "the source's name; else made of the description's title", readName)
    .option('--out <folder>', "the folder in which the system's own one is made", 'connectors')
    .option(
      '--header <name: value>',
      'sent to the host of the description, and kept nowhere; may be repeated',
      addText,
      [],
    )
    .option('--only <text>', 'only operations with this in their name or path; may be repeated', addText, [])
    .option('--root <folder>', 'files that a file refers to may lie anywhere in here; else in its own folder')
    .option('--write', 'take over what changed in generated.ts and golden/')
    .action(async (description: string, options: InspectOptions) => {
      // Loaded when it is asked for: no other command reads descriptions.
      const { inspect } = await import('../inspect/inspect.js');
      const inspection = await inspect({
        source: description,
        name: options.name ?? null,
        out: options.out,
        headers: Object.fromEntries(options.header.map(headerOf)),
        only: options.only,
        root: options.root,
        write: options.write === true,
        timeLimit: () => AbortSignal.timeout(TIME_LIMIT_MS),
      });
      process.stdout.write(inspectionPage(inspection));
      if (isUnwritten(inspection)) process.exitCode = EXIT_CODES.changed;
    });
}

/** Is the description another than the one that the files are made of, and were they left as they are? */
function isUnwritten({ isFirst, changes, golden, wrote }: Inspection): boolean {
  const differs = changes.length + golden.added.length + golden.removed.length + golden.changed.length > 0;
  return !isFirst && differs && !wrote.includes('generated.ts');
}

function inspectionPage(inspection: Inspection): string {
  const { system, name, folder, counts, wrote, isFirst } = inspection;
  const title = [system.title, system.version ?? ''].filter((text) => text !== '').join(' ');
  const said = [
    `${name}: ${system.format}${title === '' ? '' : `, ${title}`}: ${counts.operations} operations, ${counts.types} types`,
    ...system.notes.map((note) => `  note: ${note}`),
  ];
  const draft = wrote.includes('connector.ts')
    ? [
        `wrote ${folder}/connector.ts: a draft with ${counts.collections} collections, ${counts.guesses} guesses to check and ${counts.todos} TODOs`,
      ]
    : [];
  const made = wrote.includes('generated.ts') ? [`wrote ${folder}/generated.ts and ${folder}/golden/`] : [];
  return lines(
    ...[...said, ...(isFirst ? [] : changeLines(inspection)), ...made, ...draft].map((line) => printable(line)),
  );
}

function changeLines({ changes, golden, folder, wrote }: Inspection): readonly string[] {
  const files = (
    [
      ['added', golden.added],
      ['removed', golden.removed],
      ['changed', golden.changed],
    ] as const
  ).flatMap(([kind, names]) =>
    names.map((one): Change => ({ kind, what: `golden/${one}`, before: null, after: null })),
  );
  const all = [...changes, ...files];
  if (all.length === 0) return [`${folder} is as the description says: nothing changed`];
  const count = (kind: Change['kind']): string => `${all.filter((one) => one.kind === kind).length} ${kind}`;
  return [
    ...all.slice(0, MOST_CHANGES).map((one) => `  ${changeText(one)}`),
    ...(all.length > MOST_CHANGES ? [`  and ${all.length - MOST_CHANGES} more`] : []),
    `${folder}: ${count('added')}, ${count('removed')}, ${count('changed')}`,
    ...(wrote.includes('generated.ts')
      ? []
      : ['Nothing of it was written: --write takes it over. connector.ts is yours either way.']),
  ];
}

const SIGNS: Readonly<Record<Change['kind'], string>> = { added: '+', removed: '-', changed: '~' };

function changeText({ kind, what, before, after }: Change): string {
  const sign = `${SIGNS[kind]} ${what}`;
  if (kind === 'changed' && before !== null && after !== null)
    return `${sign}: ${shortCode(before)} -> ${shortCode(after)}`;
  return what.includes('.') && after !== null ? `${sign}: ${shortCode(after)}` : sign;
}

function shortCode(code: string): string {
  return code.length > 120 ? `${code.slice(0, 117)}...` : code;
}

function readName(text: string): string {
  if (/^(?!__)[_A-Za-z][_0-9A-Za-z]{0,79}$/.test(text)) return text;
  throw new InvalidArgumentError('expected letters, digits and _, not beginning with a digit.');
}

/** The value may be a secret: no message repeats it. */
function headerOf(text: string): readonly [string, string] {
  const [, name, value] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new StartupError('config', '--header: expected "Name: value"');
  return [name.toLowerCase(), value];
}

function addText(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
