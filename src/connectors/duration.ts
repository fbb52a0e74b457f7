/** A length of time with its unit, like `30s` or `6h`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PATTERN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Timers count to 2^31 ms: a longer wait would end at once. */
export const LONGEST_DURATION_MS = 24 * 86_400_000;

/** Milliseconds of a duration; null when it is none. */
export function parseDuration(text: string): number | null {
  const match = PATTERN.exec(text);
  return match === null ? null : Number(match[1]) * (UNIT_MS[match[2] ?? ''] ?? NaN);
}

/** Milliseconds of a duration that was checked at start. */
export function durationMs(text: Duration): number {
  const ms = parseDuration(text);
  if (ms === null) throw new RangeError(`expected a duration like "30s", got ${JSON.stringify(text)}`);
  return ms;
}
