import fc from '../support/properties.js';
import { developmentSessions, readDevice } from '../../src/server/session.js';

describe('a development session', () => {
  const developmentSession = developmentSessions();

  test('is the developer of the default tenant and sees every scope, new ones included, and is an operator', async () => {
    expect(await developmentSession({ authorization: 'Bearer whatever', device: 'tablet-7' })).toEqual({
      tenant: 'default',
      user: 'developer',
      device: 'tablet-7',
      grant: { kind: 'every' },
      roles: [],
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

describe('users of development mode', () => {
  const sessions = developmentSessions({ nadia: { scopes: ['route:1'], writes: [], roles: ['nurse'] } });

  test('are named by their bearer, and see what they may', async () => {
    expect(await sessions({ authorization: 'bearer nadia', device: 'phone' })).toEqual({
      tenant: 'default',
      user: 'nadia',
      device: 'phone',
      grant: { kind: 'listed', scopes: ['route:1'] },
      writeGrant: { kind: 'listed', scopes: [] },
      roles: ['nurse'],
      isOperator: false,
    });
  });

  test('who is named by nobody is the developer', async () => {
    expect(await sessions({ authorization: null, device: null })).toMatchObject({
      user: 'developer',
      isOperator: true,
    });
  });

  test.each(['Bearer omar', 'Bearer ', 'Basic nadia', ''])(
    'others are refused, never the developer: %s',
    async (authorization) => {
      await expect(sessions({ authorization, device: null })).rejects.toMatchObject({
        code: 'UNAUTHENTICATED',
        message: expect.stringContaining('"Bearer nadia"') as string,
      });
    },
  );

  test('are checked at start', () => {
    expect(() => developmentSessions({ nadia: { scopes: [''] } })).toThrow('a scope is a text of 1 to 200 characters');
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
