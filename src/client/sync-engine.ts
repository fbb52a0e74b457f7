import type { ResetReason } from '../core/checkpoint.js';
import { requestReaction } from './error-reactions.js';
import { GatewayFault, type Fate, type Gateway, type PulledPage } from './gateway.js';
import type { LocalStore, RecordName, StoreWrites, SyncRead, SyncState } from './local-store.js';
import { isApplied, newEntry, unsent, type Edit, type OutboxEntry } from './outbox-entry.js';
import { beginningAgain, takePage, type AskedPage } from './page-rules.js';
import { createPortions, type PushLimits } from './portions.js';
import {
  asSent,
  beforeSending,
  isFinal,
  nextPortion,
  ofNewDevice,
  outboxWrites,
  takeFates,
  waitsFor,
} from './push-rules.js';

/** What an engine is made of. */
export interface EngineParts {
  readonly store: LocalStore;
  readonly gateway: Gateway;
  readonly nowMs: () => number;
  /** A UUID in lower case. */
  readonly newId: () => string;
  readonly limits: PushLimits & { readonly page: number };
  readonly news: EngineNews;
}

/** What an engine tells, after it is kept. */
export interface EngineNews {
  /** What is shown of these records may be different now; null: of all. */
  changed(names: readonly RecordName[] | null): void;
  /** Edits that were told something new, in order. */
  told(entries: readonly OutboxEntry[]): void;
  /** The device begins again. */
  reset(reason: ResetReason | null): void;
  /** Everything was removed, for ever. */
  revoked(): void;
}

/** The rules of a device, over any store and any way to a gateway. One piece of work at a time. */
export interface SyncEngine {
  /**
   * Sends what is queued. @returns how many changes were answered
   * @throws GatewayFault - the rest stays queued; DEVICE_REVOKED, for ever, without asking
   */
  push(): Promise<number>;
  /** One round of pages. @throws GatewayFault - the round goes on with the next pull */
  pull(): Promise<void>;
  /** One page into the store. @returns false: it continues a place where this device is not any more */
  apply(asked: AskedPage, page: PulledPage): Promise<boolean>;
  /**
   * Keeps an edit.
   *
   * @param make from what is here; asked again where that moved meanwhile. Null: there is none
   * @param instead the entry in whose place it comes, in the same transaction
   * @throws GatewayFault DEVICE_REVOKED, and what `make` throws
   */
  add(make: () => Promise<Edit | null>, instead?: string): Promise<Edit | null>;
  /** The next pull is an initial sync; what is held is swept when it did not come again; unsent edits stay (F25). */
  beginAgain(): Promise<void>;
  /** Lets go of entries. @returns those that were there */
  discard(changeId: string): Promise<OutboxEntry | null>;
  /** Everything set aside may be sent again. */
  release(): void;
}

/** Commits that may be lost to another tab before something must be wrong. */
const MOST_TRIES = 50;

export function createSyncEngine({ store, gateway, nowMs, newId, limits, news }: EngineParts): SyncEngine {
  const portions = createPortions(limits, nowMs);

  /** Reads, decides, and writes if nothing moved in between; else once more. Null decides to leave it. */
  async function update<T>(decide: (read: Standing) => { readonly writes: StoreWrites; readonly value: T } | null) {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const read = standing(await store.readSync());
      const decided = decide(read);
      if (decided === null) return null;
      const { writes, value } = decided;
      const revision = read.state.revision + 1;
      const state = { ...(writes.state ?? read.state), revision };
      if (await store.commit({ ...writes, state }, read.state.revision)) return { value, before: read };
    }
    throw new GatewayFault('LOCAL_STORE', 'expected the store to keep still');
  }

  /** @param fresh entries that the failed request would have sent for the first time */
  async function react(fault: GatewayFault, fresh: readonly OutboxEntry[] = []): Promise<void> {
    const reaction = requestReaction(fault.code);
    if (reaction === 'beginAgain') await beginAgain();
    if (reaction === 'newDevice' || reaction === 'pullFirst') await takeBack(fresh, reaction === 'newDevice');
    if (reaction === 'wipe') await wipe();
  }

  /** What a push that was refused as a whole would have sent for the first time was never sent. */
  async function takeBack(fresh: readonly OutboxEntry[], isNewDevice: boolean): Promise<void> {
    const refused = new Set(fresh.map(({ changeId }) => changeId));
    const taken = await update((read) => {
      const entries = read.entries.map((entry) => (refused.has(entry.changeId) ? unsent(entry) : entry));
      return renewed(read, entries, isNewDevice);
    });
    tell(taken?.value ?? []);
  }

  /** The outbox as it is to be, of a new device if that is asked for. */
  function renewed({ state, entries }: Standing, next: readonly OutboxEntry[], isNewDevice: boolean) {
    const after = isNewDevice ? ofNewDevice(next) : { entries: next, told: [] };
    const device = isNewDevice ? newId() : state.device;
    return { writes: { state: { ...state, device }, ...outboxWrites(entries, after.entries) }, value: after.told };
  }

  /** An app shows nothing any more of what it may not have; that it may not is remembered. */
  async function wipe(): Promise<void> {
    await update(({ state }) => ({
      writes: { isWiped: true, state: { ...state, checkpoint: null, epoch: null, isRevoked: true } },
      value: null,
    }));
    news.changed(null);
    news.revoked();
  }

  async function beginAgain(): Promise<void> {
    await update((read) => ({ writes: beginningAgain(read), value: null }));
    news.reset(null);
  }

  function tell(entries: readonly OutboxEntry[]): void {
    if (entries.length === 0) return;
    news.changed(entries);
    news.told(entries);
  }

  /**
   * @param tried left alone; those that are answered come to it
   * @returns how many were answered; null: there is nothing more to send now
   */
  async function pushPortion(tried: Set<string>): Promise<number | null> {
    const chosen = await update(({ state, entries }) => {
      const batch = portions.next((bounds, isLeft) =>
        nextPortion(entries, bounds, ({ changeId }) => tried.has(changeId) || isLeft(changeId)),
      );
      if (batch.length === 0) return null;
      return { writes: beforeSending(batch, state.epoch), value: { batch, state } };
    });
    if (chosen === null) return null;
    const { batch, state } = chosen.value;
    const fates = await send(state, batch);
    if (fates === null) return 0;
    for (const { changeId } of batch) tried.add(changeId);
    const isCopied = await hear(state, fates);
    // What goes on under new ids waits for the next time, lest a gateway that knows every id is asked for ever.
    return isCopied ? null : fates.length;
  }

  /** @returns whether an id of this device stands for another one's change */
  async function hear({ generation }: SyncState, fates: readonly Fate[]): Promise<boolean> {
    let isCopied = false;
    const answered = await update((read) => {
      const heard = read.state.generation === generation ? fates : fates.filter(isFinal);
      const taken = takeFates(read.entries, heard, false, newId);
      isCopied = taken.isCopied;
      const { writes, value } = renewed(read, taken.entries, isCopied);
      return { writes, value: [...taken.told, ...value] };
    });
    tell(answered?.value ?? []);
    return isCopied;
  }

  /** @returns null: it was too much at once, and less is to be sent */
  async function send(state: SyncState, batch: readonly OutboxEntry[]): Promise<readonly Fate[] | null> {
    const changeIds = batch.map(({ changeId }) => changeId);
    try {
      const fates = await gateway.push(state.device, batch.map(asSent), new Date(nowMs()).toISOString(), state.epoch);
      portions.passed(changeIds);
      return fates;
    } catch (thrown) {
      const fault = GatewayFault.from(thrown, 'UNREACHABLE');
      for (const changeId of portions.failed(changeIds, fault)) await hear(state, [waitsFor(fault, changeId)]);
      if (requestReaction(fault.code) === 'less') return null;
      await react(
        fault,
        batch.filter((entry) => !entry.isSent),
      );
      throw fault;
    }
  }

  async function apply(asked: AskedPage, page: PulledPage): Promise<boolean> {
    const taken = await update((read) => {
      const decided = takePage(read, asked, page, nowMs(), newId);
      return decided === null ? null : { writes: decided.writes, value: decided };
    });
    if (taken === null) return false;
    const { writes, told } = taken.value;
    // What is swept, or wiped, has no names here.
    const isNamed = writes.sweepBelow === undefined && writes.isWiped !== true;
    news.changed(isNamed ? [...page.changes, ...touched(writes, taken.before)] : null);
    news.told(told);
    if (page.reset) news.reset(page.resetReason ?? null);
    return true;
  }

  return {
    apply,
    beginAgain,
    async push() {
      // Without an epoch a repeat after a restore could not be told from a first time (F5): the first pull goes first.
      if (opened(await store.readState()).epoch === null) return 0;
      const tried = new Set<string>();
      let answered = 0;
      try {
        for (let count: number | null = 0; count !== null; count = await pushPortion(tried)) answered += count;
      } catch (thrown) {
        // The pull that follows tells which edits the gateway lost: they go first.
        if (requestReaction((thrown as GatewayFault).code) !== 'pullFirst') throw thrown;
      }
      return answered;
    },
    async pull() {
      for (let isFirst = true; ; isFirst = false) {
        const { state, entries } = standing(await store.readSync());
        const { device, checkpoint: since, collections } = state;
        const final = new Set(entries.filter(isApplied).map((entry) => entry.changeId));
        try {
          const page = await gateway.pull({ device, since, collections, limit: limits.page });
          if (!(await apply({ since, final }, page)) || !page.hasMore) return;
        } catch (thrown) {
          const fault = GatewayFault.from(thrown, 'LOCAL_STORE');
          await react(fault);
          if (!isFirst || requestReaction(fault.code) !== 'beginAgain') throw fault;
        }
      }
    },
    async add(make, instead) {
      for (;;) {
        const state = opened(await store.readState());
        const edit = await make();
        if (edit === null) return null;
        // Alone it does not move the state, lest a user who types keeps a page from its place.
        const taken =
          instead === undefined ? {} : { dropped: [instead], state: { ...state, revision: state.revision + 1 } };
        // Not into a store that was wiped in between.
        if (!(await store.commit({ added: [newEntry(edit)], ...taken }, state.revision))) continue;
        news.changed([edit]);
        return edit;
      }
    },
    async discard(changeId) {
      const found = await update(({ entries }) => {
        const entry = entries.find((one) => one.changeId === changeId);
        return entry === undefined ? null : { writes: { dropped: [changeId] }, value: entry };
      });
      if (found !== null) news.changed([found.value]);
      return found?.value ?? null;
    },
    release: portions.release,
  };
}

type Standing = SyncRead & { readonly state: SyncState };

function standing({ state, entries }: SyncRead): Standing {
  return { state: opened(state), entries };
}

/** @throws GatewayFault LOCAL_STORE - nobody opened it; DEVICE_REVOKED, for ever */
function opened(state: SyncState | null): SyncState {
  if (state === null) throw new GatewayFault('LOCAL_STORE', 'expected a store that was opened for a device');
  if (state.isRevoked) throw new GatewayFault('DEVICE_REVOKED', "this installation's rights were taken away");
  return state;
}

/** Records of entries that are other ones now, or gone. */
function touched(writes: StoreWrites, { entries }: Standing): readonly RecordName[] {
  const ids = new Set([...(writes.dropped ?? []), ...(writes.changed ?? []).map((entry) => entry.changeId)]);
  return entries.filter((entry) => ids.has(entry.changeId));
}
