import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { compressed } from '../../src/server/http-compression.js';
import { getRaw } from './raw-http.js';
import { closeClinics, serveClinic } from './serving-clinic.js';

afterEach(closeClinics);

const page = [Buffer.from('{"changes":['), Buffer.from('x'.repeat(2_000)), Buffer.from(']}')];
const codingFor = async (accept: string | undefined): Promise<string | null> =>
  (await compressed(page, accept))?.coding ?? null;

describe('an answer', () => {
  test.each([
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip, deflate', 'gzip'],
    ['BR', 'br'],
    ['gzip;q=1.0, br;q=0.1', 'br'],
    ['gzip, br;q=0', 'gzip'],
    ['gzip, br; q=0.000', 'gzip'],
    ['gzip;q=0', null],
    ['gzip;q=0, *', null],
    ['*', 'gzip'],
    ['*;q=0', null],
    ['br;q=0, *', 'gzip'],
    ['identity', null],
    ['deflate', null],
    ['x-gzip, brotli', null],
    ['', null],
    [undefined, null],
  ])('to "accept-encoding: %s" is coded as %s', async (accept, coding) => {
    expect(await codingFor(accept)).toBe(coding);
  });

  test('comes out as it went in, its pieces joined', async () => {
    const whole = Buffer.concat(page);
    expect(brotliDecompressSync((await compressed(page, 'br'))?.bytes ?? '')).toEqual(whole);
    expect(gunzipSync((await compressed(page, 'gzip'))?.bytes ?? '')).toEqual(whole);
  });

  test('below a kilobyte stays as it is', async () => {
    expect(await compressed([Buffer.alloc(1_023, 'x')], 'br')).toBeNull();
    expect(await compressed([Buffer.alloc(1_024, 'x')], 'br')).not.toBeNull();
  });

  test('over HTTP says its coding and its true length', async () => {
    const clinic = await serveClinic();
    const query = { query: '{ __schema { types { name description } } }' };
    const plain = await clinic.post(query, { 'accept-encoding': 'identity' });
    const text = await plain.text();
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(Number(plain.headers.get('content-length'))).toBe(Buffer.byteLength(text));
    const path = `/graphql?query=${encodeURIComponent(query.query)}`;
    for (const coding of ['br', 'gzip']) {
      const packed = await clinic.post(query, { 'accept-encoding': coding });
      expect(packed.headers.get('content-encoding')).toBe(coding);
      expect(packed.headers.get('vary')).toBe('accept-encoding');
      expect(Number(packed.headers.get('content-length'))).toBeLessThan(text.length / 2);
      expect(await packed.text()).toBe(text);
    }
    const small = await getRaw(clinic.url, path.replace(/query=.*/, 'query={collections{name}}'), {
      host: 'localhost',
      'accept-encoding': 'br',
      'apollo-require-preflight': 'yes',
    });
    expect([small.status, small.headers['content-encoding'], small.body]).toEqual([
      200,
      undefined,
      '{"data":{"collections":[]}}\n',
    ]);
  });
});
