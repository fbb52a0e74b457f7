import { readFileSync } from 'node:fs';
import path from 'node:path';
import { runProgram, type Program } from './program.js';
import { until } from './until.js';

/** A gateway as users run it, a process of its own. */
export interface GatewayProcess extends Program {
  /** Like http://127.0.0.1:40123. */
  readonly url: string;
}

/** Runs a command of `tidegate`, or a script of a test's own, at any free port until it says that it is ready. */
export async function startGatewayProcess(
  line: readonly string[],
  settings: Readonly<Record<string, string>>,
  folder: string,
  script?: string,
): Promise<GatewayProcess> {
  const program = runProgram(line, { PORT: '0', TIDEGATE_LOG: 'warn', ...settings }, folder, script);
  const [, url = ''] = await program.line(/ready at (http:\S+)/);
  return { ...program, url };
}

/** Asks a gateway to end and waits for it. @returns its exit code */
export async function stopGatewayProcess(gateway: GatewayProcess): Promise<number | null> {
  gateway.signal('SIGTERM');
  return gateway.ended;
}

/** The embedded server of a data folder; undefined when none is noted. */
export function postmasterOf(dataFolder: string): number | undefined {
  try {
    return Number(readFileSync(path.join(dataFolder, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return undefined;
  }
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !isUnclaimed(pid);
}

/** One that ended and that nobody waits for keeps its number; where there is no /proc somebody always waits. */
function isUnclaimed(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export async function untilGone(pid: number): Promise<void> {
  await until(`process ${pid} is gone`, () => Promise.resolve(!isRunning(pid)));
}
