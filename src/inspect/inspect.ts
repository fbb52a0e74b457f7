import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { StartupError } from '../core/errors.js';
import { renderDraft } from './connector-draft.js';
import { faultAt, shown } from './description-fault.js';
import { openDescription, type DescriptionLoader, type LoaderOptions } from './description-loader.js';
import type { DescribedOperation, DescribedSystem } from './described-system.js';
import type { Drafted } from './drafted-collection.js';
import { changesBetween, type Change } from './generated-changes.js';
import { renderGenerated } from './generated-file.js';
import { giveNames } from './given-names.js';
import { goldenFiles } from './golden-files.js';
import { draftODataCollections } from './odata-collections.js';
import { readODataDescription } from './odata-reader.js';
import { readOpenApi } from './openapi-reader.js';
import { draftRestCollections } from './rest-collections.js';
import { graphqlName, valueName } from './safe-names.js';
import { draftSoapCollections } from './soap-collections.js';
import { readWsdlDescription } from './wsdl-reader.js';
import { readXml } from './xml-tree.js';

export interface InspectRequest extends LoaderOptions {
  /** The source's name; null: made of the description's title. */
  readonly name: string | null;
  /** The folder in which the system's own folder is. */
  readonly out: string;
  /** Take over what changed. */
  readonly write: boolean;
  /** Only operations whose name or path has one of these texts in it; none: all. */
  readonly only: readonly string[];
}

/** What a run found and did. */
export interface Inspection {
  readonly system: DescribedSystem;
  readonly name: string;
  /** `connectors/clinic`, as it was written or would be. */
  readonly folder: string;
  readonly counts: {
    readonly operations: number;
    readonly types: number;
    readonly collections: number;
    readonly guesses: number;
    readonly todos: number;
  };
  /** Against the `generated.ts` that was there. */
  readonly changes: readonly Change[];
  readonly golden: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  /** Files that were written or deleted, relative to the folder; those of `golden/` are one. */
  readonly wrote: readonly string[];
  readonly isFirst: boolean;
}

/**
 * Reads a description and makes `generated.ts`, `connector.ts` and `golden/` of it. What is there already is compared: `generated.ts` and
 * `golden/` are written over with `write` only, `connector.ts` never. Safe to repeat.
 *
 * @throws StartupError config - no such description, or one that cannot be used, with its line or place; source - its address does not give
 * it; disk - the folder cannot be written
 */
export async function inspect(request: InspectRequest): Promise<Inspection> {
  const loader = await openDescription(request);
  const system = only(await readSystem(loader), request.only);
  const name = graphqlName(
    request.name ?? valueName(system.title === '' ? path.basename(loader.main.shownAddress) : system.title),
  );
  const names = giveNames(system);
  const drafted = draftOf(system.operations);
  const generated = renderGenerated(system, names, loader.main.shownAddress);
  const draft = renderDraft(system, drafted, names, name);
  const folder = path.join(request.out, name);
  const before = await readIfThere(path.join(folder, 'generated.ts'));
  const golden = goldenFiles(system, names);
  const goldenChanges = await compareGolden(path.join(folder, 'golden'), golden, before);
  const changes = before === null ? [] : changesBetween(before, generated);
  const isOther =
    changes.length + goldenChanges.added.length + goldenChanges.removed.length + goldenChanges.changed.length > 0;
  const wrote: string[] = [];
  const isFirst = before === null;
  try {
    if (isFirst || (isOther && request.write)) {
      await writeWhole(path.join(folder, 'generated.ts'), generated);
      wrote.push('generated.ts');
      await writeGolden(path.join(folder, 'golden'), golden, goldenChanges);
      wrote.push('golden/');
    }
    if ((await readIfThere(path.join(folder, 'connector.ts'))) === null) {
      await writeWhole(path.join(folder, 'connector.ts'), draft);
      wrote.push('connector.ts');
    }
  } catch (cause) {
    throw new StartupError('disk', `${folder}: cannot be written: ${(cause as Error).message}`, { cause });
  }
  return {
    system,
    name,
    folder,
    counts: {
      operations: system.operations.length,
      types: names.types.length,
      collections: drafted.collections.length,
      guesses: count(draft, /\bguess\b/g) - 1,
      todos: count(draft, /\bTODO\b/g) - 1,
    },
    changes,
    golden: isFirst ? { added: [], removed: [], changed: [] } : goldenChanges,
    wrote,
    isFirst,
  };
}

async function readSystem(loader: DescriptionLoader): Promise<DescribedSystem> {
  const { text, shownAddress } = loader.main;
  if (!/^\s*(\ufeff)?\s*</.test(text)) return await readOpenApi(loader);
  if (/^\s*<(!doctype\s+html|html)\b/i.test(text))
    throw faultAt(shownAddress, 1, 'expected a description, got an HTML page: perhaps one to sign in at');
  const root = readXml(shownAddress, text.trimStart());
  if (root.local === 'definitions') return await readWsdlDescription(loader, root);
  if (root.local === 'Edmx') return await readODataDescription(loader, root);
  throw faultAt(
    shownAddress,
    root.line,
    `expected WSDL 1.1, OpenAPI, Swagger or OData's $metadata, got XML of ${shown(root.local)}`,
  );
}

function only(system: DescribedSystem, wanted: readonly string[]): DescribedSystem {
  if (wanted.length === 0) return system;
  const texts = wanted.map((text) => text.toLowerCase());
  const isWanted = (call: DescribedOperation): boolean => {
    const own =
      `${call.name} ${call.kit === 'rest' ? call.path : call.kit === 'odata' ? call.set.name : ''}`.toLowerCase();
    return texts.some((text) => own.includes(text));
  };
  const operations = system.operations.filter(isWanted);
  if (operations.length === 0)
    throw new StartupError(
      'config',
      `--only: expected a part of the name or path of an operation, got ${wanted.map(shown).join(', ')}, which none has`,
    );
  return { ...system, operations };
}

function draftOf(operations: readonly DescribedOperation[]): Drafted {
  const rest = draftRestCollections(operations.filter((call) => call.kit === 'rest'));
  const soap = draftSoapCollections(operations.filter((call) => call.kit === 'soap'));
  const odata = draftODataCollections(operations.filter((call) => call.kit === 'odata'));
  return {
    collections: [...rest.collections, ...soap.collections, ...odata.collections],
    leftOut: [...rest.leftOut, ...soap.leftOut, ...odata.leftOut],
  };
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StartupError('disk', `${file}: cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Files of `golden/` that this program made: others are their author's. */
const GOLDEN = /^[\w$]+\.(json|request\.xml|answer\.xml)$/;

async function compareGolden(
  folder: string,
  wanted: ReadonlyMap<string, string>,
  generatedBefore: string | null,
): Promise<Inspection['golden']> {
  const there: readonly string[] = await readdir(folder).catch(() => []);
  const changed: string[] = [];
  for (const name of there) {
    const text = wanted.get(name);
    if (text !== undefined && (await readFile(path.join(folder, name), 'utf8')) !== text) changed.push(name);
  }
  const isOwn = (name: string): boolean =>
    GOLDEN.test(name) && generatedBefore?.includes(`export const ${name.split('.')[0] ?? ''} `) === true;
  return {
    added: [...wanted.keys()].filter((name) => !there.includes(name)),
    removed: there.filter((name) => !wanted.has(name) && isOwn(name)),
    changed,
  };
}

async function writeGolden(
  folder: string,
  files: ReadonlyMap<string, string>,
  changes: Inspection['golden'],
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of [...changes.added, ...changes.changed])
    await writeWhole(path.join(folder, name), files.get(name) ?? '');
  for (const name of changes.removed) await rm(path.join(folder, name));
}

/** A reader sees the old file or the new one, never half of it. */
async function writeWhole(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const half = `${file}.half`;
  await writeFile(half, text);
  await rename(half, file);
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
