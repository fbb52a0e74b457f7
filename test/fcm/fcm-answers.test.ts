import { answerOf, FCM_CODES } from '../../src/fcm/fcm-answers.js';

const UNPROVEN = { formTaken: false, anyTaken: false };
const PROVEN = { formTaken: true, anyTaken: true };

const fault = (code: string, message = ''): Error => Object.assign(new Error(message), { code });
const kindOf = (code: string, message?: string, proof = PROVEN): string => {
  const { outcome } = answerOf(fault(code, message), proof);
  return outcome.kind === 'sent' ? 'sent' : `${outcome.kind} ${outcome.reason}`;
};

describe('R18: what a fault of the push service comes to', () => {
  test.each([
    ['messaging/registration-token-not-registered', 'gone unregistered'],
    ['messaging/invalid-argument', 'gone malformed'],
    ['messaging/message-rate-exceeded', 'later quota'],
    ['messaging/server-unavailable', 'later unavailable'],
    ['messaging/internal-error', 'later broken'],
    ['messaging/third-party-auth-error', 'refused platformCredential'],
    ['messaging/authentication-error', 'refused credential'],
    ['messaging/invalid-payload', 'refused payload'],
    ['messaging/unknown-error', 'later unknown'],
    ['messaging/made-up-tomorrow', 'later unknown'],
    ['app/network-error', 'later unreachable'],
  ])('%s: %s', (code, expected) => {
    expect(kindOf(code)).toBe(expected);
  });

  test('a token is removed for nothing but what is about that token', () => {
    const removing = FCM_CODES.filter((code) => kindOf(code, '', UNPROVEN).startsWith('gone'));
    expect(removing).toEqual(['messaging/registration-token-not-registered']);
  });

  test('a credential of another project takes no token away: before anything was taken a mismatch is ours', () => {
    expect(kindOf('messaging/mismatched-credential', 'SenderId mismatch', UNPROVEN)).toBe('refused credential');
    expect(kindOf('messaging/mismatched-credential', 'SenderId mismatch')).toBe('gone otherProject');
  });

  test('an account that lost its role takes no token away, although the SDK calls that a mismatch too', () => {
    const denied = "Permission 'cloudmessaging.messages.create' denied on resource '//cloudresourcemanager…'";
    expect(kindOf('messaging/mismatched-credential', denied)).toBe('refused credential');
  });

  test('a way to Google that is broken is no refused account', () => {
    expect(kindOf('app/invalid-credential', 'invalid_grant (Invalid JWT Signature.)')).toBe('refused credential');
    expect(kindOf('app/invalid-credential', 'request to https://oauth2.googleapis.com/token failed')).toBe(
      'later unreachable',
    );
  });

  test('whatever is thrown has an answer', () => {
    for (const thrown of [undefined, null, 'text', 17, {}, new Error('no code'), { code: 5 }])
      expect(answerOf(thrown, PROVEN)).toMatchObject({ outcome: { kind: 'later', reason: 'unknown' }, isAlarm: true });
  });

  test('every refusal is told, and no quota or outage is', () => {
    for (const code of FCM_CODES) {
      const { outcome, isAlarm } = answerOf(fault(code), UNPROVEN);
      if (outcome.kind === 'refused') expect([code, isAlarm]).toEqual([code, true]);
      if (outcome.kind === 'later' && ['quota', 'unavailable', 'broken'].includes(outcome.reason))
        expect([code, isAlarm]).toEqual([code, false]);
    }
  });
});
