import { StartupError } from '../core/errors.js';
import { startGateway } from '../server/app.js';
import { loadConfig } from '../server/config.js';
import { createLog } from '../server/telemetry.js';
import { banner } from './banner.js';
import { letHeapGrow } from './heap.js';
import { OWN_DOCUMENTS } from './own-operations.js';
import { endWhenStalled, untilSignal } from './process-signals.js';

/** `tidegate start`: runs until a signal, then stops cleanly. @throws StartupError */
export async function start(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  letHeapGrow();
  const config = await loadConfig(env, process.cwd());
  if (config.connectors.length === 0 && config.tenants.length === 0) {
    throw new StartupError(
      'config',
      `${config.file ?? 'no tidegate.config.ts here, and'} no connectors: expected at least one in "connectors". To look around first: tidegate demo`,
    );
  }
  const log = createLog(config.logLevel);
  const gateway = await startGateway(config, { log, ownDocuments: OWN_DOCUMENTS });
  const watchdog = endWhenStalled(log);
  console.log(banner({ gateway, config, sources: [], example: null }));
  const signal = await untilSignal();
  console.log(`${signal}: finishing what is under way …`);
  await gateway.stop();
  await watchdog.stop();
}
