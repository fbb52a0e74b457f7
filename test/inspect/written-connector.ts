import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';
import type { ConnectorDefinition } from '../../src/connectors/define.js';
import { inspect, type InspectRequest, type Inspection } from '../../src/inspect/inspect.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';

/** A folder with descriptions, and what was made of them. */
export interface Workshop {
  readonly folder: string;
  /** Writes a description, and gives its path. */
  write(file: string, text: string): string;
  /** Runs `inspect` on a description here. */
  inspect(source: string, more?: Partial<InspectRequest>): Promise<Inspection>;
  /** A file that `inspect` made, as it is now. */
  read(system: string, file: string): string;
  replace(system: string, file: string, change: (text: string) => string): void;
  golden(system: string): readonly string[];
  drop(system: string, file: string): void;
  /** Takes away what was made. */
  forget(system: string): void;
  remove(): void;
}

export function openWorkshop(): Workshop {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-inspect-'));
  const made = (system: string, file: string): string => path.join(folder, 'connectors', system, file);
  return {
    folder,
    write(file, text) {
      const target = path.join(folder, file);
      writeFileSync(target, text);
      return target;
    },
    inspect: (source, more = {}) =>
      inspect({
        source,
        name: null,
        out: path.join(folder, 'connectors'),
        headers: {},
        only: [],
        write: false,
        timeLimit: () => new AbortController().signal,
        ...more,
      }),
    read: (system, file) => readFileSync(made(system, file), 'utf8'),
    replace: (system, file, change) =>
      writeFileSync(made(system, file), change(readFileSync(made(system, file), 'utf8'))),
    golden: (system) => readdirSync(made(system, 'golden')).sort(),
    drop: (system, file) => rmSync(made(system, file)),
    forget: (system) => rmSync(path.join(folder, 'connectors', system), { recursive: true }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The entries of the package, as its own sources. */
const ENTRIES: Readonly<Record<string, string>> = {
  'tidegate/connector': 'define',
  'tidegate/connector/rest': 'rest',
  'tidegate/connector/soap': 'soap',
  'tidegate/connector/odata': 'odata',
};

function sourceOf(entry: string): string {
  return path.join(PROJECT_FOLDER, 'src/connectors', `${ENTRIES[entry] ?? ''}.ts`);
}

/** What the compiler says of these systems' files, under the strictest settings that users have. */
export function typeErrors(workshop: Workshop, systems: readonly string[]): readonly string[] {
  const files = systems.flatMap((system) =>
    ['generated.ts', 'connector.ts'].map((file) => path.join(workshop.folder, 'connectors', system, file)),
  );
  writeFileSync(path.join(workshop.folder, 'package.json'), '{"type":"module"}');
  const program = ts.createProgram(files, {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ['lib.es2023.d.ts', 'lib.es2024.string.d.ts'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
    typeRoots: [path.join(PROJECT_FOLDER, 'node_modules/@types')],
    paths: Object.fromEntries(Object.keys(ENTRIES).map((entry) => [entry, [sourceOf(entry)]])),
  });
  return files.flatMap((file) => {
    const source = program.getSourceFile(file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText, start = 0 }) => {
      const line = source?.getLineAndCharacterOfPosition(start).line ?? 0;
      const system = path.relative(path.join(workshop.folder, 'connectors'), file);
      return `${system}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}

/** Runs a made connector, with the package's entries as its sources are. */
export async function loadConnector(
  workshop: Workshop,
  system: string,
  settings: Readonly<Record<string, string>>,
): Promise<ConnectorDefinition> {
  for (const file of ['generated.ts', 'connector.ts']) {
    workshop.replace(system, file, (text) =>
      text.replaceAll(/ from '(tidegate\/connector[a-z/]*)'/g, (_whole, entry: string) => ` from '${sourceOf(entry)}'`),
    );
  }
  const module = (await import(path.join(workshop.folder, 'connectors', system, 'connector.ts'))) as object;
  const [make] = Object.values(module) as [(settings: Readonly<Record<string, string>>) => ConnectorDefinition];
  return make(settings);
}
