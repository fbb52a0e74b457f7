import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { StartupError, SyncError } from '../core/errors.js';

/** Encrypts texts that must not rest here as they are: AES-256-GCM under a key that the store does not have. */
export interface Sealer {
  /** @param about what the text is of: sealed for one thing it cannot be opened as another */
  seal(text: string, about: string): string;
  /** @throws SyncError INTERNAL - no key that is known here opens it, or it was changed, or is of something else */
  open(sealed: string, about: string): string;
  /** Was it sealed under the key that seals now? */
  isCurrent(sealed: string): boolean;
}

/** Bytes of a key. */
export const KEY_BYTES = 32;
/** The size that GCM is made for. A random one is safe for 2^32 texts under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_ENTRY = /^([A-Za-z0-9_-]{1,20}):([A-Za-z0-9+/_-]{43}=?)$/;

/** How the keys are given, for messages. */
const EXPECTED = 'expected <key id>:<32 bytes in base64>, more of them after commas, the one that seals first';

/**
 * @param keys `id:base64` joined by commas: the first one seals, all of them open
 * @throws StartupError config - never with a part of what came
 */
export function createSealer(keys: string): Sealer {
  const known = new Map(keys.split(',').map(readKey));
  const [current] = known;
  if (current === undefined) throw new StartupError('config', `sealingKeys: ${EXPECTED}, got none`);
  return sealerOf(known, current[0]);
}

/**
 * @param known by their ids, which hold no dot
 * @param currentId of the one that seals
 */
export function sealerOf(known: ReadonlyMap<string, KeyObject>, currentId: string): Sealer {
  const currentKey = known.get(currentId);
  if (currentKey === undefined) throw new SyncError('INTERNAL', `expected the key "${currentId}" to seal with`);

  return {
    seal(text, about) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', currentKey, nonce).setAAD(Buffer.from(about));
      const parts = [nonce, cipher.update(text, 'utf8'), cipher.final()];
      return `${currentId}.${Buffer.concat([...parts, cipher.getAuthTag()]).toString('base64url')}`;
    },
    open(sealed, about) {
      const [id = '', body = ''] = sealed.split('.');
      const key = known.get(id);
      if (key === undefined) throw new SyncError('INTERNAL', `expected the sealing key "${id}" among those configured`);
      const bytes = Buffer.from(body, 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(-TAG_BYTES));
        const opened = [decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()];
        return Buffer.concat(opened).toString('utf8');
      } catch (cause) {
        throw new SyncError('INTERNAL', `expected a text that the key "${id}" has sealed, got another one`, { cause });
      }
    },
    isCurrent: (sealed) => sealed.startsWith(`${currentId}.`),
  };
}

function readKey(entry: string, at: number): readonly [string, KeyObject] {
  const [, id = '', text = ''] = KEY_ENTRY.exec(entry.trim()) ?? [];
  const key = Buffer.from(text, 'base64');
  if (id === '' || key.length !== KEY_BYTES)
    throw new StartupError('config', `sealingKeys: ${EXPECTED}; entry ${at + 1} is none`);
  // Handed to each call as it is: bytes would be copied and checked each time (a quarter of it).
  return [id, createSecretKey(key)];
}
