import type { SourceKey } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { MAX_ID_LENGTH } from '../core/id.js';
import type { IngestStore } from '../core/ingest-port.js';
import type { MisfitRecord } from '../core/misfit.js';
import type { Clock, HashText, Log } from '../core/ports.js';
import type { ObservedBatch } from '../core/source-port.js';

/** So many records of a collection are listed at most; what does not fit beyond them is set aside all the same. */
const MOST_QUARANTINED = 1_000;
/** More misfits than this in one read … */
const MASS_MISFIT_RECORDS = 20;
/** … that are also more than this share of its records, are no bad records: the mapping is wrong, and the read fails. */
const MASS_MISFIT_SHARE = 0.05;

/** The call of a source that showed records, as its connector names it. */
export type ShownBy = 'read.list' | 'read.one' | 'read.changes' | 'read.delta';

/**
 * The records of a collection that its source showed, but not as declared: each is set aside with its reason, its last good
 * state stays, and it counts as there. It leaves by itself when it comes out well or is gone.
 */
export interface Quarantine {
  /** Notes what does not fit, and releases what fits again; before the batch is committed, so that no misfit is passed over. */
  see(batch: ObservedBatch, shownBy: ShownBy): Promise<void>;
  /** The same for all batches of one read of the collection, which fails if too much of it does not fit. */
  beginRead(shownBy: ShownBy): QuarantineRead;
  /** What is known to be gone. */
  release(keys: readonly SourceKey[]): Promise<void>;
}

export interface QuarantineRead {
  /** @returns the batch; without its cursor while too much does not fit, so that all of it is read again */
  see(batch: ObservedBatch): Promise<ObservedBatch>;
  /** @throws SyncError VALIDATION - too much of what was read does not fit: what was read is true, but it is not everything */
  end(): void;
  /** Listed records that this read did not show, once it is complete. */
  unseen(): readonly SourceKey[];
}

/** Reads which records are in quarantine now; kept for one round. */
export async function openQuarantine(
  ports: {
    readonly store: Pick<IngestStore, 'readQuarantine' | 'noteQuarantine'>;
    readonly clock: Clock;
    readonly hash: HashText;
    readonly log: Log;
  },
  tenant: string,
  { name: collection, source }: Pick<Collection, 'name' | 'source'>,
): Promise<Quarantine> {
  const { store, clock, hash, log } = ports;
  const listed = new Set((await store.readQuarantine(tenant, collection)).map(({ sourceKey }) => sourceKey));
  /** An overlong key is the reason for itself; `~` is in no key, so that it cannot be another one's. */
  const listedKey = (key: SourceKey): SourceKey =>
    key.length <= MAX_ID_LENGTH ? key : (`${key.slice(0, MAX_ID_LENGTH - 40)}~${hash(key).slice(0, 32)}` as SourceKey);

  async function note(
    misfits: readonly MisfitRecord[],
    released: readonly SourceKey[],
    shownBy?: ShownBy,
  ): Promise<void> {
    if (misfits.length + released.length === 0) return;
    const made = { source, collection, ...(shownBy === undefined ? {} : { call: shownBy }) };
    const noted = await store.noteQuarantine(tenant, collection, {
      misfits: misfits.map((one) => ({ ...one, sourceKey: listedKey(one.sourceKey) })),
      released,
      atMs: clock.nowMs(),
      atMost: MOST_QUARANTINED,
    });
    for (const key of released) listed.delete(key);
    for (const key of noted.listed) listed.add(key);
    const first = misfits.find((one) => noted.isNew.includes(listedKey(one.sourceKey)));
    if (first !== undefined)
      log.warn('records do not fit and are set aside', {
        ...made,
        field: first.field,
        count: noted.isNew.length,
        first,
      });
    if (released.length > 0) log.info('records leave quarantine', { ...made, count: released.length });
  }

  const see: Quarantine['see'] = async ({ observations, misfits = [] }, shownBy) => {
    const isBad = new Set(misfits.map((one) => one.sourceKey));
    const well = listed.size === 0 ? [] : observations.map((one) => one.sourceKey).filter((key) => listed.has(key));
    await note(
      misfits,
      well.filter((key) => !isBad.has(key)),
      shownBy,
    );
  };

  return {
    see,
    release: (keys) =>
      note(
        [],
        keys.filter((key) => listed.has(key)),
      ),
    beginRead(shownBy) {
      let read = 0;
      const bad = new Map<SourceKey, MisfitRecord>();
      const isTooMany = (): boolean => bad.size > MASS_MISFIT_RECORDS && bad.size > MASS_MISFIT_SHARE * read;
      return {
        async see(batch) {
          read += batch.observations.length + (batch.misfits?.length ?? 0) + (batch.unchanged?.length ?? 0);
          for (const one of batch.misfits ?? []) bad.set(listedKey(one.sourceKey), one);
          await see(batch, shownBy);
          if (batch.cursor === undefined || !isTooMany()) return batch;
          const { cursor: _kept, ...rest } = batch;
          return rest;
        },
        end() {
          const [first] = bad.values();
          if (first === undefined || !isTooMany()) return;
          const { field, reason, sourceKey } = first;
          const where = field === null ? collection : `${collection}.${field}`;
          throw new SyncError(
            'VALIDATION',
            `${collection}: ${bad.size} of ${read} records do not fit, so the connector is wrong rather than they; the first: ` +
              `${where}: ${reason} (record ${listedKey(sourceKey)})`,
            field === null ? {} : { field },
          );
        },
        unseen: () => [...listed].filter((key) => !bad.has(key)),
      };
    },
  };
}
