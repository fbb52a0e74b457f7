import type { RecordMark } from './record-port.js';

/**
 * What is known of living records in one text, of which stores give the hash: equal texts, equal states in equal versions. Null: one of them
 * is not there, is deleted, or a call for it may be under way.
 */
export function statesText(marks: readonly (RecordMark | undefined)[]): string | null {
  const lines: string[] = [];
  for (const mark of marks) {
    if (mark === undefined || mark.deleted || mark.inFlight || mark.hash === null) return null;
    lines.push(`${mark.hash} ${JSON.stringify(mark.sourceVersion)}`);
  }
  return lines.join('\n');
}
