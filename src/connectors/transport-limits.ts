import { describe } from '../core/field.js';
import { readTls, type TlsOptions } from './client-certificate.js';
import { LONGEST_DURATION_MS, parseDuration, type Duration } from './duration.js';
import type { GuardLimits } from './guard.js';
import type { HttpLimits } from './http-client.js';

/** What a kit's options say about how much a source may be asked at once, and how long to wait for it. */
export interface LimitOptions {
  /** Calls per second (default: no limit) and at once (default 4), over all collections. */
  readonly limit?: { readonly perSecond?: number; readonly concurrent?: number };
  /** Longest life of one call. Default: 10 s. */
  readonly timeout?: Duration;
  /** Longest wait for a connection: the call counts as not sent after it. Default: 3 s. */
  readonly connectTimeout?: Duration;
  /** Largest answer, decompressed, bytes. Default: 64 MiB. */
  readonly maxAnswerBytes?: number;
  /** Certificates to trust besides the usual ones, PEM. */
  readonly ca?: string;
  /** A certificate that shows the source who we are (mutual TLS). */
  readonly tls?: TlsOptions;
}

/** A kit's limits, and what is wrong with them: each as ".key: expected …, got …". */
export interface TransportLimits {
  readonly guard: GuardLimits;
  readonly http: HttpLimits;
  readonly misfits: readonly string[];
}

const DEFAULT_CONCURRENT = 4;
const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_CONNECT_MS = 3_000;
const DEFAULT_MAX_BYTES = 67_108_864;
/** More calls at once than this is a slip of the pen: they would cost the gateway its sockets. */
const MOST_CONCURRENT = 1_000;

/**
 * Limits with their defaults filled in. Throws nothing: the kit does not know its connector's name, so what does not fit is
 * told by the check of the definition.
 *
 * @param address where the source is
 */
export function readLimits(options: LimitOptions, address: string): TransportLimits {
  const misfits: string[] = [];
  const { limit = {} } = options;

  function number(key: string, given: number | undefined, isWhole: boolean, most: number): void {
    if (given === undefined) return;
    const fits = isWhole ? Number.isSafeInteger(given) && given >= 1 : Number.isFinite(given) && given > 0;
    if (fits && given <= most) return;
    const expected = isWhole ? `a whole number from 1 to ${most}` : 'a number above 0';
    misfits.push(`.${key}: expected ${expected}, got ${describe(given)}`);
  }

  function duration(key: string, given: Duration | undefined, fallbackMs: number): number {
    if (given === undefined) return fallbackMs;
    const ms = parseDuration(given);
    if (ms !== null && ms >= 1 && ms <= LONGEST_DURATION_MS) return ms;
    misfits.push(`.${key}: expected a duration from "1ms" to "24d", like "30s", got ${describe(given)}`);
    return fallbackMs;
  }

  number('limit.concurrent', limit.concurrent, true, MOST_CONCURRENT);
  number('limit.perSecond', limit.perSecond, false, Infinity);
  number('maxAnswerBytes', options.maxAnswerBytes, true, Number.MAX_SAFE_INTEGER);
  const concurrent = limit.concurrent ?? DEFAULT_CONCURRENT;
  const tls = readTls(options.tls, address);
  misfits.push(...tls.misfits);
  const ca = [...(options.ca === undefined ? [] : [options.ca]), ...tls.ca];
  return {
    guard: {
      concurrent,
      perSecond: limit.perSecond ?? null,
      timeoutMs: duration('timeout', options.timeout, DEFAULT_TIMEOUT_MS),
    },
    http: {
      connections: concurrent,
      connectTimeoutMs: duration('connectTimeout', options.connectTimeout, DEFAULT_CONNECT_MS),
      maxAnswerBytes: options.maxAnswerBytes ?? DEFAULT_MAX_BYTES,
      ...(ca.length === 0 ? {} : { ca }),
      ...(tls.client === null ? {} : { client: tls.client }),
    },
    misfits,
  };
}
