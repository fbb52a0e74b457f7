import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { StartupError } from '../core/errors.js';
import type { KeepingStore } from '../core/keeping.js';
import { KEY_BYTES, sealerOf, type Sealer } from './sealer.js';

/** The id of the data key in what it has sealed: no configured key can have it. */
const DATA_KEY = '~1';

/**
 * The secret of a tenant's digests: made at the first start and kept sealed, so that it outlives the key that seals it, and a copy of the
 * database without that key says nothing of the values. One that an older key has sealed is sealed anew.
 *
 * @throws StartupError config - the configured keys are not those of this database
 */
export function openDigestSecret(store: KeepingStore, tenant: string, sealer: Sealer): Promise<Uint8Array> {
  return openSecret(store, tenant, 'digests', sealer);
}

/**
 * What seals everything of a tenant that rests here encrypted: a key of its own, kept like the secret of the digests. Another configured
 * key wraps this one anew, and nothing else.
 *
 * @param sealer of the configured keys
 * @throws StartupError config - the configured keys are not those of this database
 */
export async function openDataSealer(store: KeepingStore, tenant: string, sealer: Sealer): Promise<Sealer> {
  const key = createSecretKey(await openSecret(store, tenant, 'data key', sealer));
  return sealerOf(new Map([[DATA_KEY, key]]), DATA_KEY);
}

/** A keyed hash under the secret of a tenant's digests, for the ready texts of one collection. Lower-case hex, like the plain one. */
export function keyedHashOf(secret: Uint8Array, collection: string): (text: string) => string {
  return (text) =>
    createHmac('sha256', secret)
      .update(JSON.stringify(['body', collection, text]))
      .digest('hex');
}

async function openSecret(store: KeepingStore, tenant: string, name: string, sealer: Sealer): Promise<Uint8Array> {
  const about = `${name} ${tenant}`;
  const made = sealer.seal(randomBytes(KEY_BYTES).toString('base64'), about);
  const sealed = await store.keepSecret(tenant, name, made);
  let text: string;
  try {
    text = sealer.open(sealed, about);
  } catch (cause) {
    const id = sealed.split('.')[0] ?? '';
    throw new StartupError(
      'config',
      `sealingKeys: expected the key "${id}" as it was when this database was last opened; put it behind a newer one until then`,
      { cause },
    );
  }
  if (!sealer.isCurrent(sealed)) await store.replaceSecret(tenant, name, sealed, sealer.seal(text, about));
  return Buffer.from(text, 'base64');
}
