import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startPushService, type PushAnswer, type PushService } from '../../demo/push-service.js';
import type { HintOutcome, PhoneHint, PhoneSender } from '../../src/core/phone-hint-port.js';
import { readAccountKey, type FcmAccount } from '../../src/fcm/fcm-account.js';
import { createFcmSender } from '../../src/fcm/fcm-sender.js';
import { createLines } from '../support/log-lines.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { until } from '../support/until.js';

const NOW = Date.UTC(2026, 0, 5, 8);
const AT = '2026-01-05T07:59:58.000Z';
const NOBODY: FcmAccount = { kind: 'none', projectId: 'care-app' };
const NOTICES = {
  of: new Map([['messages', { title: 'Care', body: 'Something new in {collection}.' }]]),
  general: { title: 'Care', body: 'Please open the app.' },
};

let service: PushService;
let clock: ManualClock;
let told: ReturnType<typeof createLines>;
let senders: PhoneSender[] = [];

beforeAll(async () => {
  service = await startPushService();
});
beforeEach(() => {
  clock = createManualClock(NOW);
  told = createLines();
  service.forget();
});
afterEach(async () => {
  const log = JSON.stringify(told.lines);
  for (const { message, accessToken } of service.pushed) {
    expect(log).not.toContain(message.token);
    expect(log).not.toContain(accessToken);
  }
  await Promise.all(senders.map((one) => one.close()));
  senders = [];
});
afterAll(() => service.stop());

describe('R18: on the wire a hint is names and a time, as each platform takes them', () => {
  const data = { t: 'hint', collections: '["visits","patients"]', at: AT };
  const apns = (type: string, priority: string) => ({
    'apns-push-type': type,
    'apns-priority': priority,
    'apns-collapse-id': 'tidegate-hint',
    'apns-expiration': String(NOW / 1_000 + 86_400),
  });

  test.each<readonly [PhoneHint['platform'], object]>([
    ['ANDROID', { android: { priority: 'normal', collapse_key: 'tidegate-hint', ttl: '86400s' } }],
    ['IOS', { apns: { headers: apns('background', '5'), payload: { aps: { 'content-available': 1 } } } }],
    ['WEB', { webpush: { headers: { TTL: '86400', Urgency: 'normal', Topic: 'tidegate-hint' } } }],
  ])('silent: %s', async (platform, envelope) => {
    await open().send([hintTo('phone', { platform, collections: ['visits', 'patients'] })]);
    expect(service.pushed).toMatchObject([{ project: 'care-app', accessToken: 'no-account' }]);
    expect(service.pushed[0]?.message).toEqual({ token: 'phone', data, ...envelope });
  });

  const text = { title: 'Care', body: 'Something new in messages.' };
  test.each<readonly [PhoneHint['platform'], object]>([
    [
      'ANDROID',
      {
        android: {
          priority: 'high',
          collapse_key: 'tidegate-hint',
          ttl: '86400s',
          notification: { ...text, tag: 'tidegate-hint' },
        },
      },
    ],
    ['IOS', { apns: { headers: apns('alert', '10'), payload: { aps: { alert: text, 'content-available': 1 } } } }],
    [
      'WEB',
      {
        webpush: {
          headers: { TTL: '86400', Urgency: 'high', Topic: 'tidegate-hint' },
          notification: { ...text, tag: 'tidegate-hint' },
        },
      },
    ],
  ])('shown, where the configuration has a text: %s', async (platform, envelope) => {
    await open().send([hintTo('phone', { platform, collections: ['visits', 'messages'] })]);
    const shown = { ...data, collections: '["visits","messages"]' };
    expect(service.pushed[0]?.message).toEqual({ token: 'phone', data: shown, ...envelope });
  });
});

test('a hint that people are to see shows the general text, where its collections have none', async () => {
  await open().send([
    hintTo('phone', { isNotice: true }),
    hintTo('other', { isNotice: true, collections: ['messages'] }),
  ]);
  const texts = service.pushed.map(({ message }) => (message['android'] as { notification?: object }).notification);
  expect(texts).toMatchObject([{ body: 'Please open the app.' }, { body: 'Something new in messages.' }]);
});

describe('through the SDK each answer of FCM has its outcome, after others were taken:', () => {
  test.each<readonly [PushAnswer, HintOutcome, alarm: string | null]>([
    ['taken', { kind: 'sent' }, null],
    ['unregistered', { kind: 'gone', reason: 'unregistered' }, null],
    ['malformedToken', { kind: 'gone', reason: 'malformed' }, null],
    ['otherSender', { kind: 'gone', reason: 'otherProject' }, 'messaging/mismatched-credential'],
    ['noRole', { kind: 'refused', reason: 'credential' }, 'messaging/mismatched-credential'],
    ['brokenApnsKey', { kind: 'refused', reason: 'platformCredential' }, 'messaging/third-party-auth-error'],
    ['badAccessToken', { kind: 'refused', reason: 'platformCredential' }, 'messaging/third-party-auth-error'],
    ['overQuota', { kind: 'later', reason: 'quota', afterMs: 60_000 }, null],
    ['internal', { kind: 'later', reason: 'broken', afterMs: 15_000 }, null],
    ['unavailable', { kind: 'later', reason: 'unavailable', afterMs: 60_000 }, null],
    ['html502', { kind: 'later', reason: 'unknown', afterMs: 60_000 }, 'messaging/unknown-error'],
    ['reset', { kind: 'later', reason: 'unreachable', afterMs: 15_000 }, null],
    ['silence', { kind: 'later', reason: 'unreachable', afterMs: 15_000 }, null],
  ])('%s', async (answer, outcome, alarm) => {
    const sender = open();
    await sender.send([hintTo('another-phone')]);
    service.answer('phone', answer);
    const outcomes = sender.send([hintTo('phone')]);
    if (answer === 'silence') {
      await until('FCM has it', async () => service.pushed.length === 2);
      clock.advance(15_000);
    }
    expect(await afterRetries(outcomes)).toEqual([outcome]);
    expect(told.lines.map(({ level, details }) => [level, details['code']])).toEqual(
      alarm === null ? [] : [['error', alarm]],
    );
  });

  test('one that is away for a moment is asked again by the SDK itself', async () => {
    service.answer('phone', 'unavailable', 'reset', 'taken');
    expect(await afterRetries(open().send([hintTo('phone')]))).toEqual([{ kind: 'sent' }]);
    expect(service.pushed.map(({ answer }) => answer)).toEqual(['unavailable', 'reset', 'taken']);
  });

  test('Retry-After is kept to, in seconds and as a date; without it a quota waits a minute', async () => {
    for (const [retryAfter, afterMs] of [
      ['120', 120_000],
      ['Mon, 05 Jan 2026 08:05:00 GMT', 300_000],
      [null, 60_000],
    ] as const) {
      const strict = await startPushService({ retryAfter });
      strict.answerAll('overQuota');
      const sender = open(NOBODY, strict);
      expect(await sender.send([hintTo('phone')])).toEqual([{ kind: 'later', reason: 'quota', afterMs }]);
      await strict.stop();
    }
  });
});

describe('a token is removed only where the fault is the token’s:', () => {
  test.each<readonly [PushAnswer, HintOutcome]>([
    ['malformedToken', { kind: 'refused', reason: 'payload' }],
    ['otherSender', { kind: 'refused', reason: 'credential' }],
  ])('as long as nothing was taken, %s removes none', async (answer, outcome) => {
    service.answerAll(answer);
    expect(await open().send([hintTo('phone')])).toEqual([outcome]);
  });

  test('what was taken for Android says nothing of the form that iOS gets', async () => {
    const sender = open();
    await sender.send([hintTo('android')]);
    service.answer('ios', 'malformedToken');
    expect(await sender.send([hintTo('ios', { platform: 'IOS' })])).toEqual([{ kind: 'refused', reason: 'payload' }]);
  });
});

describe('while FCM takes nothing', () => {
  test('hints go out by a hundred, and those behind the first do not go at all', async () => {
    service.answerAll('silence');
    const outcomes = open().send(hintsTo(150));
    await until('a hundred are there', async () => service.pushed.length === 100);
    clock.advance(15_000);
    expect(kindsOf(await outcomes)).toEqual({ 'later unreachable': 100, 'later breaker': 50 });
    expect(service.pushed).toHaveLength(100);
    expect(told.lines).toMatchObject([{ level: 'error', what: 'FCM takes no hints: they wait' }]);
  });

  test('one hint at a time finds out whether it is back, ever more seldom, and then all go', async () => {
    const sender = open();
    service.answerAll('internal');
    await sender.send(hintsTo(5));
    for (const [waitMs, isProbed] of [
      [0, false],
      [14_999, false],
      [1, true],
      [14_999, false],
      [1, true],
      [15_000, false],
      [5_000, true],
    ] as const) {
      clock.advance(waitMs);
      const before = service.pushed.length;
      const both = await Promise.all([sender.send(hintsTo(3)), sender.send(hintsTo(3))]);
      expect([waitMs, service.pushed.length - before]).toEqual([waitMs, isProbed ? 1 : 0]);
      expect(kindsOf(both.flat())).toEqual(
        isProbed ? { 'later broken': 1, 'later breaker': 5 } : { 'later breaker': 6 },
      );
    }
    clock.advance(40_000);
    service.answerAll('taken');
    expect(kindsOf(await sender.send(hintsTo(3)))).toEqual({ sent: 3 });
    expect(told.lines.map(({ what }) => what)).toEqual(['FCM takes no hints: they wait', 'FCM takes hints again']);
  });

  test('single tokens that fail do not stop the others', async () => {
    const sender = open();
    for (let n = 0; n < 20; n++) {
      service.answer(`phone-${n}`, 'internal');
      expect(kindsOf(await sender.send([hintTo(`phone-${n}`), hintTo('healthy')]))).toEqual({
        'later broken': 1,
        sent: 1,
      });
    }
  });
});

test('what a person must repair is told once in ten minutes, with how often it came', async () => {
  service.answerAll('brokenApnsKey');
  const sender = open();
  const hints = hintsTo(40).map((hint): PhoneHint => ({ ...hint, platform: 'IOS' }));
  expect(kindsOf(await sender.send(hints))).toEqual({ 'refused platformCredential': 40 });
  clock.advance(600_000);
  await sender.send(hints);
  expect(told.lines).toMatchObject([
    { level: 'error', what: 'FCM refuses hints', details: { platform: 'IOS', times: 1 } },
    { level: 'error', what: 'FCM refuses hints', details: { platform: 'IOS', times: 40 } },
  ]);
});

test('an account that Google refuses is an alarm without the key, and sends nothing', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidegate-fcm-'));
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const file = path.join(folder, 'key.json');
  const key = { type: 'service_account', project_id: 'care-app', client_email: 'a@b.example', private_key: pem };
  writeFileSync(file, JSON.stringify(key));
  service.refuseAccounts(true);
  const account = readAccountKey(JSON.stringify(key), file, undefined);
  expect(await open(account).send([hintTo('phone')])).toEqual([{ kind: 'refused', reason: 'credential' }]);
  expect(service.pushed).toEqual([]);
  expect(told.lines).toMatchObject([{ level: 'error', details: { code: 'app/invalid-credential' } }]);
  expect(JSON.stringify(told.lines)).toContain('invalid_grant');
  expect(JSON.stringify(told.lines)).not.toContain(pem.slice(60, 90));

  service.refuseAccounts(false);
  expect(await open(account).send([hintTo('phone')])).toEqual([{ kind: 'sent' }]);
  expect(service.pushed).toMatchObject([{ project: 'care-app', accessToken: 'local-access-token' }]);
  rmSync(folder, { recursive: true });
});

describe('a sender that ends', () => {
  test('leaves what is under way, and what comes then, for later', async () => {
    service.answerAll('silence');
    const sender = open();
    const outcomes = Promise.all([sender.send(hintsTo(150)), sender.send(hintsTo(150))]);
    await until('a hundred are there', async () => service.pushed.length === 100);
    await sender.close();
    await sender.close();
    expect(kindsOf((await outcomes).flat())).toEqual({ 'later unreachable': 200, 'later stopped': 100 });
    expect(kindsOf(await sender.send([hintTo('phone')]))).toEqual({ 'later stopped': 1 });
    // What the SDK would try again by itself ends with it: it would be there before this one.
    service.answerAll('taken');
    await open().send([hintTo('phone')]);
    expect(service.pushed).toHaveLength(101);
  });

  test('may be one call alone', async () => {
    service.answerAll('silence');
    const sender = open();
    const stop = new AbortController();
    const outcomes = sender.send([hintTo('phone')], stop.signal);
    await until('it is there', async () => service.pushed.length === 1);
    stop.abort();
    expect(kindsOf(await outcomes)).toEqual({ 'later unreachable': 1 });
    service.answerAll('taken');
    expect(kindsOf(await sender.send([hintTo('phone')]))).toEqual({ sent: 1 });
  });

  test('may be the call that goes out to see whether FCM is back: the next one does', async () => {
    service.answerAll('noRole');
    const sender = open();
    await sender.send(hintsTo(5));
    expect(kindsOf(await sender.send([hintTo('phone')]))).toEqual({ 'later breaker': 1 });
    clock.advance(5_000);
    service.answerAll('silence');
    const stop = new AbortController();
    const outcomes = sender.send(hintsTo(2), stop.signal);
    await until('it is there', async () => service.pushed.length === 6);
    stop.abort();
    expect(kindsOf(await outcomes)).toEqual({ 'later unreachable': 1, 'later stopped': 1 });
    service.answerAll('taken');
    expect(kindsOf(await sender.send(hintsTo(2)))).toEqual({ sent: 2 });
  });
});

function open(account: FcmAccount = NOBODY, to: PushService = service): PhoneSender {
  const sender = createFcmSender(
    { account, endpoint: new URL(to.url), notices: NOTICES },
    { clock, chance: () => 0, log: told.log },
  );
  senders.push(sender);
  return sender;
}

function hintTo(token: string, more: Partial<PhoneHint> = {}): PhoneHint {
  return {
    device: { tenant: 'default', user: 'nadia', device: token },
    platform: 'ANDROID',
    token,
    collections: ['visits'],
    atMs: NOW - 2_000,
    ...more,
  };
}

function hintsTo(count: number): readonly PhoneHint[] {
  return Array.from({ length: count }, (_, n) => hintTo(`phone-${n}`));
}

function kindsOf(outcomes: readonly HintOutcome[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const kind = outcome.kind === 'sent' ? 'sent' : `${outcome.kind} ${outcome.reason}`;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The outcome, without the seconds that the SDK takes between its own tries. */
async function afterRetries<T>(outcome: Promise<T>): Promise<T> {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((run: () => void, ms: number) => {
    // Not for as long as Retry-After says: nobody could stop the process meanwhile.
    expect(ms).toBeLessThanOrEqual(4_000);
    return setTimeout(run, 0);
  }) as typeof setTimeout;
  try {
    return await outcome;
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}
