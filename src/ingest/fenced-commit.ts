import type { CommitContext, RecordWrite, WriteOutcome } from '../core/record-port.js';
import type { BatchContext, IngestPorts } from './ingest.js';

/** The lease of the poller went to another node: stop, nothing was written. */
export class FenceLost extends Error {}

/**
 * Commits under the poller's lease (R16), as `RecordStore.commit`.
 *
 * @throws FenceLost - another node took over
 */
export async function commitFenced(
  { store }: Pick<IngestPorts, 'store'>,
  tenant: string,
  writes: readonly RecordWrite[],
  { fence }: Pick<BatchContext, 'fence'>,
  ingest?: NonNullable<CommitContext['ingest']>,
): Promise<readonly WriteOutcome[]> {
  const outcomes = await store.commit(tenant, writes, { fence, ...(ingest === undefined ? {} : { ingest }) });
  if (outcomes.some((outcome) => outcome.kind === 'fenceLost')) throw new FenceLost(fence.name);
  return outcomes;
}
