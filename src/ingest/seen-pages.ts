import type { SourceKey } from '../core/change.js';
import { statesText } from '../core/known-states.js';
import type { HashText } from '../core/ports.js';
import type { RecordMark } from '../core/record-port.js';

/** So many records of a collection are remembered by their pages; those of further pages are looked at one by one. */
const MOST_RECORDS = 500_000;

/** A page of a scan that showed nothing new. */
export interface SeenPage {
  /** Of the records that it shows. */
  readonly keys: readonly SourceKey[];
  /** What was known of them, as `RecordStore.readStates` gives it. */
  readonly states: string;
}

/**
 * Pages of scans that showed nothing new, by the digest of their bytes. One that comes again shows the same states, so that its records need
 * neither mapping nor hash as long as the same is known of them. Kept in memory: those of the last two scans of each collection.
 */
export interface SeenPages {
  /** A scan begins: what only the scan before the last showed is forgotten. */
  beginScan(collection: string): void;
  /** Every record of this page is as these marks say. */
  note(collection: string, digest: string, marks: ReadonlyMap<SourceKey, RecordMark>): void;
  /** A page that is remembered; null: it is not. */
  find(collection: string, digest: string): SeenPage | null;
}

interface Scans {
  readonly last: ReadonlyMap<string, SeenPage>;
  readonly going: Map<string, SeenPage>;
  records: number;
}

export function createSeenPages(hash: HashText): SeenPages {
  const collections = new Map<string, Scans>();

  function begin(collection: string, last: Scans['last']): Scans {
    const scans = { last, going: new Map<string, SeenPage>(), records: 0 };
    collections.set(collection, scans);
    return scans;
  }

  const scansOf = (collection: string): Scans => collections.get(collection) ?? begin(collection, new Map());

  function keep(scans: Scans, digest: string, page: SeenPage): void {
    const records = scans.records - (scans.going.get(digest)?.keys.length ?? 0) + page.keys.length;
    if (records > MOST_RECORDS) return;
    scans.records = records;
    scans.going.set(digest, page);
  }

  return {
    beginScan: (collection) => void begin(collection, scansOf(collection).going),
    note(collection, digest, marks) {
      const text = statesText([...marks.values()]);
      if (text !== null && marks.size > 0)
        keep(scansOf(collection), digest, { keys: [...marks.keys()], states: hash(text) });
    },
    find(collection, digest) {
      const scans = scansOf(collection);
      const page = scans.going.get(digest) ?? scans.last.get(digest) ?? null;
      if (page !== null) keep(scans, digest, page);
      return page;
    },
  };
}
