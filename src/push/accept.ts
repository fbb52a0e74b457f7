import type { Epoch, RecordId } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { SyncError, toChangeError } from '../core/errors.js';
import type { FeedReader } from '../core/feed-port.js';
import type { Clock, HashText, Log } from '../core/ports.js';
import type { IngestStore } from '../core/ingest-port.js';
import type { RecordStore, RecordView, RecordWrite, WriteOutcome } from '../core/record-port.js';
import type { ReferenceMap } from '../core/reference-map.js';
import { checkStanding, deviceOf, type Session } from '../core/session.js';
import { changesInTurn, seeRecords } from './accept-order.js';
import { acceptanceWrite, editedAtMs, openedBy, type LeaseOffer, type Opened } from './acceptance.js';
import { answerOf, blockedBehind, resultOf } from './answers.js';
import { decideAcceptance, isOfOtherEpoch, type AcceptDecision, type Pusher } from './decide-acceptance.js';
import { madeOnTop } from './followers.js';
import { linksOf, type Links } from './links.js';
import { queueByRecord, type RecordQueue } from './record-queue.js';
import { createReferredRecords, type ReferredRecords } from './referred-records.js';
import {
  bodyText,
  checkChange,
  nameChange,
  type CheckedChange,
  type NamedChange,
  type PushedChange,
  type PushResult,
} from './pushed-change.js';

/**
 * Takes the changes of one push in: names, dedupe, validation, scope, conflict, and for each its dedupe row with its fate or
 * its intent (R7, R8, R10, R13). Changes of different records go in one commit; a record's second change goes in the next
 * one, on top of the first. Safe to repeat.
 *
 * @param opened takes what was accepted as soon as it is durable, also when a later commit fails
 * @returns one result per change, in order; ACCEPTED for those with an intent
 * @throws SyncError DEVICE_REQUIRED, DEVICE_EVICTED, DEVICE_REVOKED, NEW_EPOCH, UNAVAILABLE
 */
export type Accept = (
  session: Session,
  changes: readonly PushedChange[],
  sending: Sending,
  opened: Map<number, Opened>,
) => Promise<readonly PushResult[]>;

/** What a device says of itself when it pushes; null: it does not. */
export interface Sending {
  /** By its clock, ms since 1970. */
  readonly sentAtMs: number | null;
  /** The epoch that it knows. */
  readonly knownEpoch: string | null;
}

/** Times that a change is decided again because its record moved meanwhile; then it is RECORD_BLOCKED. */
const MAX_DECISIONS = 8;

/** One change on its way through accept. */
interface Entry {
  readonly change: PushedChange;
  readonly named: NamedChange;
  readonly bodyHash: string;
  /** What is wrong with it, seen without its record. */
  readonly checked: CheckedChange | SyncError;
  decisions: number;
}

/** What accept needs of the store. */
export type AcceptStore = RecordStore & Pick<FeedReader, 'readHead'> & Pick<IngestStore, 'readCollection'>;

export function createAccept(
  ports: {
    readonly store: AcceptStore;
    readonly references: ReferenceMap;
    readonly clock: Clock;
    readonly hash: HashText;
    readonly log: Log;
  },
  options: { readonly collections: readonly Collection[]; readonly lease: LeaseOffer },
): Accept {
  const { store, references, clock, hash, log } = ports;
  const { lease } = options;
  const collections = new Map(options.collections.map((collection) => [collection.name, collection]));

  return async (session, changes, { sentAtMs, knownEpoch }, opened) => {
    const device = deviceOf(session);
    if (device === null) throw new SyncError('DEVICE_REQUIRED', 'expected a Tidegate-Device header, got none');
    const read = changes.map(readEntry);
    const entries = new Map<string, Entry>();
    for (const one of read)
      if (!isResult(one) && !entries.has(one.change.changeId)) entries.set(one.change.changeId, one);
    const queue = queueByRecord<Entry>();
    const referred = createReferredRecords(references, session.tenant, collections, queue);
    const [{ standing, known }, feed, views] = await Promise.all([
      store.readChanges(device, [...entries.keys()]),
      store.readHead(session.tenant),
      store.readRecords(session.tenant, recordsOf([...entries.values()])),
      referred.readOf([...entries.values()]),
    ]);
    checkStanding(standing);
    checkEpoch(knownEpoch, feed.epoch);
    const answers = new Map(known.map((one) => [one.changeId, one]));
    for (const entry of entries.values()) if (!answers.has(entry.change.changeId)) queue.add(entry.named, entry);
    for (const view of views) queue.see(view);
    await referred.readBehind(views);

    const results = new Map<string, PushResult>();
    const nowMs = clock.nowMs();
    const unswept = await readUnswept(session.tenant, [...entries.values()], feed.epoch);
    const { grant, writeGrant = grant, roles = [] } = session;
    const pusher = { device, grant, writeGrant, roles, feed, unswept };
    const handedBack = new Map<string, string>();
    const round = { pusher, sentAtMs, nowMs, queue, referred, results, opened, handedBack };
    try {
      while (queue.size > 0) await takeRound(session.tenant, round);
    } finally {
      // Later changes of the same push have moved the records of earlier ones.
      for (const [intentNo, one] of opened)
        opened.set(intentNo, { ...one, view: queue.viewOf(one.intent) ?? one.view });
    }
    const unanswered = [...entries.keys()].filter((changeId) => !results.has(changeId) && !answers.has(changeId));
    if (unanswered.length > 0) {
      for (const one of (await store.readChanges(device, unanswered)).known) answers.set(one.changeId, one);
    }
    return read.map((one) => (isResult(one) ? one : answerOf(one, results, entries, answers)));
  };

  /** Of the collections of changes from before a restore, those that were not looked through since. */
  async function readUnswept(tenant: string, entries: readonly Entry[], epoch: Epoch): Promise<ReadonlySet<string>> {
    const old = entries.filter(({ checked }) => !(checked instanceof SyncError) && isOfOtherEpoch(checked, epoch));
    const names = [...new Set(old.map(({ named }) => named.collection.name))];
    const states = await Promise.all(names.map((name) => store.readCollection(tenant, name)));
    return new Set(names.filter((_, at) => states[at]?.scannedAtMs === null));
  }

  function readEntry(change: PushedChange): Entry | PushResult {
    try {
      const named = nameChange(change, collections);
      const text = bodyText(change);
      const bodyHash = named.collection.keeping?.fingerprint(text) ?? hash(text);
      return { change, named, bodyHash, checked: check(change, named), decisions: 0 };
    } catch (thrown) {
      return resultOf(change, 'REJECTED', toChangeError(SyncError.from(thrown)));
    }
  }

  /** One commit: the next change of each record. Records that moved are read and decided again in the next round. */
  async function takeRound(tenant: string, round: Round): Promise<void> {
    const { queue } = round;
    await seeRecords(store, tenant, queue);
    const decided: Decided[] = [];
    for (const { item: entry, view } of changesInTurn(queue)) {
      const links = linksOfEntry(entry, view, round);
      const decision = decide(entry, view, links, round);
      if (decision.kind !== 'retryLater') decided.push({ entry, view, links, decision });
      else {
        round.results.set(entry.change.changeId, resultOf(entry.change, 'REJECTED', decision.error));
        // What was pushed on top of it must not overtake it (R8).
        for (const later of queue.dropAll(entry.named)) {
          const error = blockedBehind(entry.change.changeId);
          if (later !== entry) round.results.set(later.change.changeId, resultOf(later.change, 'REJECTED', error));
        }
      }
    }
    if (decided.length === 0) return;
    const writes = decided.map((one) => writeOf(one, round));
    const outcomes = await store.commit(tenant, writes);
    decided.forEach((one, at) => {
      const outcome = outcomes[at];
      if (outcome?.kind === 'written') note(one, writes[at] as RecordWrite, outcome, round);
      // A repeat that came at the same time was first: its answer is read when all is done.
      else if (outcome?.kind === 'known') queue.drop(one.entry.named);
      else queue.forget(one.entry.named);
    });
  }

  function linksOfEntry({ checked }: Entry, view: RecordView, { referred, pusher }: Round): Links | null {
    return checked instanceof SyncError ? null : linksOf(checked, view, referred, pusher, collections);
  }

  function decide(
    entry: Entry,
    view: RecordView,
    links: Links | null,
    { pusher, sentAtMs, nowMs, handedBack }: Round,
  ): AcceptDecision {
    const { checked, named } = entry;
    if (checked instanceof SyncError) return { kind: 'final', status: 'REJECTED', error: toChangeError(checked) };
    const blockedBy = handedBack.get(recordKey(named));
    if (blockedBy !== undefined)
      return { kind: 'final', status: 'CONFLICT', error: madeOnTop(named.collection), blockedBy };
    entry.decisions += 1;
    if (entry.decisions > MAX_DECISIONS) {
      const error = new SyncError(
        'RECORD_BLOCKED',
        `${named.collection.name}: the record moves faster than changes of it`,
      );
      return { kind: 'retryLater', error: toChangeError(error) };
    }
    try {
      return decideAcceptance(checked, view, pusher, editedAtMs(checked, sentAtMs, nowMs), links?.mapping);
    } catch (thrown) {
      log.error('a pushed change could not be decided', {
        collection: named.collection.name,
        id: named.id,
        reason: String(thrown),
      });
      return { kind: 'retryLater', error: toChangeError(SyncError.from(thrown)) };
    }
  }

  function writeOf(
    { entry, view, links, decision }: Decided,
    { pusher: { device }, sentAtMs, nowMs }: Round,
  ): RecordWrite {
    const { named, checked, bodyHash } = entry;
    const times = { editedAtMs: checked instanceof SyncError ? nowMs : editedAtMs(checked, sentAtMs, nowMs), nowMs };
    return acceptanceWrite({ device, named, checked, bodyHash, ...times }, view, decision, lease, links);
  }

  function note(
    { entry, view, links, decision }: Decided,
    write: RecordWrite,
    outcome: WriteOutcome & { readonly kind: 'written' },
    round: Round,
  ): void {
    const { change, named } = entry;
    round.queue.drop(named);
    if (decision.kind === 'final') {
      const { status, error, blockedBy, wrote } = decision;
      // Its writers are other ones now, which what was made on top of it goes by.
      if (wrote !== undefined && wrote.length > 0) round.queue.forget(named);
      round.results.set(named.changeId, resultOf(change, status, error, blockedBy));
      const isAsked = status === 'CONFLICT' && named.collection.policy === 'ask' && blockedBy === undefined;
      if (isAsked) round.handedBack.set(recordKey(named), named.changeId);
      return;
    }
    round.results.set(
      named.changeId,
      resultOf(change, 'ACCEPTED', null, decision.blockedBy ?? links?.waitsFor?.changeId),
    );
    // What the commit made of the record, so that nothing is read again to deliver it.
    const opened = openedBy(view, write, outcome, round.nowMs);
    round.queue.see(opened.view);
    round.opened.set(opened.intent.intentNo, opened);
  }
}

interface Round {
  readonly pusher: Pusher;
  readonly sentAtMs: number | null;
  readonly nowMs: number;
  readonly queue: RecordQueue<Entry>;
  readonly referred: ReferredRecords;
  readonly results: Map<string, PushResult>;
  readonly opened: Map<number, Opened>;
  /** Records of which a change was handed back under `ask`, and that change: what was made on top of it goes with it (F19). */
  readonly handedBack: Map<string, string>;
}

interface Decided {
  readonly entry: Entry;
  readonly view: RecordView;
  readonly links: Links | null;
  readonly decision: Exclude<AcceptDecision, { readonly kind: 'retryLater' }>;
}

/** What was made on top of changes that a restore took away must not come before them (R8): its device hears of it first. */
function checkEpoch(known: string | null, inForce: Epoch): void {
  if (known === null || known === inForce) return;
  throw new SyncError('NEW_EPOCH', 'expected a device that has pulled since the gateway was restored');
}

function check(change: PushedChange, named: NamedChange): CheckedChange | SyncError {
  try {
    return checkChange(change, named);
  } catch (thrown) {
    if (thrown instanceof SyncError) return thrown;
    throw thrown;
  }
}

function isResult(one: Entry | PushResult): one is PushResult {
  return 'status' in one;
}

function recordsOf(entries: readonly Entry[]): readonly { readonly collection: string; readonly id: RecordId }[] {
  const names = entries.map(({ named }) => ({ collection: named.collection.name, id: named.id }));
  return [...new Map(names.map((name) => [`${name.collection} ${name.id}`, name])).values()];
}

function recordKey({ collection, id }: NamedChange): string {
  return `${collection.name} ${id}`;
}
