import Sequencer from '@jest/test-sequencer';

/** Folders of tests that take minutes, the longest first. */
const LONG = ['test/crash/', 'test/oracle/', 'test/scenario/', 'test/pull/', 'test/attacks/'];

/**
 * Begins with what takes longest: in a fresh clone nothing is known of earlier runs, and a file of minutes that comes last leaves the other
 * cores idle.
 */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    return super.sort(tests).sort((a, b) => placeOf(a.path) - placeOf(b.path));
  }
}

function placeOf(file) {
  const at = LONG.findIndex((folder) => file.includes(folder));
  return at < 0 ? LONG.length : at;
}
