// `npm start`: the demo, built first if the sources changed or install scripts were off. Arguments go to `tidegate demo`.
import { checkBuild, PACKAGE_FOLDER } from './build-stamp.mjs';

if (!checkBuild().current) {
  console.log('Building Tidegate (first start, or the sources changed) …');
  const { build } = await import('./build.mjs');
  try {
    if (!build()) fail('The packages are not installed yet: run `npm ci` first.');
  } catch (thrown) {
    fail(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

// In this very process, so that signals and the exit code are the program's own.
const program = `${PACKAGE_FOLDER}dist/src/cli/main.js`;
process.argv.splice(1, 1, program, 'demo');
await import(new URL('../dist/src/cli/main.js', import.meta.url).href);

function fail(sentence) {
  console.error(`tidegate: ${sentence}`);
  process.exit(1);
}
