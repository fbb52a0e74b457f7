import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { PROJECT_FOLDER } from '../support/source-tree.js';

/** What an app has that a page does not show. */
const APP = `
declare const user: { readonly id: string };
declare const device: string;
declare const installationId: string;
declare const url: string;
declare const headers: () => { readonly authorization: string };
declare function accessToken(): Promise<string>;
declare function token(): Promise<string>;
declare function ask(...what: unknown[]): void;
declare function show(...what: unknown[]): void;
declare function showRefusal(...what: unknown[]): void;
declare function newInstallationId(): Promise<string>;
declare function showWaiting(...what: unknown[]): void;
declare function render(list: readonly unknown[]): void;
declare function leave(): void;
`;

/** Modules of an app, and of React Native, which are not installed here: as much of them as the page uses. */
const MODULES: Readonly<Record<string, string>> = {
  './generated/schema': `
    export interface Visit { readonly id: string; readonly status: string | null; readonly notes: string | null }
    export interface Patient { readonly id: string; readonly name: string | null }`,
  '@react-native-community/netinfo': `
    declare const NetInfo: {
      addEventListener(listener: (state: { readonly isConnected: boolean | null }) => void): () => void };
    export default NetInfo;`,
  'react-native': `
    export declare const AppState: {
      addEventListener(type: 'change', listener: (state: string) => void): { remove(): void } };`,
  'expo-sqlite': `
    export interface SQLiteDatabase {
      execAsync(source: string): Promise<void>;
      runAsync(source: string, params: (string | number | null)[]): Promise<{ readonly changes: number }>;
      getAllAsync<T>(source: string, params: (string | number | null)[]): Promise<T[]>;
      closeAsync(): Promise<void> }
    export declare function openDatabaseAsync(name: string): Promise<SQLiteDatabase>;`,
};

interface Page {
  readonly file: string;
  /** What stands before each block of code. */
  readonly given: readonly string[];
}

const PAGES: readonly Page[] = [
  {
    file: 'docs/client.md',
    given: [
      '',
      `import { createSyncClient } from 'tidegate/client';
       import { webSocketHints } from 'tidegate/client/hints';
       interface Collections { readonly visits: { readonly notes: string } }
       declare function installationId(): Promise<string>;`,
      `import { createSyncClient } from 'tidegate/client';
       import { webSocketHints } from 'tidegate/client/hints';`,
    ],
  },
  {
    file: 'docs/clients.md',
    given: [
      `import type { RxDatabase } from 'rxdb';
       declare const database: RxDatabase;`,
      `import type { Database } from '@nozbe/watermelondb';
       declare const database: Database;`,
    ],
  },
  { file: 'docs/replicache.md', given: [''] },
];

const blocks = PAGES.flatMap(({ file, given }) => {
  const text = readFileSync(path.join(PROJECT_FOLDER, file), 'utf8');
  const found = [...text.matchAll(/^```(?:ts|js)\n([^]*?)^```/gm)].map(([, block = '']) => block);
  return given.map((before, at) => ({ name: `${file} ${at + 1}`, code: found[at] ?? '', before, count: found.length }));
});

test('every block of code of these pages is looked at', () => {
  for (const { file, given } of PAGES) {
    const own = blocks.filter(({ name }) => name.startsWith(file));
    expect([file, own[0]?.count]).toEqual([file, given.length]);
  }
});

test('the code that the pages about clients show fits their types', () => {
  expect(typeErrors(new Map(blocks.map(({ name, before, code }) => [name, `${before}\n${code}`])))).toEqual([]);
});

test('a name, an option or a field that is not there is seen', () => {
  const [first] = blocks;
  const broken = (from: string, to: string): string => (first?.code ?? '').replace(from, to);
  const errors = typeErrors(
    new Map([
      ['sound', broken('', '')],
      ['option', broken('collections: [', 'colections: [')],
      ['name', broken('.observeList(', '.observeLst(')],
      ['field', broken("{ notes: 'Key", "{ note: 'Key")],
    ]),
  );
  expect([...new Set(errors.map((error) => error.split(':')[0]))]).toEqual(['option', 'name', 'field']);
});

/** What is exported is typed as the sources say. */
function sourcesByExport(): Record<string, string[]> {
  const { exports } = JSON.parse(readFileSync(path.join(PROJECT_FOLDER, 'package.json'), 'utf8')) as {
    readonly exports: Readonly<Record<string, { readonly types: string }>>;
  };
  return Object.fromEntries(
    Object.entries(exports).map(([name, { types }]) => [
      name.replace('.', 'tidegate'),
      [path.join(PROJECT_FOLDER, types.replace('./dist/', '').replace('.d.ts', '.ts'))],
    ]),
  );
}

/** @param codes by name */
function typeErrors(codes: ReadonlyMap<string, string>): readonly string[] {
  const declared = Object.entries(MODULES).map(([name, text]) => [moduleFile(name), text] as const);
  const written = [...codes].map(([name, code]) => [fileOf(name), `${code}\nexport {};`] as const);
  const files = new Map([...declared, ...written, [fileOf('app'), APP]]);
  const options: ts.CompilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    esModuleInterop: true,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts'],
    types: ['node'],
    paths: {
      ...sourcesByExport(),
      ...Object.fromEntries(Object.keys(MODULES).map((name) => [name, [moduleFile(name)]])),
    },
  };
  const real = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...real,
    getSourceFile(name, version) {
      const text = files.get(name);
      return text === undefined ? real.getSourceFile(name, version) : ts.createSourceFile(name, text, version);
    },
    fileExists: (name) => files.has(name) || real.fileExists(name),
    // The app's own folder of generated types, too.
    directoryExists: () => true,
    readFile: (name) => files.get(name) ?? real.readFile(name),
    getCurrentDirectory: () => PROJECT_FOLDER,
  };
  const program = ts.createProgram({ rootNames: [...written.map(([name]) => name), fileOf('app')], options, host });
  return [...codes.keys()].flatMap((name) => {
    const source = program.getSourceFile(fileOf(name));
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(({ messageText, start = 0 }) => {
      const at = source?.text.slice(start).split('\n')[0] ?? '';
      return `${name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')} (${at.trim()})`;
    });
  });
}

function moduleFile(name: string): string {
  return name.startsWith('.') ? path.join(PROJECT_FOLDER, `${name}.ts`) : fileOf(`module ${name}`);
}

function fileOf(name: string): string {
  return path.join(PROJECT_FOLDER, `docs-code-${name.replaceAll(/[^a-z0-9]/g, '-')}.ts`);
}
