import { durationMs, type Duration } from './duration.js';
import { zoneNamed } from './zone.js';

/** What a source tells about its filter "changed since"; the poll is derived from it. */
export interface UpdatedSinceFacts<Row = never> {
  /** Other than `changeNumber(…)` it needs no name. */
  readonly kind?: undefined;
  /** The parameter (REST) or argument (SOAP) that takes the moment. */
  readonly param: string;
  /** The row's time of last change, in the form in which the filter takes it; absent: rows do not show it. */
  readonly stamp?: string;
  /** How finely the source's time of change counts. */
  readonly precision: Duration;
  /** The zone of the source's texts; `UTC` where they carry their offset. Default: UTC. */
  readonly zone?: string;
  /** Does the filter give records of that very moment? */
  readonly inclusive: boolean;
  /** Do answers come in order of change? Then a long poll can go on where it was broken off. */
  readonly ordered: boolean;
  /** A change may become visible this long after its time of change. */
  readonly maxTransaction: Duration;
  /** How the moment is written. Default: `iso`, like 2026-01-31T08:30:00.000Z; `local` has no zone. */
  readonly format?: MomentFormat;
  /** Puts the written moment into what the parameter takes, like a query. Default: the moment itself. */
  readonly render?: (moment: string) => string;
  /** For types only. */
  readonly rowType?: Row;
}

export type MomentFormat = 'iso' | 'isoSeconds' | 'local' | 'localSeconds' | 'date' | 'epochMs' | 'epochSeconds';

/** A clock that goes back one hour in autumn shows the same hour twice. */
const DST_MS = 3_600_000;

/** What the coarser formats leave out, ms. */
const GRAIN_MS: { readonly [format in MomentFormat]?: number } = {
  isoSeconds: 1_000,
  localSeconds: 1_000,
  epochSeconds: 1_000,
  date: 86_400_000,
};

/** Moments to and from a source's texts, and how far back to ask. */
export interface UpdatedSince {
  /** The finest step in which moments are asked for, ms. */
  readonly grainMs: number;
  /** Ask this far before the cursor: precision, longest transaction, how late a read may be, the hour that is there twice. */
  readonly overlapMs: number;
  /** How far a row's time may lie before its predecessor's in an ordered answer. */
  readonly orderSlackMs: number;
  /** What the parameter takes for this moment. */
  argument(ms: number): string;
  /** A row's time of change, ms since 1970; null when it has none. */
  stampMs(row: unknown): number | null;
}

/** @param readAfterWrite for this long a read may show the state before a write, while later changes show already; absent: not at all */
export function compileUpdatedSince(
  facts: Omit<UpdatedSinceFacts, 'ordered'>,
  readAfterWrite: Duration = '0s',
): UpdatedSince {
  const precisionMs = durationMs(facts.precision);
  const zone = zoneNamed(facts.zone ?? 'UTC');
  const format = facts.format ?? 'iso';
  // A filter that takes whole seconds or days counts no finer than they do.
  const grainMs = Math.max(precisionMs, GRAIN_MS[format] ?? 1);
  const lateMs = durationMs(facts.maxTransaction) + durationMs(readAfterWrite);
  const overlapMs = grainMs * (facts.inclusive ? 1 : 2) + lateMs + (zone.isUtc ? 0 : DST_MS);
  const write: Record<MomentFormat, (ms: number) => string> = {
    iso: (ms) => new Date(ms).toISOString(),
    isoSeconds: (ms) => `${new Date(ms).toISOString().slice(0, 19)}Z`,
    local: (ms) => zone.localText(ms),
    localSeconds: (ms) => zone.localText(ms).slice(0, 19),
    date: (ms) => zone.localText(ms).slice(0, 10),
    epochMs: (ms) => String(ms),
    epochSeconds: (ms) => String(Math.floor(ms / 1_000)),
  };
  return {
    grainMs,
    overlapMs,
    orderSlackMs: grainMs + (zone.isUtc ? 0 : DST_MS),
    argument(ms) {
      const moment = write[format](Math.floor(ms / grainMs) * grainMs);
      return facts.render === undefined ? moment : facts.render(moment);
    },
    stampMs(row) {
      if (facts.stamp === undefined || typeof row !== 'object' || row === null) return null;
      return readMoment((row as Readonly<Record<string, unknown>>)[facts.stamp], format, zone.isUtc, (ms) =>
        zone.localText(ms),
      );
    },
  };
}

/** Looks whether rows come in order of change. */
export interface OrderWatch {
  /** The time of the next row; null: it shows none. */
  next(stampMs: number | null): void;
  isBroken(): boolean;
}

export function createOrderWatch(slackMs: number): OrderWatch {
  let newestMs = -Infinity;
  let broken = false;
  return {
    next(stampMs) {
      if (stampMs === null) return;
      if (stampMs < newestMs - slackMs) broken = true;
      newestMs = Math.max(newestMs, stampMs);
    },
    isBroken: () => broken,
  };
}

function readMoment(
  value: unknown,
  format: MomentFormat,
  isUtc: boolean,
  local: (ms: number) => string,
): number | null {
  if (typeof value === 'number') return format === 'epochSeconds' ? value * 1_000 : value;
  if (typeof value !== 'string' || value === '') return null;
  if (/^-?\d+(\.\d+)?$/.test(value)) return Number(value) * (format === 'epochSeconds' ? 1_000 : 1);
  if (/(Z|[+-]\d{2}:?\d{2})$/.test(value) && value.includes(':')) return orNull(Date.parse(value));
  // Without an offset it is the zone's wall clock; taken as UTC first, then moved by what the zone makes of it.
  const asUtc = orNull(Date.parse(`${value.replace(' ', 'T').padEnd(10)}${value.length > 10 ? 'Z' : 'T00:00:00Z'}`));
  if (asUtc === null || isUtc) return asUtc;
  const once = asUtc - (Date.parse(`${local(asUtc)}Z`) - asUtc);
  return asUtc - (Date.parse(`${local(once)}Z`) - once);
}

function orNull(ms: number): number | null {
  return Number.isNaN(ms) ? null : ms;
}

/** The poller's place in a source's changes: everything up to this moment has been read. */
export interface ChangesCursor {
  readonly atMs: number;
}

export function writeCursor(cursor: ChangesCursor): string {
  return JSON.stringify({ v: 1, at: new Date(cursor.atMs).toISOString() });
}

/** Null for what is not ours (an older form, another connector): the reader begins anew, which loses nothing. */
export function readCursor(text: string | null): ChangesCursor | null {
  if (text === null) return null;
  try {
    const { v, at } = JSON.parse(text) as { readonly v?: unknown; readonly at?: unknown };
    const atMs = v === 1 && typeof at === 'string' ? Date.parse(at) : NaN;
    return Number.isNaN(atMs) ? null : { atMs };
  } catch {
    return null;
  }
}

/**
 * Where the cursor goes after a complete run: the newest change seen, but never past the source's own clock at the first
 * request (a record with a time in the future must not hide what comes), and never back.
 */
export function nextCursor(
  before: ChangesCursor | null,
  newestMs: number | null,
  serverTimeMs: number,
  hasStamps: boolean,
): ChangesCursor | null {
  const reached = hasStamps ? (newestMs === null ? null : Math.min(newestMs, serverTimeMs)) : serverTimeMs;
  if (reached === null) return before;
  return before !== null && before.atMs >= reached ? before : { atMs: reached };
}
