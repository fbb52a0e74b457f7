import type { Change, RecordId } from '../core/change.js';
import { formatVersion } from '../core/change.js';
import { parseBody, type Collection } from '../core/collection.js';
import { isErased } from '../core/erasure-port.js';
import type { FeedReader } from '../core/feed-port.js';
import { forgiving, visibleFields } from '../core/overlay.js';
import type { RecordStore, RecordView } from '../core/record-port.js';
import { grantsAny } from '../core/scope.js';
import { deviceOf, sameDevice, type Session } from '../core/session.js';
import type { LiveCollection, LivePorts } from './live-bodies.js';
import { fillOne, readBodies } from './live-pull.js';

/** The name of a record. */
export interface RecordName {
  readonly collection: string;
  readonly id: RecordId;
}

export type ReadCurrent = (session: Session, names: readonly RecordName[]) => Promise<readonly (Change | null)[]>;

/**
 * Records as devices now see them, for push results and receipts, in the order of their names; an alias gives the record that it
 * is (F9). A record outside the session's scopes is null like one that does not exist (R13).
 */
export function createReadCurrent(ports: {
  readonly store: Pick<RecordStore, 'readRecords'> & Pick<FeedReader, 'readHead'>;
  /** As their records are kept. */
  readonly collections: readonly Collection[];
  /** Those whose bodies are read from their sources, and what that takes; absent: none. */
  readonly live?: { readonly ports: LivePorts; readonly collections: readonly LiveCollection[] };
}): ReadCurrent {
  const { store } = ports;
  const byName = new Map(ports.collections.map((collection) => [collection.name, collection]));
  const live = new Map((ports.live?.collections ?? []).map((one) => [one.kept.name, one]));

  return async (session, names) => {
    if (names.length === 0) return [];
    const [feed, named] = await Promise.all([store.readHead(session.tenant), store.readRecords(session.tenant, names)]);
    const device = deviceOf(session);
    const views = await followAliases(session.tenant, named);
    const kept = views.map((view) => {
      const collection = byName.get(view.collection);
      if (collection === undefined || view.seq === 0) return null;
      const fields = visibleFields(view);
      if (fields === null) return null;
      // Access follows the source's state where there is one, as in the feed.
      const known = view.body === null ? fields : parseBody(view.body);
      // Its author sees a record that the source does not have yet, whatever its scopes will be (F21).
      const isOwn = view.body === null && view.intents.some((one) => device !== null && sameDevice(one.device, device));
      const isByRule = collection.via === undefined && !isErased(view);
      const scopes = isByRule ? forgiving(collection).scopesOf(known) : view.scopes;
      if (!isOwn && !grantsAny(session.grant, scopes)) return null;
      return changeOf(view, formatVersion(feed.epoch, view.seq), view.deleted ? null : fields);
    });
    return ports.live === undefined ? kept : fillAll(session, views, kept, ports.live.ports);
  };

  /** Nothing is owed for it: the feed brings the record in its own time. */
  async function fillAll(
    session: Session,
    views: readonly RecordView[],
    kept: readonly (Change | null)[],
    livePorts: LivePorts,
  ): Promise<readonly (Change | null)[]> {
    const isAsked = (view: RecordView, at: number): boolean =>
      live.has(view.collection) && kept[at]?.kind === 'UPSERT' && view.body !== null;
    const bodies = await readBodies(livePorts, live, views.filter(isAsked));
    return kept.map((change, at) => {
      const view = views[at] as RecordView;
      if (change === null || !isAsked(view, at)) return change;
      return fillOne(live, session.grant, change, view, bodies).change;
    });
  }

  async function followAliases(tenant: string, views: readonly RecordView[]): Promise<readonly RecordView[]> {
    const aliases = views.flatMap(({ collection, id, aliasOf }) =>
      aliasOf === null ? [] : [{ collection, id, aliasOf }],
    );
    if (aliases.length === 0) return views;
    const holders = await store.readRecords(
      tenant,
      aliases.map(({ collection, aliasOf }) => ({ collection, id: aliasOf })),
    );
    const byAlias = new Map(
      aliases.map(({ collection, id }, at) => [`${collection} ${id}`, holders[at] as RecordView]),
    );
    return views.map((view) => byAlias.get(`${view.collection} ${view.id}`) ?? view);
  }
}

function changeOf(view: RecordView, version: Change['version'], json: Change['json']): Change {
  return {
    collection: view.collection,
    id: view.id,
    version,
    changedAt: new Date(view.changedAtMs).toISOString(),
    kind: json === null ? 'DELETE' : 'UPSERT',
    pending: view.pending,
    mine: [],
    json,
  };
}
