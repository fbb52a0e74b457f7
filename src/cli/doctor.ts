import { StartupError } from '../core/errors.js';
import { examine, type Finding } from '../server/examine.js';
import { loadConfig } from '../server/config.js';
import { createLog } from '../server/telemetry.js';

/**
 * `tidegate doctor`: tries the configuration, the store and each collection of each source with one small read, and says
 * what it found. Writes nothing.
 *
 * @throws StartupError - config, store or source: the first thing that is wrong decides the exit code
 */
export async function doctor(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const config = await loadConfig(env, process.cwd());
  show({ what: 'configuration', ok: true, says: config.file ?? 'built-in (no tidegate.config.ts here)', reason: null });
  let worst: Finding | null = null;
  for await (const finding of examine(config, createLog('error'))) {
    show(finding);
    if (!finding.ok && worst === null) worst = finding;
  }
  if (worst !== null) throw new StartupError(worst.reason ?? 'fault', `${worst.what}: ${worst.says}`);
  console.log('Nothing is wrong.');
}

function show(finding: Finding): void {
  console.log(`${finding.ok ? 'ok   ' : 'WRONG'}  ${finding.what}: ${finding.says}`);
}
