// Is dist/ what the sources say? A hash over everything that goes into a build: contents, not times, so that a fresh
// checkout of the same sources needs no build. 150 files take about 10 ms.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const PACKAGE_FOLDER = fileURLToPath(new URL('..', import.meta.url));

const STAMP = path.join(PACKAGE_FOLDER, 'dist/.build-stamp');
const PROGRAM = path.join(PACKAGE_FOLDER, 'dist/src/cli/main.js');
const INPUT_FOLDERS = ['src', 'connectors', 'demo', 'prisma', 'scripts'];
const INPUT_FILES = ['package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
/** Made by the build itself. */
const GENERATED = path.join('src', 'store', 'generated');

/** @returns {{ current: boolean, fingerprint: string }} whether dist/ fits the sources, and the hash of the sources */
export function checkBuild() {
  const fingerprint = fingerprintSources();
  const current = existsSync(PROGRAM) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === fingerprint;
  return { current, fingerprint };
}

/** Notes what dist/ was built from. @param {string} fingerprint */
export function stampBuild(fingerprint) {
  writeFileSync(STAMP, fingerprint);
}

function fingerprintSources() {
  const hash = createHash('sha256');
  for (const file of [...INPUT_FILES, ...INPUT_FOLDERS.flatMap(filesOf)].sort()) {
    const bytes = readFileSync(path.join(PACKAGE_FOLDER, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}

function filesOf(folder) {
  const top = path.join(PACKAGE_FOLDER, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(PACKAGE_FOLDER, path.join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(GENERATED));
}
