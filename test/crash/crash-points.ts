import type { Capability } from './capabilities.js';

/** What becomes of the first call of a round that its source gets. */
export const OUTCOMES = ['applies', 'refuses', 'lostRequest', 'lostReply', 'hangs', 'nobodyThere'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Outcomes after which nobody knows whether the source took the change (R11). */
const DOUBTFUL: readonly Outcome[] = ['lostRequest', 'lostReply', 'hangs'];
/** Where something is declared by which it can be found out: from nothing a change is parked at once. */
const FOUND_OUT: readonly Capability[] = ['keyed', 'guarded', 'looked', 'readable'];
/** Outcomes that a source tells. */
const TOLD: readonly Outcome[] = ['applies', 'refuses'];

/** A place on a change's way at which a process ends. */
export interface CrashPoint {
  /** Who ends there: the gateway by itself, or the gateway as seen from a connection of its. */
  readonly where: 'store' | 'source' | 'connection';
  /** The outcomes that lead there. */
  readonly outcomes: readonly Outcome[];
  /** The capabilities that lead there; absent: all. */
  readonly capabilities?: readonly Capability[];
  /** Reached while a call of an earlier process is found out about, not on the way of the round's own change. */
  readonly isRecovery?: true;
}

/**
 * Every named crash point of the gateway. The numbers are those of the design's list of 16; 12, 14 and 15 (a process that stood
 * still, a device that ends, a database that goes away) are no ends of the gateway and have tests of their own.
 */
export const CRASH_POINTS = {
  /** 1: nothing is kept yet. */
  'before accept': { where: 'store', outcomes: TOLD },
  /** 2: accepted, and nobody knows. */
  'after accept': { where: 'store', outcomes: TOLD },
  'before note': { where: 'store', outcomes: TOLD },
  /** 3: the note says that a call may have been made; none was. */
  'after note': { where: 'store', outcomes: TOLD },
  'before request': { where: 'source', outcomes: TOLD },
  /** 4: the source has a part of the request. */
  'half request': { where: 'connection', outcomes: ['applies'] },
  /** 5: the source took it, and its answer is not read. */
  'after effect': { where: 'connection', outcomes: ['applies', 'refuses'] },
  /** 6: the answer is read, and not kept. */
  'after answer': { where: 'source', outcomes: [...TOLD, ...DOUBTFUL, 'nobodyThere'] },
  /** 7: the settling commit is under way: it may be kept although the process never learns of it. */
  'during settle': { where: 'store', outcomes: TOLD },
  /** 8: settled, no hint is out. */
  'before announcement': { where: 'store', outcomes: TOLD },
  /** 9: settled, the push is not answered. */
  'after settle': { where: 'store', outcomes: TOLD },
  'before push answer': { where: 'connection', outcomes: TOLD },
  'before release': { where: 'store', outcomes: ['nobodyThere'] },
  'after release': { where: 'store', outcomes: ['nobodyThere'] },
  'before doubt': { where: 'store', outcomes: DOUBTFUL, capabilities: FOUND_OUT },
  /** 10: kept as in doubt. */
  'after doubt': { where: 'store', outcomes: DOUBTFUL, capabilities: FOUND_OUT },
  /** The follower's lease: taken, perhaps, and never used. */
  'during lease': { where: 'store', outcomes: TOLD },
  'after lease': { where: 'store', outcomes: TOLD },
  /** 13: while recovering. */
  'after doubt lease': { where: 'store', outcomes: DOUBTFUL, capabilities: FOUND_OUT, isRecovery: true },
  /** 11: the source was read, and nothing is concluded yet. */
  'after read-back': {
    where: 'source',
    outcomes: DOUBTFUL,
    capabilities: ['guarded', 'looked', 'readable'],
    isRecovery: true,
  },
  'before verdict': { where: 'store', outcomes: DOUBTFUL, capabilities: FOUND_OUT, isRecovery: true },
  'after verdict': { where: 'store', outcomes: DOUBTFUL, capabilities: FOUND_OUT, isRecovery: true },
  /** 16: a push of many changes ends after some of them are settled. */
  'in a batch': { where: 'store', outcomes: ['applies'] },
} as const satisfies Readonly<Record<string, CrashPoint>>;

export type PointName = keyof typeof CRASH_POINTS;

export const POINT_NAMES = Object.keys(CRASH_POINTS) as readonly PointName[];

/** What a change does to its record. */
export const CHANGE_KINDS = ['update', 'create', 'delete'] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** What a gateway process is told to end at; handed over as JSON in CRASH_AT. */
export interface Armed {
  readonly point: PointName;
  readonly capability: Capability;
  readonly kind: ChangeKind;
  /** Change ids of the round begin with this. */
  readonly changes: string;
  /** It ends at this passing of the point, from 1. */
  readonly pass: number;
  /** It stands still instead of ending. */
  readonly isHeld?: true;
}
