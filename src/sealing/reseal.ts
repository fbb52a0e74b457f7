import type { RecordId } from '../core/change.js';
import { hashBody, type Collection } from '../core/collection.js';
import type { KeepingStore, RestingText } from '../core/keeping.js';
import type { HashText } from '../core/ports.js';
import type { Sealer } from './sealer.js';
import { openBody, sealBody } from './sealed-values.js';

/** The name under which is kept which fields of which collections rest sealed: names, no secret. */
const NAME = 'sealed fields';
/** Stands for a collection some of whose records are sealed in one way and some in another. */
const UNDER_WAY = '*';
/** Records read and rewritten at once. */
const BATCH = 500;

/** Fields by collection, as JSON text of an object: in which records rest sealed. */
type Noted = Readonly<Record<string, readonly string[]>>;

/** Names of a collection's sealed fields. */
export function sealedFieldsOf({ fields }: Collection): readonly string[] {
  return fields.flatMap(({ name, sealed }) => (sealed === true ? [name] : [])).sort();
}

/** Collections that ever had sealed fields here: something of them may rest sealed, like what is remembered of a settled change. */
export async function everSealed(store: KeepingStore, tenant: string): Promise<readonly string[]> {
  return Object.keys(await readNoted(store, tenant));
}

/** Collections of these whose records rest otherwise than they are declared now. Safe to repeat. */
export async function otherwiseSealed(
  store: KeepingStore,
  tenant: string,
  collections: readonly Collection[],
): Promise<readonly Collection[]> {
  const noted = await readNoted(store, tenant);
  return collections.filter((one) => String(noted[one.name] ?? []) !== String(sealedFieldsOf(one)));
}

/**
 * Seals and opens the texts of a collection's records as its fields are declared now: the same states, so that no device gets one again.
 * Other gateways must not write meanwhile. Safe to repeat, also after it was broken off.
 *
 * @param collection with its keyed hash, if it has sealed fields
 * @returns how many records there are
 */
export async function reseal(
  store: KeepingStore,
  tenant: string,
  collection: Collection,
  { sealer, hash }: { readonly sealer: Sealer; readonly hash: HashText },
): Promise<number> {
  const { name } = collection;
  const fields = sealedFieldsOf(collection);
  const own = new Set(fields);

  function resealed({ id, expected, ...texts }: RestingText): RestingText {
    const named = { tenant, collection: name, id };
    const open = (text: string | null): string | null => (text === null ? null : openBody(sealer, named, text));
    const seal = (text: string | null): string | null => (text === null ? null : sealBody(sealer, own, named, text));
    const [body, vis] = [open(texts.body), open(texts.vis)];
    const isHashed = texts.hash !== null && body !== null;
    return { id, expected, body: seal(body), vis: seal(vis), hash: isHashed ? hashBody(collection, hash, body) : null };
  }

  await note(store, tenant, name, [UNDER_WAY]);
  let count = 0;
  let after: RecordId | null = null;
  for (let found = BATCH; found === BATCH;) {
    const texts: readonly RestingText[] = await store.readTexts(tenant, name, after, BATCH);
    if (texts.length > 0) await store.rewriteTexts(tenant, name, texts.map(resealed));
    found = texts.length;
    count += found;
    after = texts.at(-1)?.id ?? null;
  }
  await note(store, tenant, name, fields);
  return count;
}

async function readNoted(store: KeepingStore, tenant: string): Promise<Noted> {
  return JSON.parse(await store.keepSecret(tenant, NAME, '{}')) as Noted;
}

async function note(store: KeepingStore, tenant: string, collection: string, fields: readonly string[]): Promise<void> {
  const before = await store.keepSecret(tenant, NAME, '{}');
  const noted: Noted = { ...(JSON.parse(before) as Noted), [collection]: fields };
  await store.replaceSecret(tenant, NAME, before, JSON.stringify(noted));
}
