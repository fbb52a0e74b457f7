import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWSHeaderParameters } from 'jose';
import type { LookupFunction } from 'node:net';
import { Agent, fetch } from 'undici';
import { SyncError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import { checkAnswered, lookupOf, type NamedBy } from '../outgoing/reach.js';
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

export interface KeySetPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** How names are looked up. Default: the system's own. */
  readonly resolve?: LookupFunction | undefined;
}

export function createKeySet(
  { issuer, jwksUrl }: Pick<TokenIssuer, 'issuer' | 'jwksUrl'>,
  { clock, log, resolve }: KeySetPorts,
): KeySet {
  let keys: GetKey | null = null;
  let readAtMs = -Infinity;
  let triedAtMs = -Infinity;
  let reading: Promise<void> | null = null;

  async function read(): Promise<void> {
    triedAtMs = clock.monotonicMs();
    try {
      keys = createLocalJWKSet((await readKeys()) as never);
      readAtMs = clock.monotonicMs();
    } catch (cause) {
      log.error('the keys of an issuer cannot be read', { issuer, reason: reasonOf(cause) });
    } finally {
      reading = null;
    }
  }

  async function readKeys(): Promise<unknown> {
    if (jwksUrl !== null) return await fetchJson(new URL(jwksUrl), 'configuration', resolve);
    const discovery = new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
    const url = keysIn(await fetchJson(discovery, 'configuration', resolve), issuer);
    if (url.origin === discovery.origin) return await fetchJson(url, 'configuration', resolve);
    checkAnswered(url);
    return await fetchJson(url, 'answer', resolve);
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

/** Where a discovery document says that the keys are. Another origin than its own must be a public one: an issuer does not send us around our own network. */
function keysIn(document: unknown, issuer: string): URL {
  const { issuer: named, jwks_uri: url } = document as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (named !== issuer) throw new Error(`its discovery document is of another issuer: ${JSON.stringify(named)}`);
  if (typeof url !== 'string' || !isKeyUrl(url)) {
    throw new Error(`jwks_uri: expected an https address, got ${JSON.stringify(url)}`);
  }
  return new URL(url);
}

async function fetchJson(url: URL, namedBy: NamedBy, resolve: LookupFunction | undefined): Promise<unknown> {
  const dispatcher = new Agent({ connect: { lookup: lookupOf(namedBy, resolve) } });
  try {
    return await exchangeJson(url, dispatcher);
  } finally {
    await dispatcher.destroy();
  }
}

async function exchangeJson(url: URL, dispatcher: Agent): Promise<unknown> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const headers = { accept: 'application/json' };
  const response = await fetch(url, { redirect: 'error', signal, headers, dispatcher });
  if (!response.ok) throw new Error(`${url.href} says ${response.status}`);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    size += piece.byteLength;
    if (size > MOST_BYTES) throw new Error(`${url.href}: expected at most ${MOST_BYTES} bytes`);
    pieces.push(piece);
  }
  return JSON.parse(Buffer.concat(pieces).toString('utf8'));
}

/** What undici hides behind "fetch failed". */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return cause instanceof Error ? `${String(thrown)}: ${cause.message}` : String(thrown);
}
