import { SEQ_ZERO, type Epoch, type Seq } from '../core/change.js';
import {
  beginLineage,
  drainDone,
  drainedTo,
  fillDone,
  filledTo,
  movedTo,
  resetReason,
  withDrain,
  withFill,
  type CheckpointState,
  type ResetReason,
} from '../core/checkpoint.js';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import type { FeedReader, FeedSlice, FeedSnapshot, SliceForm, StoredReceipt } from '../core/feed-port.js';
import type { ScopeSet } from '../core/scope.js';
import { deviceOf, type Session } from '../core/session.js';
import type { ChangeShape } from '../core/shape.js';
import { checkpointTokens, type CheckpointTokens } from './checkpoint-token.js';
import { lineages } from './lineage.js';
import { createSessionScopes } from './session-scopes.js';
import { openSigningKeys, type SigningKeys } from './signing-keys.js';

/** Changes of one page; outside is LIMIT_EXCEEDED, not clamped. */
export const MAX_PULL_LIMIT = 5_000;
export const DEFAULT_PULL_LIMIT = 1_000;
/** Slices of the main range that one page reads: rows that are passed over must not hold a snapshot for long. */
const MAX_MAIN_SLICES = 16;

export interface PullRequest {
  readonly since: string | null;
  /** Null: every collection that there is. */
  readonly collections: readonly string[] | null;
  readonly limit: number;
  readonly shape: ChangeShape;
}

/** One page; `texts` joined by commas are its changes as JSON (UTF-8). */
export interface PullPage {
  readonly texts: readonly Uint8Array[];
  readonly count: number;
  readonly receipts: readonly StoredReceipt[];
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly reset: boolean;
  /** Why `reset` is true; null: it is not. */
  readonly resetReason: ResetReason | null;
  /** The device now equals one snapshot, and every collection of the list had its first ingest, and after a restore its first scan. */
  readonly complete: boolean;
  readonly epoch: Epoch;
  /** Up to where the device has everything once there is no more; never told it. */
  readonly seq: Seq;
}

/** Collections whose first ingest, or first scan after a restore, is not complete, and the epoch in which that was true: in another one nothing is known. */
export interface Priming {
  readonly epoch: Epoch;
  readonly priming: ReadonlySet<string>;
}

export type Pull = (session: Session, request: PullRequest) => Promise<PullPage>;

/**
 * One page of what changed for this session since its checkpoint, oldest first. Safe to repeat (R2).
 *
 * @throws SyncError BAD_CHECKPOINT, CHECKPOINT_COLLECTIONS, LIMIT_EXCEEDED, BAD_REQUEST (unknown collection), UNAVAILABLE
 */
export async function createPull(ports: {
  readonly store: FeedReader;
  readonly collections: readonly Collection[];
  /** Those that sign; absent: those that the store has now. */
  readonly keys?: SigningKeys;
  /** Collections of a tenant whose first ingest, or first scan after a restore, is not complete. */
  readonly readPriming: (tenant: string) => Promise<Priming>;
  /**
   * Told when a checkpoint of the current epoch is ahead of the head: the feed came back from a backup (F5). It ends when a
   * new epoch is in force, so that no other device goes on in the old one. Absent: only this device resets.
   *
   * @param seenHead the seq of the checkpoint
   */
  readonly feedWentBack?: (tenant: string, epoch: Epoch, seenHead: Seq) => Promise<unknown>;
}): Promise<Pull> {
  const { store, readPriming, feedWentBack } = ports;
  const tokens = checkpointTokens(store, ports.keys ?? (await openSigningKeys(store)));
  const scopes = createSessionScopes(ports.collections);
  const lineageOf = lineages(ports.collections);

  /** Head and scopes are where the checkpoint left them: no feed row is touched. */
  async function isUpToDate(since: CheckpointState, session: Session, collections: readonly string[]) {
    if (since.fill !== null || since.drain !== null || since.head !== null) return false;
    const feed = await store.readHead(session.tenant);
    if (feed.epoch !== since.epoch || feed.head !== since.seq) return false;
    const allowed = scopes.allowedAt(feed, session, collections);
    return allowed !== null && tokens.nameOf(allowed) === tokens.nameOf(since.cover);
  }

  return async (session, request) => {
    checkLimit(request.limit);
    const { names: collections, lineage } = lineageOf(request.collections);
    const who = { tenant: session.tenant, user: session.user, lineage };
    const given = request.since === null ? null : await tokens.read(request.since, who);
    const since = given?.kind === 'usable' ? given.state : null;
    const { isEvicted = false } = session;
    const unusable = given?.kind === 'unusable' ? reasonTold(given.reason, isEvicted) : null;
    const place = given?.kind === 'unusable' ? given.place : since;
    // Read before the snapshot: what was complete then is complete in it.
    const before = await readPriming(session.tenant);
    const isPrimed = (epoch: Epoch): boolean =>
      before.epoch === epoch && !collections.some((collection) => before.priming.has(collection));

    if (since !== null && isEvicted === since.isOfEvicted && (await isUpToDate(since, session, collections))) {
      const token = request.since as string;
      // Else a device for which nothing changes would hold on to a key until that is forgotten.
      const checkpoint = tokens.isOfNewestKey(token) ? token : await tokens.write(since);
      return nothingNew(checkpoint, since, isPrimed(since.epoch));
    }
    const turn = (): Promise<SnapshotPage> =>
      store.snapshot(session.tenant, async (snapshot) => {
        const allowed = await scopes.allowedOn(snapshot, session, collections);
        const { epoch, head } = snapshot.feed;
        const reason = since === null ? unusable : resetReason(since, snapshot.feed, isEvicted);
        const continued = reason === null ? since : null;
        const state = continued ?? beginLineage(who, epoch, head, isEvicted);
        const turned = await turnPage(snapshot, state, allowed, request, session, continued === null);
        return {
          ...turned,
          resetReason: reason,
          epoch,
          wentBack: place !== null && place.epoch === epoch && place.seq > head,
        };
      });
    let page = await turn();
    if (page.wentBack && place !== null && feedWentBack !== undefined) {
      await feedWentBack(session.tenant, page.epoch, place.seq);
      page = await turn();
    }
    return finish(tokens, page, isPrimed(page.epoch));
  };
}

interface Turned {
  readonly texts: readonly Uint8Array[];
  readonly count: number;
  readonly receipts: readonly StoredReceipt[];
  readonly state: CheckpointState;
  readonly hasMore: boolean;
  /** The device holds exactly what this snapshot shows. */
  readonly atHead: boolean;
}

interface SnapshotPage extends Turned {
  readonly resetReason: ResetReason | null;
  readonly epoch: Epoch;
  /** The given checkpoint is of this epoch and ahead of its head. */
  readonly wentBack: boolean;
}

/** The machine of specification part 1: drain, fill, main, within `limit` changes and one snapshot. */
async function turnPage(
  snapshot: FeedSnapshot,
  begun: CheckpointState,
  allowed: ScopeSet,
  request: PullRequest,
  session: Session,
  isNew: boolean,
): Promise<Turned> {
  const device = deviceOf(session);
  const form: SliceForm = {
    shape: request.shape,
    device,
    mineAfter: begun.cover.length === 0 ? SEQ_ZERO : begun.seq,
  };
  const texts: Uint8Array[] = [];
  const receipts: StoredReceipt[] = [];
  let state = begun;
  let room = request.limit;
  const full = (at: CheckpointState): Turned => ({
    texts,
    count: request.limit - room,
    receipts,
    state: at,
    hasMore: true,
    atHead: false,
  });
  const take = (slice: FeedSlice<unknown>): void => {
    texts.push(...slice.texts);
    room -= slice.count;
  };

  // 1. Drain first, and nothing else before: the promise on scopes.
  for (let draining = withDrain(state, allowed); draining !== null; draining = withDrain(state, allowed)) {
    if (room === 0) return full(draining);
    const slice = await snapshot.drain(
      { ...draining.drain, seq: draining.seq, cover: draining.cover, fill: draining.fill },
      room,
      form,
    );
    take(slice);
    if (!slice.exhausted) return full(drainedTo(draining, slice.position ?? draining.drain.after));
    state = drainDone(draining);
  }

  // 2. Fill up to the main position, which stays where it is.
  const repeatReceipts = async (): Promise<void> => {
    // The device may have been away from its receipts: every one that is kept comes again (F10).
    if (device !== null) receipts.push(...(await snapshot.receipts(device, SEQ_ZERO, state.seq)));
  };
  for (let filling = withFill(state, allowed); filling !== null; filling = withFill(state, allowed)) {
    if (room === 0) return full(filling);
    const slice = await snapshot.fill({ set: filling.fill.set, after: filling.fill.at, upTo: filling.seq }, room, form);
    take(slice);
    if (!slice.exhausted) return full(filledTo(filling, slice.position ?? filling.fill.at));
    state = fillDone(filling);
    if (filling.cover.length === 0) await repeatReceipts();
  }
  // An initial sync that lost its last scope on the way ends here, too.
  if (state.cover.length === 0 && (isNew || begun.fill !== null || begun.drain !== null)) await repeatReceipts();

  // 3. Main, to the head that page 1 of the round fixed (R2) …
  const start = state.seq;
  let slices = 0;
  const advance = async (upTo: Seq): Promise<void> => {
    while (room > 0 && state.seq < upTo && slices++ < MAX_MAIN_SLICES) {
      const slice = await snapshot.main({ cover: state.cover, after: state.seq, upTo, heldUpTo: start }, room, form);
      take(slice);
      const reached = slice.exhausted ? upTo : slice.position;
      if (reached === null || reached <= state.seq)
        throw new SyncError('INTERNAL', 'the store read a range without end');
      // A receipt comes with the page whose main position first reaches its seq, after the rows (F10).
      if (device !== null) receipts.push(...(await snapshot.receipts(device, state.seq, reached)));
      state = movedTo(state, reached, upTo);
    }
  };
  const roundHead = state.head ?? snapshot.feed.head;
  await advance(roundHead);
  if (state.seq < roundHead) return full(movedTo(state, state.seq, roundHead));
  // … and on to this snapshot's own as far as the limit allows, or parts of one commit might be torn (F23).
  await advance(snapshot.feed.head);
  const atHead = state.seq === snapshot.feed.head;
  return {
    texts,
    count: request.limit - room,
    receipts,
    state: movedTo(state, state.seq, null),
    hasMore: false,
    atHead,
  };
}

async function finish(tokens: CheckpointTokens, page: SnapshotPage, primed: boolean): Promise<PullPage> {
  const { texts, count, receipts, state, hasMore, atHead, resetReason: reason, epoch } = page;
  const checkpoint = await tokens.write(state);
  const reset = { reset: reason !== null, resetReason: reason };
  return { texts, count, receipts, checkpoint, hasMore, ...reset, complete: atHead && primed, epoch, seq: state.seq };
}

/** What is told of several reasons: whose records these are first, then that its id is over. */
function reasonTold(reason: ResetReason, isEvicted: boolean): ResetReason {
  return isEvicted && reason !== 'OTHER_USER' ? 'DEVICE_EVICTED' : reason;
}

function nothingNew(checkpoint: string, since: CheckpointState, primed: boolean): PullPage {
  return {
    texts: [],
    count: 0,
    receipts: [],
    checkpoint,
    hasMore: false,
    reset: false,
    resetReason: null,
    complete: primed,
    epoch: since.epoch,
    seq: since.seq,
  };
}

function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_PULL_LIMIT) return;
  throw new SyncError('LIMIT_EXCEEDED', `limit: expected 1 to ${MAX_PULL_LIMIT}, got ${limit}`, { field: 'limit' });
}
