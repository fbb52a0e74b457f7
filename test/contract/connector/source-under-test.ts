import type { ConnectorDefinition } from '../../../src/connectors/define.js';
import type { Fields, SourceKey } from '../../../src/core/change.js';
import type {
  Observation,
  ObservedBatch,
  SourceCollection,
  SourceWrite,
  SourceWriteOutcome,
} from '../../../src/core/source-port.js';

/** A source that runs, one of its collections through the connector, and the same records by the source's own door. */
export interface SourceUnderTest {
  readonly collection: SourceCollection;
  /** Another gateway's connector to the same source, with more facts about it; closed with the source. */
  view(facts: Partial<ConnectorDefinition>): SourceCollection;
  /** Writes past the connector, as people do who work in the source itself. Records are told in our fields. */
  readonly backDoor: {
    /** @returns its key: the wanted one where the source takes keys */
    create(wanted: SourceKey, fields: Fields): Promise<SourceKey>;
    /** Changes these fields and leaves the others. */
    edit(key: SourceKey, fields: Fields): Promise<void>;
    remove(key: SourceKey): Promise<void>;
  };
  readonly samples: {
    /** A record that the source takes, under any key. */
    readonly whole: Fields;
    /** A field whose value tells edits apart: the values of different numbers differ. */
    readonly edit: (number: number) => Fields;
    /** What the source itself refuses in an update, and the field that it is about. */
    readonly refused: { readonly fields: Fields; readonly field: string };
  };
  /** Ends the source at once; the connector is not told. */
  stopSource(): Promise<void>;
  /** Closes the connector and what of the source still runs. */
  close(): Promise<void>;
}

const signal = new AbortController().signal;

/** Everything that a run shows, by key as it was shown last, and every cursor that it gave. */
export async function drain(batches: AsyncIterable<ObservedBatch>): Promise<{
  readonly batches: readonly ObservedBatch[];
  readonly shown: ReadonlyMap<SourceKey, Observation>;
  readonly cursor: string | null;
}> {
  const all: ObservedBatch[] = [];
  const shown = new Map<SourceKey, Observation>();
  let cursor: string | null = null;
  for await (const batch of batches) {
    all.push(batch);
    for (const observation of batch.observations) shown.set(observation.sourceKey, observation);
    cursor = batch.cursor ?? cursor;
  }
  return { batches: all, shown, cursor };
}

/** What changed since a cursor; of a source that is asked for everything in each poll, everything. */
export function changesSince(
  { collection }: Pick<SourceUnderTest, 'collection'>,
  cursor: string | null,
  signal: AbortSignal,
): AsyncIterable<ObservedBatch> {
  return collection.facts.changes === 'list' ? collection.scan(signal) : collection.readChanges(cursor, signal);
}

/** Reads a record that must be there. */
export async function readPresent({ collection }: SourceUnderTest, key: SourceKey): Promise<Observation> {
  const found = await collection.readOne(key, signal);
  if (found === 'absent') throw new Error(`expected the record ${key} to be there, got absent`);
  return found;
}

/** Writes as a delivery does: guarded by the version of `seen`, with its fields as the last known state. */
export function write(
  { collection }: SourceUnderTest,
  kind: SourceWrite['kind'],
  given: {
    readonly key: SourceKey | null;
    readonly fields?: Fields;
    readonly seen?: Observation;
    readonly idempotencyKey?: string;
    readonly isRepeat?: boolean;
  },
): Promise<SourceWriteOutcome> {
  const { key, fields = {}, seen, idempotencyKey = `contract-${kind}-${key}`, isRepeat = false } = given;
  const known = { current: seen?.fields ?? null, guard: seen?.sourceVersion ?? null };
  return collection.write({ kind, sourceKey: key, fields, ...known, idempotencyKey, isRepeat }, signal);
}
