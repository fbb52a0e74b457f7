import type { SignIn } from '../auth/sessions.js';
import { SyncError } from '../core/errors.js';
import type { Session } from '../core/session.js';

/** What a request says of who asks: headers over HTTP, `connectionParams` over graphql-ws. Null: not given. */
export interface Credentials {
  readonly authorization: string | null;
  readonly device: string | null;
}

/** Turns credentials into a session; the one place that does. @throws SyncError UNAUTHENTICATED, BAD_REQUEST */
export type SessionResolver = (credentials: Credentials) => Promise<Session>;

const MAX_DEVICE_LENGTH = 128;
const DEVICE = /^[A-Za-z0-9._:-]+$/;

/** Development mode: everybody is the user `developer` of the tenant `default`, sees every scope, and is an operator. */
export const developmentSession: SessionResolver = async ({ device }) => ({
  tenant: 'default',
  user: 'developer',
  device: readDevice(device),
  grant: { kind: 'every' },
  isOperator: true,
});

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
