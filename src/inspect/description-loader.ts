import { open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartupError } from '../core/errors.js';
import { openHttp, readAll, type HttpHead } from '../connectors/http-client.js';
import { faultAt } from './description-fault.js';

/** A description, or a part of one that it refers to. */
export interface LoadedText {
  /** A URL without a fragment, or the absolute path of a file. */
  readonly address: string;
  /** For messages and files: without user and query, which may hold a password. */
  readonly shownAddress: string;
  readonly text: string;
}

export interface LoaderOptions {
  /** A URL, or the path of a file. */
  readonly source: string;
  /** Sent to the host of `source` only; never shown, written or logged. */
  readonly headers: Readonly<Record<string, string>>;
  /** Files outside of this folder are not read. Default: the folder of `source`. */
  readonly root?: string | undefined;
  /** A new time limit for each request. */
  readonly timeLimit: () => AbortSignal;
}

export interface DescriptionLoader {
  readonly main: LoadedText;
  /**
   * Loads what a description refers to.
   *
   * @param reference as it stands there, relative to `from`
   * @returns null when it lies where this run does not read: at another host, or outside of the folder
   * @throws StartupError config, source - it cannot be read
   */
  part(reference: string, from: LoadedText): Promise<LoadedText | null>;
}

/** One text, decompressed. The largest descriptions that are published have about half of it. */
const MAX_BYTES = 32 * 1024 * 1024;
/** A description of more parts than this leads in a circle. */
const MAX_PARTS = 500;
const MAX_ALL_BYTES = 128 * 1024 * 1024;
const MAX_REDIRECTS = 5;
const CONNECT_TIMEOUT_MS = 10_000;

/** @throws StartupError config - no such file, or one that cannot be read; source - the address gives no description */
export async function openDescription(options: LoaderOptions): Promise<DescriptionLoader> {
  const known = new Map<string, LoadedText>();
  let bytes = 0;
  const load = async (address: string): Promise<LoadedText> => {
    const before = known.get(address);
    if (before !== undefined) return before;
    if (known.size >= MAX_PARTS)
      throw faultAt(shownAddress(address), '', `expected at most ${MAX_PARTS} parts, got more`);
    const loaded = isHttp(address) ? await loadUrl(address, options) : await loadFile(address);
    bytes += loaded.text.length;
    if (bytes > MAX_ALL_BYTES) {
      throw faultAt(loaded.shownAddress, '', `expected at most ${MAX_ALL_BYTES} bytes in all parts, got more`);
    }
    known.set(address, loaded);
    return loaded;
  };
  const main = await load(
    isHttp(options.source) ? withoutFragment(options.source) : path.resolve(fileOf(options.source)),
  );
  const root = isHttp(main.address) ? '' : await realpath(options.root ?? path.dirname(main.address)).catch(() => '');
  return {
    main,
    async part(reference, from) {
      const address = resolved(reference, from.address);
      if (address === null) return null;
      if (isHttp(address)) {
        if (!isHttp(main.address) || new URL(address).hostname !== new URL(main.address).hostname) return null;
      } else if (root === '' || !isWithin(root, await realpath(address).catch(() => address))) return null;
      return await load(address);
    },
  };
}

export function isHttp(address: string): boolean {
  return /^https?:/i.test(address);
}

/** Without user, query and fragment. */
export function shownAddress(address: string): string {
  return isHttp(address) ? address.replace(/\/\/[^/?#]*@/, '//').replace(/[?#].*$/s, '') : path.basename(address);
}

function fileOf(source: string): string {
  return source.startsWith('file:') ? fileURLToPath(source) : source;
}

function withoutFragment(address: string): string {
  const url = new URL(address);
  url.hash = '';
  return url.href;
}

function resolved(reference: string, from: string): string | null {
  const plain = reference.replace(/#.*$/s, '');
  try {
    if (isHttp(plain)) return withoutFragment(plain);
    if (isHttp(from)) return withoutFragment(new URL(plain, from).href);
    if (plain.startsWith('file:')) return fileURLToPath(plain);
    if (/^[a-z][a-z0-9+.-]+:/i.test(plain)) return null;
    return path.resolve(path.dirname(from), decodeURIComponent(plain));
  } catch {
    return null;
  }
}

function isWithin(root: string, file: string): boolean {
  const relative = path.relative(root, file);
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative);
}

async function loadFile(address: string): Promise<LoadedText> {
  const shown = shownAddress(address);
  try {
    const file = await open(address, 'r');
    try {
      const { size } = await file.stat();
      if (size > MAX_BYTES) throw faultAt(shown, '', `expected at most ${MAX_BYTES} bytes, got ${size}`);
      return { address, shownAddress: shown, text: decoded(shown, await file.readFile()) };
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof StartupError) throw cause;
    throw faultAt(address, '', `expected a file that can be read: ${(cause as Error).message}`, cause);
  }
}

async function loadUrl(source: string, options: LoaderOptions): Promise<LoadedText> {
  let url = new URL(source);
  const asked = new URL(options.source);
  for (let redirects = 0; ; redirects++) {
    const { head, body } = await request(url, isSameHost(asked, url) ? options.headers : {}, options.timeLimit());
    const shown = shownAddress(url.href);
    const location = head.headers.get('location');
    if (head.status >= 300 && head.status < 400 && location !== undefined) {
      const next = new URL(location, url);
      if (redirects >= MAX_REDIRECTS) throw sourceFault(shown, `expected at most ${MAX_REDIRECTS} redirects, got more`);
      if (!isSameHost(url, next)) {
        throw sourceFault(
          shown,
          `expected the description, got a redirect to another host, ${next.origin}: name that address if you trust it`,
        );
      }
      url = next;
      continue;
    }
    if (head.status === 401 || head.status === 403) {
      throw sourceFault(
        shown,
        `expected the description, got status ${head.status}: it may need a --header that says who asks`,
      );
    }
    if (head.status !== 200) throw sourceFault(shown, `expected the description, got status ${head.status}`);
    return { address: withoutFragment(source), shownAddress: shownAddress(source), text: decoded(shown, body) };
  }
}

/** The same place; or the same one behind TLS, never out of it. */
function isSameHost(from: URL, to: URL): boolean {
  return (
    from.origin === to.origin ||
    (from.hostname === to.hostname && from.protocol === 'http:' && to.protocol === 'https:')
  );
}

async function request(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<{ readonly head: HttpHead; readonly body: Buffer }> {
  const limits = { connections: 1, connectTimeoutMs: CONNECT_TIMEOUT_MS, maxAnswerBytes: MAX_BYTES };
  const http = openHttp(url.origin, limits, () => undefined);
  try {
    return await http.exchange(
      { method: 'GET', path: `${url.pathname}${url.search}`, headers: { accept: '*/*', ...headers }, body: null },
      signal,
      async (head, chunks) => ({ head, body: await readAll(chunks) }),
    );
  } catch (cause) {
    const why = signal.aborted ? 'it took too long' : (cause as Error).message;
    throw sourceFault(shownAddress(url.href), `expected the description, got no answer: ${why}`, cause);
  } finally {
    await http.close();
  }
}

function sourceFault(shown: string, misfit: string, cause?: unknown): StartupError {
  return new StartupError('source', `${shown}: ${misfit}`, cause === undefined ? {} : { cause });
}

/** By its byte order mark, else by what an XML declaration says, else UTF-8. */
function decoded(shown: string, bytes: Buffer): string {
  const start = bytes.subarray(0, 200).toString('latin1');
  const declared = /^<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']/.exec(start)?.[1] ?? 'utf-8';
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : declared;
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw faultAt(shown, '', `expected a text in ${encoding}, got other bytes`, cause);
  }
}
