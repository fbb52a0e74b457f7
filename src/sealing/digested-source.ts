import type { Fields, SourceKey } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { keptFields, keptWhole } from '../core/keeping.js';
import type {
  Observation,
  ObservedBatch,
  SourceCollection,
  SourceWrite,
  SourceWriteOutcome,
} from '../core/source-port.js';

/**
 * A source of which nobody who keeps records sees a value: what it shows comes as digests, and what it says of a change comes without its
 * own words. Values go to it as before.
 *
 * @param kept the collection with its digests
 */
export function digestedSource(source: SourceCollection, kept: Collection): SourceCollection {
  function digested(observation: Observation): Observation {
    const { sourceKey, fields, outside } = observation;
    if (fields !== null) return { ...observation, fields: keptWhole(kept, sourceKey, fields) };
    return outside === undefined ? observation : { ...observation, outside: keptWhole(kept, sourceKey, outside) };
  }

  function shown(found: Observation | 'absent'): Observation | 'absent' {
    return found === 'absent' ? found : digested(found);
  }

  async function lookUp(idempotencyKey: string, signal: AbortSignal): Promise<Observation | 'absent'> {
    if (source.lookUp === undefined) throw new SyncError('INTERNAL', `${kept.name}: expected a look-up`);
    return shown(await source.lookUp(idempotencyKey, signal));
  }

  async function* batches(read: AsyncIterable<ObservedBatch>): AsyncGenerator<ObservedBatch, void> {
    for await (const batch of read) yield { ...batch, observations: batch.observations.map(digested) };
  }

  return {
    ...source,
    collection: kept,
    readChanges: (cursor, signal, known) => batches(source.readChanges(cursor, signal, known)),
    scan: (signal, isProof, known) => batches(source.scan(signal, isProof, known)),
    readOne: async (key: SourceKey, signal) => shown(await source.readOne(key, signal)),
    ...(source.lookUp === undefined ? {} : { lookUp }),
    async write(write, signal, leftMs) {
      // What is known of the record are digests: they say whether it is as it was, and are not sent.
      const { current, sourceKey } = write;
      const known = current === null || sourceKey === null ? {} : { isAsKnown: comparing(sourceKey, current) };
      const outcome = await source.write({ ...write, ...known, current: null }, signal, leftMs);
      return withoutWords(outcome);
    },
  };

  function comparing(key: SourceKey, known: Fields): NonNullable<SourceWrite['isAsKnown']> {
    return (seen, names) => {
      const shown = keptFields(kept, key, Object.fromEntries(names.map((name) => [name, seen[name] ?? null])));
      return names.every((name) => shown[name] === known[name]);
    };
  }

  function withoutWords(outcome: SourceWriteOutcome): SourceWriteOutcome {
    if (outcome.kind === 'applied')
      return { ...outcome, observation: outcome.observation && digested(outcome.observation) };
    if (outcome.kind !== 'refused') return outcome;
    const message = 'the source refused it';
    const isOurs = (field: string | null): boolean => kept.fields.some(({ name }) => name === field);
    const named = (outcome.fields ?? []).filter(({ field }) => isOurs(field));
    return {
      kind: 'refused',
      message: `${kept.name}: ${message}; its reason is not passed on, since no field value may rest in the gateway`,
      field: isOurs(outcome.field) ? outcome.field : null,
      ...(named.length === 0 ? {} : { fields: named.map(({ field }) => ({ field, message })) }),
    };
  }
}
