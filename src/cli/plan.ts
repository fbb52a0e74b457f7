import { readPlans } from '../server/plan.js';
import { loadConfig } from '../server/config.js';
import { placeOf } from '../server/configured-tenants.js';
import { demoConfig } from './demo.js';

/**
 * `tidegate plan`: what follows from the facts of each connector, without asking any source: how changes and deletions are found, what
 * guards the writes, what becomes of a lost answer, and what that costs in calls.
 *
 * @throws StartupError config
 */
export async function plan(
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly tenant: string | undefined; readonly demo: boolean; readonly json: boolean },
): Promise<void> {
  const demo = options.demo ? demoConfig('http://127.0.0.1', 'http://127.0.0.1') : {};
  const plans = await readPlans(await loadConfig(env, process.cwd(), demo), options.tenant ?? null);
  if (options.json) {
    console.log(JSON.stringify(plans, null, 2));
    return;
  }
  if (plans.length === 0) console.log('No collection is configured.');
  for (const { says, callsPerDay, ...place } of plans) {
    console.log(`${placeOf(place)}\n  ${says.replaceAll('; ', '\n  ')}\n  ${callsText(callsPerDay)}\n`);
  }
}

/** What a plan costs, in words. */
export function callsText({ polls, scans }: { readonly polls: number; readonly scans: number }): string {
  const rest = 'a call for each page more, each record that is read again, and each write';
  return `${(polls + scans).toLocaleString('en')} calls a day at least: ${polls.toLocaleString('en')} polls and ${scans.toLocaleString('en')} scans; ${rest}`;
}
