import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { satisfies, type NodeVersion } from './support/node-range.js';
import { PROJECT_FOLDER } from './support/source-tree.js';

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly resolved?: string;
  readonly engines?: { readonly node?: string };
}

const read = (file: string): string => readFileSync(path.join(PROJECT_FOLDER, file), 'utf8');
const lock = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, LockedPackage>> };
const locked = Object.entries(lock.packages).filter(([folder]) => folder !== '');

describe('what users install', () => {
  /** The oldest Node that the package promises to run on, and the lines it is tested on. */
  const VERSIONS: readonly NodeVersion[] = [
    [20, 19, 0],
    [22, 12, 0],
    [24, 0, 0],
  ];
  /** Packages whose `engines` say no although they work, each with the reason. */
  const ALLOWED = new Map([
    ['@prisma/streams-local', 'part of the prisma command, an optional peer of its client; the gateway never runs it'],
  ]);

  test('runs on Node 20.19, 22 and 24: the engines of every production dependency say so', () => {
    const refused = locked
      .filter(([, entry]) => entry.dev !== true && entry.engines?.node !== undefined)
      .map(([folder, entry]) => ({ name: folder.replace(/^.*node_modules\//, ''), range: entry.engines?.node ?? '' }))
      .filter(({ name }) => !ALLOWED.has(name))
      .filter(({ range }) => !VERSIONS.every((version) => satisfies(version, range)))
      .map(({ name, range }) => `${name} wants Node ${range}`);
    expect(refused).toEqual([]);
    expect(locked.filter(([, entry]) => entry.dev !== true).length).toBeGreaterThan(50);
  });

  test('is pinned exactly', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, object>;
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(String(version)),
    );
    expect(loose).toEqual([]);
  });

  test('comes from no registry by name: the lock holds no addresses', () => {
    expect(locked.filter(([, entry]) => entry.resolved !== undefined).map(([folder]) => folder)).toEqual([]);
  });
});

describe('a range of Node versions', () => {
  test.each<[NodeVersion, string, boolean]>([
    [[20, 19, 0], '>=20.19', true],
    [[20, 19, 0], '>= 20.20.0', false],
    [[20, 19, 0], '^18.18.0 || ^20.9.0 || >=21.1.0', true],
    [[20, 19, 0], '^20.20.0 || >=22', false],
    [[24, 0, 0], '^18.18.0 || ^20.9.0', false],
    [[22, 12, 0], '20 || >=22', true],
    [[22, 12, 0], '20.x || 21', false],
    [[20, 19, 0], '>=14 <20', false],
    [[20, 19, 0], '~20.19.0', true],
    [[20, 19, 0], '~20.18', false],
    [[20, 19, 0], '>20', false],
    [[22, 12, 0], '>20', true],
    [[20, 19, 0], '<=20', true],
    [[20, 19, 0], '*', true],
  ])('%j satisfies %s: %s', (version, range, expected) => {
    expect(satisfies(version, range)).toBe(expected);
  });

  test('that cannot be read fails loudly', () => {
    expect(() => satisfies([20, 19, 0], 'lts/iron')).toThrow(/cannot read: lts\/iron/);
  });
});

describe('what is committed', () => {
  // Put together from pieces, so that this file does not name what it looks for.
  const folders = ['work', 'root', 'Users', 'home'].join('|');
  // An image's own user, like `/home/node`, is no machine of ours.
  const machinePath = new RegExp(`(^|[^A-Za-z0-9_.@-])/(${folders})/(?!node\\b)`);
  const registryHosts = [['registry', 'npmjs', 'org'].join('.'), hostOf(process.env['npm_config_registry'])];

  test('names no path of a machine and no host of a registry', () => {
    const found = committedTexts().flatMap(({ file, text }) =>
      text
        .split('\n')
        .map((line, at) => ({ line, where: `${file}:${at + 1}` }))
        .filter(({ line }) => namesMachine(line))
        .map(({ where }) => where),
    );
    expect(found).toEqual([]);
  });

  test.each([
    [`see /${'work'}/main/README.md`, true],
    [`cache=/${'root'}/.npm`, true],
    [`https://${['registry', 'npmjs', 'org'].join('.')}/zod`, true],
    [`/${'home'}/nurse/app`, true],
    [`WORKDIR /${'home'}/node/app`, false],
    ['the work/root of a tree', false],
    ['/graphql and /home are routes', false],
  ])('is judged line by line: %s', (line, expected) => {
    expect(namesMachine(line)).toBe(expected);
  });

  function namesMachine(line: string): boolean {
    return machinePath.test(line) || registryHosts.some((host) => host !== null && line.includes(host));
  }
});

function committedTexts(): readonly { readonly file: string; readonly text: string }[] {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: PROJECT_FOLDER, encoding: 'utf8' }).split('\0');
  return files.flatMap((file) => {
    if (file === '') return [];
    const bytes = readIfThere(file);
    return bytes === null || bytes.includes(0) ? [] : [{ file, text: bytes.toString('utf8') }];
  });
}

/** A file that is deleted but not yet committed is still listed. */
function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(path.join(PROJECT_FOLDER, file));
  } catch {
    return null;
  }
}

function hostOf(url: string | undefined): string | null {
  return url === undefined ? null : new URL(url).host;
}
