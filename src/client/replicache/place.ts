/**
 * Where a client group stands, as the cookie that Replicache keeps beside its data: what a pull brought and this are written in one step,
 * or not at all, so that nothing else has to be remembered durably.
 *
 * `order` only tells tabs whose data is newer. That nothing is lost or shown twice does not hang on it: each copy of the data has its own
 * checkpoint and its own settled mutations.
 */
export type Place = {
  readonly order: number;
  readonly checkpoint: string | null;
  readonly epoch: string | null;
  /** Of the device id: the next one after an eviction (F11). */
  readonly generation: number;
  /** By client: all its mutations up to this one are settled and shown; and when that was told, ms since 1970. */
  readonly done: Readonly<Record<string, readonly [mutationId: number, atMs: number]>>;
  /** By client: mutations that are settled and shown, although one before them is still open. */
  readonly ahead: Readonly<Record<string, readonly number[]>>;
};

/** Mutations by client. */
export type MutationIds = ReadonlyMap<string, ReadonlySet<number>>;

/** What settled mutations make of a place. */
export interface Settled extends Pick<Place, 'done' | 'ahead'> {
  /** Clients of which more is done than before, as Replicache is told. */
  readonly moved: Record<string, number>;
  /** Nothing of it differs from the place. */
  readonly isSame: boolean;
}

export const NOWHERE: Place = { order: 0, checkpoint: null, epoch: null, generation: 0, done: {}, ahead: {} };

/**
 * A page's load is a client of its own, so `done` would grow for ever. Replicache forgets a client that did nothing for a day; what it forgot
 * is not asked for again.
 */
const FORGOTTEN_AFTER_MS = 30 * 86_400_000;

/** The cookie of a pull as a place. One of another form, of an app that changed its way to sync, begins anew. */
export function placeOf(cookie: unknown): Place {
  const found = (cookie ?? NOWHERE) as Partial<Place>;
  const { order, checkpoint, done, ahead } = found;
  const isPlace = typeof order === 'number' && checkpoint !== undefined && done !== undefined && ahead !== undefined;
  // Never below what Replicache holds: it refuses a cookie that goes backwards.
  return isPlace ? (found as Place) : { ...NOWHERE, order: typeof order === 'number' ? order : 0 };
}

/**
 * Replicache counts mutations as done by the last of a row without gaps. Those behind a gap are kept as `ahead`, for the mutators to leave
 * them out when they are run again.
 *
 * @param agreed what other tabs of the group know
 * @param over settled, and their effect is in the data that this place goes with
 * @param firsts by client: the first mutation that it still had to push; what is before is done
 */
export function settle(
  place: Pick<Place, 'done' | 'ahead'>,
  agreed: Pick<Place, 'done' | 'ahead'>,
  over: MutationIds,
  firsts: ReadonlyMap<string, number>,
  nowMs: number,
): Settled {
  const done: Record<string, readonly [number, number]> = {};
  const ahead: Record<string, readonly number[]> = {};
  const moved: Record<string, number> = {};
  const clients = [place, agreed].flatMap((one) => [...Object.keys(one.done), ...Object.keys(one.ahead)]);
  let isSame = true;
  for (const client of new Set([...clients, ...over.keys()])) {
    const before = place.done[client]?.[0] ?? 0;
    const [elsewhere, atMs] = agreed.done[client] ?? place.done[client] ?? [0, nowMs];
    let last = Math.max(before, elsewhere, (firsts.get(client) ?? 1) - 1);
    const settled = new Set([
      ...(place.ahead[client] ?? []),
      ...(agreed.ahead[client] ?? []),
      ...(over.get(client) ?? []),
    ]);
    while (settled.has(last + 1)) last += 1;
    const behind = [...settled].filter((id) => id > last).sort((a, b) => a - b);
    if (behind.length > 0) ahead[client] = behind;
    const isMoved = last > before;
    if (isMoved) moved[client] = last;
    const isForgotten = nowMs - atMs > FORGOTTEN_AFTER_MS && behind.length === 0;
    if (isMoved || (last > 0 && !isForgotten)) done[client] = [last, last > elsewhere ? nowMs : atMs];
    isSame &&= !isMoved && String(behind) === String(place.ahead[client] ?? []);
  }
  return { done, ahead, moved, isSame };
}
