import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '../../src/core/errors.js';
import { checkMachineAccount } from '../../src/fcm/fcm-account.js';
import { loadConfig, type TidegateConfig } from '../../src/server/config.js';
import { openPhoneSender } from '../../src/server/configured-phones.js';
import { createLines } from '../support/log-lines.js';
import { createManualClock } from '../support/manual-clock.js';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const KEY = {
  type: 'service_account',
  project_id: 'care-app',
  private_key: PEM,
  client_email: 'hints@care-app.iam.gserviceaccount.com',
};

type Push = NonNullable<TidegateConfig['push']>;

const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-push-'));
const file = path.join(folder, 'fcm.json');
const { log, lines } = createLines();
const ports = { clock: createManualClock(), chance: () => 0, log };
afterAll(() => rmSync(folder, { recursive: true }));

function written(content: unknown, mode = 0o600): string {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  chmodSync(file, mode);
  return file;
}

async function opened(push: Push | undefined, env: Readonly<Record<string, string>> = {}): Promise<boolean> {
  const config = await loadConfig(env, folder, push === undefined ? {} : { push });
  const sender = await openPhoneSender(config, ['visits', 'patients'], ports);
  await sender?.close();
  return sender !== null;
}

async function refusal(push: Push, env?: Readonly<Record<string, string>>): Promise<string> {
  const fault = await opened(push, env).catch((thrown: unknown) => thrown);
  expect(fault).toBeInstanceOf(StartupError);
  expect(fault).toMatchObject({ reason: 'config' });
  return (fault as StartupError).message;
}

test('without push nobody hints phones', async () => {
  expect(await opened(undefined)).toBe(false);
});

test('a key file is found beside the configuration, or where the environment says, which wins', async () => {
  written(KEY);
  expect(await opened({ fcm: { credentials: 'fcm.json' } })).toBe(true);
  expect(await opened(undefined, { TIDEGATE_FCM_CREDENTIALS: file })).toBe(true);
  const push: Push = { fcm: { credentials: 'elsewhere.json' }, windowsMs: { android: 5_000 } };
  const config = await loadConfig({ TIDEGATE_FCM_CREDENTIALS: 'fcm.json' }, folder, { push });
  expect(config.push).toMatchObject({
    fcm: { credentials: file, allowRemoteEndpoint: false },
    visible: {},
    windowsMs: { android: 5_000, ios: 1_200_000, web: 60_000 },
  });
});

describe('a credential that cannot be one is one clear sentence at the start, with nothing of it:', () => {
  const expected = 'push.fcm.credentials: expected the key of a service account at';
  test.each<readonly [string, () => unknown, string]>([
    ['no JSON', () => `-- ${PEM}`, 'no JSON object'],
    ['a list', () => [KEY], 'no JSON object'],
    [
      'the app’s own file',
      () => ({ project_info: {}, client: [] }),
      'the configuration of an Android app (google-services.json)',
    ],
    [
      'a user',
      () => ({ type: 'authorized_user', refresh_token: 'r' }),
      'one of the type "authorized_user": let GOOGLE_APPLICATION_CREDENTIALS name it, and push.fcm.credentials be "application-default"',
    ],
    ['no project', () => ({ ...KEY, project_id: undefined }), 'one without "project_id"'],
    ['no address', () => ({ ...KEY, client_email: '' }), 'one without "client_email"'],
    ['no key', () => ({ ...KEY, private_key: 17 }), 'one without "private_key"'],
    [
      'half a key',
      () => ({ ...KEY, private_key: PEM.slice(0, 400) }),
      'one whose "private_key" is none: it may have lost its line breaks',
    ],
    [
      'a key in one line',
      () => ({ ...KEY, private_key: PEM.replaceAll('\n', ' ') }),
      'one whose "private_key" is none: it may have lost its line breaks',
    ],
  ])('%s', async (_what, content, got) => {
    const said = await refusal({ fcm: { credentials: written(content()) } });
    expect(said).toBe(`${expected} ${file}, got ${got}`);
    for (const part of PEM.split('\n').filter((line) => line.length > 40))
      expect(said).not.toContain(part.slice(0, 20));
  });

  test('of another project', async () => {
    expect(await refusal({ fcm: { credentials: written(KEY), projectId: 'another-app' } })).toBe(
      `${expected} ${file}, got one of the project "care-app", while push.fcm.projectId says "another-app"`,
    );
  });

  test('not there, or for everybody to read', async () => {
    const where = 'push.fcm.credentials: expected a file that only its owner and group can read at';
    expect(await refusal({ fcm: { credentials: 'nothing.json' } })).toBe(
      `${where} ${path.join(folder, 'nothing.json')}, got none`,
    );
    expect(await refusal({ fcm: { credentials: written(KEY, 0o644) } })).toContain(
      `${where} ${file}, got one with mode 644`,
    );
  });
});

describe('an account that the machine gives', () => {
  test('needs the project named, and no endpoint', async () => {
    expect(await refusal({ fcm: { credentials: 'application-default' } })).toMatch(/^push\.fcm\.projectId: expected/);
    const endpoint = 'http://127.0.0.1:9';
    const fcm = { credentials: 'application-default', projectId: 'care-app', endpoint };
    expect(await refusal({ fcm })).toMatch(/^push\.fcm\.endpoint: expected none/);
  });

  test('that is not there is a sentence; a Google that does not answer is a line of the log, and the gateway starts', async () => {
    const fails = (message: string) => checkMachineAccount(ports, () => Promise.reject(new Error(message)));
    const none = [
      'Could not load the default credentials. Browse to https://cloud.google.com/docs for more information.',
      'The file at /run/secrets/nothing.json does not exist, or it is not a file. ENOENT: no such file or directory',
      'Unexpected token h in JSON at position 1',
    ];
    for (const message of none) await expect(fails(message)).rejects.toThrow(/expected "application-default" to find/);
    const access = 'ya29.'.padEnd(180, 'x');
    await fails(`request to https://oauth2.googleapis.com/token failed, reason: ECONNREFUSED ${access}`);
    expect(lines.at(-1)).toMatchObject({ level: 'warn', what: 'no access token for FCM yet' });
    expect(JSON.stringify(lines)).not.toContain(access.slice(0, 60));
  });

  test('is waited for no longer than ten seconds', async () => {
    const checked = checkMachineAccount(ports, () => new Promise(() => undefined));
    ports.clock.advance(10_000);
    await checked;
    expect(lines.at(-1)).toMatchObject({ level: 'warn', details: { said: 'no answer within 10000 ms' } });
  });
});

test.each<readonly [string, unknown, RegExp]>([
  ['no way to FCM', { fcm: {} }, /push\.fcm: expected credentials/],
  [
    'an endpoint elsewhere',
    { fcm: { endpoint: 'http://10.0.0.7:80' } },
    /push\.fcm: expected an endpoint on this machine/,
  ],
  [
    'a name that only looks like this machine',
    { fcm: { endpoint: 'http://127.0.0.1.evil.example' } },
    /on this machine/,
  ],
  ['an endpoint with a path', { fcm: { endpoint: 'http://127.0.0.1/fcm' } }, /push\.fcm\.endpoint: expected an origin/],
  [
    'a text of a record',
    { fcm: { endpoint: 'http://127.0.0.1' }, visible: { visits: { title: 'Care', body: '{patient} waits' } } },
    /visible\.visits\.body: expected no other blank than \{collection\}/,
  ],
  [
    'a text for no collection',
    { fcm: { endpoint: 'http://127.0.0.1' }, visible: { vists: { title: 'a', body: 'b' } } },
    /push\.visible: expected one of visits, patients, got "vists"/,
  ],
  ['a key that is not known', { fcm: { endpoint: 'http://127.0.0.1', secret: 'x' } }, /push\.fcm\.secret: no such key/],
])('what cannot be meant is refused at the start: %s', async (_what, push, said) => {
  expect(await refusal(push as Push)).toMatch(said);
});

test('an endpoint elsewhere is for those who say so', async () => {
  expect(await opened({ fcm: { endpoint: 'https://fcm.proxy.example', allowRemoteEndpoint: true } })).toBe(true);
});
