import type { Fields } from './change.js';
import type { ScopeGrant } from './session.js';

/** Who pushes a change, as rules see it. */
export interface Writer {
  readonly user: string;
  readonly roles: readonly string[];
  /** What it may see. */
  readonly grant: ScopeGrant;
}

/** A record before and after a change, with all its fields, references as source keys; null: it is not there. */
export interface RecordImages {
  readonly before: Fields | null;
  readonly after: Fields | null;
}

/** May this writer do this? A pure function. What it throws is a fault of the gateway: the change is kept by its device, and pushed again. */
export type WriteRule = (who: Writer, images: RecordImages) => boolean;

/** What devices may do with a collection's records, beyond what its source offers. Absent: everything. */
export interface WriteRules {
  readonly create?: WriteRule;
  readonly update?: WriteRule;
  readonly delete?: WriteRule;
  /** By field: may this writer change it, or give it a value in a new record? */
  readonly fields?: Readonly<Record<string, WriteRule>>;
}
