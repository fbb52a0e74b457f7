import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** Below this, compressing costs more than it spares. */
const MIN_BYTES = 1_024;

const brotli = promisify<Uint8Array, object, Buffer>(brotliCompress);
const deflate = promisify<Uint8Array, object, Buffer>(gzip);

/**
 * The body as the client can take it, compressed off the main thread. Brotli quality 1 is smaller and cheaper than any
 * level of gzip (a page of 400 KB: 0.75 ms against 1.3 ms and up).
 *
 * @returns the coding, or null when the body is left as it is
 */
export async function compressed(
  body: readonly Uint8Array[],
  acceptEncoding: string | undefined,
): Promise<{ readonly coding: 'br' | 'gzip'; readonly bytes: Buffer } | null> {
  const size = sizeOf(body);
  const coding = size < MIN_BYTES ? null : chooseCoding(acceptEncoding);
  if (coding === null) return null;
  const whole = body.length === 1 ? (body[0] as Uint8Array) : Buffer.concat(body, size);
  if (coding === 'gzip') return { coding, bytes: await deflate(whole, { level: 1 }) };
  const params = { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_SIZE_HINT]: size };
  return { coding, bytes: await brotli(whole, { params }) };
}

export function sizeOf(body: readonly Uint8Array[]): number {
  return body.reduce((sum, piece) => sum + piece.length, 0);
}

function chooseCoding(acceptEncoding = ''): 'br' | 'gzip' | null {
  const said = new Map(acceptEncoding.toLowerCase().split(',').map(readCoding));
  if (said.get('br') === true) return 'br';
  return (said.get('gzip') ?? said.get('*')) === true ? 'gzip' : null;
}

/** A coding's name, and whether it is accepted: `gzip;q=0` is not. */
function readCoding(part: string): readonly [coding: string, isAccepted: boolean] {
  const [coding = '', ...parameters] = part.split(';').map((piece) => piece.trim());
  return [coding, !parameters.some((parameter) => /^q\s*=\s*0(\.0*)?$/.test(parameter))];
}
