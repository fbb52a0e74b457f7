import type { Log } from '../../src/core/ports.js';

/** One line of a log, as it was told. */
export interface LogLine {
  readonly level: keyof Log;
  readonly what: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** A log that keeps its lines, oldest first. */
export function createLines(): { readonly log: Log; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: keyof Log): Log[keyof Log] =>
    (what, details = {}) =>
      void lines.push({ level, what, details });
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}
