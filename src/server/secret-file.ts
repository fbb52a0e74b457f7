import { existsSync, readFileSync, statSync } from 'node:fs';
import { StartupError } from '../core/errors.js';

/** What of a mode lets others read or change a file, and whoever is in its group change it. */
const OPEN_MODES = 0o027;

/**
 * Reads a file that holds a secret.
 *
 * @param key of the configuration, for people
 * @param secret in a word: what is to be replaced when somebody may have read it
 * @throws StartupError config - it is not there, or others can read it; never with a part of it
 */
export function readSecretFile(key: string, file: string, secret: string): string {
  const refuse = (got: string, cause?: unknown): StartupError =>
    new StartupError(
      'config',
      `${key}: expected a file that only its owner and group can read at ${file}, got ${got}`,
      {
        cause,
      },
    );
  if (!existsSync(file)) throw refuse('none');
  const { mode } = statSync(file);
  // Windows has no such modes.
  if (process.platform !== 'win32' && (mode & OPEN_MODES) !== 0) {
    throw refuse(
      `one with mode ${(mode & 0o777).toString(8)}: chmod 600 it, and replace the ${secret} if somebody may have read it`,
    );
  }
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw refuse(`one that cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'a fault'})`, cause);
  }
}
