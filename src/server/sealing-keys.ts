import { existsSync, readFileSync, statSync } from 'node:fs';
import { StartupError } from '../core/errors.js';
import type { Config } from './config.js';

/** What of a mode lets others read or change a file, and whoever is in its group change it. */
const OPEN_MODES = 0o027;

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
  const refuse = (got: string): StartupError =>
    new StartupError(
      'config',
      `sealingKeysFile: expected a file that only its owner and group can read at ${file}, got ${got}`,
    );
  if (!existsSync(file)) throw refuse('none');
  const { mode } = statSync(file);
  // Windows has no such modes.
  if (process.platform !== 'win32' && (mode & OPEN_MODES) !== 0) {
    throw refuse(
      `one with mode ${(mode & 0o777).toString(8)}: chmod 600 it, and replace the keys if somebody may have read them`,
    );
  }
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new StartupError('config', refuse(`one that cannot be read (${codeOf(cause)})`).message, { cause });
  }
  return text.trim().replaceAll(/\s*\n\s*/g, ',');
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

function codeOf(cause: unknown): string {
  return (cause as NodeJS.ErrnoException).code ?? 'a fault';
}
