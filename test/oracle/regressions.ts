import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Plan } from './plan.js';

/** A plan that failed once, kept so that it is replayed before any new seed. */
export interface Regression {
  readonly name: string;
  /** What was broken. */
  readonly breach: string;
  readonly plan: Plan;
}

/** Every kept plan, in the order of the file names. @param folder `test/regressions` */
export function readRegressions(folder: string): readonly Regression[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      ...(JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as Omit<Regression, 'name'>),
      name: file,
    }));
}

/** @returns the file's name */
export function keepRegression(folder: string, { breach, plan }: Omit<Regression, 'name'>): string {
  const file = `seed-${plan.seed}.json`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, file), `${JSON.stringify({ breach, plan }, null, 2)}\n`);
  return file;
}
