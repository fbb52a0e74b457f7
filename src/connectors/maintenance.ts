import { zoneNamed, type Zone } from './zone.js';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** When a source is not to be called, by its own wall clock. */
export interface MaintenanceWindow {
  /** The days on which it begins. Default: every day. */
  readonly days?: readonly Weekday[];
  /** Like `22:00`. */
  readonly from: string;
  /** Like `02:30`: of the next day where it is not after `from`. */
  readonly to: string;
  /** Like `Europe/Berlin`. */
  readonly zone: string;
}

/** The declared maintenance of a source, compiled. */
export interface Maintenance {
  /** How long the maintenance that is under way at this moment still lasts, ms; 0: there is none. */
  leftMs(nowMs: number): number;
  /** Each window in words, like `sun 22:00 to 02:30 Europe/Berlin`. */
  readonly words: readonly string[];
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Windows that follow each other without a gap for longer than this leave no time for calls. */
const LONGEST_MS = 8 * DAY_MS;

/**
 * Windows of wall-clock time. Where a change of the clock makes one of their times occur twice or not at all, the longer reading
 * counts: the source's own people may mean either.
 */
export function compileMaintenance(windows: readonly MaintenanceWindow[]): Maintenance {
  const compiled = windows.map(compileWindow);
  // Windows begin and end with a minute. Whether a source is down is asked for every change: a zone's clock costs too much then.
  let minute = NaN;
  let minuteEndMs = 0;

  /** The end of the windows that this moment is in; the moment itself: it is in none. */
  function endAfter(nowMs: number): number {
    return compiled.reduce((endMs, endOf) => Math.max(endMs, endOf(nowMs)), nowMs);
  }

  function endOfAll(nowMs: number): number {
    let endMs = endAfter(nowMs);
    for (let next = endAfter(endMs); next > endMs && endMs - nowMs < LONGEST_MS; next = endAfter(next)) endMs = next;
    return endMs;
  }

  return {
    words: windows.map(({ days, from, to, zone }) => `${days?.join(', ') ?? 'daily'} ${from} to ${to} ${zone}`),
    leftMs(nowMs) {
      if (windows.length === 0) return 0;
      const asked = Math.floor(nowMs / MINUTE_MS);
      if (asked !== minute) {
        minute = asked;
        minuteEndMs = endOfAll(asked * MINUTE_MS);
      }
      return Math.max(0, minuteEndMs - nowMs);
    },
  };
}

/** What is wrong with windows that have the right form, as ".key: expected …, got …". */
export function misfitsOfMaintenance(windows: readonly MaintenanceWindow[]): readonly string[] {
  const equal = windows.flatMap(({ from, to }, at) =>
    from === to ? [`.${at}.to: expected another time than from, got "${to}" for both`] : [],
  );
  if (equal.length > 0) return equal;
  return compileMaintenance(windows).leftMs(0) < LONGEST_MS
    ? []
    : [': expected windows that leave time for calls, got some that never end'];
}

/** @returns the end of the window that a moment is in, or the moment itself */
function compileWindow({ days = WEEKDAYS, from, to, zone: name }: MaintenanceWindow): (nowMs: number) => number {
  const zone = zoneNamed(name);
  const fromMs = timeOfDay(from);
  const toMs = timeOfDay(to) + (timeOfDay(to) > fromMs ? 0 : DAY_MS);
  return (nowMs) => {
    const today = Math.floor(wallMs(zone, nowMs) / DAY_MS) * DAY_MS;
    let endMs = nowMs;
    for (const day of [today - DAY_MS, today, today + DAY_MS]) {
      if (!days.includes(weekdayOf(day))) continue;
      const begin = Math.min(...momentsOf(zone, day + fromMs));
      const end = Math.max(...momentsOf(zone, day + toMs));
      if (begin <= nowMs && nowMs < end) endMs = Math.max(endMs, end);
    }
    return endMs;
  };
}

function timeOfDay(text: string): number {
  const [hours = 0, minutes = 0] = text.split(':').map(Number);
  return (hours * 60 + minutes) * MINUTE_MS;
}

/** 1970-01-01 was a Thursday. */
function weekdayOf(day: number): Weekday {
  return WEEKDAYS[(((day / DAY_MS + 3) % 7) + 7) % 7] as Weekday;
}

/** A zone's wall clock at a moment, as if it were UTC. */
function wallMs(zone: Zone, ms: number): number {
  return Date.parse(`${zone.localText(ms)}Z`);
}

/** The moments at which the wall clock shows a time: two where it is set back; where it jumps over the time, the two that could be meant. */
function momentsOf(zone: Zone, wall: number): readonly number[] {
  const offsets = [wall - DAY_MS, wall + DAY_MS].map((ms) => wallMs(zone, ms) - ms);
  const candidates = offsets.map((offset) => wall - offset);
  const exact = candidates.filter((ms) => wallMs(zone, ms) === wall);
  return exact.length > 0 ? exact : candidates;
}
