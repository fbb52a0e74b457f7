import { LineCounter, parseDocument } from 'yaml';
import { faultAt, shown } from './description-fault.js';
import type { DescriptionLoader, LoadedText } from './description-loader.js';

/** A JSON or YAML document as data. */
export type Data = string | number | boolean | null | readonly Data[] | DataObject;
export interface DataObject {
  readonly [name: string]: Data | undefined;
}

/** Objects and lists within each other. */
const MAX_DEPTH = 200;
/** An alias of YAML stands for a whole part, and parts of aliases multiply. */
const MAX_ALIASES = 1_000;
/** A reference that leads to another one, and so on. */
const MAX_REFERENCES = 100;

/** @throws StartupError config - with the line */
export function readData({ shownAddress, text }: LoadedText): Data {
  const data = /^\s*[[{]/.test(text)
    ? (readJson(shownAddress, text) ?? readYaml(shownAddress, text))
    : readYaml(shownAddress, text);
  checkDepth(shownAddress, data);
  return data;
}

/** Undefined: it is no JSON, but may be YAML in braces. */
function readJson(address: string, text: string): Data | undefined {
  try {
    return JSON.parse(text) as Data;
  } catch (thrown) {
    const position = /at position (\d+)/.exec((thrown as Error).message)?.[1];
    if (!/^\s*[[{]\s*"/.test(text)) return undefined;
    const line = position === undefined ? text.split('\n').length : text.slice(0, Number(position)).split('\n').length;
    throw faultAt(address, line, 'expected well-formed JSON', thrown);
  }
}

function readYaml(address: string, text: string): Data {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: 'core',
    merge: true,
    uniqueKeys: false,
    logLevel: 'silent',
  });
  const fault = document.errors[0];
  if (fault !== undefined)
    throw faultAt(
      address,
      lines.linePos(fault.pos[0]).line,
      `expected well-formed YAML: ${plain(fault.message)}`,
      fault,
    );
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as Data;
  } catch (thrown) {
    throw faultAt(
      address,
      '',
      `expected YAML without aliases that multiply: ${plain((thrown as Error).message)}`,
      thrown,
    );
  }
}

function plain(message: string): string {
  return message.split('\n')[0] ?? '';
}

function checkDepth(address: string, data: Data): void {
  let level: readonly Data[] = [data];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH)
      throw faultAt(address, '', `expected at most ${MAX_DEPTH} objects within each other, got more`);
    level = level.flatMap((one) =>
      typeof one === 'object' && one !== null
        ? Object.values(one).filter((value) => value !== undefined && typeof value === 'object')
        : [],
    );
  }
}

/** A value of a document, and where it stands: what its references are relative to, and what messages name. */
export interface Placed {
  readonly document: LoadedText;
  /** As a JSON pointer, like `#/paths/~1visits/get`. */
  readonly pointer: string;
  readonly value: Data | undefined;
}

/** Documents and what they refer to, each read once. */
export class DataDocuments {
  readonly #loader: DescriptionLoader;
  readonly #read = new Map<string, Data>();
  readonly #elsewhere = new Set<string>();

  constructor(loader: DescriptionLoader) {
    this.#loader = loader;
  }

  /** Parts that were not read, since they lie elsewhere. */
  get elsewhere(): readonly string[] {
    return [...this.#elsewhere];
  }

  top(): Placed {
    return { document: this.#loader.main, pointer: '#', value: this.#data(this.#loader.main) };
  }

  /**
   * Follows `$ref` until there is none.
   *
   * @returns the value undefined where it lies elsewhere
   * @throws StartupError config - it leads nowhere, or in a circle
   */
  async resolved(placed: Placed): Promise<Placed> {
    let at = placed;
    for (let steps = 0; steps < MAX_REFERENCES; steps++) {
      const reference = objectOf(at.value)?.['$ref'];
      if (typeof reference !== 'string') return at;
      at = await this.#target(reference, at);
    }
    throw misfitAt(placed, `expected a $ref that leads somewhere, got one that leads in a circle`);
  }

  async #target(reference: string, from: Placed): Promise<Placed> {
    const [file = '', fragment = ''] = reference.split('#', 2);
    const document = file === '' ? from.document : await this.#loader.part(file, from.document);
    if (document === null) {
      this.#elsewhere.add(shown(file));
      return { document: from.document, pointer: `${from.pointer}/$ref`, value: undefined };
    }
    let value: Data | undefined = this.#data(document);
    const steps = fragment.split('/').slice(1);
    for (const step of steps) {
      const name = decodedStep(step);
      value =
        value !== undefined && value !== null && typeof value === 'object' && Object.hasOwn(value, name)
          ? (value as DataObject)[name]
          : undefined;
    }
    if (value === undefined || (fragment !== '' && steps.length === 0)) {
      throw misfitAt(from, `expected a $ref that leads somewhere, got ${shown(reference)}`);
    }
    return { document, pointer: `#${steps.map((step) => `/${step}`).join('')}`, value };
  }

  #data(document: LoadedText): Data {
    const before = this.#read.get(document.address);
    if (before !== undefined) return before;
    const data = readData(document);
    this.#read.set(document.address, data);
    return data;
  }
}

function decodedStep(step: string): string {
  try {
    return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return step;
  }
}

/** A member of a placed object. */
export function memberAt(placed: Placed, ...names: readonly (string | number)[]): Placed {
  return names.reduce<Placed>((at, name) => {
    const holder = at.value;
    const value =
      typeof holder === 'object' && holder !== null && Object.hasOwn(holder, name)
        ? (holder as DataObject)[name]
        : undefined;
    return { ...at, pointer: `${at.pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`, value };
  }, placed);
}

/** The members of a placed object, or the items of a placed list; nothing where it is neither. */
export function entriesAt(placed: Placed): readonly (readonly [string, Placed])[] {
  const { value } = placed;
  if (typeof value !== 'object' || value === null) return [];
  return Object.keys(value).map((name) => [name, memberAt(placed, name)] as const);
}

export function objectOf(value: Data | undefined): DataObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as DataObject) : null;
}

export function textOf(value: Data | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

export function misfitAt({ document, pointer }: Placed, misfit: string): Error {
  return faultAt(document.shownAddress, pointer, misfit);
}
