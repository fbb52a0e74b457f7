import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { HttpLimits } from './http-client.js';
import { misfitsOf, words } from './sign-in-check.js';

/** Mutual TLS: the certificate that we show. Each is a PEM text, or the path of a file with one, read at start. */
export interface TlsOptions {
  /** The certificate, then those between it and its authority. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** Certificates to trust besides the usual ones. */
  readonly ca?: string;
  /** Opens the key where it is encrypted. */
  readonly passphrase?: string;
}

/** What a kit's `tls` comes to, and what is wrong with it: each as ".tls…: expected …, got …", no secret among them. */
export interface ReadTls {
  readonly client: NonNullable<HttpLimits['client']> | null;
  readonly ca: readonly string[];
  readonly misfits: readonly string[];
}

const OPTIONS = z.strictObject({ cert: words, key: words, ca: words.optional(), passphrase: words.optional() });

/**
 * Reads and checks a pair, so that a wrong one is known at start and not at the first call. Throws nothing.
 *
 * @param address where the source is
 */
export function readTls(options: TlsOptions | undefined, address: string): ReadTls {
  if (options === undefined) return { client: null, ca: [], misfits: [] };
  const misfits = misfitsOf(OPTIONS, options).map((misfit) => `.tls${misfit}`);
  if (misfits.length > 0) return { client: null, ca: [], misfits };
  if (/^http:/i.test(address)) misfits.push('.tls: expected an address with https: beside it, got one with http:');

  const { passphrase } = options;
  const misfitOfPassphrase = `.tls.passphrase: expected the one that opens the key, got ${passphrase === undefined ? 'nothing' : 'another'}`;

  function read<T>(
    key: string,
    expected: string,
    given: string,
    parse: (pem: string) => T,
  ): readonly [string, T | null] {
    let pem = given;
    try {
      if (!given.includes('-----BEGIN ')) pem = readFileSync(given, 'utf8');
    } catch (thrown) {
      // The text is not shown: it may be a key that lost its first line.
      const { code } = thrown as NodeJS.ErrnoException;
      misfits.push(
        `.tls.${key}: expected ${expected} as PEM or the path of its file, got neither (${code ?? 'no such file'})`,
      );
      return ['', null];
    }
    try {
      return [pem, parse(pem)];
    } catch (thrown) {
      if (key === 'key' && pem.includes('ENCRYPTED')) misfits.push(misfitOfPassphrase);
      else misfits.push(`.tls.${key}: expected ${expected} as PEM, got ${reasonOf(thrown)}`);
      return [pem, null];
    }
  }

  const [cert, certificate] = read('cert', 'a certificate', options.cert, parseCertificate);
  const [key, privateKey] = read('key', 'a private key', options.key, (pem) => parseKey(pem, passphrase));
  const [ca] = options.ca === undefined ? [''] : read('ca', 'a certificate', options.ca, parseCertificate);
  if (certificate !== null && privateKey !== null && !certificate.checkPrivateKey(privateKey)) {
    misfits.push(`.tls.key: expected the private key of the certificate ${shownName(certificate)}, got another one's`);
  }
  return {
    client: { cert, key, ...(passphrase === undefined ? {} : { passphrase }) },
    ca: ca === '' ? [] : [ca],
    misfits,
  };
}

function parseCertificate(pem: string): X509Certificate {
  return new X509Certificate(pem);
}

function parseKey(pem: string, passphrase: string | undefined): KeyObject {
  // Without one the parser would ask for it at the terminal.
  return createPrivateKey({ key: pem, passphrase: passphrase ?? '' });
}

/** The parser's words are about its own insides. */
function reasonOf(thrown: unknown): string {
  const { code } = thrown as NodeJS.ErrnoException;
  return `one that cannot be read${code === undefined ? '' : ` (${code})`}`;
}

function shownName({ subject }: X509Certificate): string {
  return JSON.stringify((subject ?? '').replaceAll('\n', ', '));
}
