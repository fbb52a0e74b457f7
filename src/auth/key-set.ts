import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose';
import { SyncError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import { isKeyUrl, type TokenIssuer } from './token-issuer.js';

type GetKey = ReturnType<typeof createLocalJWKSet>;

/** The public keys of one issuer. */
export interface KeySet {
  /**
   * The key that a token names. One that is not known is looked for at the issuer, every 30 s at most.
   *
   * @throws JOSEError - there is no such key; SyncError UNAVAILABLE - the issuer's keys were never read
   */
  keyFor(header: JWSHeaderParameters, token: FlattenedJWSInput): ReturnType<GetKey>;
}

/** Keys are read again after this long; until that has worked the old ones hold, so that an issuer may be away. */
const FRESH_MS = 600_000;
/** Unknown keys are looked for no more often: tokens that name some are free to make. */
const LOOK_EVERY_MS = 30_000;
/** Where nothing was ever read, nobody can sign in: tried again sooner. */
const RETRY_MS = 5_000;
const TIMEOUT_MS = 5_000;
const MOST_BYTES = 1_000_000;

export function createKeySet(
  { issuer, jwksUrl }: Pick<TokenIssuer, 'issuer' | 'jwksUrl'>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): KeySet {
  let keys: GetKey | null = null;
  let readAtMs = -Infinity;
  let triedAtMs = -Infinity;
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    triedAtMs = clock.monotonicMs();
    try {
      keys = createLocalJWKSet((await fetchJson(jwksUrl ?? (await discover(issuer)))) as never);
      readAtMs = clock.monotonicMs();
    } catch (cause) {
      log.error('the keys of an issuer cannot be read', { issuer, reason: String(cause) });
    } finally {
      reading = null;
    }
  }

  const readSoon = (restMs: number): Promise<void> | null => {
    if (reading === null && clock.monotonicMs() - triedAtMs >= restMs) reading = read();
    return reading;
  };

  return {
    async keyFor(header, token) {
      if (keys === null) await readSoon(RETRY_MS);
      else if (clock.monotonicMs() - readAtMs >= FRESH_MS) void readSoon(LOOK_EVERY_MS);
      if (keys === null) throw new SyncError('UNAVAILABLE', 'whoever issues the tokens cannot be asked for its keys');
      try {
        return await keys(header, token);
      } catch (thrown) {
        const looked = thrown instanceof errors.JWKSNoMatchingKey ? readSoon(LOOK_EVERY_MS) : null;
        if (looked === null) throw thrown;
        await looked;
        return await keys(header, token);
      }
    },
  };
}

async function discover(issuer: string): Promise<string> {
  const document = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const { issuer: named, jwks_uri: url } = document as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (named !== issuer) throw new Error(`its discovery document is of another issuer: ${JSON.stringify(named)}`);
  if (typeof url !== 'string' || !isKeyUrl(url)) {
    throw new Error(`jwks_uri: expected an https address, got ${JSON.stringify(url)}`);
  }
  return url;
}

async function fetchJson(url: string): Promise<unknown> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { redirect: 'error', signal, headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`${url} says ${response.status}`);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += piece.byteLength;
    if (size > MOST_BYTES) throw new Error(`${url}: expected at most ${MOST_BYTES} bytes`);
    pieces.push(piece);
  }
  return JSON.parse(Buffer.concat(pieces).toString('utf8'));
}
