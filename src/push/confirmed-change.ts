import type { Fields, SourceKey } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { MAX_ID_LENGTH } from '../core/id.js';
import type { SentCall } from '../core/intent.js';
import type { Clock, HashText } from '../core/ports.js';
import type { LeasedIntent } from '../core/outbox-port.js';
import type { RecordWrite } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import { incomingBy, referencesIn } from '../core/reference.js';
import type { Observation, SourceCollection } from '../core/source-port.js';
import { sentCall } from './call-history.js';
import type { OpenChange } from './operator.js';
import { settleApplied, type Applied } from './settle.js';
import { withLinks } from './shown-links.js';
import { readCopy } from './source-copy.js';

/**
 * The write that settles a change of which an operator says that the source has it: with the source's own copy where one can be
 * read, else with what was sent laid over what is known. What the source shows must not say the opposite.
 *
 * @param given the key of a created record, as the operator knows it; null: not given
 * @throws SyncError RECORD_BLOCKED - an earlier change of the record is open; BAD_REQUEST - the source shows the opposite;
 * VALIDATION - the key is missing, or another one than is known; SOURCE_UNAVAILABLE
 */
export async function confirmChange(
  ports: { readonly clock: Clock; readonly hash: HashText; readonly references: ReferenceMap },
  { entry, view, source }: OpenChange,
  given: SourceKey | null,
): Promise<RecordWrite> {
  const { collection, facts } = source;
  const [first] = view.intents;
  // What an earlier one of unknown outcome made of the record would be laid over this one's later.
  if (first !== undefined && first.intentNo !== entry.intentNo) {
    throw new SyncError(
      'RECORD_BLOCKED',
      `expected the earlier change ${first.intentNo} of the record to be settled first`,
    );
  }
  const call = sentCall(entry) ?? (await unsentCall(ports.references, collection, entry, view.body !== null));
  const key = keyOf(view.sourceKey ?? call.sourceKey ?? deviceKey(source, entry, call), given);
  const observation = await readNow(key);
  const write = { kind: call.kind, sourceKey: key, fields: call.fields };
  const applied: Applied = { write, observation, isLater: true, status: call.status, error: call.error };
  const linked = await withLinks(ports.references, entry.tenant, collection, view, applied);
  const settled = settleApplied(collection, view, entry, linked.applied, ports.hash, linked.mapping);
  if (settled !== null) return settled;
  throw new SyncError(
    'VALIDATION',
    `sourceKey: expected the key under which ${collection.source} has the record, got none`,
    {
      field: 'sourceKey',
    },
  );

  /** Null: nothing can be read of it, here or at all. */
  async function readNow(known: SourceKey | null): Promise<Observation | null> {
    const copy = await readOnce(known);
    if (copy === null) return null;
    if (call.kind === 'delete') {
      if (copy === 'absent') return null;
      throw opposite(`no ${collection.name} ${copy.sourceKey} any more`, 'it has it');
    }
    if (copy !== 'absent') return copy;
    throw opposite(known === null ? `a record of ${entry.changeId}` : `${collection.name} ${known}`, 'it has none');
  }

  async function readOnce(known: SourceKey | null): Promise<Observation | 'absent' | null> {
    if (known !== null) return facts.readOne ? readCopy(ports.clock, source, { key: known }) : null;
    if (facts.lookUp !== true) return null;
    return readCopy(ports.clock, source, { idempotencyKey: idempotencyKeyOf(ports.hash, entry) });
  }

  function opposite(expected: string, got: string): SyncError {
    return new SyncError(
      'BAD_REQUEST',
      `expected ${collection.source} to have ${expected}, ${got}: reject or retry the change`,
    );
  }
}

/** What a source that takes one is sent with every attempt of a change (F5): stable over repeats, nodes and restores. */
export function idempotencyKeyOf(hash: HashText, { tenant, device, changeId }: LeasedIntent): string {
  return hash(JSON.stringify([tenant, device.user, device.device, changeId]));
}

/** What would be sent: for changes that somebody brought to the source by other ways. */
async function unsentCall(
  references: ReferenceMap,
  collection: Collection,
  { tenant, kind, fields }: LeasedIntent,
  isThere: boolean,
): Promise<SentCall> {
  const pushed = JSON.parse(fields) as Fields;
  const records = await references.referredTo(tenant, referencesIn(collection, pushed));
  const keyed = incomingBy(collection, records)(pushed).fields;
  const sent = { sourceKey: null, fields: keyed, status: 'APPLIED' } as const;
  if (kind === 'DELETE') return { ...sent, kind: 'delete' };
  return { ...sent, kind: isThere ? 'update' : 'create' };
}

/** Where the source takes the device's id as key, a create says under which. */
function deviceKey(source: SourceCollection, { id }: LeasedIntent, { kind }: SentCall): SourceKey | null {
  return kind === 'create' && source.facts.createKey === 'device' ? (id as string as SourceKey) : null;
}

const KEY = /^[A-Za-z0-9._:~!*'()%-]+$/;

function keyOf(known: SourceKey | null, given: SourceKey | null): SourceKey | null {
  if (given === null || given === known) return known ?? given;
  const expected = known === null ? `1 to ${MAX_ID_LENGTH} characters, parts percent-encoded and joined by ":"` : known;
  if (known === null && given.length <= MAX_ID_LENGTH && KEY.test(given)) return given;
  throw new SyncError('VALIDATION', `sourceKey: expected ${expected}, got ${JSON.stringify(given.slice(0, 60))}`, {
    field: 'sourceKey',
  });
}
