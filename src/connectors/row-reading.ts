import type { SourceKey } from '../core/change.js';
import { valueText } from '../core/collection.js';
import { RecordMisfit, type MisfitRecord } from '../core/misfit.js';
import type { Observation, ObservedBatch } from '../core/source-port.js';
import type { Mapping } from './mapping.js';
import type { PageAnswer } from './paging.js';
import { isFlagged, type RowFlag } from './row-flag.js';
import type { RowTags } from './transport.js';

const TWICE = 'expected each record once on a page, got several with its key and other fields';

/**
 * The rows of one answer as observations; what does not fit stands beside them and holds nothing up.
 *
 * @param of a `list` names each record once; `changes` may name one as often as it changed, and the last one counts
 * @param removed marks rows that say that their record is gone, of which only the key counts; absent: only the kit marks some
 * @throws CallFault badAnswer - a row without a key is no record at all: such an answer is not believed
 */
export function readRows(
  mapping: Pick<Mapping, 'observe' | 'keyOf'>,
  { rows, removed: marked, tags, unchanged }: Pick<PageAnswer, 'rows' | 'removed' | 'tags' | 'unchanged'>,
  of: 'list' | 'changes',
  removed?: RowFlag,
): Pick<ObservedBatch, 'observations' | 'misfits' | 'unchanged'> {
  const shown = new Map<SourceKey, Observation>();
  const misfits = new Map<SourceKey, MisfitRecord>();
  for (const row of rows) {
    const isRemoved = marked?.has(row) === true || (removed !== undefined && isFlagged(row, removed));
    const one = readRow(mapping, row, isRemoved, tags?.get(row) ?? null);
    const { sourceKey } = one;
    if (isMisfit(one)) {
      misfits.set(sourceKey, one);
      shown.delete(sourceKey);
      continue;
    }
    const other = shown.get(sourceKey);
    if (of === 'changes') misfits.delete(sourceKey);
    else if (other !== undefined && !isSame(one, other))
      misfits.set(sourceKey, { sourceKey, field: null, reason: TWICE });
    if (misfits.has(sourceKey)) shown.delete(sourceKey);
    else shown.set(sourceKey, one);
  }
  return {
    observations: [...shown.values()],
    ...(misfits.size === 0 ? {} : { misfits: [...misfits.values()] }),
    ...(unchanged === undefined || unchanged.keys.length === 0 ? {} : { unchanged: unchanged.keys }),
  };
}

function readRow(
  mapping: Pick<Mapping, 'observe' | 'keyOf'>,
  row: unknown,
  isRemoved: boolean,
  tag: RowTags | null,
): Observation | MisfitRecord {
  try {
    if (isRemoved) return { sourceKey: mapping.keyOf(row), fields: null, sourceVersion: null };
    return mapping.observe(row, tag);
  } catch (thrown) {
    if (thrown instanceof RecordMisfit) return thrown.record;
    throw thrown;
  }
}

function isMisfit(one: Observation | MisfitRecord): one is MisfitRecord {
  return 'reason' in one;
}

function isSame(one: Observation, other: Observation): boolean {
  return one.sourceVersion === other.sourceVersion && valueText(one.fields) === valueText(other.fields);
}
