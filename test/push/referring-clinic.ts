import { randomUUID } from 'node:crypto';
import type { Fields, RecordId, SourceKey } from '../../src/core/change.js';
import { formatVersion } from '../../src/core/change.js';
import { renderBody, type Collection } from '../../src/core/collection.js';
import { EVERY_FIELD } from '../../src/core/conflict.js';
import type { FieldDefinition } from '../../src/core/field.js';
import { nextState, visibleFields } from '../../src/core/overlay.js';
import type { RecordView } from '../../src/core/record-port.js';
import { SOURCE_WRITER, type ScopeGrant, type Session } from '../../src/core/session.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { createPush, type Push } from '../../src/push/push.js';
import type { PushedChange, PushResult } from '../../src/push/pushed-change.js';
import { hashText } from '../../src/server/telemetry.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { edit, turns } from './pushing-clinic.js';
import { createScriptedSource, type ScriptedSource } from './scripted-source.js';

export const PARENT_PATIENCE_MS = 60_000;
const NAMES = ['customers', 'visits', 'orders', 'trips'] as const;
type Name = (typeof NAMES)[number];

const text = (name: string): FieldDefinition => ({
  name,
  type: 'string',
  list: false,
  required: false,
  writable: true,
});
export const customer = (name: string, more: Partial<FieldDefinition> = {}): FieldDefinition => ({
  ...text(name),
  type: 'reference',
  references: 'customers',
  ...more,
});

const FIELDS: Record<Name, readonly FieldDefinition[]> = {
  customers: [text('name'), text('region'), customer('parent')],
  visits: [text('note'), customer('customer'), customer('helpers', { list: true })],
  orders: [text('note'), customer('customer', { required: true })],
  trips: [text('note'), customer('customer')],
};

const SCOPES: Record<Name, Collection['scopesOf']> = {
  customers: ({ region }) => [`region:${String(region ?? 'none')}`],
  visits: () => ['all'],
  orders: () => ['all'],
  trips: (fields) => [`customer:${String(fields['customer'] ?? 'none')}`],
};

/** A gateway's push between devices and a source whose collections refer to each other; it gives customers their keys. */
export interface ReferringClinic {
  readonly tenant: string;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly push: Push;
  readonly sources: Readonly<Record<Name, ScriptedSource>>;
  session(user?: string, grant?: ScopeGrant): Session;
  view(collection: Name, id: string): Promise<RecordView>;
  /** As devices see it. */
  seen(collection: Name, id: string): Promise<Fields | null>;
  version(collection: Name, id: string): Promise<string>;
  /** A record that source and feed know. */
  known(collection: Name, key: string, fields: Fields): Promise<RecordView>;
  /** Pushes and moves the clock until there is an answer. */
  send(changes: readonly PushedChange[], by?: Session): Promise<readonly PushResult[]>;
  fate(change: PushedChange, by?: Session): Promise<PushResult['status'] | undefined>;
  error(change: PushedChange, by?: Session): Promise<unknown>;
  until(isSo: () => boolean | Promise<boolean>): Promise<void>;
  pass(ms: number): Promise<void>;
}

export async function createReferringClinic(
  options: {
    readonly facts?: Partial<SourceFacts>;
    /** Fields besides those that its collections always have. */
    readonly fields?: Partial<Record<Name, readonly FieldDefinition[]>>;
    /** Collections that have their scopes via their customer. */
    readonly viaCustomer?: readonly Name[];
    readonly store?: Store;
    readonly clock?: ManualClock;
  } = {},
): Promise<ReferringClinic> {
  const clock = options.clock ?? createManualClock();
  const chance = seededChance(11);
  const store = options.store ?? createMemoryStore({ clock, chance });
  const tenant = `clinic-${randomUUID()}`;
  await store.openTenant(tenant);
  const collections = NAMES.map((name): Collection => ({
    name,
    type: name,
    source: 'clinic',
    fields: [...FIELDS[name], ...(options.fields?.[name] ?? [])],
    policy: 'mergeFields',
    writes: { create: true, update: true, delete: true },
    ...(options.viaCustomer?.includes(name) === true
      ? { scopesOf: () => [], via: { field: 'customer', collection: 'customers' } }
      : { scopesOf: SCOPES[name] }),
  }));
  const made = collections.map((collection) =>
    createScriptedSource(collection, { createKey: 'source', ...options.facts }),
  );
  const sources = Object.fromEntries(NAMES.map((name, at) => [name, made[at]])) as ReferringClinic['sources'];
  const push = createPush(
    { store, clock, chance, hash: hashText, log: silentLog },
    { tenant, sources: made, holder: 'node', patienceMs: 2_000, parentPatienceMs: PARENT_PATIENCE_MS },
  );
  push.start();

  const view: ReferringClinic['view'] = async (collection, id) => {
    const [found] = await store.readRecords(tenant, [{ collection, id: id as RecordId }]);
    return found as RecordView;
  };
  const until: ReferringClinic['until'] = async (isSo) => {
    for (let steps = 0; !(await isSo()); steps++) {
      if (steps > 5_000) throw new Error('expected it to become so');
      await turns();
      if (steps > 3) clock.advance(100);
    }
  };
  const stored = async (change: PushedChange, by: Session) => {
    const { known } = await store.readChanges({ ...by, device: by.device ?? '' }, [change.changeId]);
    return known[0];
  };
  const clinic: ReferringClinic = {
    tenant,
    store,
    clock,
    push,
    sources,
    view,
    until,
    session: (user = 'nurse', grant = { kind: 'every' }) => ({ tenant, user, device: `${user}-phone`, grant }),
    seen: async (collection, id) => visibleFields(await view(collection, id)),
    async version(collection, id) {
      const [{ epoch }, { seq }] = [await store.readHead(tenant), await view(collection, id)];
      return formatVersion(epoch, seq);
    },
    async known(collection, key, fields) {
      const source = sources[collection];
      source.edit(key, fields);
      const { seq, mark, intents } = await view(collection, key);
      const row = source.rows.get(key);
      const body = renderBody(source.collection, row?.fields ?? {});
      const layer = { deleted: false, body, sourceVersion: `v${row?.version}`, hash: hashText(body), throughUs: false };
      const write = {
        collection,
        id: key as RecordId,
        expected: { seq, mark },
        next: nextState(source.collection, { ...layer, sourceKey: key as SourceKey }, intents),
        stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
      };
      const [outcome] = await store.commit(tenant, [write]);
      expect(outcome?.kind).toBe('written');
      return view(collection, key);
    },
    async send(changes, by = clinic.session()) {
      let answered = false;
      const answer = push.push(by, changes, null).finally(() => (answered = true));
      answer.catch(() => undefined);
      await until(() => answered);
      return answer;
    },
    fate: async (change, by = clinic.session()) => (await stored(change, by))?.status,
    error: async (change, by = clinic.session()) => (await stored(change, by))?.error,
    async pass(ms) {
      for (let left = ms; left > 0; left -= 500) {
        clock.advance(Math.min(500, left));
        await turns();
      }
    },
  };
  return clinic;
}

/** A change of a record of one of its collections. */
export function changeOf(collection: Name, id: string, fields: Fields, more: Partial<PushedChange> = {}): PushedChange {
  return edit(id, null, fields, { collection, ...more });
}
