import type { ErrorCode } from '../core/errors.js';
import { changeReaction } from './error-reactions.js';
import type { Fate, GatewayFault, SentChange } from './gateway.js';
import type { StoreWrites, SyncRead } from './local-store.js';
import { isApplied, isForUser, isOpen, isRefused, nameOf, unsent, type OutboxEntry } from './outbox-entry.js';
import { portionOf, type PushLimits } from './portions.js';

/** Open changes that a gateway takes of one record (F19). */
const MOST_OPEN = 100;

/**
 * The next changes to send, in the order in which they were made (R8): a gateway that does not take one takes none of its record behind
 * it. What is set aside keeps what was made later of its record behind it, and so does a create, lest what follows one that is refused
 * makes half a record (F19). Other records never wait.
 *
 * @param isHeld set aside for now
 */
export function nextPortion(
  entries: readonly OutboxEntry[],
  limits: PushLimits,
  isHeld: (entry: OutboxEntry) => boolean,
): readonly OutboxEntry[] {
  return portionOf(sendable(entries, isHeld), limits, asSent);
}

function* sendable(
  entries: readonly OutboxEntry[],
  isHeld: (entry: OutboxEntry) => boolean,
): Generator<OutboxEntry, void> {
  /** By record: how many more may go. */
  const room = new Map<string, number>();
  for (const entry of entries) {
    if (!isOpen(entry)) continue;
    const name = nameOf(entry);
    const left = room.get(name) ?? MOST_OPEN;
    const isNext = entry.status === null && left > 0 && !isHeld(entry);
    const isWaitedFor = entry.status === null && (!isNext || entry.isCreate);
    room.set(name, isWaitedFor ? 0 : left - 1);
    if (isNext) yield entry;
  }
}

/** What is written before a portion leaves: that it may have arrived, and in which epoch (F5). */
export function beforeSending(portion: readonly OutboxEntry[], epoch: string | null): StoreWrites {
  return {
    changed: portion.filter((entry) => !entry.isSent).map((entry) => ({ ...entry, isSent: true, sentEpoch: epoch })),
  };
}

/** An entry as it goes out; a repeat says in which epoch it was sent first. */
export function asSent(entry: OutboxEntry): SentChange {
  const { changeId, collection, id, kind, baseVersion, changedAt, fields, isSent, sentEpoch } = entry;
  return {
    changeId,
    collection,
    id,
    kind,
    baseVersion,
    changedAt,
    ...(fields === null ? {} : { json: fields }),
    ...(isSent && sentEpoch !== null ? { sentEpoch } : {}),
  };
}

/** What an answer, or a receipt, makes of the outbox. */
export interface Told {
  readonly entries: readonly OutboxEntry[];
  /** Those that were told something new, as they are now. */
  readonly told: readonly OutboxEntry[];
  /** An id of this device stands for another device's change: a copied backup (F11). */
  readonly isCopied: boolean;
}

/**
 * Does nothing follow it any more? What an answer says besides, that a receipt is to come, holds of the place where its device was when it
 * asked: one that began again meanwhile may have passed over that receipt, and asks once more (F10).
 */
export function isFinal({ status }: Fate): boolean {
  return status !== 'ACCEPTED' && status !== 'PARKED';
}

/** The fates that came, taken in: only an explicit verdict makes anything of an entry. Ids that are not known are passed over. */
export function takeFates(
  entries: readonly OutboxEntry[],
  fates: readonly Fate[],
  isReceipt: boolean,
  newId: () => string,
): Told {
  const byId = new Map(fates.map((fate) => [fate.changeId, fate]));
  const told: OutboxEntry[] = [];
  /** By record: the create of it that was refused just now. */
  const refused = new Map<string, string>();
  let isCopied = false;
  const after = entries.map((entry): OutboxEntry => {
    const fate = byId.get(entry.changeId);
    if (fate === undefined) {
      const create = isFresh(entry) && entry.baseVersion === null ? refused.get(nameOf(entry)) : undefined;
      if (create !== undefined) return tell({ ...entry, ...fateOf(withoutRecord(entry, create)) });
      // What goes out under a new id comes at the end of the outbox, and what was made later stays behind it (R8).
      return isCopied && isFresh(entry) ? { ...entry, changeId: newId() } : entry;
    }
    if (isForUser(entry)) return entry;
    const isReceived = isReceipt && isFinal(fate);
    // Final already: only that its receipt came is news.
    if (isApplied(entry)) return isReceived && !entry.hasReceipt ? { ...entry, hasReceipt: true } : entry;
    if (!isReceipt && fate.status === 'REJECTED') {
      const reaction = changeReaction(fate.error);
      if (reaction === 'newDevice') isCopied = true;
      // Why it waits is for its user to see; told once.
      if (reaction === 'again')
        return entry.error?.code === fate.error?.code ? entry : tell({ ...entry, error: fate.error ?? null });
      // This body was never taken under its id, so that a new one makes no second change of it.
      if (reaction === 'newDevice') return { ...unsent(entry), changeId: newId() };
    }
    const now = tell({ ...entry, ...fateOf(fate), hasReceipt: isReceived });
    if (now.isCreate && isRefused(now)) refused.set(nameOf(now), now.changeId);
    return now;
  });
  function tell(entry: OutboxEntry): OutboxEntry {
    told.push(entry);
    return entry;
  }
  return { entries: after, told, isCopied };
}

/** What an edit is told whose push fails as a whole: no verdict, and the reason why it waits. */
export function waitsFor({ code, message }: GatewayFault, changeId: string): Fate {
  const error = { code: code as ErrorCode, message, field: null, retryable: true } as const;
  return { changeId, status: 'REJECTED', error };
}

/** Queued, and nobody can have seen it. */
function isFresh({ status, isSent }: OutboxEntry): boolean {
  return status === null && !isSent;
}

/** Sent all the same it would be taken for a create, and make half a record (F19). */
function withoutRecord({ changeId, collection, id }: OutboxEntry, create: string): Fate {
  const message = `${collection} ${id}: expected the create that it follows to be taken, it was refused`;
  const error = { code: 'NO_SUCH_RECORD', message, field: null, retryable: false } as const;
  return { changeId, status: 'REJECTED', error, blockedBy: create };
}

function fateOf(fate: Fate): Pick<OutboxEntry, 'status' | 'error' | 'conflict' | 'blockedBy'> {
  const { status, error = null, conflict = null, blockedBy = null } = fate;
  return { status, error, conflict, blockedBy };
}

/** A new device id: what was never sent goes on, what was sent and is not final is its user's to look at (F11). */
export function ofNewDevice(entries: readonly OutboxEntry[]): Pick<Told, 'entries' | 'told'> {
  const told: OutboxEntry[] = [];
  const after = entries.map((entry): OutboxEntry => {
    if (!entry.isSent || !isOpen(entry)) return entry;
    const now = { ...entry, status: 'UNANSWERED' as const };
    told.push(now);
    return now;
  });
  return { entries: after, told };
}

/** Nothing is known any more of what the gateway had of these: sent again, under the same ids, they get their stored answers (F5, F10). */
export function askedAgain(entries: readonly OutboxEntry[]): readonly OutboxEntry[] {
  return entries.map((entry) => (isOpen(entry) && entry.status !== null ? { ...entry, status: null } : entry));
}

/**
 * Edits whose effect is here are dropped, and what lies below one of them is not shown any more. Refused ones stay until the app discards
 * them.
 *
 * @param isHere asked of those that are applied
 */
export function withoutEffected(
  entries: readonly OutboxEntry[],
  isHere: (entry: OutboxEntry) => boolean,
): readonly OutboxEntry[] {
  const isIn = (entry: OutboxEntry): boolean => isApplied(entry) && isHere(entry);
  const last = new Map<string, number>();
  entries.forEach((entry, at) => {
    if (isIn(entry)) last.set(nameOf(entry), at);
  });
  return entries.flatMap((entry, at) => {
    const isBelow = at < (last.get(nameOf(entry)) ?? -1);
    if (isIn(entry) || (isBelow && isApplied(entry))) return [];
    return [isBelow && !entry.isCovered && !isRefused(entry) ? { ...entry, isCovered: true } : entry];
  });
}

/** What has to be written so that the outbox is as it should be. An entry under a new id comes at the end. */
export function outboxWrites(before: SyncRead['entries'], after: readonly OutboxEntry[]): StoreWrites {
  const known = new Map(before.map((entry) => [entry.changeId, entry]));
  const kept = new Set(after.map((entry) => entry.changeId));
  return {
    added: after.filter((entry) => !known.has(entry.changeId)),
    changed: after.filter((entry) => known.has(entry.changeId) && known.get(entry.changeId) !== entry),
    dropped: before.filter((entry) => !kept.has(entry.changeId)).map((entry) => entry.changeId),
  };
}
