import { fcmMessage } from '../../src/fcm/fcm-message.js';
import fc from '../support/properties.js';

const NOW = Date.UTC(2026, 0, 5, 8);
/** What FCM takes, in bytes. */
const MAX_PAYLOAD = 4_096;

test('R18: whatever the collections are called and the texts say, a message is no larger than FCM takes', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 120 });
  fc.assert(
    fc.property(
      fc.constantFrom('ANDROID' as const, 'IOS' as const, 'WEB' as const),
      fc.array(name, { minLength: 1, maxLength: 60 }),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 388 }).map((text) => `{collection}${text}`),
      (platform, collections, title, body) => {
        const notices = new Map([[collections[0] ?? '', { title, body }]]);
        const message = messageFor(platform, collections, notices);
        expect(Buffer.byteLength(JSON.stringify({ ...message, token: '' }))).toBeLessThan(MAX_PAYLOAD);
      },
    ),
  );
});

test('names that do not fit become the empty list, which says: pull everything', () => {
  const few = Array.from({ length: 100 }, (_, n) => `collection${n}`);
  const many = Array.from({ length: 200 }, (_, n) => `collection${n}`);
  expect(JSON.parse(messageFor('ANDROID', few).data?.['collections'] ?? '')).toEqual(few);
  expect(messageFor('ANDROID', many).data?.['collections']).toBe('[]');
  expect(messageFor('ANDROID', []).data?.['collections']).toBe('[]');
});

test('collections named like parts of every object have no text of their own', () => {
  for (const platform of ['ANDROID', 'IOS', 'WEB'] as const)
    expect(JSON.stringify(messageFor(platform, ['constructor', '__proto__', 'toString']))).not.toContain('title');
});

function messageFor(
  platform: 'ANDROID' | 'IOS' | 'WEB',
  collections: readonly string[],
  notices = new Map<string, { title: string; body: string }>(),
) {
  const device = { tenant: 'default', user: 'nadia', device: 'phone' };
  return fcmMessage({ device, platform, token: 't', collections, atMs: NOW }, { of: notices, general: null }, NOW);
}
