/** Something that an erasure cannot reach, and until when it is there, or who ends it. */
export interface Remaining {
  readonly what: string;
  readonly until: string;
}

/** How long things are kept, days. */
export interface KeptFor {
  readonly retentionDays: number;
  readonly auditDays: number;
}

/** What is still there of a record that was erased: told with every erasure, so that nobody believes that it was everything. */
export function remainsOfRecord({ retentionDays, auditDays }: KeptFor): readonly Remaining[] {
  return [
    {
      what: 'its id and scopes, in its tombstone: they take it off devices',
      until: `${retentionDays} days after it was deleted; an id that is an alias of another, and that other, for ever`,
    },
    {
      what: 'the ids of changes that were pushed to it, by whom, when, and how each ended: a repeat is told by them',
      until: `its device was away for ${retentionDays} days; of a revoked device until its user is erased`,
    },
    { what: 'devices that have not pulled since it was deleted', until: 'their next pull' },
    {
      what: 'the system that it came from, and what else it gave its values to',
      until: 'whoever runs that erases it there',
    },
    {
      what: 'records and refused edits of others that name it or repeat its values, and names of scopes',
      until: 'erase those records too; refused edits: `tidegate outbox conflicts`; names of scopes for ever',
    },
    { what: 'pages that other gateways on this database read ahead', until: '5 seconds' },
    ...remainsAnywhere(auditDays, 'its id'),
  ];
}

/** The same of a user. */
export function remainsOfUser({ auditDays }: KeptFor): readonly Remaining[] {
  return [
    {
      what: 'the names of the user and its devices, revoked: nothing that they sent is ever taken again',
      until: 'for ever',
    },
    { what: 'what the user wrote into records, and records about it', until: 'erase those records by their ids' },
    { what: 'names of scopes that the configuration makes of it', until: 'for ever' },
    {
      what: 'what a push service knows of its phones: their tokens, and when they were hinted',
      until: 'as that service says',
    },
    { what: 'what its devices hold', until: 'they come in once more and are told to wipe it, or never' },
    {
      what: 'its right to sign in, on a new device',
      until: 'whoever issues its tokens ends that; do it first, or it is here again',
    },
    ...remainsAnywhere(auditDays, 'its name'),
  ];
}

function remainsAnywhere(auditDays: number, name: string): readonly Remaining[] {
  return [
    { what: `the audit log: ${name}, also in the rows of this erasure`, until: `${auditDays} days` },
    {
      what: 'files of the database: dead rows, and its log (WAL)',
      until:
        'VACUUM FULL of record, push_change, membership, device, phone and others; a checkpoint, and the age of archived logs',
    },
    {
      what: 'replicas and backups of the database',
      until: 'replicas follow; backups by their age. One that is restored has it again: erase again',
    },
    { what: `logs of programs, and what they were sent to: ${name}`, until: 'the age of those logs' },
  ];
}
