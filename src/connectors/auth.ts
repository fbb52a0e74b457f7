import type { ClientCredentials } from './oauth.js';
import type { SessionLogin } from './session-login.js';

/** How a source knows us: a header that is the same with every call, or a sign-in whose token goes with each. */
export type Auth = HeaderAuth | ClientCredentials | SessionLogin;

/** A header and its value. */
export interface HeaderAuth {
  readonly kind?: never;
  readonly header: string;
  readonly value: string;
}

export function basic(user: string, password: string): Auth {
  return { header: 'authorization', value: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}
export function bearer(token: string): Auth {
  return { header: 'authorization', value: `Bearer ${token}` };
}
/** A header of the source's own, like X-Api-Key. */
export function header(name: string, value: string): Auth {
  return { header: name.toLowerCase(), value };
}
