import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

/** Linux counts process time in these. */
const TICKS_PER_SECOND = 100;

/** User and system CPU of one process so far, in milliseconds (Linux). */
export function cpuMs(pid: number): number {
  const fields = statFields(pid);
  return fields === null ? 0 : ticksToMs(Number(fields[11]) + Number(fields[12]));
}

/** User and system CPU of this process so far, in milliseconds. */
export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The same for a process, its living children and the children that it has already waited for: for a postmaster. */
export function cpuOfTreeMs(pid: number): number {
  const fields = statFields(pid);
  if (fields === null) return 0;
  const own = ticksToMs(Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]));
  return children(pid).reduce((sum, child) => sum + cpuOfTreeMs(child), own);
}

/** Resident memory of one process, in megabytes (Linux). */
export function residentMb(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
}

function statFields(pid: number): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name is in parentheses and may hold blanks: count fields behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function children(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(statFields(pid)?.[1]) === parent);
}

function ticksToMs(ticks: number): number {
  return (ticks * 1000) / TICKS_PER_SECOND;
}

/** The value below which `share` (0..1) of the samples lie. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** Milliseconds that `work` took, and what it returned. */
export async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const begin = performance.now();
  const value = await work();
  return { ms: performance.now() - begin, value };
}

/** Runs `work` `count` times, at most `width` at once. */
export async function inParallel(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, count) }, async () => {
      while (next < count) await work(next++);
    }),
  );
}

/** One figure of a benchmark as a JSON line: ours, the limit of the same run, their ratio, and the machine's load. */
export function report(figure: Readonly<Record<string, unknown>>): void {
  const rounded = JSON.stringify(figure, (_key, value: unknown) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value,
  );
  console.log(`${rounded.slice(0, -1)},"load1":${(loadavg()[0] ?? 0).toFixed(2)},"node":"${process.version}"}`);
}
