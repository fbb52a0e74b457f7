import fc from '../support/properties.js';
import { developmentSession, readDevice } from '../../src/server/session.js';

describe('a development session', () => {
  test('is the developer of the default tenant and sees every scope, new ones included, and is an operator', async () => {
    expect(await developmentSession({ authorization: 'Bearer whatever', device: 'tablet-7' })).toEqual({
      tenant: 'default',
      user: 'developer',
      device: 'tablet-7',
      grant: { kind: 'every' },
      isOperator: true,
    });
  });

  test('without a device id has no device', async () => {
    expect((await developmentSession({ authorization: null, device: null })).device).toBeNull();
  });

  test('with a bad device id is refused: it never becomes a session without a device', async () => {
    await expect(developmentSession({ authorization: null, device: '' })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      field: 'Tidegate-Device',
    });
  });
});

describe('a device id', () => {
  test.each(['a', '3f0c1a52-1d0e-4b8b-9e0c-0a1b2c3d4e5f', 'Tablet_7.ward:3', 'x'.repeat(128)])(
    'is what a UUID or a name is: %s',
    (device) => {
      expect(readDevice(device)).toBe(device);
    },
  );

  test('for all texts is either as it was sent or refused, and what is accepted is safe in keys and logs', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ minLength: 120, maxLength: 140 })),
        (text) => {
          let read: string | null;
          try {
            read = readDevice(text);
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: 'BAD_REQUEST' });
            return;
          }
          expect(read).toBe(text);
          expect(text).toMatch(/^[\w.:-]{1,128}$/);
        },
      ),
    );
  });

  test('that is refused is told by its length, not by itself', () => {
    expect(() => readDevice('token=secret\n')).toThrow(/got 13 characters$/);
  });
});
