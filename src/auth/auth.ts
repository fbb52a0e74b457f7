import type { TokenIssuer } from './token-issuer.js';
import type { MachineKey } from './machine-key.js';

export { firebase, oidc, type OidcOptions, type TokenIssuer } from './token-issuer.js';
export { machineKey, type MachineKey } from './machine-key.js';

/** Who asks, as its token or key proves: the claims are those of the token, or those that the key declares. */
export type Identity =
  | { readonly kind: 'token'; readonly issuer: string; readonly claims: Claims }
  | { readonly kind: 'key'; readonly name: string; readonly claims: Claims };

/** What a token says, signature and times checked. Its members are whatever their issuer puts there: check what you take. */
export type Claims = Readonly<Record<string, unknown>>;

/** What a user is and may see. */
export interface SignedIn {
  /** Absent: `default`. */
  readonly tenant?: string;
  /** Stable: devices, receipts and checkpoints are kept by it. */
  readonly user: string;
  /** For the rules of collections. Absent: none. */
  readonly roles?: readonly string[];
  /** The scopes that it may see, 1,000 at most; `every`: all there are, new ones included. */
  readonly scopes: readonly string[] | 'every';
  /** Of these, the scopes in which it may write. Absent: all of them. */
  readonly writes?: readonly string[];
  /** May settle what is parked and see the outbox. Absent: no. */
  readonly isOperator?: boolean;
  /** An operator of the gateway itself: `/metrics` tells it of all tenants. Absent: of its own only. */
  readonly readsEveryTenant?: boolean;
}

/** How users sign in: the `auth` of a configuration. */
export interface Auth {
  /** Whose tokens are taken, each issuer once. */
  readonly issuers?: readonly TokenIssuer[];
  /** Of machines that cannot sign in elsewhere. */
  readonly keys?: readonly MachineKey[];
  /**
   * The one place where claims become what their user is. Asked when a token is seen first, and again every 25 s while it is used; null:
   * nobody of ours, or not any more, which also closes open sockets, within a minute. What it throws is a fault (INTERNAL), logged.
   */
  session(identity: Identity): SignedIn | null | Promise<SignedIn | null>;
}

/** Who signed in, for as long as nothing else is known. */
export interface Verified {
  readonly identity: Identity;
  /** When it ends, ms since 1970; null: never. */
  readonly expiresAtMs: number | null;
}
