import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { SyncError } from '../core/errors.js';

/** What is read and dropped of a body that is too large, so that its sender gets to read our answer. */
const MAX_DROPPED_BYTES = 64 * 1024 * 1024;

/**
 * The bytes of a request's body; memory stays within the limit whatever is sent.
 *
 * @throws SyncError PAYLOAD_TOO_LARGE - before anything is parsed; BAD_REQUEST - compressed, or it ended early
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (request.destroyed) throw brokenOff();
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    dropRest(request);
    throw new SyncError('BAD_REQUEST', `content-encoding: expected an uncompressed body, got ${encoding.slice(0, 20)}`);
  }
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) {
    dropRest(request);
    throw tooLarge(maxBytes, `${announced}`);
  }
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (error: SyncError): void => {
      request.off('data', take).off('end', end).off('aborted', abort).off('error', abort);
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      stop(tooLarge(maxBytes, 'more'));
      dropRest(request, size);
    };
    const end = (): void => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    const abort = (): void => stop(brokenOff());
    request.on('data', take).on('end', end).on('aborted', abort).on('error', abort);
  });
}

function brokenOff(): SyncError {
  return new SyncError('BAD_REQUEST', 'the body ended before it was complete');
}

function tooLarge(maxBytes: number, got: string): SyncError {
  return new SyncError('PAYLOAD_TOO_LARGE', `body: expected at most ${maxBytes} bytes, got ${got}`);
}

/** Reads what is left of a body, within bounds, and forgets it: its sender gets to read our answer. */
export function dropRest(request: IncomingMessage, before = 0): void {
  let size = before;
  request.on('error', () => undefined);
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_DROPPED_BYTES) request.destroy();
  });
}

/**
 * JSON as it was sent, or an error: nothing is changed in silence. A whole number that would come back as another one becomes
 * infinite, which no field and no argument accepts: it costs the change that has it, not the whole request.
 *
 * @throws SyncError BAD_REQUEST - not UTF-8, or not JSON
 */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new SyncError('BAD_REQUEST', 'body: expected JSON in UTF-8, got other bytes');
  checkLevels(bytes);
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return MANY_DIGITS.test(text) ? JSON.parse(withoutInexact(text)) : value;
  } catch (cause) {
    throw new SyncError('BAD_REQUEST', `body: expected JSON: ${(cause as Error).message.slice(0, 200)}`, { cause });
  }
}

/** Arrays and objects within each other: 600,000 of them are read in half a second, in which nothing else is done. */
const MAX_LEVELS = 20_000;
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

/** @throws SyncError BAD_REQUEST */
function checkLevels(json: Buffer): void {
  if (json.length <= MAX_LEVELS) return;
  let levels = 0;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) at = endOfQuoted(json, at);
    else if (byte === OPEN_OBJECT || byte === OPEN_LIST) levels += 1;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) levels -= 1;
    if (levels > MAX_LEVELS)
      throw new SyncError('BAD_REQUEST', `body: expected at most ${MAX_LEVELS} levels of JSON, got more`);
  }
}

/** At the closing quote of the text that begins at `from`; the end where there is none. */
function endOfQuoted(json: Buffer, from: number): number {
  for (let at = json.indexOf(QUOTE, from + 1); at >= 0; at = json.indexOf(QUOTE, at + 1)) {
    let backslashes = 0;
    while (json[at - 1 - backslashes] === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return at;
  }
  return json.length;
}

/** 2^53 has 16 digits: shorter ones are exact. */
const MANY_DIGITS = /[0-9]{16}/;
const TOO_LARGE = '1e999';

/** Valid JSON with inexact whole numbers replaced; texts are passed over. */
function withoutInexact(json: string): string {
  const start = /["0-9]/g;
  const number = /[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
  let result = '';
  let copied = 0;
  for (let found = start.exec(json); found !== null; found = start.exec(json)) {
    if (found[0] === '"') {
      start.lastIndex = endOfText(json, found.index);
      continue;
    }
    number.lastIndex = found.index;
    const [digits, fraction, exponent] = number.exec(json) ?? [found[0]];
    start.lastIndex = found.index + digits.length;
    if (fraction !== undefined || exponent !== undefined || isExact(digits)) continue;
    result += json.slice(copied, found.index) + TOO_LARGE;
    copied = start.lastIndex;
  }
  return result + json.slice(copied);
}

/** Is the number what its double is, or what its double is written as (130234565057635140 is 130234565057635136)? */
function isExact(digits: string): boolean {
  if (digits.length < 16 || String(Number(digits)) === digits) return true;
  // BigInt of very many digits takes quadratic time; no double is exact there by accident of its sender.
  return digits.length <= 309 && BigInt(digits) === BigInt(Number(digits));
}

/** Behind the closing quote of the text that begins at `from`. */
function endOfText(json: string, from: number): number {
  for (let at = json.indexOf('"', from + 1); ; at = json.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (json.charAt(at - 1 - backslashes) === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at + 1;
  }
}
