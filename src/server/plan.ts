import { createSource, keyFormsOf } from '../connectors/define.js';
import type { SourceCollection, SourceFacts } from '../core/source-port.js';
import { systemClock } from './clock.js';
import { chosenTenants, type TenantSettings } from './configured-tenants.js';

/** What follows from the facts of one collection. */
export interface CollectionPlan {
  readonly tenant: string;
  readonly source: string;
  readonly collection: string;
  /** As of `planOf`. */
  readonly says: string;
  /** While nothing changes and every answer is one page. */
  readonly callsPerDay: { readonly polls: number; readonly scans: number };
}

const DAY_MS = 86_400_000;
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * The plans of a configuration's collections, in its order. Makes no request.
 *
 * @param tenant only its own; null: of all
 * @throws StartupError config
 */
export async function readPlans(config: TenantSettings, tenant: string | null): Promise<readonly CollectionPlan[]> {
  const plans: CollectionPlan[] = [];
  for (const { id, connectors } of chosenTenants(config, tenant)) {
    const keyForms = keyFormsOf(connectors);
    for (const connector of connectors) {
      const source = createSource(connector, { clock: systemClock, chance: Math.random, log: SILENT }, keyForms);
      for (const one of source.collections) plans.push(planFor(id, source.name, one));
      await source.close();
    }
  }
  return plans;
}

/** The plan of one collection of a source that is open. */
export function planFor(
  tenant: string,
  source: string,
  one: Pick<SourceCollection, 'facts' | 'collection'>,
): CollectionPlan {
  return { tenant, source, collection: one.collection.name, says: planOf(one), callsPerDay: callsOf(one.facts) };
}

function callsOf({
  changes,
  pollEveryMs,
  scanEveryMs,
  deletionLogKeepsMs,
}: SourceFacts): CollectionPlan['callsPerDay'] {
  const each = (everyMs: number): number => Math.round(DAY_MS / everyMs);
  // The scan of a list is its poll.
  return changes === 'list'
    ? { polls: 0, scans: each(pollEveryMs) }
    : { polls: each(pollEveryMs) * (deletionLogKeepsMs === undefined ? 1 : 2), scans: each(scanEveryMs) };
}

function ignore(): void {
  // Nothing is called, so there is nothing to tell.
}

/**
 * What the gateway will do with a collection, as derived from its connector's facts: how it finds changes and deletions, how
 * its writes are guarded, and what it does when the answer to one is lost. One line, for the doctor.
 */
export function planOf({ facts, collection }: Pick<SourceCollection, 'facts' | 'collection'>): string {
  const { create, update, delete: remove } = collection.writes;
  const writes = [create ? inCalls('create', facts) : '', update ? guarded('update', facts.updateGuard, facts) : '']
    .concat(remove ? guarded('delete', facts.deleteGuard, facts) : '')
    .filter((text) => text !== '');
  return [
    ...(facts.webhookWindowMs === undefined ? [] : ['webhook: a hint']),
    `${changesOf(facts)} every ${facts.pollEveryMs / 1_000} s`,
    deletionsOf(facts),
    ...(facts.isFiltered === true ? ['what is outside of its filter leaves'] : []),
    ...(writes.length === 0
      ? ['read only']
      : [`writes: ${writes.join(', ')}${joinedIn(facts)}`, certaintyOf(facts, collection.writes)]),
    ...(collection.via === undefined ? [] : [`scopes: those of the record that ${collection.via.field} names`]),
    ...(collection.storage === 'metadataOnly' ? ['no field value is kept, bodies are read live'] : []),
    ...(facts.maintenance === undefined ? [] : [`not called ${facts.maintenance.join(' and ')}`]),
  ].join('; ');
}

function changesOf(facts: SourceFacts): string {
  const each = facts.readsEach === true ? ', and each record of it by its key, under the version that is known' : '';
  return `${listedBy(facts)}${each}`;
}

function listedBy({ changes, isConsumed, trustsTag }: SourceFacts): string {
  switch (changes) {
    case 'updatedSince':
      return 'changes are asked for';
    case 'number':
      return 'changes are asked for by number';
    case 'delta':
      return isConsumed === true
        ? "the source's token is followed (once each: a lost answer reads everything again)"
        : "the source's token is followed";
    case 'list':
      return trustsTag === true
        ? 'the whole list is read (where its tag says that it is unchanged, once a day)'
        : 'the whole list is read';
  }
}

function joinedIn({ batch }: SourceFacts): string {
  if (batch === undefined) return '';
  const effect = batch.isAtomic ? 'all of them or none, then each alone' : 'each for itself';
  return `, up to ${batch.size} in one call (${effect})`;
}

function inCalls(kind: 'create' | 'update' | 'delete', { callsInARow }: SourceFacts): string {
  const calls = callsInARow?.[kind];
  return calls === undefined ? kind : `${kind} in ${calls} calls`;
}

function guarded(kind: 'update' | 'delete', guard: 'version' | 'none', facts: SourceFacts): string {
  const { readOne, guardForm } = facts;
  const operation = inCalls(kind, facts);
  if (guard === 'version' && guardForm === 'seconds') {
    const before = readOne ? ', read before when its second is over' : '';
    const where = readOne ? ' if its clocks differ' : '';
    return `${operation} guarded by a time in seconds${before} (lost update possible within one second${where})`;
  }
  if (guard === 'version') return `${operation} guarded by version${guardForm === 'body' ? ' in its body' : ''}`;
  return readOne
    ? `${operation} UNGUARDED, read and compared before (lost update possible: the race is narrowed, not closed)`
    : `${operation} UNGUARDED (lost update possible)`;
}

function deletionsOf(facts: SourceFacts): string {
  const scanned = `by a scan every ${facts.scanEveryMs / 1_000} s`;
  if (facts.deletions === 'none') return 'deletions are not observable';
  const { deletionLogKeepsMs: keptMs } = facts;
  const told = keptMs === undefined ? 'told' : `told by a log (scanned after more than ${timeInWords(keptMs)} away)`;
  if (facts.deletions === 'feed')
    return `deletions are ${told}${facts.readOne ? ', each confirmed by a read' : ''}, and ${scanned}`;
  if (facts.deletions === 'flag') return `deletions by flag, and ${scanned}`;
  if (facts.readOne) return `deletions ${scanned}, each confirmed by a read`;
  return facts.scanPaging === 'offset'
    ? 'deletions are not observable (paging can skip records)'
    : `deletions ${scanned}`;
}

/** What each capability buys (F4): by what a write whose answer was lost still takes effect exactly once. */
function certaintyOf(facts: SourceFacts, writes: SourceCollection['collection']['writes']): string {
  if (facts.idempotencyKeyLifetimeMs !== undefined) {
    return `each exactly once by idempotency key, for ${timeInWords(facts.idempotencyKeyLifetimeMs)}`;
  }
  const told: (readonly [string, string])[] = [];
  if (writes.create) told.push(['creates', createdBy(facts)]);
  if (writes.update) told.push(['updates', changedBy(facts, facts.updateGuard)]);
  if (writes.delete) told.push(['deletes', changedBy(facts, facts.deleteGuard)]);
  return [...new Set(told.map(([, means]) => means))]
    .map((means) => `${told.flatMap(([kind, same]) => (same === means ? [kind] : [])).join(' and ')} ${means}`)
    .join(', ');
}

const PARKS = '(a lost answer parks the change)';

function createdBy(facts: SourceFacts): string {
  if (facts.lookUp === true) return 'exactly once by look-up';
  if (facts.naturalKey !== undefined) {
    const { fields, isFixed } = facts.naturalKey;
    const by = `by ${fields.join(' and ')}`;
    return isFixed
      ? `exactly once ${by}`
      : `${by} (a lost answer parks the change where no new record shows what was sent)`;
  }
  return facts.createKey === 'device' && facts.readOne ? "exactly once by the device's key and read-back" : PARKS;
}

function changedBy({ readOne }: SourceFacts, guard: 'version' | 'none'): string {
  if (!readOne) return PARKS;
  return guard === 'version'
    ? 'exactly once by version and read-back'
    : 'by read-back (a lost answer parks the change where that does not decide)';
}

/** A length of time for people, like `30 days`, `24 h`, `1.5 min`. */
export function timeInWords(ms: number): string {
  if (ms >= 2 * DAY_MS && ms % DAY_MS === 0) return `${ms / DAY_MS} days`;
  return ms >= 3_600_000 ? `${Number((ms / 3_600_000).toFixed(1))} h` : `${Number((ms / 60_000).toFixed(1))} min`;
}
