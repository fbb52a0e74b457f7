import { seededChance } from '../support/seeded-chance.js';
import { CAPABILITIES, type Capability } from './capabilities.js';
import {
  CHANGE_KINDS,
  CRASH_POINTS,
  POINT_NAMES,
  type ChangeKind,
  type CrashPoint,
  type Outcome,
  type PointName,
} from './crash-points.js';

/** One end of the gateway at a named point: where, on the way of which change, and what its source does with it. */
export interface Round {
  readonly point: PointName;
  readonly capability: Capability;
  readonly outcome: Outcome;
  readonly kind: ChangeKind;
  /** At which passing of the point. */
  readonly pass: number;
}

/** In a push of many, the process ends after one of the first so many commits that settle. */
const MOST_PASSES = 4;

/** Every point for every capability and every outcome that leads there; kinds of changes and passings take turns. */
export function wholeMatrix(): readonly Round[] {
  const rounds: Round[] = [];
  for (const point of POINT_NAMES) {
    const { outcomes, capabilities = CAPABILITIES }: CrashPoint = CRASH_POINTS[point];
    for (const outcome of outcomes) {
      for (const capability of capabilities) {
        const kind = CHANGE_KINDS[rounds.length % CHANGE_KINDS.length] as ChangeKind;
        const pass = point === 'in a batch' ? 1 + (rounds.length % MOST_PASSES) : 1;
        rounds.push({ point, capability, outcome, kind: kindFor(point, kind), pass });
      }
    }
  }
  return rounds;
}

/**
 * So many rounds of the matrix, the same ones for the same seed: every point as often as every other one (give or take one), and as
 * many capabilities, outcomes and kinds as there is room for.
 */
export function sampledRounds(count: number, seed: number): readonly Round[] {
  const chance = seededChance(seed);
  const matrix = wholeMatrix();
  const byPoint = POINT_NAMES.map((point) =>
    shuffled(
      matrix.filter((round) => round.point === point),
      chance,
    ),
  );
  const sampled: Round[] = [];
  const taken = { capability: new Map<string, number>(), outcome: new Map<string, number>() };
  for (let at = 0; sampled.length < count; at++) {
    const rest = byPoint[at % byPoint.length] as Round[];
    const rarity = ({ capability, outcome }: Round): number =>
      (taken.capability.get(capability) ?? 0) + (taken.outcome.get(outcome) ?? 0);
    const round = rest.toSorted((a, b) => rarity(a) - rarity(b))[0];
    if (round === undefined) continue;
    rest.splice(rest.indexOf(round), 1);
    taken.capability.set(round.capability, (taken.capability.get(round.capability) ?? 0) + 1);
    taken.outcome.set(round.outcome, (taken.outcome.get(round.outcome) ?? 0) + 1);
    sampled.push(round);
  }
  return sampled;
}

/** For people: what a failing check names. */
export function nameOf({ point, capability, outcome, kind, pass }: Round): string {
  return `${capability}, ${kind}, ${outcome}: ${point}${pass === 1 ? '' : ` (${pass})`}`;
}

/** A follower is leased only where a record is there to follow on; a push of many makes new records. */
function kindFor(point: PointName, kind: ChangeKind): ChangeKind {
  if (point === 'in a batch') return 'create';
  const isAboutFollower = point === 'during lease' || point === 'after lease';
  return isAboutFollower && kind === 'delete' ? 'update' : kind;
}

function shuffled(rounds: readonly Round[], chance: () => number): Round[] {
  return rounds
    .map((round) => ({ round, at: chance() }))
    .sort((a, b) => a.at - b.at)
    .map(({ round }) => round);
}
