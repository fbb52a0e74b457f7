// The sources of a crash sweep, a process of their own: node system-entry.mjs <journal file> <visits of each shelf>.
// Prints its port; ends with whoever started it.
import { createJiti } from 'jiti';

const jiti = createJiti(import.meta.url, { interopDefault: false, fsCache: '.jiti' });
const { startCapableSystem } = await jiti.import('./capable-system.ts');
const [, , journalFile, seeds] = process.argv;
process.stdin.resume().once('end', () => process.exit(0));
console.log(`listening at ${await startCapableSystem(journalFile, Number(seeds))}`);
