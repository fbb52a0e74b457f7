import type { Change, Seq } from '../../../src/core/change.js';
import type * as checkpoints from '../../../src/core/checkpoint.js';
import type { FeedReader, FeedSlice, FeedSnapshot } from '../../../src/core/feed-port.js';
import { pairKey, scopeSet, type ScopeSet } from '../../../src/core/scope.js';
import type { MemoryStore } from '../../support/memory-store/memory-store.js';
import type { ScheduleView } from './schedule.js';

type Checkpoints = typeof checkpoints;

/** Plausible ways to get a rule wrong; each was somebody's first draft. A mutant changes one part of what pull is made of. */
export interface Mutant {
  /** The checkpoint machine. */
  readonly checkpoints?: (real: Checkpoints) => Partial<Checkpoints>;
  /** What a snapshot answers. */
  readonly snapshot?: (real: FeedSnapshot, schedule: ScheduleView) => Partial<FeedSnapshot>;
  /** How the store commits. */
  readonly store?: (real: MemoryStore) => Partial<MemoryStore>;
}

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'the horizon is compared with the fill position': {
    checkpoints: ({ resetReason }) => ({
      resetReason: (state, feed, isEvicted) =>
        state.fill !== null && state.fill.at < feed.horizon ? 'EXPIRED' : resetReason(state, feed, isEvicted),
    }),
  },

  'the main position moves to the head when a scope is gained': {
    checkpoints: ({ resetReason, withFill }) => {
      let head = 0 as Seq;
      return {
        resetReason: (state, feed, isEvicted) => {
          head = feed.head;
          return resetReason(state, feed, isEvicted);
        },
        withFill: (state: checkpoints.CheckpointState, allowed: ScopeSet) => {
          const filling = withFill(state, allowed);
          return filling === null || state.fill !== null || state.cover.length === 0
            ? filling
            : { ...filling, seq: head };
        },
      };
    },
  },

  'the horizon is ignored': {
    checkpoints: ({ resetReason }) => ({
      resetReason: (state, feed, isEvicted) => resetReason(state, { ...feed, horizon: 0 as Seq }, isEvicted),
    }),
  },

  'lost scopes are forgotten': {
    checkpoints: ({ withDrain, drainDone }) => ({
      withDrain: (state, allowed) => {
        const draining = withDrain(state, allowed);
        if (draining !== null) Object.assign(state, drainDone(draining));
        return null;
      },
    }),
  },

  '`entered` is renewed when a record comes back': {
    store: (real) => ({
      async commit(tenant, writes, context) {
        const before = real.backup();
        const outcomes = await real.commit(tenant, writes, context);
        const after = real.backup();
        for (const [recordNo, rows] of after.tenants.get(tenant)?.memberships ?? []) {
          const earlier = before.tenants.get(tenant)?.memberships.get(recordNo) ?? [];
          const left = new Set(earlier.filter((row) => row.left).map((row) => row.scope));
          const renewed = rows.map((row) => (!row.left && left.has(row.scope) ? { ...row, entered: row.seq } : row));
          after.tenants.get(tenant)?.memberships.set(recordNo, renewed);
        }
        real.restore(after);
        return outcomes;
      },
    }),
  },

  'a drain passes over what any scope of the session shows': {
    snapshot: (real, schedule) => ({
      drain: (range, room, form) => {
        const everything = { set: pairsOf(schedule), at: Number.MAX_SAFE_INTEGER as Seq };
        return real.drain({ ...range, fill: everything }, room, form);
      },
    }),
  },

  'a row that left is answered with the newer state of its record': {
    snapshot: (real, schedule) => ({
      main: async (range, room, form) => {
        const visible = schedule.truth.visible(schedule.session().grant, ['patients', 'visits']);
        const covered = new Set(range.cover.map((pair) => pair.collection));
        return rewrite(await real.main(range, room, form), (change) => {
          const text = visible.get(`${change.collection} ${change.id}`);
          if (change.kind !== 'REVOKE' || text === undefined || !covered.has(change.collection)) return change;
          return { ...change, kind: 'UPSERT', json: JSON.parse(text) as Change['json'] };
        });
      },
    }),
  },

  'a row that left is passed over when its record moved on': {
    snapshot: (real, schedule) => ({
      main: async (range, room, form) =>
        rewrite(await real.main(range, room, form), (change) => {
          const record = schedule.truth.records.get(`${change.collection} ${change.id}`);
          const seq = Number(change.version.split('.')[1]);
          return change.kind === 'REVOKE' && record !== undefined && record.seq > seq ? null : change;
        }),
    }),
  },

  'receipts come as soon as there are any': {
    snapshot: (real) => ({
      receipts: (device, after) => real.receipts(device, after, real.feed.head),
    }),
  },

  'a fill sends rows up to the head': {
    snapshot: (real) => ({
      fill: (range, room, form) => real.fill({ ...range, upTo: real.feed.head }, room, form),
    }),
  },
};

/** The store with a mutant's snapshots. */
export function mutantReader(store: FeedReader, mutant: Mutant, schedule: ScheduleView): FeedReader {
  const { snapshot: mutate } = mutant;
  if (mutate === undefined) return store;
  return {
    ...store,
    snapshot: (tenant, read) => store.snapshot(tenant, (real) => read({ ...real, ...mutate(real, schedule) })),
  };
}

function pairsOf(schedule: ScheduleView): ScopeSet {
  const { grant } = schedule.session();
  const scopes = grant.kind === 'every' ? ['a', 'b', 'c'] : grant.scopes;
  const pairs = scopeSet(
    ['patients', 'visits'].flatMap((collection) => scopes.map((scope) => ({ collection, scope }))),
  );
  return pairs.filter((pair, at) => at === pairs.findIndex((other) => pairKey(other) === pairKey(pair)));
}

function rewrite<Position>(slice: FeedSlice<Position>, change: (change: Change) => Change | null): FeedSlice<Position> {
  const text = slice.texts.map((part) => Buffer.from(part).toString('utf8')).join(',');
  const changes = (JSON.parse(`[${text}]`) as Change[]).map(change).filter((one) => one !== null);
  const kept = changes.map((one) => JSON.stringify(one)).join(',');
  return { ...slice, texts: kept === '' ? [] : [Buffer.from(kept)], count: changes.length };
}
