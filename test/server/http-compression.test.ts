import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { compressed } from '../../src/server/http-compression.js';
import { getRaw } from './raw-http.js';
import { closeClinics, serveClinic } from './serving-clinic.js';

afterEach(closeClinics);

const page = [Buffer.from('{"changes":['), Buffer.from('x'.repeat(2_000)), Buffer.from(']}')];
const codingFor = async (accept: string | undefined): Promise<string | null> =>
  (await compressed(page, accept))?.coding ?? null;

/** Text that hardly gets shorter: another one for each seed. */
function noise(seed: number, length: number): string {
  let text = '';
  for (let block = 0; text.length < length; block++)
    text += createHash('sha512').update(`${seed} ${block}`).digest('base64');
  return text.slice(0, length);
}

/** In pieces, as pages are. */
function piecesOf(text: string, count = 7): readonly Buffer[] {
  const length = Math.ceil(text.length / count);
  return Array.from({ length: count }, (_, at) => Buffer.from(text.slice(at * length, (at + 1) * length)));
}

async function unpacked(body: readonly Buffer[], accept: 'br' | 'gzip'): Promise<string> {
  const { bytes } = (await compressed(body, accept)) ?? { bytes: Buffer.alloc(0) };
  return (accept === 'br' ? brotliDecompressSync(bytes) : gunzipSync(bytes)).toString();
}

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

  test.each([
    ['small', 5_000],
    ['of 1,000 changes', 600_000],
    ['that compresses to many pieces', 3_000_000],
  ])('%s comes out whole, also after a longer one', async (_what, length) => {
    for (const accept of ['br', 'gzip'] as const) {
      for (const [seed, size] of [length, length / 2, length * 0.9].entries()) {
        const text = noise(seed, size);
        expect((await unpacked(piecesOf(text), accept)) === text).toBe(true);
      }
    }
  });

  test('of others never gets into it, however many are compressed at once', async () => {
    const texts = Array.from({ length: 24 }, (_, seed) => noise(seed, 20_000 + ((seed * 7_919) % 90_000)));
    for (const round of [1, 2]) {
      const came = await Promise.all(
        texts.map((text, seed) => unpacked(piecesOf(text, round + 1), seed % 2 === 0 ? 'br' : 'gzip')),
      );
      expect(came.map((text, seed) => text === texts[seed])).toEqual(texts.map(() => true));
    }
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

  test('that its device breaks off in the middle leaves the next one whole', async () => {
    const clinic = await serveClinic();
    const notes = Array.from({ length: 40 }, (_, n) => noise(n, 50_000));
    for (const [n, text] of notes.entries()) await clinic.show(`visit-${n}`, { notes: text });
    const query = '{ pull { changes { id json } hasMore } }';
    const body = JSON.stringify({ query });
    const head = `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n`;
    for (const coding of ['br', 'gzip', 'identity']) {
      const first = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(new URL(clinic.url).port), '127.0.0.1');
        socket.on('error', reject).once('data', (bytes: Buffer) => {
          socket.destroy();
          resolve(bytes.toString('latin1'));
        });
        socket.write(`${head}accept-encoding: ${coding}\r\n\r\n${body}`);
      });
      expect(first).toMatch(/^HTTP\/1.1 200 /);
      const { data } = (await (await clinic.post({ query }, { 'accept-encoding': coding })).json()) as {
        readonly data: {
          readonly pull: { readonly changes: readonly { readonly json: { readonly notes: string } }[] };
        };
      };
      expect(data.pull.changes.map(({ json }, n) => json.notes === notes[n])).toEqual(notes.map(() => true));
    }
    expect(clinic.faults).toEqual([]);
  });
});
