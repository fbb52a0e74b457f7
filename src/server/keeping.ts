import type { Collection } from '../core/collection.js';
import { StartupError, SyncError } from '../core/errors.js';
import type { OutboxEntry } from '../core/operator-port.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Store } from '../core/store-port.js';
import type { LiveCollection } from '../pull/live-bodies.js';
import { keptCollection } from '../sealing/digests.js';
import { digestedSource } from '../sealing/digested-source.js';
import { createSealer } from '../sealing/sealer.js';
import { sealedStore } from '../sealing/sealed-store.js';
import { openDigestSecret } from '../sealing/secret.js';

/** Open changes looked at in one read. */
const MOST_AT_ONCE = 1_000;

/** How records are kept: what stands between the use cases, the store and the sources where no field value may rest here (F29). */
export interface ConfiguredKeeping {
  readonly store: Store;
  /** Sources as everything that keeps records sees them, and as their bodies are read. */
  around(sources: readonly SourceCollection[]): {
    readonly sources: readonly SourceCollection[];
    readonly live: readonly LiveCollection[];
  };
}

/**
 * @throws StartupError config - a collection without values and no key, or not the one of this database; one that was kept the other way:
 * its values would stay here, or digests would go out as values
 */
export async function openKeeping(
  store: Store,
  tenant: string,
  collections: readonly Collection[],
  sealingKeys: string | undefined,
): Promise<ConfiguredKeeping> {
  const bare = collections.filter(({ storage }) => storage === 'metadataOnly');
  const [first] = bare;
  if (first !== undefined && sealingKeys === undefined) {
    throw new StartupError(
      'config',
      `TIDEGATE_SEALING_KEYS: expected <key id>:<32 bytes in base64>, since ${first.name} has storage "metadataOnly" and open changes rest here encrypted, got nothing`,
    );
  }
  const sealer = sealingKeys === undefined ? null : createSealer(sealingKeys);
  for (const collection of collections) await checkStorage(store, tenant, collection);
  if (sealer === null || first === undefined) return { store, around: (sources) => ({ sources, live: [] }) };
  const secret = await openDigestSecret(store, tenant, sealer);
  await checkOpenChanges(sealedStore(store, sealer, bare), tenant, bare);
  const kept = new Map(bare.map((collection) => [collection.name, keptCollection(collection, secret)]));
  return {
    store: sealedStore(store, sealer, [...kept.values()]),
    around: (sources) => ({
      sources: sources.map((source) => {
        const own = kept.get(source.collection.name);
        return own === undefined ? source : digestedSource(source, own);
      }),
      live: sources.flatMap((source) => {
        const own = kept.get(source.collection.name);
        return own === undefined ? [] : [{ source, kept: own }];
      }),
    }),
  };
}

/** Open changes that no key opens would stand still for ever: whoever forgot a key hears of it at once. */
async function checkOpenChanges(store: Store, tenant: string, bare: readonly Collection[]): Promise<void> {
  for (const { name } of bare) {
    let after: number | null = null;
    try {
      for (let found = MOST_AT_ONCE; found === MOST_AT_ONCE;) {
        const page: readonly OutboxEntry[] = await store.readOutbox(tenant, {
          states: [],
          collection: name,
          after,
          limit: MOST_AT_ONCE,
        });
        found = page.length;
        after = page.at(-1)?.intentNo ?? after;
      }
    } catch (thrown) {
      const { code, message } = SyncError.from(thrown);
      if (code !== 'INTERNAL') throw thrown;
      throw new StartupError('config', `sealingKeys: open changes of ${name} cannot be read: ${message}`, {
        cause: thrown,
      });
    }
  }
}

async function checkStorage(store: Store, tenant: string, { name, storage = 'snapshot' }: Collection): Promise<void> {
  const inForce = await store.keepAs(tenant, name, storage);
  if (inForce === storage) return;
  throw new StartupError(
    'config',
    `${name}.storage: expected "${inForce}", as its records are kept in this database, got "${storage}": what is kept stays, so that takes an empty database`,
  );
}
