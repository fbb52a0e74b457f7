import { parseVersion, type Change, type SourceKey } from '../core/change.js';
import { SyncError } from '../core/errors.js';
import type { KeepingStore, OwedBody } from '../core/keeping.js';
import type { RecordStore, RecordView } from '../core/record-port.js';
import type { ScopeGrant, Session } from '../core/session.js';
import { fullShape, withoutFields, type ChangeShape } from '../core/shape.js';
import {
  fillChange,
  LIVE_READ_MS,
  readLive,
  type LiveBody,
  type LiveCollection,
  type LivePorts,
} from './live-bodies.js';
import { MAX_PULL_LIMIT, type Pull, type PullPage, type PullRequest } from './pull.js';

/** Changes of one page whose bodies are read while its device waits. A shorter page than asked for is never the end (R2). */
const MAX_LIVE_LIMIT = 200;
/** And of one from a source that is too slow for that. */
const MIN_LIVE_LIMIT = 10;
/** A body that is owed is looked for after this long. */
const OWED_AFTER_MS = 1_000;

/**
 * A pull whose bodies of these collections are read from their sources (F29). The page goes on whatever a source says: a change whose body
 * cannot be read says so, one that its session may not see any more is left out, and every record of which not just the state that is
 * known here was shown is owed, durably, before the page leaves: it comes again (`owed-bodies`).
 */
export function withLiveBodies(
  pull: Pull,
  ports: LivePorts & {
    readonly store: Pick<RecordStore, 'readRecords'> & Pick<KeepingStore, 'oweBodies' | 'owingCollections'>;
  },
  options: { readonly collections: readonly string[]; readonly live: readonly LiveCollection[] },
): Pull {
  const { store } = ports;
  const live = new Map(options.live.map((one) => [one.kept.name, one]));
  if (live.size === 0) return pull;
  const shape = withoutFields(fullShape(options.collections, 'live'), new Set(live.keys()));

  let room = MAX_LIVE_LIMIT;

  /** A source that did not manage a page in its time gets a shorter one next: what was not read in it is read twice again. */
  function paced(tookMs: number, read: number): void {
    if (tookMs >= LIVE_READ_MS) room = Math.max(MIN_LIVE_LIMIT, Math.min(room, read));
    else if (tookMs < LIVE_READ_MS / 2) room = Math.min(MAX_LIVE_LIMIT, room * 2);
  }

  async function fill(session: Session, page: PullPage): Promise<PullPage> {
    const changes = changesOf(page);
    const asked = changes.filter(({ kind, collection }) => kind === 'UPSERT' && live.has(collection));
    if (asked.length === 0) return page;
    const views = new Map((await store.readRecords(session.tenant, asked)).map((view) => [nameOf(view), view]));
    const beganMs = ports.clock.monotonicMs();
    const bodies = await readBodies(ports, live, [...views.values()]);
    paced(ports.clock.monotonicMs() - beganMs, [...bodies.values()].filter(({ kind }) => kind !== 'unread').length);
    const owed: Omit<OwedBody, 'owedNo'>[] = [];
    const filled = changes.map((change) => {
      if (change.kind !== 'UPSERT' || !live.has(change.collection)) return change;
      const view = views.get(nameOf(change)) as RecordView;
      // What it became since then has a place of its own, behind this one.
      if (hasMovedOn(view, change)) return null;
      const one = fillOne(live, session.grant, change, view, bodies);
      if (one.isOwed) owed.push({ collection: view.collection, id: view.id, seq: view.seq });
      return one.change;
    });
    if (owed.length > 0) await store.oweBodies(session.tenant, owed, OWED_AFTER_MS);
    const shown = filled.filter((change) => change !== null);
    const texts = shown.length === 0 ? [] : [Buffer.from(JSON.stringify(shown).slice(1, -1))];
    return { ...page, texts, count: shown.length };
  }

  return async (session, request) => {
    const names = request.collections ?? options.collections;
    if (!names.some((name) => live.has(name))) return pull(session, request);
    const page = await fill(
      session,
      await pull(session, { ...request, limit: limitOf(request, room), shape: liveShape(request, shape) }),
    );
    if (!page.complete) return page;
    const owing = await store.owingCollections(session.tenant);
    return { ...page, complete: !names.some((name) => owing.has(name)) };
  };
}

/** Reads the bodies of records, by their names. */
export async function readBodies(
  ports: LivePorts,
  live: ReadonlyMap<string, LiveCollection>,
  views: readonly RecordView[],
): Promise<ReadonlyMap<string, LiveBody>> {
  const bodies = new Map<string, LiveBody>();
  const reads = [...live].map(async ([name, one]) => {
    const own = views.filter(({ collection, sourceKey }) => collection === name && sourceKey !== null);
    if (own.length === 0) return;
    const found = await readLive(
      ports,
      one,
      own.map(({ sourceKey }) => sourceKey as SourceKey),
    );
    for (const view of own) bodies.set(nameOf(view), found.get(view.sourceKey as SourceKey) as LiveBody);
  });
  await Promise.all(reads);
  return bodies;
}

/** As `fillChange`; a record without a key is nowhere to be read. */
export function fillOne(
  live: ReadonlyMap<string, LiveCollection>,
  grant: ScopeGrant,
  change: Change,
  view: RecordView,
  bodies: ReadonlyMap<string, LiveBody>,
): ReturnType<typeof fillChange> {
  const body = bodies.get(nameOf(view)) ?? { kind: 'gone' };
  return fillChange(live.get(view.collection) as LiveCollection, grant, change, view, body);
}

/** Where bodies are read, changes are taken apart: no other shape can be filled. */
function liveShape({ shape }: PullRequest, own: ChangeShape): ChangeShape {
  if (shape.key === 'full') return own;
  throw new SyncError('INTERNAL', 'expected the full shape for changes whose bodies are read from their source');
}

/** What is no limit stays none, for the pull to say so. */
function limitOf({ limit }: PullRequest, room: number): number {
  return limit > MAX_PULL_LIMIT ? limit : Math.min(limit, room);
}

function changesOf({ texts }: PullPage): readonly Change[] {
  const parts = texts.map((text) => Buffer.from(text).toString('utf8')).filter((text) => text !== '');
  return JSON.parse(`[${parts.join(',')}]`) as readonly Change[];
}

function hasMovedOn(view: RecordView, { version }: Change): boolean {
  const isElsewhere = view.deleted || view.aliasOf !== null || view.seq === 0;
  return isElsewhere && view.seq > (parseVersion(version)?.seq ?? 0);
}

function nameOf({ collection, id }: Pick<Change, 'collection' | 'id'>): string {
  return `${collection} ${id}`;
}
