import { StartupError } from '../core/errors.js';
import type { PhoneSender } from '../core/phone-hint-port.js';
import type { Chance, Clock, Log } from '../core/ports.js';
import type { FcmAccount } from '../fcm/fcm-account.js';
import type { Config } from './config.js';
import { MACHINE_ACCOUNT, type PushSettings } from './push-settings.js';
import { readSecretFile } from './secret-file.js';

/** Of an endpoint that asks for no account. */
const NOBODYS_PROJECT = 'local';

/**
 * Who hands hints to sleeping phones, as `push` of the configuration says.
 *
 * @param collections that there are
 * @returns null: nobody does
 * @throws StartupError config - a credential that cannot be one, or a text for a collection that is not there
 */
export async function openPhoneSender(
  { push }: Pick<Config, 'push'>,
  collections: readonly string[],
  ports: { readonly clock: Clock; readonly chance: Chance; readonly log: Log },
): Promise<PhoneSender | null> {
  if (push === undefined) return null;
  const unknown = Object.keys(push.visible).find((name) => !collections.includes(name));
  if (unknown !== undefined)
    throw new StartupError('config', `push.visible: expected one of ${collections.join(', ')}, got "${unknown}"`);
  // The SDK takes half a second and 20 MB: only for those who use it.
  const [{ createFcmSender }, account] = await Promise.all([
    import('../fcm/fcm-sender.js'),
    accountOf(push.fcm, ports),
  ]);
  const notices = { of: new Map(Object.entries(push.visible)), general: push.notice ?? null };
  return createFcmSender({ account, endpoint: push.fcm.endpoint ?? null, notices }, ports);
}

async function accountOf(
  { credentials, projectId, endpoint }: PushSettings['fcm'],
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<FcmAccount> {
  if (credentials === undefined) return { kind: 'none', projectId: projectId ?? NOBODYS_PROJECT };
  const { checkMachineAccount, readAccountKey } = await import('../fcm/fcm-account.js');
  if (credentials !== MACHINE_ACCOUNT) {
    return readAccountKey(readSecretFile('push.fcm.credentials', credentials, 'key'), credentials, projectId);
  }
  if (projectId === undefined)
    throw new StartupError('config', 'push.fcm.projectId: expected the Firebase project beside "application-default"');
  if (endpoint !== undefined)
    throw new StartupError(
      'config',
      'push.fcm.endpoint: expected none beside "application-default": the access tokens of this machine go to Google only',
    );
  await checkMachineAccount(ports);
  return { kind: 'machine', projectId };
}
