/** Where a replication stands: RxDB's checkpoint. */
export interface TidegatePlace {
  readonly since: string | null;
  /** Counts resets: documents of an older one are stale (F25). */
  readonly lineage: number;
  /** The initial sync of the lineage is not over. */
  readonly isFilling: boolean;
  /** Names of the fields that documents were given: with others, as after a migration of the schema, everything is to come again. */
  readonly fields: string;
  /** The id of the device that it was asked for under: another one may have edits that were never answered, and begins again (F11). */
  readonly device?: string;
  /** The last checkpoint before everything was to come again: tells whose the documents and edits are (F24). */
  readonly owner?: string;
}
