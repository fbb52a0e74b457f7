import { differing } from './read-back.js';
import { sight } from './canary.js';
import type { SourceKey } from '../core/change.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import {
  fieldsShown,
  type Observation,
  type SourceCollection,
  type SourceWrite,
  type SourceWriteOutcome,
} from '../core/source-port.js';
import type { DeliveryTools } from './delivery-tools.js';
import { lastCallOf, type NotedCall } from './noted-call.js';
import { withinCall } from './source-copy.js';

// A create that carries nothing of ours is told from others by its natural key. That key is not ours: somebody else may have made a record
// with it, before our call or meanwhile, and may have changed the record that we made.

/** What the records with a create's natural key say of it. */
export type AlikeSighting =
  /** One that was not there before shows all that was sent, and nothing else of ours made it. */
  | { readonly kind: 'made'; readonly observation: Observation }
  | { readonly kind: 'none' }
  /** Others than before are there, but none or several of them can be ours. */
  | { readonly kind: 'undecided'; readonly keys: readonly SourceKey[]; readonly isEqual: boolean }
  | { readonly kind: 'unread' };

type Tools = Pick<DeliveryTools, 'store' | 'clock' | 'log'>;
type Sent = Pick<NotedCall, 'kind' | 'sourceKey' | 'fields' | 'alike'>;

/** Looks for what a create made. @throws SyncError UNAVAILABLE - the store */
export async function sightAlike(
  tools: Tools,
  source: SourceCollection,
  intent: LeasedIntent,
  call: Sent,
): Promise<AlikeSighting> {
  const shown = await sight(tools, source, intent.tenant, null, async () => {
    const found = await findOrNot(tools, source, call);
    if (found === 'unread') return found;
    const fresh = await freshOf(tools, intent, found, call.alike ?? []);
    return fresh.length === 0 ? 'absent' : fresh;
  });
  if (shown === 'unread') return { kind: 'unread' };
  return shown === 'absent' || shown === 'unconfirmed' ? { kind: 'none' } : judge(source, call, shown);
}

/** Why nobody can tell, in an operator's words. */
export function whyUndecided(shown: Extract<AlikeSighting, { readonly kind: 'none' | 'undecided' }>): string {
  if (shown.kind === 'none') return 'no new record has its natural key, and what it made may have been changed since';
  const keys = shown.keys.join(', ');
  return shown.isEqual
    ? `several new records are as it would be, any of which may be its own: ${keys}`
    : `a new record has its natural key and is not as it would be: ${keys}`;
}

/** What is known before a create is sent. */
export interface LookBefore {
  /** The records with its natural key: those it cannot have made. */
  readonly alike: readonly SourceKey[];
  /** Why it is not sent: an earlier call of it seems to have had effect after all; null: it is to be sent. */
  readonly known: Extract<SourceWriteOutcome, { readonly kind: 'unknown' }> | null;
}

/**
 * The look before a create is sent. Of one that was sent before, and was found to have had no effect, it sees once more whether that is so.
 *
 * @returns null where the source has no natural key
 * @throws SyncError UNAVAILABLE - the store
 */
export async function lookBefore(
  tools: Tools,
  source: SourceCollection,
  intent: LeasedIntent,
  { kind, sourceKey, fields }: Omit<SourceWrite, 'idempotencyKey'>,
): Promise<LookBefore | 'unread' | null> {
  if (kind !== 'create' || source.findAlike === undefined) return null;
  const call = { kind, sourceKey, fields };
  const found = await findOrNot(tools, source, call);
  if (found === 'unread') return 'unread';
  const before = lastCallOf(intent)?.alike;
  const alike = found.map((one) => one.sourceKey);
  if (before === undefined) return { alike, known: null };
  const shown = judge(source, call, await freshOf(tools, intent, found, before));
  const isLikely = shown.kind === 'made' || (shown.kind === 'undecided' && shown.isEqual);
  if (isLikely) return { alike: before, known: { kind: 'unknown', reason: 'what it would make is there by now' } };
  return { alike, known: null };
}

async function findOrNot(
  { clock, log }: Tools,
  source: SourceCollection,
  { fields }: Sent,
): Promise<readonly Observation[] | 'unread'> {
  try {
    return await withinCall(clock, source, async (signal) => (await source.findAlike?.(fields, signal)) ?? []);
  } catch (thrown) {
    log.info('a record could not be looked for', { collection: source.collection.name, reason: String(thrown) });
    return 'unread';
  }
}

/**
 * Those that the create may have made. Not what another record here is: what is read while a create is open, and no record has its key, waits
 * for that create (F9).
 */
async function freshOf(
  { store }: Tools,
  { tenant, collection, id }: LeasedIntent,
  found: readonly Observation[],
  before: readonly SourceKey[],
): Promise<readonly Observation[]> {
  const fresh = found.filter(({ sourceKey }) => !before.includes(sourceKey));
  if (fresh.length === 0) return fresh;
  const known = await store.readBySourceKey(
    tenant,
    collection,
    fresh.map(({ sourceKey }) => sourceKey),
  );
  return fresh.filter(({ sourceKey }) => {
    const holder = known.get(sourceKey);
    return holder === undefined || holder.deleted || holder.id === id;
  });
}

function judge({ collection }: SourceCollection, call: Sent, fresh: readonly Observation[]): AlikeSighting {
  const equal = fresh.filter((one) => fieldsShown(one) !== null && differing(collection, call, one).length === 0);
  const [only] = equal;
  if (only !== undefined && equal.length === 1) return { kind: 'made', observation: only };
  const keys = (equal.length === 0 ? fresh : equal).map(({ sourceKey }) => sourceKey);
  return fresh.length === 0 ? { kind: 'none' } : { kind: 'undecided', keys, isEqual: equal.length > 0 };
}
