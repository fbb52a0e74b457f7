import type { Change, Seq, SourceKey } from '../../src/core/change.js';
import { changedFields, parseBody } from '../../src/core/collection.js';
import type { FeedSlice, FeedSnapshot } from '../../src/core/feed-port.js';
import type { RecordView, RecordWrite } from '../../src/core/record-port.js';
import { SOURCE_WRITER, writerOf } from '../../src/core/session.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { LEFT_BEHIND } from './left-behind.js';
import { isRefusal } from './local-change.js';
import type { Mutation, World } from './world.js';

/**
 * Faults that somebody could make, one rule broken in each. They sit between the parts of the world (store, source, device): the
 * product has no place for them. The oracle that does not see one of them is broken.
 */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'a repeat is taken for a new change': {
    store: (real) => {
      let repeats = 0;
      return {
        readChanges: async (device, changeIds) => ({ ...(await real.readChanges(device, changeIds)), known: [] }),
        commit: async (tenant, writes, context) => {
          const taken: RecordWrite[] = [];
          for (const write of writes) taken.push(await renamed(real, write, () => ++repeats));
          return real.commit(tenant, taken, context);
        },
      };
    },
  },

  'accepted is said before it is kept': {
    store: (real, world, node) => ({
      commit: async (tenant, writes, context) => {
        if (!writes.some((write) => write.acceptance?.intent)) return real.commit(tenant, writes, context);
        world.sim.after(250, () => {
          if (world.isAlive(node)) world.watch(real.commit(tenant, writes, context));
        });
        return writes.map((write, at) => ({ kind: 'written', seq: write.expected.seq, intentNo: -1 - at }));
      },
    }),
  },

  'pull goes by the clocks of those who wrote': {
    store: (real, world, node) => {
      const skewMs = world.skewOf(node);
      return {
        commit: async (tenant, writes, context) => {
          const outcomes = await real.commit(tenant, writes, context);
          for (const outcome of outcomes) {
            if (outcome.kind === 'written') world.notes.set(`written ${outcome.seq}`, world.sim.nowMs() + skewMs);
          }
          return outcomes;
        },
        snapshot: readThrough(real, (snapshot) => ({
          main: async (range, room, form) => {
            const at = (seq: number): number => world.notes.get(`written ${seq}`) ?? 0;
            const passed = at(range.after);
            return without(await snapshot.main(range, room, form), (seq) => passed > 0 && at(seq) <= passed);
          },
        })),
      };
    },
  },

  'the cursor of a source is kept before what it brought': {
    store: (real, world, node) => ({
      commit: async (tenant, writes, context) => {
        const { ingest } = context ?? {};
        if (ingest?.cursor === undefined || writes.length === 0) return real.commit(tenant, writes, context);
        await real.commit(tenant, [], context);
        await world.sim.wait(3_000);
        if (!world.isAlive(node)) return new Promise(() => undefined);
        const { cursor: _kept, ...rest } = ingest;
        return real.commit(tenant, writes, { ...context, ingest: rest });
      },
    }),
  },

  'a device keeps its checkpoint before the rows': {
    device: { keepsRows: (device) => device.pages % 12 !== 11 },
  },

  'a page passes over a commit that is under way': {
    store: (real, world) => ({
      commit: async (tenant, writes, context) => {
        const outcomes = await real.commit(tenant, writes, context);
        for (const outcome of outcomes) {
          if (outcome.kind === 'written') world.notes.set(`visible ${outcome.seq}`, world.sim.nowMs() + 100);
        }
        return outcomes;
      },
      snapshot: readThrough(real, (snapshot) => {
        const isHidden = (seq: number): boolean => (world.notes.get(`visible ${seq}`) ?? 0) > world.sim.nowMs();
        return {
          main: async (...asked) => without(await snapshot.main(...asked), isHidden),
          fill: async (...asked) => without(await snapshot.fill(...asked), isHidden),
        };
      }),
    }),
  },

  'writes carry no guard': {
    source: (real) => ({ write: (write, ...rest) => real.write({ ...write, guard: null }, ...rest) }),
  },

  'every checkpoint is behind the horizon': {
    store: (real) => ({
      snapshot: (tenant, read) =>
        real.snapshot(tenant, (snapshot) => {
          const { feed } = snapshot;
          return read({ ...snapshot, feed: { ...feed, horizon: (feed.head + 1) as Seq } });
        }),
    }),
  },

  'tombstones are forgotten and nobody has to begin anew': {
    store: (real) => ({
      readHead: async (tenant) => ({ ...(await real.readHead(tenant)), horizon: 0 as Seq }),
      snapshot: (tenant, read) =>
        real.snapshot(tenant, (snapshot) => read({ ...snapshot, feed: { ...snapshot.feed, horizon: 0 as Seq } })),
    }),
  },

  'a call whose outcome is unknown is made again': {
    source: (real) => ({
      write: async (...call) => {
        const outcome = await real.write(...call);
        return outcome.kind === 'unknown' ? { kind: 'notSent', reason: outcome.reason, retryAfterMs: null } : outcome;
      },
    }),
  },

  'a write leaves although its time is over': {
    source: (real) => ({ write: (write, signal) => real.write(write, signal) }),
  },

  'what a natural key does not find was not made': {
    source: (real) =>
      real.findAlike === undefined
        ? {}
        : {
            facts: { ...real.facts, naturalKey: { fields: ['note'], isFixed: true } },
            findAlike: () => Promise.resolve([]),
          },
  },

  'a call is not noted before it is made': {
    store: () => ({ noteSent: async (_tenant, notes) => notes.map(() => 'sent' as const) }),
  },

  'the overlay of a refused change stays': {
    store: (real) => ({
      commit: async (tenant, writes, context) => {
        const views = await real.readRecords(tenant, writes);
        const kept = writes.map((write, at) => {
          const { next, settlement } = write;
          const before = views[at];
          if (!next || !before || !isRefusal(settlement?.status) || settlement?.intent === null) return write;
          return { ...write, next: { ...next, vis: before.vis, pending: before.pending } };
        });
        return real.commit(tenant, kept, context);
      },
    }),
  },

  'what comes overwrites edits that are on their way': {
    device: { keepsOverlay: (_device, change) => change.sentEpoch === null },
  },

  'an observation from before a write of ours is applied': {
    store: (real) => ({
      readHashes: async (tenant, collection, keys) => {
        const marks = await real.readHashes(tenant, collection, keys);
        return new Map([...marks].map(([key, mark]) => [key, { ...mark, written: 0 as Seq, inFlight: false }]));
      },
    }),
  },

  'a visit stays where its patient was when it was written': LEFT_BEHIND,

  'the stamps are those of what devices see': {
    store: (real, world) => ({
      commit: async (tenant, writes, context) => {
        const views = await real.readRecords(tenant, writes);
        return real.commit(
          tenant,
          writes.map((write, at) => visiblyStamped(world, write, views[at])),
          context,
        );
      },
    }),
  },

  'conflicts are decided at accept only': {
    store: (real) => ({
      leaseIntents: async (request) => {
        const leased = await real.leaseIntents(request);
        return leased.map((one) => (one.baseSeq === 0 ? one : { ...one, baseSeq: Number.MAX_SAFE_INTEGER as Seq }));
      },
    }),
  },

  'a change that falls does not stamp its fields': {
    // Updates do not get through at first: what waits is seen by others while the office goes on.
    source: (real) => ({ write: refusingAtFirst((...call) => real.write(...call)) }),
    store: (real) => ({
      commit: (tenant, writes, context) => real.commit(tenant, writes.map(withoutFall), context),
    }),
  },

  'a child is sent before its parent': {
    store: (real) => ({
      readRecords: async (tenant, names) =>
        (await real.readRecords(tenant, names)).map((view) => {
          const isAwaited = view.collection === 'patients' && view.sourceKey === null && view.intents.length > 0;
          return isAwaited ? { ...view, sourceKey: view.id as string as SourceKey } : view;
        }),
      commit: (tenant, writes, context) => real.commit(tenant, writes.map(withoutWaiting), context),
    }),
  },

  'a page is applied to whatever checkpoint there is': {
    device: { isCurrent: () => true },
  },
};

/** A change under an id that nobody knows yet, if its own is known. */
async function renamed(real: Store, write: RecordWrite, next: () => number): Promise<RecordWrite> {
  const { acceptance, settlement } = write;
  if (!acceptance) return write;
  const { known } = await real.readChanges(acceptance.device, [acceptance.changeId]);
  if (known.length === 0) return write;
  const changeId = `${acceptance.changeId}.again${next()}`;
  return {
    ...write,
    acceptance: { ...acceptance, changeId },
    ...(settlement ? { settlement: { ...settlement, changeId } } : {}),
  };
}

/** Updates of a change to be refused a connection before one gets through. */
const REFUSED_AT_FIRST = 3;

function refusingAtFirst(write: SourceCollection['write']): SourceCollection['write'] {
  const tries = new Map<string, number>();
  return async (one, ...rest) => {
    const count = (tries.get(one.idempotencyKey) ?? 0) + 1;
    tries.set(one.idempotencyKey, count);
    const isRefused = one.kind === 'update' && count <= REFUSED_AT_FIRST;
    return isRefused ? { kind: 'notSent', reason: 'connection refused', retryAfterMs: null } : write(one, ...rest);
  };
}

/** What fell of a change leaves no trace: all of it, or what a MERGED one did not send. */
function withoutFall(write: RecordWrite): RecordWrite {
  const { settlement, stamps = [] } = write;
  if (isRefusal(settlement?.status)) return { ...write, stamps: [] };
  if (settlement?.status !== 'MERGED') return write;
  return { ...write, stamps: stamps.filter(({ writer }) => writer !== SOURCE_WRITER) };
}

function withoutWaiting(write: RecordWrite): RecordWrite {
  const { acceptance } = write;
  if (!acceptance?.intent) return write;
  return { ...write, acceptance: { ...acceptance, intent: { ...acceptance.intent, waitsFor: null } } };
}

/** Stamps follow the visible state: overlays stamp, and what they mask does not. */
function visiblyStamped(world: World, write: RecordWrite, view: RecordView | undefined): RecordWrite {
  const { next, acceptance, shown } = write;
  const collection = world.collections.find((one) => one.name === write.collection);
  if (!next || !view || collection === undefined || next.deleted || view.deleted || view.body === null) return write;
  const after = next.vis ?? next.body;
  const changed = changedFields(collection, parseBody(view.vis ?? view.body), after === null ? null : parseBody(after));
  const author = view.intents.find((intent) => shown?.includes(intent.intentNo))?.device ?? acceptance?.device;
  const device = author ?? write.settlement?.device;
  const writer = device === undefined ? SOURCE_WRITER : writerOf(device);
  return { ...write, stamps: changed.length === 0 ? [] : [{ fields: changed, writer, at: null }] };
}

function readThrough(real: Store, change: (snapshot: FeedSnapshot) => Partial<FeedSnapshot>): Store['snapshot'] {
  return (tenant, read) => real.snapshot(tenant, (snapshot) => read({ ...snapshot, ...change(snapshot) }));
}

/** A slice without the changes of some seqs. */
function without<Position>(slice: FeedSlice<Position>, isHidden: (seq: number) => boolean): FeedSlice<Position> {
  const text = slice.texts.map((part) => Buffer.from(part).toString('utf8')).join(',');
  const changes = (JSON.parse(`[${text}]`) as Change[]).filter((one) => !isHidden(Number(one.version.split('.')[1])));
  const kept = changes.map((one) => JSON.stringify(one)).join(',');
  return { ...slice, texts: kept === '' ? [] : [Buffer.from(kept)], count: changes.length };
}
