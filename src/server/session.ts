import { bearerOf, userFrom, type SignIn } from '../auth/sessions.js';
import { SyncError } from '../core/errors.js';
import type { Session } from '../core/session.js';
import type { DevelopmentUsers } from './development-users.js';

/** What a request says of who asks: headers over HTTP, `connectionParams` over graphql-ws. Null: not given. */
export interface Credentials {
  readonly authorization: string | null;
  readonly device: string | null;
}

/** Turns credentials into a session; the one place that does. @throws SyncError UNAUTHENTICATED, BAD_REQUEST */
export type SessionResolver = (credentials: Credentials) => Promise<Session>;

const MAX_DEVICE_LENGTH = 128;
const DEVICE = /^[A-Za-z0-9._:-]+$/;

const DEVELOPER = { scopes: 'every', isOperator: true } as const;

/**
 * Development mode, in the tenant `default`: everybody is the user `developer`, who sees every scope and is an operator, unless a request names
 * one of these users as its bearer.
 *
 * @param users absent: nobody looks at names
 * @throws Error - one of them is no session
 */
export function developmentSessions(users?: DevelopmentUsers): SessionResolver {
  const known = new Map(
    Object.entries(users ?? {}).map(([user, may]) => [user, userFrom({ ...may, user }, null, ['default'])]),
  );
  const developer = userFrom({ ...DEVELOPER, user: 'developer' }, null, ['default']);

  return async ({ authorization, device }) => {
    const user = users === undefined || authorization === null ? developer : known.get(bearerOf(authorization) ?? '');
    if (user === undefined) {
      const names = [...known.keys()].map((name) => `"Bearer ${name}"`).join(', ');
      throw new SyncError('UNAUTHENTICATED', `expected none of \`Authorization\`, or one of ${names}`);
    }
    return { ...user, device: readDevice(device) };
  };
}

/** Sessions of users who sign in. */
export function signedInSession(signIn: SignIn): SessionResolver {
  return async ({ authorization, device }) => ({
    ...(await signIn.userOf(authorization)),
    device: readDevice(device),
  });
}

/** A device id as it may stand in keys and logs. @throws SyncError BAD_REQUEST - it is none */
export function readDevice(device: string | null): string | null {
  if (device === null) return null;
  if (device.length <= MAX_DEVICE_LENGTH && DEVICE.test(device)) return device;
  throw new SyncError(
    'BAD_REQUEST',
    `Tidegate-Device: expected 1 to ${MAX_DEVICE_LENGTH} characters of A-Z, a-z, 0-9, ".", "_", ":" and "-", got ${device.length} characters`,
    { field: 'Tidegate-Device' },
  );
}
