import type { SourceKey } from '../core/change.js';
import type { Recheck } from '../core/record-port.js';
import type { Observation } from '../core/source-port.js';

/**
 * Keys that were told to be gone while a scan goes on beside polls. Nothing is kept of one that nobody knew: a page that was made before
 * would bring it in for ever.
 */
export type ToldGone = Set<SourceKey>;

/**
 * Notes what is gone, before anything is looked up: another reading that makes its record known afterwards looks here, and one that made it
 * known before is found by the look-up.
 */
export function noteGone(
  { toldGone }: { readonly toldGone?: ToldGone },
  observations: readonly Pick<Observation, 'sourceKey' | 'fields'>[],
): void {
  if (toldGone === undefined) return;
  for (const { sourceKey, fields } of observations) if (fields === null) toldGone.add(sourceKey);
}

/** Those of the records that were made known just now that may be gone: they are read again. */
export function ofToldGone(
  { toldGone }: { readonly toldGone?: ToldGone },
  appeared: readonly SourceKey[],
  nowMs: number,
): readonly Recheck[] {
  return appeared
    .filter((key) => toldGone?.has(key))
    .map((sourceKey) => ({ sourceKey, reason: 'it was told to be gone', notBeforeMs: nowMs }));
}
