import { requestReaction } from './error-reactions.js';
import type { GatewayFault } from './gateway.js';

/** Bounds of one push. */
export interface PushLimits {
  readonly changes: number;
  /** Of the changes as JSON text, in characters. One that is longer goes alone. */
  readonly characters: number;
}

/** Well within what a gateway takes unless configured otherwise. */
export const PUSH_LIMITS: PushLimits = { changes: 250, characters: 500_000 };

/** What a device has learnt of how much its gateway takes at once. Not durable: the next start tries everything at once. */
export interface Portions {
  /**
   * The next ones to send: those that were never at fault, else one that was.
   *
   * @param choose chooses within these limits, and without those that are left out for now
   */
  next<Change>(
    choose: (limits: PushLimits, isLeft: (changeId: string) => boolean) => readonly Change[],
  ): readonly Change[];
  /** The gateway answered a push of these. */
  passed(changeIds: readonly string[]): void;
  /** A push of these failed as a whole: if less may help, less is sent from now on. @returns the one that failed alone: it is set aside */
  failed(changeIds: readonly string[], fault: GatewayFault): readonly string[];
  /** Everything set aside may be sent again. */
  readonly release: () => void;
}

/** What the gateway cannot even read is tried again after so long, ms. */
const HELD_MS = 15 * 60_000;

export function createPortions(limits: PushLimits, nowMs: () => number): Portions {
  /** Those that failed alone, by changeId: they go alone, behind all others, and not before this moment, ms. */
  const suspects = new Map<string, number>();
  let room = limits.changes;

  return {
    next(choose) {
      const sound = choose({ ...limits, changes: room }, (changeId) => suspects.has(changeId));
      if (sound.length > 0) return sound;
      return choose({ ...limits, changes: 1 }, (changeId) => (suspects.get(changeId) ?? 0) > nowMs());
    },
    passed(changeIds) {
      room = Math.min(limits.changes, room * 2);
      for (const changeId of changeIds) suspects.delete(changeId);
    },
    failed(changeIds, { code }) {
      const reaction = requestReaction(code);
      if (reaction !== 'less' && reaction !== 'lessLater') return [];
      room = Math.max(1, Math.floor(changeIds.length / 2));
      if (changeIds.length > 1) return [];
      for (const changeId of changeIds) suspects.set(changeId, nowMs() + HELD_MS);
      return changeIds;
    },
    release() {
      for (const changeId of suspects.keys()) suspects.set(changeId, 0);
    },
  };
}

/** As many of these as go in one push, from the first on. @param asSent what is sent of each */
export function portionOf<Change>(
  changes: Iterable<Change>,
  limits: PushLimits,
  asSent: (change: Change) => object,
): readonly Change[] {
  const portion: Change[] = [];
  let characters = 0;
  for (const change of changes) {
    characters += JSON.stringify(asSent(change)).length;
    if (portion.length > 0 && (portion.length >= limits.changes || characters > limits.characters)) break;
    portion.push(change);
  }
  return portion;
}
