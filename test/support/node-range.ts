/** A Node version as numbers. */
export type NodeVersion = readonly [major: number, minor: number, patch: number];

/**
 * Does a version satisfy the range of an `engines` entry? Reads the forms that packages use: `*`, `>=18`, `^20.19.0`,
 * `~20.1`, `20.x`, `>= 14 < 23`, joined by `||`.
 *
 * @throws Error - a form that is not known: better a failing test than a range read wrongly
 */
export function satisfies(version: NodeVersion, range: string): boolean {
  return range.split('||').some((part) => satisfiesAll(version, part.trim()));
}

const COMPARATOR = /^(>=|<=|>|<|=|\^|~)?v?(\d+|x|\*)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?(?:-[0-9A-Za-z.-]+)?$/;

function satisfiesAll(version: NodeVersion, part: string): boolean {
  if (part === '' || part === '*' || part === 'x') return true;
  const words = part.replaceAll(/(>=|<=|>|<|=|\^|~)\s+/g, '$1').split(/\s+/);
  return words.every((word) => satisfiesOne(version, word));
}

function satisfiesOne(version: NodeVersion, word: string): boolean {
  const match = COMPARATOR.exec(word);
  if (match === null) throw new Error(`a range of Node versions that this test cannot read: ${word}`);
  const given = [match[2], match[3], match[4]]
    .filter((text) => text !== undefined && text !== 'x' && text !== '*')
    .map(Number);
  if (given.length === 0) return true;
  const low: NodeVersion = [given[0] ?? 0, given[1] ?? 0, given[2] ?? 0];
  switch (match[1]) {
    case '>=':
      return compare(version, low) >= 0;
    case '>':
      return compare(version, afterPrefix(given)) >= 0 && compare(version, low) > 0;
    case '<':
      return compare(version, low) < 0;
    case '<=':
      return compare(version, afterPrefix(given)) < 0 || compare(version, low) === 0;
    case '^':
      return compare(version, low) >= 0 && version[0] === low[0];
    case '~':
      return compare(version, low) >= 0 && compare(version, afterPrefix(given.slice(0, 2))) < 0;
    default:
      return compare(version, low) >= 0 && compare(version, afterPrefix(given)) < 0;
  }
}

/** The first version that no longer begins with these numbers: `20.1` gives 20.2.0. */
function afterPrefix(given: readonly number[]): NodeVersion {
  const [major = 0, minor = 0, patch = 0] = given;
  if (given.length === 1) return [major + 1, 0, 0];
  return given.length === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

function compare(a: NodeVersion, b: NodeVersion): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
