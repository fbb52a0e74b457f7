/** Wall-clock time in one zone, for sources whose filters take local time. */
export interface Zone {
  /** Does it have a fixed offset of zero? */
  readonly isUtc: boolean;
  /** Like 2026-01-31T08:30:00.000, without a zone. */
  localText(ms: number): string;
}

const PARTS = {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
} as const;

/** @throws RangeError - no such zone in the time zone database */
export function zoneNamed(name: string): Zone {
  if (name === 'UTC') return { isUtc: true, localText: (ms) => new Date(ms).toISOString().slice(0, -1) };
  const format = new Intl.DateTimeFormat('en-CA', { ...PARTS, timeZone: name });
  return {
    isUtc: false,
    localText(ms) {
      const part = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
      const get = (type: Intl.DateTimeFormatPartTypes): string => part.get(type) ?? '';
      // Whole zones are offset by full minutes, so milliseconds are those of UTC.
      const thousandths = String(((ms % 1_000) + 1_000) % 1_000).padStart(3, '0');
      return `${get('year')}-${get('month')}-${get('day')}T${get('hour')}:${get('minute')}:${get('second')}.${thousandths}`;
    },
  };
}
