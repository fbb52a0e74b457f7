import { randomUUID } from 'node:crypto';
import type { Change, RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import type { Registration, SeenScopes } from '../../../src/core/device-port.js';
import type { FeedSlice, FeedSnapshot, SliceForm } from '../../../src/core/feed-port.js';
import type {
  Acceptance,
  CommitContext,
  NextState,
  OpenIntent,
  RecordView,
  RecordWrite,
  Settlement,
  WriteOutcome,
} from '../../../src/core/record-port.js';
import { scopeSet, type ScopeSet } from '../../../src/core/scope.js';
import type { DeviceKey } from '../../../src/core/session.js';
import { fullShape } from '../../../src/core/shape.js';
import type { Store } from '../../../src/core/store-port.js';

export const VISITS = 'visits';
export const PATIENTS = 'patients';
export const BEGINNING = 0 as Seq;
/** A seq that no feed comes to. */
export const NO_END = Number.MAX_SAFE_INTEGER as Seq;
/** A time after every test. */
export const FAR_FUTURE_MS = Date.UTC(2100, 0, 1);

/** A tenant of its own, and the words in which the tests speak of it. */
export interface World {
  readonly store: Store;
  readonly tenant: string;
  readonly nurse: DeviceKey;
  readonly dispatcher: DeviceKey;
  /** The source shows a visit in these scopes, whatever it was before. @returns its seq */
  show(id: string, scopes: readonly string[], change?: Partial<NextState> & { collection?: string }): Promise<Seq>;
  /** The source no longer has it. @returns the tombstone's seq */
  lose(id: string, collection?: string): Promise<Seq>;
  view(id: string, collection?: string): Promise<RecordView>;
  /** Commits, expecting every write to be written. */
  write(writes: readonly RecordWrite[], context?: CommitContext): Promise<readonly Written[]>;
  /** A device's update is accepted with an intent. @returns the intent as the record shows it */
  accept(id: string, changeId: string, by?: DeviceKey, lease?: LeaseOnAccept): Promise<OpenIntent>;
  readonly head: () => Promise<Seq>;
}

type LeaseOnAccept = Intended['lease'];
export type Written = Extract<WriteOutcome, { kind: 'written' }>;

export async function createWorld(store: Store): Promise<World> {
  const tenant = `clinic-${randomUUID()}`;
  await store.openTenant(tenant);
  const view: World['view'] = async (id, collection = VISITS) => {
    const [found] = await store.readRecords(tenant, [{ collection, id: id as RecordId }]);
    return found as RecordView;
  };
  const write: World['write'] = async (writes, context) => {
    const outcomes = await store.commit(tenant, writes, context);
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(writes.map(() => 'written'));
    return outcomes as readonly Written[];
  };
  const put = async (id: string, collection: string, next: NextState): Promise<Seq> => {
    const { seq, mark } = await view(id, collection);
    const [written] = await write([{ collection, id: id as RecordId, expected: { seq, mark }, next }]);
    return (written as Written).seq;
  };
  return {
    store,
    tenant,
    nurse: { tenant, user: 'nurse', device: 'tablet' },
    dispatcher: { tenant, user: 'dispatcher', device: 'tablet' },
    show: (id, scopes, { collection = VISITS, ...change } = {}) =>
      put(id, collection, { ...shown(id), scopes, ...change }),
    lose: async (id, collection = VISITS) => {
      const { body } = await view(id, collection);
      return put(id, collection, { ...shown(id), body, deleted: true, scopes: [] });
    },
    view,
    write,
    accept: async (id, changeId, by = { tenant, user: 'nurse', device: 'tablet' }, lease = null) => {
      const { seq, mark } = await view(id);
      const [written] = await write([
        { collection: VISITS, id: id as RecordId, expected: { seq, mark }, acceptance: accepted(by, changeId, lease) },
      ]);
      const { intents } = await view(id);
      return intents.find(({ intentNo }) => intentNo === written?.intentNo) as OpenIntent;
    },
    head: async () => (await store.readHead(tenant)).head,
  };
}

/** A state that the source showed. */
export function shown(id: string, body = `{"note":"note of ${id}"}`): NextState {
  return {
    sourceKey: id as SourceKey,
    deleted: false,
    body,
    vis: null,
    pending: false,
    sourceVersion: 'v1',
    hash: `hash of ${body}`,
    scopes: [],
    throughUs: false,
  };
}

export function accepted(device: DeviceKey, changeId: string, lease: LeaseOnAccept = null): Acceptance {
  return { device, changeId, bodyHash: `body of ${changeId}`, intent: intended({ lease }) };
}

/** A registration for hints of everything that a user of these scopes sees. */
export function registered(
  token: string,
  scopes: readonly string[] = ['all'],
  rest: Partial<Registration> = {},
): Registration {
  return { token, platform: 'ANDROID', collections: null, seen: seenScopes(...scopes), ...rest };
}

export const seenScopes = (...names: readonly string[]): SeenScopes => ({
  hash: `set ${names.join(' ')}`,
  scopes: names,
});

/** What is accepted as an intent. */
export function intended(parts: Partial<Intended> = {}): Intended {
  const edit = { kind: 'UPSERT', fields: '{"note":"edited"}', baseSeq: BEGINNING, editedAtMs: 1_000 } as const;
  return { ...edit, lease: null, waitsFor: null, isShown: false, ...parts };
}

type Intended = NonNullable<Acceptance['intent']>;

/** An acceptance that is final at once. */
export function acceptedFinal(device: DeviceKey, changeId: string): Acceptance {
  return { device, changeId, bodyHash: `body of ${changeId}`, intent: null };
}

export function settled(
  device: DeviceKey,
  changeId: string,
  how: Partial<Omit<Settlement, 'device' | 'changeId'>> = {},
): Settlement {
  return { device, changeId, status: 'APPLIED', error: null, inEffect: true, intent: null, ...how };
}

export const NEW = { seq: BEGINNING, mark: 0 } as const;

/** The pairs of some scopes of visits. */
export const scopes = (...names: readonly string[]): ScopeSet =>
  scopeSet(names.map((scope) => ({ collection: VISITS, scope })));

export const FULL: SliceForm = { shape: fullShape([VISITS, PATIENTS]), device: null, mineAfter: BEGINNING };

/** The whole text of a slice. */
export const textOf = (slice: FeedSlice<unknown>): string =>
  slice.texts.map((text) => Buffer.from(text).toString('utf8')).join(',');

/** The changes of a slice in full shape. */
export function changesOf(slice: FeedSlice<unknown>): readonly Change[] {
  const changes = JSON.parse(`[${textOf(slice)}]`) as Change[];
  expect(changes).toHaveLength(slice.count);
  return changes;
}

/** A slice in short: `kind id`. */
export const said = (slice: FeedSlice<unknown>): readonly string[] =>
  changesOf(slice).map((change) => `${change.kind} ${change.id}`);

/** Reads a range to its end in steps of `room` changes. */
export async function walk<Position>(
  next: (after: Position) => Promise<FeedSlice<Position>>,
  from: Position,
): Promise<readonly string[]> {
  const all: string[] = [];
  for (let after = from; ;) {
    const slice = await next(after);
    all.push(...said(slice));
    if (slice.exhausted) return all;
    expect(slice.position).not.toBeNull();
    expect(slice.position).not.toEqual(after);
    after = slice.position as Position;
  }
}

/** Runs one read on a snapshot. */
export const onSnapshot = <T>(world: World, read: (snapshot: FeedSnapshot) => Promise<T>): Promise<T> =>
  world.store.snapshot(world.tenant, read);
