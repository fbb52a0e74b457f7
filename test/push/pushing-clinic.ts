import { randomUUID } from 'node:crypto';
import { EVERY_FIELD } from '../../src/core/conflict.js';
import { formatVersion, type Fields, type RecordId, type SourceKey } from '../../src/core/change.js';
import { changedFields, parseBody, renderBody, type Collection, type Policy } from '../../src/core/collection.js';
import { idOfSourceKey } from '../../src/core/id.js';
import { keptWhole } from '../../src/core/keeping.js';
import { nextState } from '../../src/core/overlay.js';
import type { RecordStore, RecordView } from '../../src/core/record-port.js';
import { SOURCE_WRITER, type ScopeGrant, type Session } from '../../src/core/session.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { createPush, type Push } from '../../src/push/push.js';
import type { PushedChange, PushResult } from '../../src/push/pushed-change.js';
import { digestedSource } from '../../src/sealing/digested-source.js';
import { keptCollection } from '../../src/sealing/digests.js';
import { createSealer } from '../../src/sealing/sealer.js';
import { sealedEdits } from '../../src/sealing/sealed-edits.js';
import { valuelessStore } from '../../src/sealing/valueless-store.js';
import { hashText } from '../../src/server/telemetry.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { createScriptedSource, type ScriptedSource } from './scripted-source.js';

export const PATIENCE_MS = 2_000;
const SECRET = Uint8Array.from({ length: 32 }, (_, at) => at);

/** Visits with a scope per route; `number` is the source's own. */
export function visitsCollection(policy: Policy = 'mergeFields'): Collection {
  const field = { list: false, required: false, writable: true } as const;
  return {
    name: 'visits',
    type: 'Visit',
    source: 'clinic',
    fields: [
      { ...field, name: 'note', type: 'string' },
      { ...field, name: 'status', type: 'string' },
      { ...field, name: 'route', type: 'string', required: true },
      { ...field, name: 'number', type: 'int', writable: false },
    ],
    policy,
    writes: { create: true, update: true, delete: true },
    scopesOf: (fields) => (typeof fields['route'] === 'string' ? [`route:${fields['route']}`] : []),
  };
}

/** A gateway's push between devices and one source. */
export interface Clinic {
  readonly store: Store;
  readonly clock: ManualClock;
  readonly source: ScriptedSource;
  readonly push: Push;
  readonly tenant: string;
  /** Another process on the same store. */
  another(options?: { readonly store?: RecordStore; readonly holder?: string }): Push;
  session(user?: string, grant?: ScopeGrant): Session;
  /** A visit that the source and the feed know. @returns its version */
  visit(id: string, fields?: Fields): Promise<string>;
  /** The source's state, observed. @returns the new version */
  observe(id: string): Promise<string>;
  view(id: string): Promise<RecordView>;
  version(id: string): Promise<string>;
  /** Pushes and moves the clock until there is an answer. */
  send(
    changes: readonly PushedChange[],
    by?: Session,
    sentAtMs?: number | null,
    knownEpoch?: string | null,
  ): Promise<readonly PushResult[]>;
  sendOne(change: PushedChange, by?: Session): Promise<PushResult>;
  /** What is stored of a change. */
  fate(changeId: string, by?: Session): Promise<string | undefined>;
  /** Moves the clock in small steps until all is as wanted. */
  until(isSo: () => boolean | Promise<boolean>): Promise<void>;
}

export async function createClinic(
  options: {
    readonly policy?: Policy;
    /** What else the collection declares. */
    readonly declares?: Pick<Collection, 'visibility' | 'deletedRecord' | 'rules'> &
      Partial<Pick<Collection, 'scopesOf'>>;
    readonly facts?: Partial<SourceFacts>;
    readonly store?: Store;
    readonly clock?: ManualClock;
    readonly isStarted?: boolean;
    /** No field value rests in it (F29). */
    readonly isBare?: boolean;
  } = {},
): Promise<Clinic> {
  const clock = options.clock ?? createManualClock();
  const chance = seededChance(7);
  const opened = options.store ?? createMemoryStore({ clock, chance });
  const declared = { ...visitsCollection(options.policy), ...options.declares };
  const collection = options.isBare === true ? keptCollection(declared, SECRET) : declared;
  const source = createScriptedSource(declared, options.facts);
  const served = options.isBare === true ? digestedSource(source, collection) : source;
  const sealer = createSealer(`k1:${Buffer.from(SECRET).toString('base64')}`);
  const store =
    options.isBare === true
      ? valuelessStore(sealedEdits(opened, sealer, new Set([collection.name])), [collection])
      : opened;
  const tenant = `clinic-${randomUUID()}`;
  await store.openTenant(tenant);
  // Its first load is complete.
  await store.commit(tenant, [], { ingest: { collection: 'visits', state: 'READY', scannedAtMs: clock.nowMs() } });
  const another: Clinic['another'] = ({ store: other, holder = 'another' } = {}) =>
    createPush(
      { store: { ...store, ...other }, clock, chance, hash: hashText, log: silentLog },
      { tenant, sources: [served], holder, patienceMs: PATIENCE_MS },
    );
  const push = another({ holder: 'node' });
  if (options.isStarted ?? true) push.start();

  async function view(id: string): Promise<RecordView> {
    const [found] = await store.readRecords(tenant, [{ collection: 'visits', id: id as RecordId }]);
    return found as RecordView;
  }
  async function version(id: string): Promise<string> {
    const [{ epoch }, { seq }] = [await store.readHead(tenant), await view(id)];
    return formatVersion(epoch, seq);
  }
  async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
    for (let steps = 0; !(await isSo()); steps++) {
      if (steps > 5_000) throw new Error('expected it to become so');
      await turns();
      if (steps > 3) clock.advance(50);
    }
  }
  const clinic: Clinic = {
    store,
    clock,
    source,
    push,
    tenant,
    another,
    view,
    version,
    until,
    session: (user = 'nurse', grant = { kind: 'every' }) => ({ tenant, user, device: `${user}-phone`, grant }),
    async visit(id, fields = { note: 'as planned', status: 'OPEN', route: '7', number: 1 }) {
      source.edit(id, fields);
      return clinic.observe(id);
    },
    async observe(id) {
      const row = source.rows.get(id);
      const { seq, mark, ...before } = await view(id);
      const shown = keptWhole(collection, id as SourceKey, row?.fields ?? {});
      const body = row === undefined ? before.body : renderBody(collection, shown);
      const known = before.body === null || before.deleted ? null : parseBody(before.body);
      const isWhole = known === null || row === undefined;
      const changed = isWhole ? [EVERY_FIELD] : changedFields(collection, known, shown);
      const layer = {
        sourceKey: id as SourceKey,
        deleted: row === undefined,
        body,
        sourceVersion: row === undefined ? null : `v${row.version}`,
        hash: hashText(body ?? ''),
        throughUs: false,
      };
      const [outcome] = await store.commit(tenant, [
        {
          collection: 'visits',
          id: idOfSourceKey(id as SourceKey),
          expected: { seq, mark },
          next: nextState(collection, layer, before.intents),
          stamps: [{ fields: changed, writer: SOURCE_WRITER, at: null }],
        },
      ]);
      expect(outcome?.kind).toBe('written');
      return version(id);
    },
    async send(changes, by = clinic.session(), sentAtMs = null, knownEpoch = null) {
      let answered = false;
      const answer = push.push(by, changes, sentAtMs, knownEpoch).finally(() => (answered = true));
      answer.catch(() => undefined);
      await until(() => answered);
      return answer;
    },
    async sendOne(change, by) {
      const [result] = await clinic.send([change], by);
      return result as PushResult;
    },
    async fate(changeId, by = clinic.session()) {
      const { known } = await store.readChanges({ ...by, device: by.device ?? '' }, [changeId]);
      return known[0]?.status;
    },
  };
  return clinic;
}

/** A few turns of the event loop: whatever needs no time to pass has happened then. */
export async function turns(count = 8): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise((resolve) => setImmediate(resolve));
}

let changes = 0;

/** A change of a visit as a device sends it. */
export function edit(
  id: string,
  baseVersion: string | null,
  fields: Fields,
  more: Partial<PushedChange> = {},
): PushedChange {
  const changedAt = '2026-01-05T07:59:00.000Z';
  const changeId = `change-${++changes}`;
  return {
    changeId,
    collection: 'visits',
    id,
    kind: 'UPSERT',
    baseVersion,
    changedAt,
    fields,
    sentEpoch: null,
    ...more,
  };
}

/** A deletion as a device sends it. */
export function removal(id: string, baseVersion: string | null, more: Partial<PushedChange> = {}): PushedChange {
  return { ...edit(id, baseVersion, {}, more), kind: 'DELETE', fields: null };
}

/** The store in memory of a clinic that was made with none of its own. */
export const memoryOf = (clinic: Clinic): MemoryStore => clinic.store as MemoryStore;
