import { randomBytes } from 'node:crypto';
import type { KeepingStore } from '../core/keeping.js';
import { StartupError } from '../core/errors.js';
import type { Sealer } from './sealer.js';

/** The name under which the secret of the digests is kept, and what it is sealed as. */
const NAME = 'digests';
const SECRET_BYTES = 32;

/**
 * The secret of a tenant's digests: made at the first start and kept sealed, so that it outlives the key that seals it, and a copy of the
 * database without that key says nothing of the values. One that an older key has sealed is sealed anew.
 *
 * @throws StartupError config - the configured keys are not those of this database
 */
export async function openDigestSecret(store: KeepingStore, tenant: string, sealer: Sealer): Promise<Uint8Array> {
  const made = sealer.seal(randomBytes(SECRET_BYTES).toString('base64'), NAME);
  const sealed = await store.keepSecret(tenant, NAME, made);
  let text: string;
  try {
    text = sealer.open(sealed, NAME);
  } catch (cause) {
    const id = sealed.split('.')[0] ?? '';
    throw new StartupError(
      'config',
      `sealingKeys: expected the key "${id}" as it was when this database was last opened; put it behind a newer one until then`,
      { cause },
    );
  }
  if (!sealer.isCurrent(sealed)) await store.replaceSecret(tenant, NAME, sealed, sealer.seal(text, NAME));
  return Buffer.from(text, 'base64');
}
