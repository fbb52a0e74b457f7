import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';

/** An issuer of tokens on a socket of its own, with its discovery document and its keys. */
export interface TokenOffice {
  readonly url: string;
  /** What was asked for, in order. */
  readonly asked: string[];
  /** What is answered in place of the real thing, by path. */
  readonly instead: Map<
    string,
    { readonly status?: number; readonly headers?: Record<string, string>; readonly body: string }
  >;
  /** A key pair under this name, published from now on unless said otherwise. */
  addKey(kid: string, options?: { readonly isPublished?: boolean; readonly algorithm?: string }): Promise<CryptoKey>;
  publicKey(kid: string): JWK;
  /** A token as it should be, but for what is given; signed by the first key unless said otherwise. */
  token(claims?: JWTPayload, options?: SignOptions): Promise<string>;
  close(): Promise<void>;
}

export interface SignOptions {
  readonly nowMs?: number;
  readonly lastsMs?: number;
  readonly header?: Record<string, unknown>;
  readonly kid?: string;
  readonly key?: CryptoKey | Uint8Array;
  readonly without?: readonly string[];
}

export const AUDIENCE = 'tidegate';

export async function openTokenOffice(): Promise<TokenOffice> {
  const keys = new Map<string, { readonly key: CryptoKey; readonly jwk: JWK; readonly algorithm: string }>();
  const published = new Set<string>();
  const asked: string[] = [];
  const instead: TokenOffice['instead'] = new Map();
  let url = '';

  const server: Server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const other = instead.get(path);
    const documents: Readonly<Record<string, unknown>> = {
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys` },
      '/keys': { keys: [...published].map((kid) => keys.get(kid)?.jwk) },
    };
    response.writeHead(other?.status ?? 200, { 'content-type': 'application/json', ...other?.headers });
    response.end(other?.body ?? JSON.stringify(documents[path] ?? null));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const office: TokenOffice = {
    url,
    asked,
    instead,
    async addKey(kid, { isPublished = true, algorithm = 'ES256' } = {}) {
      const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
      keys.set(kid, { key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm }, algorithm });
      if (isPublished) published.add(kid);
      else published.delete(kid);
      return privateKey;
    },
    publicKey: (kid) => keys.get(kid)?.jwk as JWK,
    async token(claims = {}, { nowMs = Date.now(), lastsMs = 600_000, header = {}, kid, key, without = [] } = {}) {
      const [first] = keys.keys();
      const named = keys.get(kid ?? first ?? '');
      const seconds = Math.floor(nowMs / 1_000);
      const whole: JWTPayload = {
        iss: url,
        aud: AUDIENCE,
        sub: 'nurse-7',
        iat: seconds,
        exp: seconds + lastsMs / 1_000,
        ...claims,
      };
      for (const name of without) delete whole[name];
      const alg = named?.algorithm ?? 'ES256';
      return new SignJWT(whole)
        .setProtectedHeader({ alg, kid: kid ?? first ?? '', ...header })
        .sign(key ?? (named?.key as CryptoKey), { crit: { x: true } });
    },
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
  await office.addKey('first');
  return office;
}
