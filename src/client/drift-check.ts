import { GatewayFault, type Gateway } from './gateway.js';
import type { HeldRecord, LocalStore, RecordName } from './local-store.js';

/** SHA-256 of a text as UTF-8. */
export type Digest = (text: string) => Promise<ArrayBuffer>;

interface DigestCrypto {
  readonly subtle?: { digest(name: string, bytes: Uint8Array): Promise<ArrayBuffer> };
}

/** Of the machine; React Native has none, and its app gives its own. @throws GatewayFault LOCAL_STORE - there is none */
export const deviceDigest: Digest = async (text) => {
  const { crypto } = globalThis as { readonly crypto?: DigestCrypto };
  if (crypto?.subtle === undefined) throw new GatewayFault('LOCAL_STORE', 'expected a digest, this machine has none');
  return crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
};

export interface DriftParts {
  readonly store: LocalStore;
  readonly gateway: Gateway;
  readonly digest: Digest;
  /** Most changes of one page. */
  readonly page: number;
  readonly changed: (names: null) => void;
}

/**
 * Does the device hold what it must? Each collection that it does not is pulled alone and put in the place of what is held; unsent edits
 * stay, and so does the checkpoint.
 *
 * @returns the collections that had drifted; null: nobody can say now, pull first and ask another time
 * @throws GatewayFault
 */
export async function mendDrift(parts: DriftParts): Promise<readonly string[] | null> {
  const { store, gateway, changed } = parts;
  const state = await store.readState();
  if (state === null || state.isRevoked || state.checkpoint === null) return null;
  const { device, checkpoint: since, collections } = state;
  const check = await gateway.check({ device, since, collections });
  if (!check.isCurrent) return null;
  const drifted: string[] = [];
  for (const { collection, count, hash } of check.collections) {
    const { records } = await store.readRecords(collection);
    if (records.length === count && (await hashOf(records, parts.digest)) === hash) continue;
    drifted.push(collection);
    await replace(parts, collection, device);
  }
  if (drifted.length > 0) changed(null);
  return drifted;
}

/** What comes is never older than the checkpoint, and the next pull never brings anything older than what came. */
async function replace({ store, gateway, page: limit }: DriftParts, collection: string, device: string): Promise<void> {
  const before = await store.readState();
  if (before === null) return;
  const records = new Map<string, HeldRecord>();
  for (let since: string | null = null, hasMore = true; hasMore;) {
    const page = await gateway.pull({ device, since, collections: [collection], limit });
    for (const { id, version, kind, pending, json } of page.changes) {
      if (kind !== 'UPSERT' || json === null) records.delete(id);
      else
        records.set(id, { collection, id, version, fields: json, isPending: pending, generation: before.generation });
    }
    [since, hasMore] = [page.checkpoint, page.hasMore];
  }
  const held = await store.readRecords(collection);
  const gone: readonly RecordName[] = held.records.filter(({ id }) => !records.has(id));
  const state = { ...before, revision: before.revision + 1 };
  // Where another tab pulled meanwhile, what came here may be older than what is held: the next check finds what is left.
  await store.commit({ state, records: [...records.values()], gone }, before.revision);
}

/** The sum of the first eight bytes of each version's hash, modulo 2^64: 16 hex digits. */
async function hashOf(records: readonly HeldRecord[], digest: Digest): Promise<string> {
  let sum = 0n;
  for (const { version } of records) sum += new DataView(await digest(version)).getBigUint64(0);
  return BigInt.asUintN(64, sum).toString(16).padStart(16, '0');
}
