import { createHash } from 'node:crypto';
import fc from '../support/properties.js';
import { Writable } from 'node:stream';
import { createLog, hashText } from '../../src/server/telemetry.js';

function logInto(level: Parameters<typeof createLog>[0]): { log: ReturnType<typeof createLog>; lines: () => object[] } {
  let text = '';
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString('utf8');
      done();
    },
  });
  return {
    log: createLog(level, destination),
    lines: () =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
  };
}

describe('a log', () => {
  test('is one JSON line per thing, with its level by name, its time and its details', () => {
    const { log, lines } = logInto('debug');
    log.warn('a poll failed', { source: 'clinic', attempt: 2 });
    log.error('line\nbreak');
    expect(lines()).toEqual([
      { level: 'warn', time: expect.stringMatching(/^20.*Z$/), source: 'clinic', attempt: 2, msg: 'a poll failed' },
      { level: 'error', time: expect.any(String), msg: 'line\nbreak' },
    ]);
  });

  test.each([
    ['silent', []],
    ['error', ['error']],
    ['warn', ['warn', 'error']],
    ['info', ['info', 'warn', 'error']],
    ['debug', ['debug', 'info', 'warn', 'error']],
  ] as const)('of level %s has %j', (level, expected) => {
    const { log, lines } = logInto(level);
    log.debug('x');
    log.info('x');
    log.warn('x');
    log.error('x');
    expect(lines().map((line) => (line as { level: string }).level)).toEqual(expected);
  });
});

test('a hash is SHA-256 of the text in UTF-8, in lower-case hex', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(hashText(text)).toBe(createHash('sha256').update(text, 'utf8').digest('hex'));
    }),
  );
});
