import { hash } from 'node:crypto';
import pino from 'pino';
import type { HashText, Log } from '../core/ports.js';

/** One JSON line per thing that happened, on standard error, so that standard output stays the command's own. */
export function createLog(
  level: 'silent' | 'error' | 'warn' | 'info' | 'debug',
  destination: pino.DestinationStream = pino.destination({ dest: 2, sync: true }),
): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const write =
    (method: 'debug' | 'info' | 'warn' | 'error') =>
    (what: string, details: Readonly<Record<string, unknown>> = {}): void =>
      logger[method](details, what);
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** SHA-256 in hex, in one shot: half the cost of a hash object (0.6 against 1.1 microseconds for 500 bytes). */
export const hashText: HashText = (text) => hash('sha256', text);
