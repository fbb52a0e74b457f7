import { existsSync } from 'node:fs';
import {
  clientBreaches,
  environmentBreaches,
  fileBreaches,
  folderBreaches,
  importBreaches,
  packageBreaches,
  purityBreaches,
  type Breach,
} from './support/house-rules.js';
import { readSources, type SourceTree } from './support/source-tree.js';

const product = readSources(['src', 'connectors', 'demo'].filter((folder) => existsSync(folder)));
const own = new Map([...product].filter(([file]) => !file.startsWith('demo/')));

describe('the house', () => {
  test('has its core', () => {
    expect([...product.keys()]).toContain('src/core/change.ts');
  });

  test('imports only along the table', () => {
    expect(importBreaches(product)).toEqual([]);
  });

  test('knows each big package in one folder only', () => {
    expect(packageBreaches(own)).toEqual([]);
  });

  test('keeps clock, chance and machine out of core', () => {
    expect(purityBreaches(own)).toEqual([]);
  });

  test('keeps the client free of the server and of Node', () => {
    expect(clientBreaches(own)).toEqual([]);
  });

  test('has decorators only in graphql and SQL only in the store', () => {
    expect(folderBreaches(own)).toEqual([]);
  });

  test('reads the environment in one file', () => {
    expect(environmentBreaches(own)).toEqual([]);
  });

  test('has short files with telling names, no barrels and no any', () => {
    expect(fileBreaches(own)).toEqual([]);
  });
});

describe('a breach of the house', () => {
  type Rule = (tree: SourceTree) => readonly Breach[];
  const planted: readonly (readonly [what: string, rule: Rule, file: string, text: string])[] = [
    ['core imports a use case', importBreaches, 'src/core/change.ts', `import { pull } from '../pull/pull.js';`],
    ['core imports with double quotes', importBreaches, 'src/core/a.ts', `import { pull } from "../pull/pull.js";`],
    ['core imports Node', importBreaches, 'src/core/a.ts', `import { hash } from 'node:crypto';`],
    ['core imports a package', importBreaches, 'src/core/a.ts', `import type { z } from 'zod';`],
    ['core re-exports', importBreaches, 'src/core/a.ts', `export { pull } from '../pull/pull.js';`],
    ['core imports at run time', importBreaches, 'src/core/a.ts', `const m = await import('../pull/pull.js');`],
    ['core requires', importBreaches, 'src/core/a.ts', `const m = require("../pull/pull.js");`],
    ['core names a foreign type', importBreaches, 'src/core/a.ts', `type P = import('../pull/pull.js').Pull;`],
    ['use cases meet', importBreaches, 'src/pull/a.ts', `import { accept } from '../push/accept.js';`],
    ['a use case knows the store', importBreaches, 'src/push/a.ts', `import { openStore } from '../store/open.js';`],
    ['the store knows a connector', importBreaches, 'src/store/a.ts', `import { rest } from '../connectors/rest.js';`],
    ['graphql knows the store', importBreaches, 'src/graphql/a.ts', `import { openStore } from '../store/open.js';`],
    ['the command line skips the server', importBreaches, 'src/cli/a.ts', `import { feed } from '../store/feed.js';`],
    ['a ready connector looks inside', importBreaches, 'connectors/a.ts', `import '../src/connectors/guard.js';`],
    ['the demo knows the gateway', importBreaches, 'demo/a.ts', `import '../src/core/change.js';`],
    ['a folder that nobody planned', importBreaches, 'src/misc/a.ts', `export const a = 1;`],
    ['pg outside the store', packageBreaches, 'src/server/a.ts', `import pg from 'pg';`],
    ['Prisma outside the store', packageBreaches, 'src/push/a.ts', `import { PrismaPg } from '@prisma/adapter-pg';`],
    ['firebase-admin outside fcm', packageBreaches, 'src/server/a.ts', `import 'firebase-admin/messaging';`],
    ['TypeGraphQL outside graphql', packageBreaches, 'src/server/a.ts', `import { Field } from 'type-graphql';`],
    ['a clock in core', purityBreaches, 'src/core/a.ts', `export const now = () => Date.now();`],
    ['a date of now in core', purityBreaches, 'src/core/a.ts', `export const now = () => new Date();`],
    ['chance in core', purityBreaches, 'src/core/a.ts', `export const n = Math.random();`],
    ['the process in core', purityBreaches, 'src/core/a.ts', `export const pid = process.pid;`],
    ['a timer in core', purityBreaches, 'src/core/a.ts', `setTimeout(() => undefined, 1);`],
    ['a timer handed on in core', purityBreaches, 'src/core/a.ts', `export const later = wrap(setTimeout);`],
    ['the client imports a package', clientBreaches, 'src/client/a.ts', `import { parse } from 'graphql';`],
    ['the client imports Node', clientBreaches, 'src/client/a.ts', `import { hash } from 'node:crypto';`],
    ['the client imports code', clientBreaches, 'src/client/a.ts', `import { SyncError } from '../core/errors.js';`],
    ['the client has a Buffer', clientBreaches, 'src/client/a.ts', `export const b = Buffer.from('');`],
    ['the client asks the process', clientBreaches, 'src/client/a.ts', `export const v = process.version;`],
    ['SQL elsewhere in the client', folderBreaches, 'src/client/a.ts', `const q = 'DELETE FROM record';`],
    ['a decorator in core', folderBreaches, 'src/core/a.ts', `@Thing() export class A {}`],
    ['a decorated field in server', folderBreaches, 'src/server/a.ts', `export class A { @Field() a = 1; }`],
    ['SQL in a use case', folderBreaches, 'src/pull/a.ts', 'const q = `SELECT seq FROM record WHERE id = ${id}`;'],
    ['small SQL in server', folderBreaches, 'src/server/a.ts', `const q = 'delete from record';`],
    ['the environment in server', environmentBreaches, 'src/server/http.ts', `const p = process.env.PORT;`],
    ['the environment by index', environmentBreaches, 'src/store/a.ts', `const p = process['env'];`],
    ['the environment by import', environmentBreaches, 'src/cli/a.ts', `import { env } from 'node:process';`],
    ['a barrel', fileBreaches, 'src/pull/a.ts', `export * from './b.js';\nexport { c } from './c.js';`],
    ['a barrel by name', fileBreaches, 'src/pull/index.ts', `export const a = 1;`],
    ['a name that says nothing', fileBreaches, 'src/pull/page-utils.ts', `export const a = 1;`],
    ['a long file', fileBreaches, 'src/pull/a.ts', `export const a = 1;\n`.repeat(301)],
    ['any', fileBreaches, 'src/pull/a.ts', `export const a = (b: any) => b;`],
  ];

  test.each(planted)('is seen and named: %s', (_what, rule, file, text) => {
    const found = rule(new Map([[file, text]]));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(file);
  });

  const clean: readonly (readonly [what: string, rule: Rule, file: string, text: string])[] = [
    ['core uses core', importBreaches, 'src/core/a.ts', `import type { Seq } from './change.js';`],
    [
      'the store uses core, Node and pg',
      importBreaches,
      'src/store/a.ts',
      `import 'node:fs';import 'pg';import '../core/id.js';`,
    ],
    ['a ready connector uses the public entry', importBreaches, 'connectors/a.ts', `import 'tidegate/connector/rest';`],
    [
      'core reads a given time',
      purityBreaches,
      'src/core/a.ts',
      `export const iso = (ms: number) => new Date(ms).toISOString();`,
    ],
    [
      'core has a field called process',
      purityBreaches,
      'src/core/a.ts',
      `export const of = (a: { process: number }) => a.process;`,
    ],
    [
      'the client uses types',
      clientBreaches,
      'src/client/a.ts',
      `import type { A } from '../core/a.js';import './b.js';`,
    ],
    ['glue knows its library', clientBreaches, 'src/client/rxdb.ts', `import { addRxPlugin } from 'rxdb';`],
    ['SQL on a phone', folderBreaches, 'src/client/sqlite-store.ts', `const q = 'DELETE FROM record';`],
    ['prose about an update', folderBreaches, 'src/push/a.ts', `const m = 'update from the source refused';`],
    ['the one reader', environmentBreaches, 'src/server/config.ts', `export const e = process.env;`],
    ['a file of 300 lines', fileBreaches, 'src/pull/a.ts', `export const a = 1;\n`.repeat(300)],
  ];

  test.each(clean)('is not seen where there is none: %s', (_what, rule, file, text) => {
    expect(rule(new Map([[file, text]]))).toEqual([]);
  });
});
