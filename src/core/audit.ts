import type { HashText } from './ports.js';

/** Who did what about what, and with what outcome: names and numbers, never a field value. Texts are 256 characters at most. */
export interface AuditEntry {
  /** Null: nobody who signed in, or more users than can be told apart. */
  readonly user: string | null;
  readonly device: string | null;
  /** The operation of the API, or one of `AUDITED`. */
  readonly action: string;
  readonly collection: string | null;
  /** The id of a record or change, the number of an open change, or an epoch. */
  readonly subject: string | null;
  /** `BEGUN`, and in a second row what came of it: a code of the error catalogue, a status of push, `DONE` or `NOTHING`. */
  readonly outcome: string;
  /** How often it happened. */
  readonly count: number;
  /** The row whose action had this outcome; null: this row tells it itself. */
  readonly outcomeOf: number | null;
}

/** What is in the log besides the operations of operators. */
export const AUDITED = {
  /** Pushed changes that were refused as NOT_FOUND or FORBIDDEN (R13). */
  refusedPush: 'refusedPush',
  /** An operator was there: once in an hour. */
  operatorSeen: 'operatorSeen',
  /** The oldest rows were forgotten by age; the subject is the place of the last of them, as `placeText` writes it. */
  forget: 'forget',
} as const;

/** A row of a chain by its number, and the hash that covers it and every row before it. */
export interface AuditPlace {
  readonly no: number;
  /** SHA-256 in lower-case hex; empty: before the first row. */
  readonly hash: string;
}

export interface AuditRow extends AuditEntry, AuditPlace {
  /** By the clock of the database, ISO 8601 in UTC with milliseconds. */
  readonly at: string;
  /** The hash of the row before it. */
  readonly previous: string;
}

/** Some rows of a tenant's chain, oldest first, and between what they hang. */
export interface AuditPage {
  /** The last row that was forgotten by age; the oldest row follows on it. */
  readonly anchor: AuditPlace;
  /** The newest row. */
  readonly head: AuditPlace;
  readonly rows: readonly AuditRow[];
}

/** The audit log in the store: rows are appended and read, and the oldest forgotten; nothing changes one. */
export interface AuditStore {
  /** Appends a row to the tenant's chain, which several gateways share. A repeat appends another one. @throws SyncError UNAVAILABLE */
  appendAudit(tenant: string, entry: AuditEntry): Promise<AuditPlace>;
  /** Rows behind a number, on one snapshot. @param request.after 0: from the oldest */
  readAudit(tenant: string, request: { readonly after: number; readonly limit: number }): Promise<AuditPage>;
  /**
   * Forgets the oldest rows, as far as all of them are older, and says so in a row of the chain. Where only rows that say so are old
   * nothing is done. Safe to repeat.
   *
   * @param olderThanMs a time, ms since 1970
   * @returns how many
   */
  forgetAudit(tenant: string, olderThanMs: number): Promise<number>;
}

/**
 * The text whose hash is a row's: each value with its length in code points, so that no two rows have the same. The database writes it
 * the same way (`tidegate_audit_text`).
 */
export function auditText(tenant: string, row: Omit<AuditRow, 'hash'>): string {
  const { no, at, user, device, action, collection, subject, outcome, count, outcomeOf, previous } = row;
  return [tenant, no, at, user, device, action, collection, subject, outcome, count, outcomeOf, previous]
    .map((value) => (value === null ? '-,' : `${[...String(value)].length}:${value},`))
    .join('');
}

/** A place as people note it: `17:9f86d0…`. */
export function placeText({ no, hash }: AuditPlace): string {
  return `${no}:${hash}`;
}

/** Looks through a chain, row by row. */
export interface ChainCheck {
  /** @returns what does not fit, in a sentence; null: it fits so far */
  take(row: AuditRow): string | null;
  /** After the last row. */
  end(): string | null;
}

/**
 * Recomputes a chain: an edited row, one that is missing in the middle or at the end, and rows that went without a row that says so are
 * told. Who may write to the database can make a whole chain anew: only a head that was noted elsewhere tells that.
 *
 * @param chain anchor and head as they were before the first row was read; rows behind the head may follow
 * @param noted a head that was noted before; null: none
 */
export function checkChain(
  tenant: string,
  { anchor, head }: Pick<AuditPage, 'anchor' | 'head'>,
  hash: HashText,
  noted: AuditPlace | null,
): ChainCheck {
  let last = anchor;
  let forgotten = placeText({ no: 0, hash: '' });
  const expected = [head, ...(noted === null ? [] : [noted])];
  const misplaced = ({ no, hash: found }: AuditPlace): string | null => {
    const other = expected.find((place) => place.no === no && place.hash !== found);
    return other === undefined ? null : `row ${no} has the hash ${found}, expected ${other.hash} as it was noted`;
  };
  return {
    take(row) {
      if (row.no !== last.no + 1) return `row ${last.no + 1} is missing: row ${row.no} is next`;
      if (row.previous !== last.hash) return `row ${row.no} does not follow on row ${last.no}: one of them was changed`;
      if (row.hash !== hash(auditText(tenant, row))) return `row ${row.no} was changed: its hash is another`;
      last = row;
      if (row.action === AUDITED.forget) forgotten = row.subject ?? '';
      return misplaced(row);
    },
    end() {
      const missing = expected.find(({ no }) => no > last.no);
      if (missing !== undefined) return `rows ${last.no + 1} to ${missing.no} are missing at the end`;
      if (anchor.no > 0 && forgotten !== placeText(anchor)) {
        return `rows up to ${anchor.no} are missing, and no row says that they were forgotten by age`;
      }
      if (noted !== null && noted.no < anchor.no) {
        return `row ${noted.no}, which was noted, is forgotten by age: compare with one from ${anchor.no} on`;
      }
      return misplaced(anchor);
    },
  };
}
