// `npm test`: every check in order, stopping at the first that fails. The last line counts: one for each static check,
// and each test of jest. Arguments go to jest.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PACKAGE_FOLDER } from './build-stamp.mjs';

const CHECKS = [
  { name: 'format', run: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'] },
  // The generated Prisma client must be there before anything reads types; tests that start the program need dist/.
  { name: 'build', run: ['scripts/build.mjs'] },
  { name: 'types', run: ['node_modules/typescript/bin/tsc', '--noEmit', '-p', 'tsconfig.json'] },
  { name: 'lint', run: ['node_modules/eslint/bin/eslint.js', '--max-warnings', '0', '.'] },
  { name: 'unused code', run: ['node_modules/knip/bin/knip.js', '--no-progress'] },
];

let passed = 0;
let failed = 0;
let skipped = 0;
for (const check of CHECKS) {
  const { ok, seconds } = timed(() => node(check.run));
  console.log(`${ok ? 'ok' : 'FAILED'}  ${check.name} (${seconds} s)`);
  if (ok) passed += 1;
  else failed += 1;
  if (!ok) break;
}
if (failed === 0) runJest();
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`);
process.exitCode = failed === 0 ? 0 : 1;

/** A run that ended without a result, or without a test, has failed whatever its exit code. */
function runJest() {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-test-'));
  const outputFile = path.join(folder, 'jest.json');
  try {
    const ok = node([
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
      '--json',
      `--outputFile=${outputFile}`,
      ...process.argv.slice(2),
    ]);
    const result = JSON.parse(readFileSync(outputFile, 'utf8'));
    passed += result.numPassedTests;
    skipped += result.numPendingTests + result.numTodoTests;
    // A file that cannot be loaded fails without having a test to count.
    failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
    if (failed === 0 && (!ok || result.numPassedTests === 0)) failed += 1;
  } catch (thrown) {
    console.error('jest left no result:', thrown instanceof Error ? thrown.message : thrown);
    failed += 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function node(args) {
  const { status } = spawnSync(process.execPath, args, {
    cwd: PACKAGE_FOLDER,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return status === 0;
}

function timed(run) {
  const startedMs = performance.now();
  const ok = run();
  return { ok, seconds: ((performance.now() - startedMs) / 1000).toFixed(1) };
}
