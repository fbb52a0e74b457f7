import type { SourceKey } from '../core/change.js';
import { sourceKeyParts } from '../core/id.js';
import type { SourceCollection } from '../core/source-port.js';
import type { CollectionParts } from './collection-parts.js';
import type { AnyCollectionDefinition } from './define.js';
import { CallFault } from './fault.js';
import type { Mapping } from './mapping.js';
import type { PageAnswer, PageArguments } from './paging.js';
import { readResult } from './pending-result.js';
import { createWriter } from './series-run.js';
import type { Operation, RowAnswer, WriteAnswer, WriteCall } from './transport.js';

/**
 * A collection with its declaration beside what the source really answers: rows as they come, before anything is believed or
 * mapped. Calls pass the source's guard like all others, and throw CallFault.
 */
export interface ExaminedCollection {
  readonly source: SourceCollection;
  readonly definition: AnyCollectionDefinition;
  readonly mapping: Mapping;
  /** One page. Asked for once: an answer that is lost is not asked for again. */
  readPage(operation: Operation, args: PageArguments, next: string | null, signal: AbortSignal): Promise<PageAnswer>;
  /** The answer of `read.one`, whatever its key. */
  readRow(key: SourceKey, signal: AbortSignal): Promise<RowAnswer | 'absent'>;
  /** One write, made once. Only for what an operator asked for. */
  write(operation: Operation, call: WriteCall, signal: AbortSignal): Promise<WriteAnswer>;
}

export function createExamined(parts: CollectionParts, source: SourceCollection): ExaminedCollection {
  const { definition, mapping, guard, transport } = parts;
  const send = createWriter({ ...parts, batcher: null });
  return {
    source,
    definition,
    mapping,
    readPage: (operation, args, next, signal) =>
      readResult(parts, 'scan', (deadline) => transport.readPage(operation, args, next, deadline), signal, false),
    async readRow(key, signal) {
      const { one } = definition.read;
      if (one === undefined) throw new CallFault('notSent', 'expected read.one, got none', { sourceIsSick: false });
      return readResult(
        parts,
        'record',
        (deadline) => transport.readRow(one, sourceKeyParts(key), deadline),
        signal,
        false,
      );
    },
    write: (operation, call, signal) => send(operation, call, () => guard.timeoutMs, signal),
  };
}
