import { existsSync, readFileSync } from 'node:fs';
import { createSignIn } from '../auth/sessions.js';
import { StartupError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import { readTrustedDocuments, type TrustedDocuments } from '../graphql/trusted-documents.js';
import { isThisMachine } from '../outgoing/reach.js';
import type { Config } from './config.js';
import type { SocketLimits } from './http-websocket.js';
import { createRequestRate, UNLIMITED, type RequestRate } from './request-rate.js';
import { developmentSessions, signedInSession, type SessionResolver } from './session.js';

/** Who is let in, as the configuration says; without `auth` everybody is, as the developer or one of `developmentUsers`. @throws StartupError config */
export function configuredSessions(
  { auth, developmentUsers }: Pick<Config, 'auth' | 'developmentUsers'>,
  tenants: readonly string[],
  ports: { readonly clock: Clock; readonly log: Log },
): SessionResolver {
  if (auth !== undefined) return signedInSession(createSignIn(auth, ports, { tenants }));
  try {
    return developmentSessions(developmentUsers);
  } catch (cause) {
    throw new StartupError('config', `developmentUsers: ${(cause as Error).message}`, { cause });
  }
}

/** How much one user may ask, and how many sockets there may be; in development mode, in which anybody may be anybody, nothing holds them back. */
export function configuredLimits(
  config: Config,
  clock: Clock,
): { readonly rate: RequestRate; readonly limits: SocketLimits } {
  const { auth, requestsPerSecond, requestBurst, maxSockets, maxSocketsPerUser } = config;
  if (auth === undefined) return { rate: UNLIMITED, limits: { maxSockets, maxSocketsPerUser: maxSockets } };
  return {
    rate: createRequestRate({ perSecond: requestsPerSecond, burst: requestBurst }, clock),
    limits: { maxSockets, maxSocketsPerUser },
  };
}

/** A page takes up to 20 ms of a processor: so many a second are read one after another. */
const PAGES_PER_SECOND = 50;

/** How many pages of one user are read from the store at once: what the rate needs, and no more, since all others wait beside them. */
export function readsAtOnce({ auth, requestsPerSecond }: Pick<Config, 'auth' | 'requestsPerSecond'>): number {
  return auth === undefined ? Infinity : Math.ceil(requestsPerSecond / PAGES_PER_SECOND);
}

/** What may be executed, where the configuration names it, and what the program's own commands send. @throws StartupError config */
export function configuredDocuments(
  { documents }: Pick<Config, 'documents'>,
  own: readonly string[],
): { readonly documents?: TrustedDocuments } {
  if (documents === undefined) return {};
  if (!existsSync(documents))
    throw new StartupError('config', `documents: expected a file at ${documents}, found none`);
  return { documents: readTrustedDocuments(readFileSync(documents, 'utf8'), documents, own) };
}

/** Without sign-in, whoever reaches the port is served, as of one tenant: only this machine may. @throws StartupError config */
export function checkAccess({ auth, host, developmentNetwork, tenants }: Config): void {
  if (auth === undefined && tenants.length > 0) {
    throw new StartupError(
      'config',
      'tenants: expected `auth` beside it: without, everybody is the developer of the tenant "default"',
    );
  }
  if (auth !== undefined || developmentNetwork === 'any' || isThisMachine(host)) return;
  throw new StartupError(
    'config',
    `HOST: expected a loopback address, got "${host}": without \`auth\` nobody signs in. Behind something that keeps strangers out, like a container's network, set TIDEGATE_DEVELOPMENT_NETWORK=any`,
  );
}
