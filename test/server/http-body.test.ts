import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from '../support/properties.js';
import { SyncError } from '../../src/core/errors.js';
import { parseJson, readBody } from '../../src/server/http-body.js';
import { writeError } from '../../src/server/http-error.js';
import { silentLog } from '../support/postgres.js';
import { sendRaw } from './raw-http.js';

const MAX = 1_000;
let server: Server;
let url: string;
/** What became of each request. */
let fates: Promise<number | string>[];
let arrived: () => void = () => undefined;

beforeEach(async () => {
  fates = [];
  server = createServer((request, response) => {
    const read = readBody(request, MAX);
    fates.push(
      read.then(
        (bytes) => bytes.length,
        (thrown: unknown) => (thrown instanceof SyncError ? thrown.code : String(thrown)),
      ),
    );
    read.then(
      (bytes) => response.end(bytes),
      (thrown: unknown) => writeError(request, response, thrown, silentLog),
    );
    arrived();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const post = (body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: 'POST', body, headers });
const codeOf = (text: string): string => JSON.parse(text).errors[0].extensions.code;

describe('a body', () => {
  test('attack 1: of exactly the limit is read, one byte more is refused', async () => {
    expect(await (await post('x'.repeat(MAX))).text()).toHaveLength(MAX);
    const refused = await post('x'.repeat(MAX + 1));
    expect([refused.status, codeOf(await refused.text())]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  });

  test('without a length is counted as it comes', async () => {
    const send = (size: number): Promise<number> =>
      new Promise((resolve, reject) => {
        const request = httpRequest(url, { method: 'POST' }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        request.on('error', reject);
        for (let sent = 0; sent < size; sent += 100) request.write('x'.repeat(100));
        request.end();
      });
    expect([await send(MAX), await send(MAX + 100)]).toEqual([200, 413]);
  });

  test('in pieces of one byte, also within a character, arrives whole', async () => {
    const text = 'Zoë, 10 €, 🚑';
    const bytes = Buffer.from(text);
    const head = `POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: ${bytes.length}\r\n\r\n`;
    const { body } = await sendRaw(url, [head, ...[...bytes].map((byte) => Uint8Array.of(byte))]);
    expect(body).toBe(text);
  });

  test('that is empty is empty', async () => {
    expect(await (await post('')).text()).toBe('');
  });

  test.each([
    ['announced', (bytes: number) => `content-length: ${bytes}\r\n`],
    ['not announced', () => 'transfer-encoding: chunked\r\n'],
  ])(
    'of 50 MB, %s, gets its 413 read by a sender who writes all before he listens; memory stays flat',
    async (_how, line) => {
      const megabyte = Buffer.alloc(1_000_000, 'x');
      const isChunked = line(0).startsWith('transfer');
      const pieces = Array.from({ length: 50 }, () =>
        isChunked ? [`${megabyte.length.toString(16)}\r\n`, megabyte, '\r\n'] : [megabyte],
      ).flat();
      const before = process.memoryUsage().arrayBuffers;
      const { status, body } = await sendRaw(url, [
        `POST / HTTP/1.1\r\nhost: localhost\r\n${line(50_000_000)}\r\n`,
        ...pieces,
        isChunked ? '0\r\n\r\n' : '',
      ]);
      expect([status, codeOf(body)]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(60_000_000);
    },
  );

  test('attack 1: that is compressed is refused unread: a bomb is never unpacked', async () => {
    const refused = await post(gzipSync('x'.repeat(1_000_000)), { 'content-encoding': 'gzip' });
    expect([refused.status, codeOf(await refused.text())]).toEqual([400, 'BAD_REQUEST']);
    expect((await post('x', { 'content-encoding': 'identity' })).status).toBe(200);
  });

  test('whose sender goes away is an error, and the next request is answered', async () => {
    const seen = new Promise<void>((resolve) => (arrived = resolve));
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
    socket.write('POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf');
    await seen;
    socket.destroy();
    expect(await fates[0]).toBe('BAD_REQUEST');
    expect(await (await post('next')).text()).toBe('next');
  });
});

const parse = (text: string | Uint8Array): unknown => parseJson(Buffer.from(text));

describe('JSON', () => {
  test('for all values is what JSON.parse makes of it, however it is written', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(0, 1, '\t'), (json, space) => {
        const text = JSON.stringify(JSON.parse(json), null, space);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('for all whole numbers comes back as it was, or is infinite, wherever it stands', () => {
    const digits = fc.stringMatching(/^-?[1-9][0-9]{12,22}$/);
    // Texts that look like numbers and quotes, so that a scanner that loses its place is seen.
    const decoy = fc.oneof(
      fc.string(),
      fc.constantFrom('"', '\\', '\\"', '12345678901234567', '"9007199254740993', '\\\\"'),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(decoy, digits, decoy)), (rows) => {
        const text = `[${rows.map(([key, number, value]) => `{${JSON.stringify(key)}:${number},"v":${JSON.stringify(value)}}`).join(' , ')}]`;
        const expected = rows.map(([key, number, value]) => {
          const isExact = BigInt(Number(number)) === BigInt(number) || String(Number(number)) === number;
          const infinite = number.startsWith('-') ? -Infinity : Infinity;
          return Object.fromEntries([
            [key, isExact ? Number(number) : infinite],
            ['v', value],
          ]);
        });
        const found = parse(text) as object[];
        expect(found.map((row) => Object.entries(row))).toEqual(expected.map((row) => Object.entries(row)));
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992],
    ['9007199254740993', Infinity],
    ['-9007199254740993', -Infinity],
    ['9007199254740994', 9007199254740994],
    ['18446744073709551616', 18446744073709551616],
    // As JavaScript writes a float of that size.
    ['130234565057635140', 130234565057635140],
    ['130234565057635141', Infinity],
    ['1e400', Infinity],
    ['0.1234567890123456789', Number('0.1234567890123456789')],
    ['9007199254740993.0', 9007199254740992],
    ['1'.repeat(400), Infinity],
  ])('number %s becomes %s', (text, value) => {
    expect(parse(`{"n":${text}}`)).toEqual({ n: value });
  });

  test('attack 25: of 20,000 levels is read, one more is refused, whatever stands in its texts', () => {
    const nested = (levels: number, inner = '1'): string =>
      `${'[{"a":'.repeat(levels / 2)}${inner}${'}]'.repeat(levels / 2)}`;
    expect(() => parse(nested(20_000))).not.toThrow();
    expect(() => parse(nested(20_000, '[]'))).toThrow('expected at most 20000 levels of JSON, got more');
    for (const text of [
      '[{'.repeat(30_000),
      `\\${'['.repeat(30_000)}`,
      `"${'['.repeat(30_000)}`,
      `]}\\"${'{'.repeat(30_000)}`,
    ]) {
      const json = JSON.stringify({ [text]: text, list: Array.from({ length: 30_000 }, () => []) });
      expect(parse(json)).toEqual(JSON.parse(json));
    }
    // Not JSON at all: it has no end.
    expect(() => parse(`"${'x'.repeat(30_000)}`)).toThrow('expected JSON');
  });

  test('number of a million digits is read as one beyond every float', () => {
    expect(parse(`[${'7'.repeat(1_000_000)}]`)).toEqual([Infinity]);
  });

  test('attack 20: with __proto__ changes no prototype', () => {
    const value = parse('{"__proto__":{"admin":true},"n":12345678901234567}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'n']);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  test.each([
    ['not JSON', '{"a":}'],
    ['nothing', ''],
    ['two values', '1 2'],
    ['NaN', '[NaN]'],
    ['JSON with many digits that ends early', '[12345678901234567'],
  ])('is refused that is %s', (_what, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });

  test.each([
    ['not UTF-8', [0x22, 0xff, 0x22]],
    ['a surrogate as UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['UTF-16', [...Buffer.from('"a"', 'utf16le'), 0xd8]],
  ])('is refused whose bytes are %s', (_what, bytes) => {
    expect(() => parse(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
  });
});
