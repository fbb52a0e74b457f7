import { POLICIES, type Policy } from '../../src/core/collection.js';
import type { SourceFacts } from '../../src/core/source-port.js';
import { createDice, type Dice } from './dice.js';

/** What a schedule is made of: the world's facts and what happens in it, in order. Plain JSON, so that it can be kept. */
export interface Plan {
  readonly seed: number;
  readonly collections: readonly CollectionPlan[];
  readonly devices: number;
  /** Visits refer to patients. */
  readonly references: boolean;
  /** And are in the scopes of the one that they refer to. Absent: in their own. */
  readonly via?: boolean;
  readonly noise: Noise;
  readonly steps: readonly Step[];
}

/** How often what every network and process does sometimes is done here; 0 to 1. */
export interface Noise {
  /** A call of a node to its store takes time, so that others come between. */
  readonly delay: number;
  /** It fails, before or after it had its effect. */
  readonly storeFault: number;
  /** A request between device and node, or its answer, is lost; or it arrives twice. */
  readonly loss: number;
  /** A write meets a trouble of its source. */
  readonly trouble: number;
}

/** A collection and what its source can do. */
export interface CollectionPlan {
  readonly name: string;
  readonly source: string;
  readonly policy: Policy;
  readonly visibility: 'pending' | 'confirmed';
  readonly deletedRecord: 'deleteWins' | 'editWins';
  readonly facts: SourceFacts;
  /** Reads tell versions. */
  readonly hasVersions: boolean;
  /** Writes are answered with the record. */
  readonly answersWithRecord: boolean;
  /** The source changes what it is given on its own. */
  readonly alters: boolean;
}

/** What a source or the way to it does to one write. */
export const TROUBLES = [
  'loseRequest',
  'loseReply',
  'refuseConnection',
  'throttle',
  'faultBefore',
  'faultAfter',
  'refuse',
  'zombie',
  'slow',
] as const;
export type Trouble = (typeof TROUBLES)[number];

export const SCOPES = ['a', 'b', 'c'] as const;

/** One thing that happens; `pick` numbers choose among what there is by then. */
export type Step = { readonly gapMs: number } & Happening;

type Happening =
  | {
      readonly do: 'edit';
      readonly device: number;
      readonly collection: number;
      readonly what: 'create' | 'note' | 'mark' | 'both' | 'move' | 'refer' | 'delete';
      readonly pick: number;
    }
  | { readonly do: 'push'; readonly device: number }
  | { readonly do: 'pull'; readonly device: number; readonly limit: number }
  | {
      readonly do: 'office';
      readonly what: 'note' | 'mark' | 'move' | 'create' | 'delete' | 'undelete';
      readonly collection: number;
      readonly pick: number;
    }
  | { readonly do: 'trouble'; readonly collection: number; readonly trouble: Trouble }
  /** Every list is empty and every key is 404, as while an application is deployed anew (F7). */
  | { readonly do: 'blank'; readonly collection: number; readonly ms: number }
  | { readonly do: 'outage'; readonly collection: number; readonly ms: number; readonly isNoticed: boolean }
  | {
      readonly do: 'crash';
      readonly node: number;
      readonly at: 'store' | 'source';
      readonly calls: number;
      readonly when: When;
    }
  | { readonly do: 'storeFault'; readonly node: number; readonly calls: number; readonly when: When }
  | { readonly do: 'pause'; readonly node: number; readonly ms: number }
  | { readonly do: 'cut'; readonly device: number; readonly ms: number }
  | { readonly do: 'restart' | 'forget'; readonly device: number }
  | { readonly do: 'grant'; readonly device: number; readonly scopes: readonly string[] }
  | { readonly do: 'purge'; readonly ageMs: number }
  | { readonly do: 'backup' | 'restore' };

export type When = 'before' | 'after';

const STEPS = 40;
/** Steps of a plan with restores that make a backup or put one back. */
const RESTORED = 0.08;

/** The plan of a seed. */
export function drawPlan(seed: number): Plan {
  const dice = createDice(seed);
  const roll = (what: string): number => dice.roll(what);
  const isNoisy = roll('noisy') < 0.7;
  const oneSource = roll('one source') < 0.6;
  const collections = ['visits', 'patients'].map((name, at) =>
    drawCollection(dice, name, oneSource || at === 0 ? 'clinic' : 'registry'),
  );
  const devices = 2 + Math.floor(roll('devices') * 3);
  const hasRestores = roll('restores') < 0.15;
  const steps = Array.from({ length: STEPS }, () => drawStep(dice, devices, hasRestores));
  const references = roll('references') < 0.6;
  return {
    seed,
    collections,
    devices,
    references,
    via: references && roll('via') < 0.4,
    noise: isNoisy
      ? { delay: 0.25, storeFault: 0.004, loss: 0.12, trouble: 0.12 }
      : { delay: 0.25, storeFault: 0, loss: 0, trouble: 0 },
    steps,
  };
}

function drawCollection(dice: Dice, name: string, source: string): CollectionPlan {
  const chance = (what: string, of: number): boolean => dice.roll(`${name} ${what}`) < of;
  const isGuarded = chance('guard', 0.6);
  const readOne = chance('readOne', 0.8);
  const isList = chance('list', 0.3);
  const isFlagged = !isList && chance('flag', 0.5);
  const keys = chance('keys', 0.4);
  const deviceKeys = chance('device keys', 0.6);
  const lookUp = chance('lookUp', 0.4);
  // It stands alone: what tells for certain is better.
  const isNatural = !keys && !deviceKeys && !lookUp && chance('natural key', 0.7);
  const facts: SourceFacts = {
    changes: isList ? 'list' : 'updatedSince',
    pollEveryMs: 4_000,
    scanEveryMs: isFlagged && readOne ? 86_400_000 : 12_000,
    deletions: isFlagged ? 'flag' : 'scan',
    readOne,
    scanPaging: chance('whole', 0.3) ? 'whole' : readOne && chance('offset', 0.3) ? 'offset' : 'keyset',
    createKey: deviceKeys ? 'device' : 'source',
    updateGuard: isGuarded ? 'version' : 'none',
    deleteGuard: isGuarded && chance('delete guard', 0.8) ? 'version' : 'none',
    ...(keys ? { idempotencyKeyLifetimeMs: 86_400_000 } : {}),
    ...(lookUp ? { lookUp: true } : {}),
    // Every note is written once, and any of them may be edited.
    ...(isNatural ? { naturalKey: { fields: ['note'], isFixed: false } } : {}),
    ...(chance('life', 0.7) ? { maxRequestLifetimeMs: 4_000 } : {}),
    ...(chance('lag', 0.3) ? { readAfterWriteMs: 1_500 } : {}),
    callTimeoutMs: 1_000,
    concurrency: chance('one call', 0.3) ? 1 : 4,
  };
  return {
    name,
    source,
    policy: chance('default policy', 0.5) ? 'mergeFields' : dice.pick(`${name} policy`, POLICIES),
    visibility: chance('confirmed', 0.2) ? 'confirmed' : 'pending',
    deletedRecord: chance('editWins', 0.25) ? 'editWins' : 'deleteWins',
    facts,
    hasVersions: isGuarded || chance('versions', 0.5),
    answersWithRecord: chance('answers', 0.7),
    alters: chance('alters', 0.15),
  };
}

function drawStep(dice: Dice, devices: number, hasRestores: boolean): Step {
  const chance = dice.roll('step');
  const int = (most: number): number => Math.floor(dice.roll('int') * most);
  const gapMs = dice.roll('long gap') < 0.1 ? 1_000 + int(8_000) : int(900);
  const device = int(devices);
  const collection = dice.roll('collection') < 0.65 ? 0 : 1;
  const pick = int(1_000);
  const node = int(2);
  const when = dice.pick<When>('when', ['before', 'after']);
  const step = (happening: Happening): Step => ({ gapMs, ...happening });
  if (hasRestores && dice.roll('restore') < RESTORED)
    return step({ do: dice.roll('back') < 0.6 ? 'backup' : 'restore' });
  let left = chance;
  const share = (part: number): boolean => (left -= part) < 0;
  if (share(0.22)) {
    const what = dice.pick('edit', ['create', 'create', 'note', 'mark', 'both', 'move', 'refer', 'delete'] as const);
    return step({ do: 'edit', device, collection, what, pick });
  }
  if (share(0.18)) return step({ do: 'push', device });
  if (share(0.17)) return step({ do: 'pull', device, limit: 1 + int(4) });
  if (share(0.14)) {
    const what = dice.pick('office', ['note', 'note', 'mark', 'mark', 'move', 'create', 'delete', 'undelete'] as const);
    return step({ do: 'office', what, collection, pick });
  }
  if (share(0.07)) return step({ do: 'trouble', collection, trouble: dice.pick('trouble', TROUBLES) });
  if (share(0.02)) return step({ do: 'outage', collection, ms: 500 + int(12_000), isNoticed: dice.roll('seen') < 0.7 });
  if (share(0.06))
    return step({ do: 'crash', node, at: dice.roll('at') < 0.7 ? 'store' : 'source', calls: int(12), when });
  if (share(0.01)) return step({ do: 'storeFault', node, calls: int(8), when });
  if (share(0.015)) return step({ do: 'pause', node, ms: 500 + int(40_000) });
  if (share(0.015)) return step({ do: 'cut', device, ms: 500 + int(10_000) });
  if (share(0.02)) return step({ do: 'restart', device });
  if (share(0.01)) return step({ do: 'forget', device });
  if (share(0.04)) return step({ do: 'grant', device, scopes: SCOPES.filter(() => dice.roll('scope') < 0.6) });
  if (share(0.01)) return step({ do: 'blank', collection, ms: 500 + int(9_000) });
  if (share(0.03)) return step({ do: 'purge', ageMs: int(6_000) });
  return step({ do: 'pull', device, limit: 1 + int(40) });
}
