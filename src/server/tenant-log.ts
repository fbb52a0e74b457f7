import type { Log } from '../core/ports.js';

/** A log each line of which says whose it is. */
export function logOf(tenant: string, log: Log): Log {
  const named =
    (level: keyof Log): Log[keyof Log] =>
    (what, details = {}) =>
      log[level](what, { tenant, ...details });
  return { debug: named('debug'), info: named('info'), warn: named('warn'), error: named('error') };
}
