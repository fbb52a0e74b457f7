/** A time as the API shows it: ISO 8601 with milliseconds, in UTC. @param ms since 1970 */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** The same of what may not have happened. */
export function isoOrNull(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : iso(ms);
}
