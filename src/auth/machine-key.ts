import { createHash, timingSafeEqual } from 'node:crypto';
import { StartupError } from '../core/errors.js';
import type { Claims, Verified } from './auth.js';

/** A key of a machine: the configuration has its hash only. Made by `machineKey`. */
export interface MachineKey {
  readonly name: string;
  readonly sha256: string;
  readonly claims: Claims;
}

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const HASH = /^[0-9a-f]{64}$/;
/** Longest key that is looked at, in characters. */
const MAX_KEY_LENGTH = 512;

/**
 * A key that a machine sends as its bearer token. Make one with `openssl rand -base64 32`, and its hash with
 * `printf %s "$KEY" | sha256sum`; two of the same name let one be changed for another.
 *
 * @param options.sha256 of the key, lower-case hex
 * @param options.claims what the rule of sessions is told of it. Default: nothing but its name
 * @throws StartupError config
 */
export function machineKey(options: {
  readonly name: string;
  readonly sha256: string;
  readonly claims?: Claims;
}): MachineKey {
  const { name, sha256, claims = {} } = options;
  if (!NAME.test(name)) {
    throw new StartupError(
      'config',
      `auth: keys: expected a name of 1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"`,
    );
  }
  if (!HASH.test(sha256)) {
    throw new StartupError('config', `auth: keys: ${name}: expected the SHA-256 of a key as 64 hexadecimal digits`);
  }
  return { name, sha256, claims };
}

/** Whose key this is; null: nobody's. Every key is compared, in constant time. */
export function verifyKey(keys: readonly MachineKey[], key: string): Verified | null {
  if (key.length > MAX_KEY_LENGTH) return null;
  const hash = createHash('sha256').update(key).digest();
  const [found] = keys.filter((one) => timingSafeEqual(hash, Buffer.from(one.sha256, 'hex')));
  if (found === undefined) return null;
  return { identity: { kind: 'key', name: found.name, claims: found.claims }, expiresAtMs: null };
}
