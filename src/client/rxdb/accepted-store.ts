import type { RxCollection } from 'rxdb';
import type { AcceptedChange, AcceptedStore } from '../accepted-changes.js';

interface KeptDocument {
  readonly replication: string;
  readonly changes: readonly AcceptedChange[];
}

const SCHEMA = {
  version: 0,
  primaryKey: 'replication',
  type: 'object',
  properties: {
    replication: { type: 'string', maxLength: 500 },
    changes: { type: 'array', items: { type: 'object', additionalProperties: true } },
  },
  required: ['replication', 'changes'],
} as const;

/** As much of RxDB as is used here: its own types are too deep to be told apart. */
interface KeptCollection {
  findOne(replication: string): { exec(): Promise<{ toJSON(): KeptDocument } | null> };
  incrementalUpsert(document: KeptDocument): Promise<unknown>;
  readonly closed: boolean;
}
interface KeepingDatabase {
  addCollections(creators: object): Promise<Readonly<Record<string, KeptCollection>>>;
}

/** By database and name. */
const KNOWN = new WeakMap<object, Map<string, Promise<KeptCollection>>>();

/**
 * Accepted changes of a replication, in a collection of the glue's own: RxDB keeps no edit that was pushed, and puts the next state in the place
 * of its document, or a deletion. One for a database; a second one, encrypted, beside collections that are.
 */
export function acceptedStore<Doc>(collection: RxCollection<Doc>, replication: string): AcceptedStore {
  const isEncrypted = (collection.schema.jsonSchema.encrypted ?? []).length > 0;
  const opened = open(collection.database, isEncrypted);
  // Whoever needs it hears of it.
  opened.catch(() => undefined);
  const write = async (changes: readonly AcceptedChange[]): Promise<void> => {
    await (await opened).incrementalUpsert({ replication, changes });
  };
  // Where the whole database is removed this collection is, too.
  collection.onRemove.push(async () => ((await opened).closed ? undefined : write([])));
  return {
    async read() {
      const document = await (await opened).findOne(replication).exec();
      return document?.toJSON().changes ?? [];
    },
    write,
  };
}

function open(database: KeepingDatabase, isEncrypted: boolean): Promise<KeptCollection> {
  const known = KNOWN.get(database) ?? new Map<string, Promise<KeptCollection>>();
  KNOWN.set(database, known);
  const name = isEncrypted ? 'tidegate-accepted-encrypted' : 'tidegate-accepted';
  const schema = { ...SCHEMA, ...(isEncrypted ? { encrypted: ['changes'] } : {}) };
  const opening =
    known.get(name) ?? database.addCollections({ [name]: { schema } }).then((added) => added[name] as KeptCollection);
  known.set(name, opening);
  return opening;
}
