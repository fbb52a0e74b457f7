import { createPrivateKey } from 'node:crypto';
import type { Agent } from 'node:https';
import { applicationDefault, cert, type Credential } from 'firebase-admin/app';
import { StartupError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import { withoutSecrets } from './fcm-alarms.js';

/** As whom hints are sent, and to which project's apps. */
export type FcmAccount =
  /** The key file of a service account. */
  | { readonly kind: 'key'; readonly projectId: string; readonly file: string }
  /** What the machine gives: workload identity, or the file that GOOGLE_APPLICATION_CREDENTIALS names. */
  | { readonly kind: 'machine'; readonly projectId: string }
  /** Nobody's: for an endpoint that asks for no real token. */
  | { readonly kind: 'none'; readonly projectId: string };

/** What an access token of nobody's account is. */
const NO_TOKEN = 'no-account';
const HOUR_S = 3_600;

/** @param agent also leads to where the access tokens of a key come from */
export function credentialOf(account: FcmAccount, agent: Agent): Credential {
  switch (account.kind) {
    case 'key':
      // By its file: for a key that it is given as an object the SDK forgets the agent.
      return cert(account.file, agent);
    case 'machine':
      return applicationDefault();
    case 'none':
      return { getAccessToken: () => Promise.resolve({ access_token: NO_TOKEN, expires_in: HOUR_S }) };
  }
}

/**
 * Reads the key of a service account, the JSON file that the Firebase console gives. Nothing of it is ever part of a message.
 *
 * @param file that it came from, which is read again when the first hint goes out
 * @param projectId that the configuration names; undefined: the key's own
 * @throws StartupError config - naming what was expected and what came
 */
export function readAccountKey(text: string, file: string, projectId: string | undefined): FcmAccount {
  const refuse = (got: string): StartupError =>
    new StartupError('config', `push.fcm.credentials: expected the key of a service account at ${file}, got ${got}`);
  const key = parsed(text);
  if (key === null) throw refuse('no JSON object');
  const wrong = otherFile(key);
  if (wrong !== null) throw refuse(wrong);
  const partOf = (name: string): string => {
    const value = key[name];
    if (typeof value === 'string' && value !== '') return value;
    throw refuse(`one without "${name}"`);
  };
  const own = partOf('project_id');
  partOf('client_email');
  if (!isPrivateKey(partOf('private_key')))
    throw refuse('one whose "private_key" is none: it may have lost its line breaks');
  if (projectId !== undefined && projectId !== own)
    throw refuse(`one of the project "${own}", while push.fcm.projectId says "${projectId}"`);
  return { kind: 'key', projectId: own, file };
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch {
    // Its message would quote the file.
    return null;
  }
}

/** The files that people have at hand and take for it. Null: it is none of them. */
function otherFile(key: Readonly<Record<string, unknown>>): string | null {
  if ('project_info' in key) return 'the configuration of an Android app (google-services.json)';
  const { type } = key;
  if (type === 'service_account' || typeof type !== 'string') return null;
  return `one of the type "${type}": let GOOGLE_APPLICATION_CREDENTIALS name it, and push.fcm.credentials be "application-default"`;
}

function isPrivateKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}

/** Longest wait for the machine's account: a start goes on without an answer. */
const MACHINE_PATIENCE_MS = 10_000;
/** Faults of Google's library that only another configuration can repair, not another moment. */
const NO_ACCOUNT = /default credentials|no such file|does not exist|not a file|in JSON at|not valid JSON|must contain/i;

/**
 * Asks once for the account that the machine gives.
 *
 * @param ask gets an access token and forgets it
 * @throws StartupError config - the machine gives none. Google that does not answer is only told: a start does not depend on it
 */
export async function checkMachineAccount(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  ask: () => Promise<unknown> = () => applicationDefault().getAccessToken(),
): Promise<void> {
  const answered = new AbortController();
  const tooLate = clock.wait(MACHINE_PATIENCE_MS, answered.signal).then(() => {
    throw new Error(`no answer within ${MACHINE_PATIENCE_MS} ms`);
  });
  tooLate.catch(() => undefined);
  try {
    await Promise.race([ask(), tooLate]);
  } catch (cause) {
    const { message } = cause as Error;
    if (NO_ACCOUNT.test(message))
      throw new StartupError(
        'config',
        'push.fcm.credentials: expected "application-default" to find the account of this machine or the file that GOOGLE_APPLICATION_CREDENTIALS names, it found none',
        { cause },
      );
    log.warn('no access token for FCM yet', { said: withoutSecrets(message) });
  } finally {
    answered.abort();
  }
}
