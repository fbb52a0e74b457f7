import type { PatchOperation, Puller, PullerResult, ReadonlyJSONValue } from 'replicache';
import { deviceOf, type ClientGroup } from './client-group.js';
import { refusal } from './faults.js';
import type { ClientClock } from '../client-clock.js';
import { GatewayFault, type Gateway, type PulledChange } from '../gateway.js';
import { aheadKey, ORIGIN_KEY, recordKey, type HeldRecord } from './mutators.js';
import { NOWHERE, placeOf, settle, type MutationIds, type Place } from './place.js';
import type { Agreed, Tabs } from './tabs.js';

export interface PullerParts {
  readonly gateway: Gateway;
  readonly collections: readonly string[];
  /** Most changes of one page. */
  readonly pageSize: number;
  readonly clock: ClientClock;
  readonly tabs: Tabs;
  readonly groupOf: (id: string) => ClientGroup;
  /** What is held under a key now; undefined: nothing, or nobody can tell. */
  readonly held: (key: string) => Promise<ReadonlyJSONValue | undefined>;
  /** What is on its way has to be pushed again: its receipts may be forgotten, or its device is another one. */
  readonly pushAgain: () => void;
  readonly onRevoked: () => void;
}

/**
 * Whole rounds only: Replicache shows what a pull brings at once, so that an app never sees half of one (F23). Each is tried so often to
 * come to the end of the feed, or to be the newest of all tabs.
 */
const MOST_ROUNDS = 8;

/**
 * Pull as Replicache wants it: patch, cookie and last mutation ids that belong together. Safe to repeat: nothing is remembered but in the
 * cookie, which Replicache writes together with the patch, and only if it still stands at the one that was sent.
 */
export function createPuller(parts: PullerParts): Puller {
  const unfinished = new Map<string, { readonly from: string; readonly collected: Collected }>();
  return async (request): Promise<PullerResult> => {
    if (request.pullVersion !== 1) return { response: { error: 'VersionNotSupported', versionType: 'pull' }, ...OK };
    const group = parts.groupOf(request.clientGroupID);
    const place = placeOf(request.cookie);
    group.generation = Math.max(group.generation, place.generation);
    group.epoch = place.epoch ?? group.epoch;
    group.fates.forget((client) => place.done[client]?.[0] ?? 0);
    try {
      // What a pull that broke off had collected is gone on with: a first sync is long, and networks are short.
      const from = JSON.stringify(request.cookie);
      const known = unfinished.get(group.id);
      const collected = known?.from === from ? known.collected : createCollected(parts, place);
      unfinished.set(group.id, { from, collected });
      const response = await pull(parts, group, place, collected);
      unfinished.delete(group.id);
      return { response, ...OK };
    } catch (thrown) {
      if (!(thrown instanceof GatewayFault && thrown.code === 'DEVICE_REVOKED'))
        return { httpRequestInfo: refusal(thrown) };
      parts.onRevoked();
      return { response: await wiped(parts, group, place), ...OK };
    }
  };
}

const OK = { httpRequestInfo: { httpStatusCode: 200, errorMessage: '' } };

type Response = {
  readonly cookie: Place;
  readonly lastMutationIDChanges: Record<string, number>;
  readonly patch: PatchOperation[];
};

/** Everything since the place, up to the end of the feed. */
async function pull(parts: PullerParts, group: ClientGroup, place: Place, collected: Collected): Promise<Response> {
  for (let round = 1; round <= MOST_ROUNDS; round += 1) {
    if (!collected.isMidRound) {
      collected.agreed = await parts.tabs.agreed(group.id);
      // What was final before a round began has its effect in it; what is told meanwhile may lie behind its end.
      add(collected.over, group.fates.finals());
    }
    const isAtEnd = await pullRound(parts, group, collected);
    if (!isAtEnd && round < MOST_ROUNDS) continue;
    const next = nextPlace(parts, group, place, collected);
    if (next === null) return { cookie: place, lastMutationIDChanges: {}, patch: [] };
    if (!(await parts.tabs.agree(group.id, collected.agreed.order, next.place))) continue;
    group.epoch = next.place.epoch;
    if (collected.isReset) parts.pushAgain();
    return { cookie: next.place, lastMutationIDChanges: next.moved, patch: patchOf(place, next.place, collected) };
  }
  throw new GatewayFault('UNREACHABLE', 'expected to be the newest of the tabs that pull, got overtaken each time');
}

/** @returns whether it ended where the feed did */
async function pullRound(
  { gateway, collections, pageSize }: PullerParts,
  group: ClientGroup,
  collected: Collected,
): Promise<boolean> {
  for (let isNews = false; ;) {
    const device = deviceOf(group, collected.generation);
    const asked = { device, since: collected.checkpoint, collections, limit: pageSize };
    const page = await gateway.pull(asked).catch(beginAgain);
    if (page === null) {
      collected.begin();
      continue;
    }
    if (page.reset) collected.begin();
    if (page.resetReason === 'DEVICE_EVICTED') collected.generation += 1;
    await collected.take(page.changes);
    // In the page that carries their effect (F10).
    for (const receipt of page.receipts) await group.fates.hear(receipt, true);
    if (page.receipts.length > 0)
      add(collected.over, group.fates.finals(page.receipts.map(({ changeId }) => changeId)));
    collected.checkpoint = page.checkpoint;
    collected.epoch = page.epoch;
    collected.isMidRound = page.hasMore;
    isNews ||= page.changes.length > 0;
    // A last page that is full of news may not have come to the end of its snapshot.
    if (!page.hasMore) return page.complete || !isNews;
  }
}

/** F24: a checkpoint that is of no use is dropped; so is that of an app which had other collections. */
function beginAgain(thrown: unknown): null {
  const code = thrown instanceof GatewayFault ? thrown.code : null;
  if (code === 'BAD_CHECKPOINT' || code === 'CHECKPOINT_COLLECTIONS') return null;
  throw thrown;
}

/** What the pages of a pull come to. */
interface Collected {
  checkpoint: string | null;
  epoch: string | null;
  generation: number;
  /** All that is held goes, but for what came since (F25). */
  isReset: boolean;
  /** Pages of the round under way are still to come. */
  isMidRound: boolean;
  /** Of the tabs, when the last round began. */
  agreed: Agreed;
  /** Mutations whose effect is in what was collected, at the end of the round. */
  readonly over: Map<string, Set<number>>;
  /** By key; null: it is gone. */
  readonly records: Map<string, HeldRecord | null>;
  /** From the start: nothing that is held counts. */
  begin(): void;
  take(changes: readonly PulledChange[]): Promise<void>;
}

function createCollected({ held }: PullerParts, place: Place): Collected {
  const records = new Map<string, HeldRecord | null>();
  return {
    checkpoint: place.checkpoint,
    epoch: place.epoch,
    generation: place.generation,
    isReset: false,
    isMidRound: false,
    agreed: NOWHERE,
    over: new Map(),
    records,
    begin() {
      this.checkpoint = null;
      this.isReset = true;
      records.clear();
    },
    async take(changes) {
      for (const { collection, id, kind, version, pending, json } of changes) {
        const key = recordKey(collection, id);
        if (kind !== 'UPSERT') records.set(key, null);
        else if (json !== null) records.set(key, { id, version, isPending: pending, fields: json });
        // Its body cannot be read now: what is held of it stays, in a reset too (F29).
        else if (this.isReset) records.set(key, ((await held(key)) as HeldRecord | undefined) ?? null);
      }
    },
  };
}

/** Null: nothing is new. */
function nextPlace(
  { clock }: PullerParts,
  group: ClientGroup,
  place: Place,
  collected: Collected,
): { readonly place: Place; readonly moved: Record<string, number> } | null {
  const { checkpoint, epoch, generation, isReset, records, agreed, over } = collected;
  const settled = settle(place, agreed, over, group.fates.firsts(), clock.nowMs());
  const isSame = checkpoint === place.checkpoint && !isReset && records.size === 0 && settled.isSame;
  if (isSame) return null;
  const order = Math.max(place.order, agreed.order) + 1;
  const { done, ahead, moved } = settled;
  return { place: { order, checkpoint, epoch, generation, done, ahead }, moved };
}

function patchOf(before: Place, after: Place, { isReset, records }: Collected): PatchOperation[] {
  const patch: PatchOperation[] = isReset ? [{ op: 'clear' }] : [];
  for (const [key, record] of records) {
    if (record !== null) patch.push({ op: 'put', key, value: record });
    else if (!isReset) patch.push({ op: 'del', key });
  }
  const marks = marksOf(after);
  const known = isReset ? new Set<string>() : marksOf(before);
  for (const key of known) if (!marks.has(key)) patch.push({ op: 'del', key });
  for (const key of marks) if (!known.has(key)) patch.push({ op: 'put', key, value: true });
  const { epoch, generation } = after;
  if (isReset || epoch !== before.epoch || generation !== before.generation)
    patch.push({ op: 'put', key: ORIGIN_KEY, value: { epoch, generation } });
  return patch;
}

function marksOf({ ahead }: Place): Set<string> {
  return new Set(Object.entries(ahead).flatMap(([client, ids]) => ids.map((id) => aheadKey(client, id))));
}

/** A device whose rights were taken away for ever holds nothing any more, of its own edits neither. */
async function wiped({ tabs }: PullerParts, group: ClientGroup, place: Place): Promise<Response> {
  if (place.checkpoint === null) return { cookie: place, lastMutationIDChanges: {}, patch: [] };
  const { order } = await tabs.agreed(group.id);
  const cookie = { ...NOWHERE, generation: place.generation, order: Math.max(order, place.order) + 1 };
  await tabs.agree(group.id, order, cookie);
  return { cookie, lastMutationIDChanges: Object.fromEntries(group.fates.lasts()), patch: [{ op: 'clear' }] };
}

function add(to: Map<string, Set<number>>, more: MutationIds): void {
  for (const [client, ids] of more) to.set(client, new Set([...(to.get(client) ?? []), ...ids]));
}
