import type { ReadonlyJSONObject, ReadonlyJSONValue, ReadTransaction, WriteTransaction } from 'replicache';

/** A record as Replicache holds it, under `recordKey`. Indexes point into `fields`, like `/fields/routeId`. */
export type HeldRecord = {
  readonly id: string;
  /** What an edit is made from; null: the gateway does not know the record yet. */
  readonly version: string | null;
  /** Something of it is not confirmed by its source yet. */
  readonly isPending: boolean;
  readonly fields: ReadonlyJSONObject;
};

/** Where and when an edit was made: whether a repeat may be one that nobody remembers hangs on it (F5, F11). */
export type Origin = { readonly epoch: string | null; readonly generation: number };

/**
 * The arguments of a mutator: all that a push of it says, so that its repeats, by whichever tab, say the same to the letter (R7). What
 * Replicache keeps beside them is no date: its `timestamp` counts from when the page was opened.
 */
export type EditArguments = {
  readonly id: string;
  /** The version that the user saw; null: a new record. */
  readonly base: string | null;
  /** The changed ones; absent: it is deleted. */
  readonly fields?: ReadonlyJSONObject;
  /** By the device's clock, ISO 8601. */
  readonly at: string;
  readonly origin: Origin;
};

/** An edit as it is pushed. */
export interface Edit extends EditArguments {
  readonly collection: string;
  readonly kind: 'UPSERT' | 'DELETE';
}

const DEEDS = ['create', 'update', 'delete'] as const;
type Deed = (typeof DEEDS)[number];

export type EditMutators<Collection extends string> = {
  readonly [Name in `${Collection}.${Deed}`]: (tx: WriteTransaction, edit: EditArguments) => Promise<void>;
};

/** Keys that are not records': before every name of a collection, which begins with a letter. */
const OWN = '$tidegate/';

/** Where the pull leaves the origin of the edits to come. */
export const ORIGIN_KEY = `${OWN}origin`;

/** The key under which Replicache holds a record: `visits/V-00001`. `scan({ prefix: 'visits/' })` has all of a collection. */
export function recordKey(collection: string, id: string): string {
  return `${collection}/${id}`;
}

/** There while a mutation is settled and shown, although one before it is still open. */
export function aheadKey(clientID: string, mutationId: number): string {
  return `${OWN}ahead/${clientID}/${mutationId}`;
}

export async function originOf(tx: ReadTransaction): Promise<Origin> {
  return ((await tx.get(ORIGIN_KEY)) as Origin | undefined) ?? { epoch: null, generation: 0 };
}

/** The edit that a mutation stands for; null: it is none of ours. */
export function editOf(name: string, args: ReadonlyJSONValue): Edit | null {
  const at = name.lastIndexOf('.');
  const deed = DEEDS.find((one) => one === name.slice(at + 1));
  const edit = args as Partial<EditArguments> | null;
  if (deed === undefined || typeof edit?.id !== 'string' || edit.origin === undefined) return null;
  return { ...(edit as EditArguments), collection: name.slice(0, at), kind: deed === 'delete' ? 'DELETE' : 'UPSERT' };
}

/**
 * The mutators of collections, like `visits.update`. They are run again over every state that a pull brings, until their edit is settled.
 *
 * @param made is told of mutations that are made here and now
 */
export function createMutators<Collection extends string>(
  collections: readonly Collection[],
  made: (clientID: string, mutationId: number) => void,
): EditMutators<Collection> {
  const named = collections.flatMap((collection) =>
    DEEDS.map((deed) => {
      const mutate = async (tx: WriteTransaction, edit: EditArguments): Promise<void> => {
        if (tx.reason === 'initial') made(tx.clientID, tx.mutationID);
        else if (await tx.has(aheadKey(tx.clientID, tx.mutationID))) return;
        await run(tx, recordKey(collection, edit.id), deed, edit);
      };
      return [`${collection}.${deed}`, mutate] as const;
    }),
  );
  return Object.fromEntries(named) as EditMutators<Collection>;
}

async function run(tx: WriteTransaction, key: string, deed: Deed, { id, fields = {} }: EditArguments): Promise<void> {
  if (deed === 'delete') return void (await tx.del(key));
  const held = (await tx.get(key)) as HeldRecord | undefined;
  // Gone meanwhile, or not this user's any more: the gateway says what becomes of the edit.
  if (held === undefined && deed === 'update') return;
  const before = held ?? { id, version: null, fields: {} };
  const now: HeldRecord = { id, version: before.version, isPending: true, fields: { ...before.fields, ...fields } };
  await tx.set(key, now);
}
