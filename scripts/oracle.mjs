// `npm run test:oracle`: builds the product and the convergence oracle, then runs SEEDS seeds (1,000) from SEED (1) on.
import { spawnSync } from 'node:child_process';
import { PACKAGE_FOLDER } from './build-stamp.mjs';
import { build } from './build.mjs';

build();
const runs = [['node_modules/typescript/bin/tsc', '-p', 'tsconfig.oracle.json'], ['dist/test/oracle/main.js']];
for (const run of runs) {
  const { status } = spawnSync(process.execPath, run, { cwd: PACKAGE_FOLDER, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}
