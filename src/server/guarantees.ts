import type { Collection } from '../core/collection.js';
import type { SourceFacts } from '../core/source-port.js';
import { timeInWords } from './plan.js';

/** What the gateway promises of a collection, and what it cannot, as far as its connector's facts are true. */
export interface Guarantees {
  readonly guaranteed: readonly string[];
  readonly notGuaranteed: readonly string[];
}

/** What is and what is not guaranteed, each in one line. Pure. */
export function guaranteesOf(facts: SourceFacts, writes: Collection['writes']): Guarantees {
  const guaranteed: string[] = [];
  const notGuaranteed: string[] = [];
  const say = (is: boolean, yes: string, no: string): void => void (is ? guaranteed.push(yes) : notGuaranteed.push(no));
  say(seesDeletions(facts), 'deletions are found, and none is invented', 'deletions are not seen, or not proven');
  if (facts.deletionLogKeepsMs !== undefined) {
    const kept = timeInWords(facts.deletionLogKeepsMs);
    guaranteed.push(`deletions of the last ${kept} come with the next poll, older ones with a scan`);
  }
  if (facts.isConsumed === true) notGuaranteed.push('a lost answer to its token costs a full read and a scan');
  if (writes.update) sayGuard('update', facts.updateGuard, facts, say);
  if (writes.delete) sayGuard('delete', facts.deleteGuard, facts, say);
  const isKeyed = facts.idempotencyKeyLifetimeMs !== undefined;
  if (writes.create) {
    const { naturalKey } = facts;
    const isFound = isKeyed || facts.lookUp === true || (facts.createKey === 'device' && facts.readOne);
    const until = ', by its natural key (an equal record that others make meanwhile is taken for it)';
    const where = naturalKey === undefined ? '' : ' where its natural key does not find it';
    say(
      isFound || naturalKey?.isFixed === true,
      `a create whose answer is lost is made once${isFound ? '' : until}`,
      `a create whose answer is lost is parked for an operator${where}`,
    );
  }
  const isGuarded =
    (!writes.update || facts.updateGuard === 'version') && (!writes.delete || facts.deleteGuard === 'version');
  if (writes.update || writes.delete) {
    const isDecided = isKeyed || (facts.readOne && isGuarded);
    const what = 'an update or delete whose answer is lost';
    say(isDecided, `${what} is made once`, `${what} is parked where a read does not decide`);
  }
  return { guaranteed, notGuaranteed };
}

function seesDeletions({ deletions, readOne, scanPaging }: SourceFacts): boolean {
  if (deletions === 'none') return false;
  return deletions !== 'scan' || readOne || scanPaging !== 'offset';
}

function sayGuard(
  operation: string,
  guard: 'version' | 'none',
  { guardForm, readOne }: SourceFacts,
  say: (is: boolean, yes: string, no: string) => void,
): void {
  const no = guard === 'version' ? 'its guard counts whole seconds' : 'no write guard';
  const how = readOne ? '; it is read and compared before, which narrows the race' : '';
  say(
    guard === 'version' && guardForm !== 'seconds',
    `no lost ${operation}`,
    `lost ${operation} possible: ${no}${how}`,
  );
}
