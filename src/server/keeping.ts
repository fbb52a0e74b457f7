import type { Collection } from '../core/collection.js';
import { StartupError } from '../core/errors.js';
import type { HashText, Log } from '../core/ports.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Store } from '../core/store-port.js';
import type { LiveCollection } from '../pull/live-bodies.js';
import { keptCollection } from '../sealing/digests.js';
import { digestedSource } from '../sealing/digested-source.js';
import { everSealed, otherwiseSealed, reseal, sealedFieldsOf } from '../sealing/reseal.js';
import { createSealer } from '../sealing/sealer.js';
import { sealedEdits } from '../sealing/sealed-edits.js';
import { sealedFieldsStore } from '../sealing/sealed-fields-store.js';
import { keyedHashOf, openDataSealer, openDigestSecret } from '../sealing/secret.js';
import { valuelessStore } from '../sealing/valueless-store.js';

/** How records are kept: what stands between the use cases, the store and the sources where values may not rest here as they are (F29, F32). */
export interface ConfiguredKeeping {
  readonly store: Store;
  /** Sources as everything that keeps records sees them, and as their bodies are read. */
  around(sources: readonly SourceCollection[]): {
    readonly sources: readonly SourceCollection[];
    readonly live: readonly LiveCollection[];
  };
}

/**
 * @throws StartupError config - a collection without values or with sealed fields and no key, or not the one of this database; one whose
 * storage was another: its values would stay here, or digests would go out as values
 */
export async function openKeeping(
  store: Store,
  tenant: string,
  collections: readonly Collection[],
  sealingKeys: string | undefined,
  { hash, log }: { readonly hash: HashText; readonly log: Log },
): Promise<ConfiguredKeeping> {
  const bare = collections.filter(({ storage }) => storage === 'metadataOnly');
  const sealed = collections.filter((one) => sealedFieldsOf(one).length > 0);
  const why = whyKeys(bare, sealed, await everSealed(store, tenant));
  if (why !== null && sealingKeys === undefined) {
    throw new StartupError(
      'config',
      `TIDEGATE_SEALING_KEYS: expected <key id>:<32 bytes in base64>, since ${why}, got nothing`,
    );
  }
  const keys = sealingKeys === undefined ? null : createSealer(sealingKeys);
  for (const collection of collections) await checkStorage(store, tenant, collection);
  if (keys === null || why === null) return { store, around: (sources) => ({ sources, live: [] }) };

  const secret = await openDigestSecret(store, tenant, keys);
  const sealer = await openDataSealer(store, tenant, keys);
  const kept = new Map(bare.map((collection) => [collection.name, keptCollection(collection, secret)]));
  const hashed = new Map(
    sealed.map((collection) => [collection.name, { ...collection, keyedHash: keyedHashOf(secret, collection.name) }]),
  );
  for (const collection of await otherwiseSealed(store, tenant, collections)) {
    const { name } = collection;
    const records = await reseal(store, tenant, hashed.get(name) ?? collection, { sealer, hash });
    if (records > 0) log.warn('other fields of a collection rest sealed now', { collection: name, records });
  }
  const fields = new Map(sealed.map((collection) => [collection.name, new Set(sealedFieldsOf(collection))]));
  const closed = sealedEdits(store, sealer, new Set([...kept.keys(), ...hashed.keys()]));
  return {
    store: sealedFieldsStore(valuelessStore(closed, [...kept.values()]), sealer, fields),
    around: (sources) => ({
      sources: sources.map((source) => {
        const { name } = source.collection;
        const own = kept.get(name);
        if (own !== undefined) return digestedSource(source, own);
        const collection = hashed.get(name);
        return collection === undefined ? source : { ...source, collection };
      }),
      live: sources.flatMap((source) => {
        const own = kept.get(source.collection.name);
        return own === undefined ? [] : [{ source, kept: own }];
      }),
    }),
  };
}

/** Why there must be a key, in words; null: nothing rests here encrypted. */
function whyKeys(
  [bare]: readonly Collection[],
  [sealed]: readonly Collection[],
  [before]: readonly string[],
): string | null {
  if (bare !== undefined) return `${bare.name} has storage "metadataOnly" and open changes rest here encrypted`;
  if (sealed !== undefined) return `${sealed.name}.${sealedFieldsOf(sealed)[0]} is sealed`;
  return before === undefined ? null : `fields of ${before} were sealed in this database`;
}

async function checkStorage(store: Store, tenant: string, { name, storage = 'snapshot' }: Collection): Promise<void> {
  const inForce = await store.keepAs(tenant, name, storage);
  if (inForce === storage) return;
  throw new StartupError(
    'config',
    `${name}.storage: expected "${inForce}", as its records are kept in this database, got "${storage}": what is kept stays, so that takes an empty database`,
  );
}
