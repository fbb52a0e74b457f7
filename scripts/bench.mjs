// `npm run bench -- <name>`: builds the product and the benchmarks, then measures what is built.
import { spawnSync } from 'node:child_process';
import { PACKAGE_FOLDER } from './build-stamp.mjs';
import { build } from './build.mjs';

build();
const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.bench.json'];
const { status } = spawnSync(process.execPath, compiler, { cwd: PACKAGE_FOLDER, stdio: 'inherit' });
if (status !== 0) process.exit(1);
await import(new URL('../dist/bench/main.js', import.meta.url).href);
