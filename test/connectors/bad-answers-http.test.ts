import type { ServerResponse } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { bytesGrownBy, KITS, reply, scanOf, startOdd, type Kit, type OddSource } from './odd-source.js';

/** The largest answer that is taken, here; and what the process may grow by with that limit, garbage included. */
const MOST_BYTES = 1_000_000;
const MOST_GROWTH = 30_000_000;
const BLANKS = ' '.repeat(65_536);

type Odd = (response: ServerResponse, kit: Kit) => void;

const packed =
  (encoding: string, pack: (bytes: Buffer) => Buffer): Odd =>
  (response, kit) =>
    reply(response, kit, pack(Buffer.from(kit.good)), { 'content-encoding': encoding });
const bomb =
  (encoding: string, pack: (bytes: Buffer) => Buffer): Odd =>
  (response, kit) => {
    const body = Buffer.concat([Buffer.from(begun(kit)), Buffer.alloc(30 * MOST_BYTES, 32), Buffer.from(kit.ending)]);
    reply(response, kit, pack(body), { 'content-encoding': encoding });
  };
const typed =
  (contentType: string, encode: (text: string) => string | Buffer = (text) => text): Odd =>
  (response, { good }) =>
    reply(response, { contentType }, encode(good));
const bytes =
  (encode: (text: string) => string | Buffer): Odd =>
  (response, kit) =>
    reply(response, kit, encode(kit.good));

/** A good answer but for what ends it. */
function begun({ good, ending }: Kit): string {
  return good.slice(0, -ending.length);
}

/** An answer that never ends, as fast as it is read. */
function endless(response: ServerResponse, kit: Kit): void {
  response.writeHead(200, { 'content-type': kit.contentType });
  response.write(begun(kit));
  const more = (): void => {
    while (!response.destroyed) if (!response.write(BLANKS)) return void response.once('drain', more);
  };
  more();
}

function brokenOff(headers: (length: number) => Readonly<Record<string, string>>): Odd {
  return (response, kit) => {
    response.writeHead(200, { 'content-type': kit.contentType, ...headers(kit.good.length) });
    response.write(begun(kit), () => response.destroy());
  };
}

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const NO_LIST = /expected a list|expected whole, well-formed XML/;

const ODD: readonly (readonly [string, Odd, RegExp])[] = [
  ['that never ends', endless, /expected an answer of at most 1000000 bytes, got more/],
  ['of few bytes that unpack to many (gzip)', bomb('gzip', gzipSync), /at most 1000000 bytes, got more/],
  ['of few bytes that unpack to many (br)', bomb('br', brotliCompressSync), /at most 1000000 bytes, got more/],
  [
    'that is packed twice',
    packed('gzip, gzip', (body) => gzipSync(gzipSync(body))),
    /expected no content-encoding, or one of gzip, x-gzip, deflate, br, got gzip, gzip/,
  ],
  ['that is not what its packing says', packed('gzip', (body) => body), /incorrect header check/],
  ['that is packed by halves', packed('gzip', (body) => gzipSync(body).subarray(0, -9)), /unexpected end of file/],
  ['that is empty', bytes(() => ''), NO_LIST],
  ['that is a page', typed('text/html', () => '<html>log in</html>'), /expected (JSON|XML in UTF-8), got text\/html/],
  [
    'that is a page and says otherwise',
    bytes(() => '<html>log in</html>'),
    /its JSON is broken|envelope, got \{\}html/,
  ],
  ['in another type', typed('text/csv'), /expected (JSON|XML in UTF-8), got text\/csv \(status 200\)/],
  ['without a type', (response, { good }) => response.writeHead(200).end(good), /got no content-type/],
  ['in another charset', typed('application/json; charset=iso-8859-15'), /charset=iso-8859-15/],
  ['in UTF-16, as it says', typed('text/xml; charset=utf-16', utf16), /got text\/xml; charset=utf-16/],
  ['in UTF-16', bytes(utf16), /in UTF-8, got UTF-16|well-formed XML/],
  [
    'in UTF-16 with a byte order mark',
    bytes((text) => utf16(`\ufeff${text}`)),
    /in UTF-8, got UTF-16|an answer in UTF-8/,
  ],
  ['that is not UTF-8', bytes((text) => Buffer.from(text.replace('well', 'wéll'), 'latin1')), /an answer in UTF-8/],
  ['that is cut, and says that it is whole', bytes((text) => text.slice(0, -9)), /broken or cut off|well-formed XML/],
  ['that comes twice', bytes((text) => text + text), /broken or cut off|well-formed XML/],
  ['whose chunks end early', brokenOff(() => ({})), /the connection broke off/],
  [
    'shorter than it says',
    brokenOff((length) => ({ 'content-length': String(length + 9) })),
    /the connection broke off/,
  ],
  [
    'longer than it says',
    (response, kit) => {
      response.strictContentLength = false;
      response.socket?.end(
        `HTTP/1.1 200 OK\r\ncontent-type: ${kit.contentType}\r\ncontent-length: ${kit.good.length - 9}\r\n\r\n${kit.good}`,
      );
    },
    /broken or cut off|well-formed XML|the connection broke off/,
  ],
  ['that leads round in a circle', (response) => response.writeHead(302, { location: '/visits' }).end(), /status 302/],
  [
    'with a megabyte of headers',
    (response) => response.socket?.end(`HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(MOST_BYTES)}\r\n\r\n`),
    /expected headers of at most 16384 bytes, got more/,
  ],
  ['that is no HTTP', (response) => response.socket?.end('220 mail.example.com ESMTP\r\n'), /the connection broke off/],
];

describe.each(KITS.map((kit) => [kit.name, kit] as const))('an answer by the %s kit', (_name, kit) => {
  let source: OddSource;
  beforeEach(async () => (source = await startOdd(kit, MOST_BYTES)));
  afterEach(() => source.close());

  test.each(ODD)(
    'R14, attack 31: %s ends its scan with a fault that says where, and nothing of it is believed',
    async (_what, odd, told) => {
      source.respond = (response) => odd(response, kit);
      const { keys, misfits, fault } = await scanOf(source.visits);
      expect([keys, misfits]).toEqual([[], []]);
      expect(fault).toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
      expect(fault?.message).toMatch(/^clinic\.visits read\.list: /);
      expect(fault?.message).toMatch(told);
      expect(fault?.message.length).toBeLessThan(300);
      expect(source.calls()).toBeLessThanOrEqual(3);
      // Nothing of it stays: when the source is well again, so is its list.
      source.respond = (response) => reply(response, kit, kit.good);
      source.advance(10_000);
      expect(await scanOf(source.visits)).toEqual({ keys: ['V-1'], misfits: [], fault: null });
    },
  );

  test('attack 31: of ten seconds for a byte is given up when the time of its call is over', async () => {
    source.respond = (response) => {
      response.writeHead(200, { 'content-type': kit.contentType });
      response.write(kit.good.slice(0, 1), () => source.advance(10_000));
    };
    const { keys, fault } = await scanOf(source.visits);
    expect(keys).toEqual([]);
    expect(fault?.message).toBe('clinic.visits read.list: no answer within 10000 ms');
    expect(source.calls()).toBe(1);
  });

  test('attack 31: costs no more memory than its limit allows, however much comes', async () => {
    const packed = gzipSync(Buffer.concat([Buffer.from(begun(kit)), Buffer.alloc(100 * MOST_BYTES, 32)]));
    for (const odd of [
      endless,
      (response: ServerResponse) => reply(response, kit, packed, { 'content-encoding': 'gzip' }),
    ]) {
      source.respond = (response) => odd(response, kit);
      expect(await bytesGrownBy(() => scanOf(source.visits))).toBeLessThan(MOST_GROWTH);
    }
  });

  test('may begin with a byte order mark', async () => {
    source.respond = (response) => reply(response, kit, `\ufeff${kit.good}`);
    expect(await scanOf(source.visits)).toMatchObject({ keys: ['V-1'], fault: null });
  });
});
