// A gateway as `tidegate start` runs it, from the built product, with crash points around its store and its sources. The points
// are the test's own: the product knows nothing of them. Loads everything, then waits for a line that says how to start:
// { "armed": where it ends by itself, or null }. Ends with whoever started it.
import { createInterface } from 'node:readline';
import { createJiti } from 'jiti';
import { startGateway } from '../../dist/src/server/app.js';
import { environment, loadConfig } from '../../dist/src/server/config.js';
import { createLog } from '../../dist/src/server/telemetry.js';

const jiti = createJiti(import.meta.url, { interopDefault: false, fsCache: '.jiti' });
const { armParts } = await jiti.import('./armed-parts.ts');
const config = await loadConfig(environment(), process.cwd());

console.log('loaded');
createInterface({ input: process.stdin })
  .once('line', (line) => void start(JSON.parse(line)))
  .once('close', () => process.exit(1));

async function start({ armed }) {
  const decorate = armed === null ? {} : armParts(armed);
  const gateway = await startGateway(config, { log: createLog(config.logLevel), decorate });
  console.log(`ready at ${gateway.url}`);
  process.once('SIGTERM', () => void gateway.stop().then(() => process.exit(0)));
}
