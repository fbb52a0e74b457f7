import { readFileSync } from 'node:fs';
import path from 'node:path';
import { demoConfig } from '../../src/cli/demo.js';
import { printSchemaOf } from '../../src/server/app.js';
import { loadConfig } from '../../src/server/config.js';
import { PROJECT_FOLDER } from '../support/source-tree.js';

test('schema.graphql is what `tidegate schema --demo` prints', async () => {
  const config = await loadConfig({}, PROJECT_FOLDER, demoConfig('http://127.0.0.1', 'http://127.0.0.1'));
  expect(readFileSync(path.join(PROJECT_FOLDER, 'schema.graphql'), 'utf8')).toBe(await printSchemaOf(config));
});
