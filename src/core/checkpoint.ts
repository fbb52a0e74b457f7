import { SEQ_ZERO, type Epoch, type Seq } from './change.js';
import { difference, EMPTY_SCOPE_SET, union, type ScopeSet } from './scope.js';

/** Where a drain stands: the last membership row it passed, in the order of its primary key; null: before the first. */
export interface DrainPosition {
  readonly recordNo: number;
  readonly scope: string;
}

/** Live rows of newly gained scopes, sent up to the frozen main position (specification 1, step 2). */
export interface Fill {
  readonly set: ScopeSet;
  readonly at: Seq;
}

/** Rows of lost scopes, taken back before anything else is sent (specification 1, step 1). */
export interface Drain {
  readonly set: ScopeSet;
  readonly after: DrainPosition | null;
}

/**
 * What a checkpoint says: the device holds exactly what it must of `cover` up to `seq`, and of `fill.set` up to `fill.at`
 * (rule R3, specification part 1). Immutable: each step returns a new state.
 */
export interface CheckpointState {
  readonly tenant: string;
  readonly user: string;
  /** Hash of the immutable `collections` list of this lineage; `*` when the list is null. */
  readonly lineage: string;
  readonly epoch: Epoch;
  readonly seq: Seq;
  /** The head fixed by page 1 of the round that is under way (R2); null between rounds. */
  readonly head: Seq | null;
  readonly cover: ScopeSet;
  readonly fill: Fill | null;
  readonly drain: Drain | null;
  /** Begun for a device that was evicted: it was told (F11). */
  readonly isOfEvicted: boolean;
}

/**
 * Why a device begins again. `NEW_EPOCH`: the feed was rebuilt or restored. `EXPIRED`: the checkpoint is older than what is kept.
 * `OTHER_USER`: it is somebody else's. `DEVICE_EVICTED`: the device was silent for too long (F11).
 */
export const RESET_REASONS = ['NEW_EPOCH', 'EXPIRED', 'OTHER_USER', 'DEVICE_EVICTED'] as const;
export type ResetReason = (typeof RESET_REASONS)[number];

/** The state of a device that holds nothing: its initial sync is a fill with an empty cover, main frozen at this head. */
export function beginLineage(
  who: { tenant: string; user: string; lineage: string },
  epoch: Epoch,
  head: Seq,
  isOfEvicted: boolean,
): CheckpointState {
  return { ...who, epoch, seq: head, head: null, cover: EMPTY_SCOPE_SET, fill: null, drain: null, isOfEvicted };
}

/**
 * Why a validly signed checkpoint cannot be continued; null when it can. The horizon is compared with `seq` only (F2).
 *
 * @param isEvicted the device that asks
 */
export function resetReason(
  state: CheckpointState,
  feed: { readonly epoch: Epoch; readonly head: Seq; readonly horizon: Seq },
  isEvicted: boolean,
): ResetReason | null {
  // Once only: what is begun then goes on like any other.
  if (isEvicted && !state.isOfEvicted) return 'DEVICE_EVICTED';
  if (state.epoch !== feed.epoch || state.seq > feed.head) return 'NEW_EPOCH';
  return state.seq < feed.horizon ? 'EXPIRED' : null;
}

/** Step 1: the running drain, or a new one for the scopes that the session no longer has; null when nothing is lost. */
export function withDrain(
  state: CheckpointState,
  allowed: ScopeSet,
): (CheckpointState & { readonly drain: Drain }) | null {
  if (state.drain !== null) return { ...state, drain: state.drain };
  const lost = difference(union(state.cover, state.fill?.set ?? EMPTY_SCOPE_SET), allowed);
  if (lost.length === 0) return null;
  const filling = state.fill === null ? EMPTY_SCOPE_SET : difference(state.fill.set, lost);
  return {
    ...state,
    cover: difference(state.cover, lost),
    fill: state.fill === null || filling.length === 0 ? null : { set: filling, at: state.fill.at },
    drain: { set: lost, after: null },
  };
}

export function drainedTo(
  state: CheckpointState & { readonly drain: Drain },
  after: DrainPosition | null,
): CheckpointState {
  return { ...state, drain: { set: state.drain.set, after } };
}

export function drainDone(state: CheckpointState): CheckpointState {
  return { ...state, drain: null };
}

/** Step 2: the running fill, or a new one for the scopes that the session gained; null when nothing is gained. */
export function withFill(
  state: CheckpointState,
  allowed: ScopeSet,
): (CheckpointState & { readonly fill: Fill }) | null {
  if (state.fill !== null) return { ...state, fill: state.fill };
  const gained = difference(allowed, state.cover);
  return gained.length === 0 ? null : { ...state, fill: { set: gained, at: SEQ_ZERO } };
}

export function filledTo(state: CheckpointState & { readonly fill: Fill }, at: Seq): CheckpointState {
  return { ...state, fill: { set: state.fill.set, at } };
}

export function fillDone(state: CheckpointState & { readonly fill: Fill }): CheckpointState {
  return { ...state, cover: union(state.cover, state.fill.set), fill: null };
}

/** Step 3: the main position moved; `roundHead` stays fixed while the round goes on, null ends the round. */
export function movedTo(state: CheckpointState, seq: Seq, roundHead: Seq | null): CheckpointState {
  return { ...state, seq, head: roundHead };
}
