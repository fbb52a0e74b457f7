import { StartupError } from '../core/errors.js';
import type { Config } from './config.js';
import { readSecretFile } from './secret-file.js';

/**
 * The configured sealing keys: given as they are, by a file, or by a function of the configuration (a key management service). Asked for
 * once, at the start.
 *
 * @returns `id:base64` joined by commas; undefined: none are configured
 * @throws StartupError config - never with a part of the keys
 */
export async function readSealingKeys({
  sealingKeys,
  sealingKeysFile,
}: Pick<Config, 'sealingKeys' | 'sealingKeysFile'>): Promise<string | undefined> {
  if (sealingKeys !== undefined && sealingKeysFile !== undefined) {
    throw new StartupError('config', 'sealingKeys: expected it or sealingKeysFile, got both');
  }
  if (sealingKeysFile !== undefined) return readKeyFile(sealingKeysFile);
  return typeof sealingKeys === 'function' ? askForKeys(sealingKeys) : sealingKeys;
}

function readKeyFile(file: string): string {
  return readSecretFile('sealingKeysFile', file, 'keys')
    .trim()
    .replaceAll(/\s*\n\s*/g, ',');
}

async function askForKeys(give: () => Promise<string>): Promise<string> {
  let given: unknown;
  try {
    given = await give();
  } catch (cause) {
    // Its message is of a service that knows the keys.
    throw new StartupError('config', 'sealingKeys: expected the function to give the keys, it failed', { cause });
  }
  if (typeof given === 'string' && given !== '') return given;
  throw new StartupError(
    'config',
    `sealingKeys: expected the function to give the keys as a text, got ${typeof given}`,
  );
}
