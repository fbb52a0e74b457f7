import type { Fields } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import type { ErrorCode } from '../core/errors.js';
import type { Clock } from '../core/ports.js';
import type { LeasedIntent, OutboxStore } from '../core/outbox-port.js';
import type { RecordView } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import {
  idsSeen,
  isNeeded,
  keyOf,
  pushedTarget,
  referenceName,
  referencesIn,
  withReferences,
  type Reference,
  type ReferredTo,
} from '../core/reference.js';
import type { SourceCollection } from '../core/source-port.js';
import { decideDelivery, type DeliveryDecision } from './decide-delivery.js';
import type { DeliveryTools, PreparedDelivery } from './delivery-tools.js';
import { parentOf, type Parent } from './parent.js';

/** Records looked through for a ring of waits. */
const MOST_FOLLOWED = 100;
const LEAST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

type Send = DeliveryDecision & { readonly kind: 'send' };

/**
 * The binding decision (`decideDelivery`) with everything that hangs on other records (R12, F18): references become source keys; a
 * record that is on its way is waited for; a DELETE waits for earlier changes that refer to its record. Only what was accepted
 * earlier is waited for without an end, and what came later as long as it does not wait for this one, so nothing waits for ever. A
 * reference to a record that nobody knows is waited for as long as `parentPatienceMs`; then the change goes without it, if it may.
 */
export function createPreparation(
  ports: {
    readonly store: Pick<OutboxStore, 'readReferring'>;
    readonly references: ReferenceMap;
    readonly clock: Clock;
  },
  options: { readonly sources: readonly SourceCollection[]; readonly parentPatienceMs: number },
): DeliveryTools['prepare'] {
  const { store, references, clock } = ports;
  const collections = new Map(options.sources.map(({ collection }) => [collection.name, collection]));

  return async (source, view, intent) => {
    const decision = decideDelivery(source, view, intent);
    if (decision.kind === 'refuse') return decision;
    const { collection } = source;
    if (intent.kind === 'DELETE') return (await waitForReferring(intent)) ?? decision;
    const pushed = pushedPart(decision.write.fields, intent);
    const known = keysSeen(collection, view);
    const asked = referencesIn(collection, pushed).filter((one) => !known.has(referenceName(one)));
    const records = await references.referredTo(intent.tenant, asked);
    const parents = new Map(asked.map((one) => [referenceName(one), parentIn(records, one, intent)]));
    const missing = new Set<string>();
    for (const [name, parent] of parents) {
      const isOver = leftMs(intent) <= 0;
      const ring =
        parent.kind === 'later' ? await findRing(records.get(name) as RecordView, view, intent.tenant) : 'none';
      if (ring === 'closed' || (ring === 'unclear' && isOver)) missing.add(name);
      if (parent.kind === 'gone' || (parent.kind === 'unknown' && isOver)) missing.add(name);
    }
    const prepared = hold(collection, asked, parents, missing, intent);
    if (prepared !== null) return prepared;
    const keyed = withReferences(collection, pushed, (reference) => {
      const name = referenceName(reference);
      if (missing.has(name)) return null;
      const parent = parents.get(name);
      return parent?.kind === 'key' ? parent.key : (known.get(name) ?? reference.target);
    });
    return delivered(decision, pushed, keyed, asked, missing);
  };

  async function waitForReferring({
    tenant,
    collection,
    id,
    intentNo,
  }: LeasedIntent): Promise<PreparedDelivery | null> {
    if (!references.isReferredTo(collection)) return null;
    const last = (await store.readReferring(tenant, { collection, id }, intentNo)).at(-1);
    return last === undefined ? null : { kind: 'wait', waitsFor: last.intentNo, retryInMs: 0 };
  }

  /** What keeps the change here for now, or for good. */
  function hold(
    collection: Collection,
    asked: readonly Reference[],
    parents: ReadonlyMap<string, Parent>,
    missing: ReadonlySet<string>,
    intent: LeasedIntent,
  ): PreparedDelivery | null {
    const refused = asked.find((one) => parents.get(referenceName(one))?.kind === 'refused');
    if (refused !== undefined) return refuse(refused, 'PARENT_REFUSED');
    const needed = asked.find((one) => missing.has(referenceName(one)) && isNeeded(collection, one.field));
    if (needed !== undefined) return refuse(needed, 'UNKNOWN_REFERENCE');
    const waits = [...parents].filter(([name]) => !missing.has(name)).map(([, parent]) => parent);
    const earlier = waits.flatMap((parent) => (parent.kind === 'earlier' ? [parent.waitsFor] : []));
    if (earlier.length > 0) return { kind: 'wait', waitsFor: Math.max(...earlier), retryInMs: 0 };
    const waitMs = Math.min(LONGEST_WAIT_MS, Math.max(LEAST_WAIT_MS, (clock.nowMs() - intent.acceptedAtMs) / 8));
    if (waits.some((parent) => parent.kind === 'unknown')) {
      return { kind: 'wait', waitsFor: null, retryInMs: Math.min(waitMs, leftMs(intent)) };
    }
    return waits.some((parent) => parent.kind === 'later') ? { kind: 'wait', waitsFor: null, retryInMs: waitMs } : null;
  }

  function leftMs({ acceptedAtMs }: LeasedIntent): number {
    return acceptedAtMs + options.parentPatienceMs - clock.nowMs();
  }

  /**
   * Does a record whose create was accepted later wait, over others maybe, for the record of this change? `unclear`: a deletion is on
   * the way, of which it is not known what it waits for, or the way is too long.
   */
  async function findRing(from: RecordView, home: RecordView, tenant: string): Promise<'none' | 'closed' | 'unclear'> {
    const start = referenceName({ collection: home.collection, target: home.id });
    const seen = new Set<string>();
    let isUnclear = false;
    for (let open: readonly RecordView[] = [from]; open.length > 0 && seen.size <= MOST_FOLLOWED;) {
      const found = open.flatMap(({ collection, intents }) => {
        const declared = collections.get(collection);
        if (declared === undefined) return [];
        return intents.flatMap((intent) => referencesIn(declared, JSON.parse(intent.fields) as Fields));
      });
      const next = found.filter((one) => !seen.has(referenceName(one)));
      for (const one of next) seen.add(referenceName(one));
      const records = [...(await references.referredTo(tenant, next)).values()];
      isUnclear ||= records.some(({ intents }) => intents.some((intent) => intent.kind === 'DELETE'));
      open = records.filter((record) => record.body === null && record.intents.length > 0);
      // Nobody waits for a record that has its key.
      if (keyOf(home) === null && seen.has(start)) return 'closed';
    }
    return isUnclear || seen.size > MOST_FOLLOWED ? 'unclear' : 'none';
  }
}

/** Of what is to be written, the part that the device pushed: it has ids where the rest has keys. */
function pushedPart(fields: Fields, intent: LeasedIntent): Fields {
  const names = new Set(Object.keys(JSON.parse(intent.fields) as Fields));
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.has(name)));
}

/** Keys by the ids that devices see for them in this very record: what it refers to already needs nobody's word. */
function keysSeen(collection: Collection, view: RecordView): ReadonlyMap<string, string> {
  return new Map(
    [...idsSeen(collection, view)].map(([name, id]) => {
      const at = name.indexOf(' ');
      return [referenceName({ collection: name.slice(0, at), target: id }), name.slice(at + 1)];
    }),
  );
}

function parentIn(records: ReferredTo, reference: Reference, intent: LeasedIntent): Parent {
  const record = records.get(referenceName(reference)) as RecordView;
  const isItself = record.collection === intent.collection && record.id === intent.id;
  const parent = parentOf(record, intent.intentNo);
  // It has no key before this very change is settled.
  return isItself && parent.kind !== 'key' ? { kind: 'gone' } : parent;
}

/** The write with keys, without what is missing; MERGED if something is, and nothing at all if nothing is left. */
function delivered(
  decision: Send,
  pushed: Fields,
  keyed: Fields,
  asked: readonly Reference[],
  missing: ReadonlySet<string>,
): PreparedDelivery {
  const rest = Object.fromEntries(Object.entries(decision.write.fields).filter(([name]) => !(name in pushed)));
  const write = { ...decision.write, fields: { ...rest, ...keyed } };
  const lost = asked.find((one) => missing.has(referenceName(one)));
  if (lost === undefined) return { ...decision, write };
  if (write.kind === 'update' && Object.keys(write.fields).length === 0) {
    return refuse(lost, 'UNKNOWN_REFERENCE');
  }
  return { ...decision, write, status: 'MERGED', error: fault(lost, 'UNKNOWN_REFERENCE') };
}

function refuse(reference: Reference, code: ErrorCode): PreparedDelivery {
  return { kind: 'refuse', status: 'REJECTED', error: fault(reference, code), conflicting: [] };
}

/** Final for its change id, so that the very same change cannot succeed later: the device pushes a new one. */
function fault({ field, collection, target }: Reference, code: ErrorCode): NonNullable<Send['error']> {
  const id = pushedTarget(target);
  const message =
    code === 'PARENT_REFUSED'
      ? `${field}: the create of ${collection} ${id} was refused`
      : `${field}: expected the id of a record of ${collection}, there is none with the id ${id}`;
  return { code, message, field, retryable: false };
}
