// Builds dist/: the Prisma client, then everything that runs, with tsc. `--prepare` is what `npm ci` calls: where the
// development packages were left out on purpose it says so and goes on.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkBuild, PACKAGE_FOLDER, stampBuild } from './build-stamp.mjs';

/** What runs in Node, and what runs in a browser. */
const PROJECTS = ['tsconfig.build.json', 'demo/phones/tsconfig.json'];

/** Builds when something changed since the last build. @returns {boolean} true when dist/ is up to date afterwards */
export function build() {
  const { current, fingerprint } = checkBuild();
  if (current) return true;
  if (!existsSync(compiler())) return false;
  const generator = path.join(PACKAGE_FOLDER, 'scripts/generate-prisma.mjs');
  const steps = [
    ...(existsSync(generator) ? [[generator]] : []),
    ...PROJECTS.map((project) => [compiler(), '-p', path.join(PACKAGE_FOLDER, project)]),
  ];
  for (const step of steps) {
    const { status } = spawnSync(process.execPath, step, { cwd: PACKAGE_FOLDER, stdio: 'inherit' });
    if (status !== 0) throw new Error(`build: ${path.relative(PACKAGE_FOLDER, step[0])} failed`);
  }
  removeOrphans();
  stampBuild(fingerprint);
  return true;
}

const compiler = () => path.join(PACKAGE_FOLDER, 'node_modules/typescript/bin/tsc');

/** Output of sources that are no more would still be found by imports and be published. */
function removeOrphans() {
  const dist = path.join(PACKAGE_FOLDER, 'dist');
  for (const file of readdirSync(dist, { recursive: true })) {
    const output = String(file);
    const source = output.replace(/\.(js|js\.map|d\.ts)$/, '.ts');
    if (source !== output && !existsSync(path.join(PACKAGE_FOLDER, source))) rmSync(path.join(dist, output));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const preparing = process.argv.includes('--prepare');
  try {
    if (!build()) {
      console.error('build: the development packages are not installed; `npm ci` installs them');
      process.exitCode = preparing ? 0 : 1;
    }
  } catch (thrown) {
    console.error(thrown instanceof Error ? thrown.message : thrown);
    process.exitCode = 1;
  }
}
