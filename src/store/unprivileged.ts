import { spawnSync } from 'node:child_process';
import { chownSync, existsSync } from 'node:fs';

/** The user `nobody` on every Linux: what root's embedded Postgres runs as, since Postgres refuses root. */
const NOBODY = 65_534;

/** How to start a program that refuses root. */
export interface Launch {
  /** Program and arguments to put before the program itself; empty for ordinary users. */
  readonly prefix: readonly string[];
  /** For `child_process`: the user to switch to where `setpriv` is not at hand. */
  readonly identity: { readonly uid?: number; readonly gid?: number };
  /** Hands a file or folder to the user that the program runs as. */
  own(path: string): void;
}

let cached: Launch | undefined;

/**
 * Root drops to `nobody`, keeping only the right to pass through folders that others may not enter (a home of mode 700);
 * where `setpriv` is missing or may not do that, by a plain switch of user, which needs a folder that others may enter.
 */
export function unprivilegedLaunch(): Launch {
  cached ??= findLaunch();
  return cached;
}

function findLaunch(): Launch {
  if (process.getuid?.() !== 0) return { prefix: [], identity: {}, own: () => undefined };
  const own = (path: string): void => {
    if (existsSync(path)) chownSync(path, NOBODY, NOBODY);
  };
  const capability = '+dac_override';
  const prefix = [
    'setpriv',
    `--reuid=${NOBODY}`,
    `--regid=${NOBODY}`,
    '--clear-groups',
    // Else access(2), with which Postgres looks for its own programs, knows nothing of that right: a clone in root's home.
    '--securebits=+no_setuid_fixup',
    `--inh-caps=${capability}`,
    `--ambient-caps=${capability}`,
  ];
  const works = spawnSync(prefix[0] as string, [...prefix.slice(1), 'true']).status === 0;
  return works ? { prefix, identity: {}, own } : { prefix: [], identity: { uid: NOBODY, gid: NOBODY }, own };
}
