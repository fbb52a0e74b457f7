import type { SourceKey } from './change.js';
import { SyncError } from './errors.js';
import { MAX_ID_LENGTH } from './id.js';

/**
 * A record that its source showed, but not as its collection declares it: it is there, and nothing of it is believed. What
 * was expected and what kind of thing came, never a value: this is kept and logged.
 */
export interface MisfitRecord {
  readonly sourceKey: SourceKey;
  /** Null: the record as a whole, like its key. */
  readonly field: string | null;
  /** Like "expected a text, got a number". */
  readonly reason: string;
}

/** A single record that does not fit, as a fault: VALIDATION, with its collection, field and key. */
export class RecordMisfit extends SyncError {
  readonly record: MisfitRecord;

  /** @param call of the source, which showed it; absent: it does not matter */
  constructor(collection: string, record: MisfitRecord, cause?: unknown, call?: string) {
    const { sourceKey, field, reason } = record;
    const where = field === null ? collection : `${collection}.${field}`;
    const shownBy = call === undefined ? '' : `, shown by ${call}`;
    super('VALIDATION', `${where}: ${reason} (record ${sourceKey.slice(0, MAX_ID_LENGTH)}${shownBy})`, {
      cause,
      ...(field === null ? {} : { field }),
    });
    this.name = 'RecordMisfit';
    this.record = record;
  }
}
