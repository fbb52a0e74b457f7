import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtProgram } from '../support/built-program.js';

const program = builtProgram();
const heap = pathToFileURL(path.join(path.dirname(program), 'heap.js')).href;

/** By how much the heap may outgrow what is alive, as V8 itself decided it after it had collected everything: 2 is twice as much. */
function growth(flags: readonly string[]): number {
  const script = `
    const { letHeapGrow } = await import(${JSON.stringify(heap)});
    const alive = Array.from({ length: 200_000 }, (_, n) => ({ n, name: 'record ' + n }));
    letHeapGrow();
    gc();
    if (alive.length === 0) throw new Error('expected it to live');`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--trace-gc-verbose', ...flags, '--input-type=module', '-e', script],
    { encoding: 'utf8' },
  );
  const limits = [...stdout.matchAll(/\[HeapController\] Limit: old size: (\d+) KB, new limit: (\d+) KB/g)];
  const [, alive, limit] = limits.at(-1) ?? [];
  if (alive === undefined || limit === undefined)
    throw new Error(`expected V8 to tell its limit, got ${stderr}${stdout}`);
  return Number(limit) / Number(alive);
}

/** Flags that a command set on V8 while it ran. */
function flagsSetBy(command: string): readonly string[] {
  const told = `import v8 from 'node:v8'; import { syncBuiltinESMExports } from 'node:module';
    v8.setFlagsFromString = (flags) => console.log('flags: ' + flags); syncBuiltinESMExports();`;
  const { stdout } = spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(told)}`, program, command],
    // No gateway: it ends at its configuration.
    { encoding: 'utf8', env: { ...process.env, TIDEGATE_CONFIG: '/there/is/none.ts' } },
  );
  return [...stdout.matchAll(/^flags: (.*)$/gm)].map(([, flags]) => flags as string);
}

describe('the heap of a gateway', () => {
  test('may grow to three times what is alive, and to what the operator says', () => {
    // The new space, some MB, is added to both limits.
    const more = growth([]) - growth(['--heap-growing-percent=20']);
    expect(more).toBeGreaterThan(1.5);
    expect(more).toBeLessThan(2.1);
  });

  test.each(['start', 'demo'])('is told so by `tidegate %s`', (command) => {
    expect(flagsSetBy(command)).toEqual(['--heap-growing-percent=200']);
  });

  test('is left alone by commands that end soon', () => {
    expect(flagsSetBy('plan')).toEqual([]);
  });
});
