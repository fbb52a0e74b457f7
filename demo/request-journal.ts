import { createHash } from 'node:crypto';

/** A write that was done under its caller's key. */
export interface DoneRequest {
  readonly key: string;
  /** Of method, path and body: the same key must not name another request. */
  readonly fingerprint: string;
  readonly atMs: number;
  /** The record that was written. */
  readonly id: string | number;
}

/** A key is remembered for this long after its write. */
const LIFETIME_MS = 24 * 3_600_000;
const KEY = /^[\x21-\x7e]{1,255}$/;

/** The writes of one collection by the keys of their callers (`Idempotency-Key`), for the day in which each may be repeated. */
export class RequestJournal {
  readonly #done: Map<string, DoneRequest>;

  constructor(done: readonly DoneRequest[]) {
    this.#done = new Map(done.map((one) => [one.key, one]));
  }

  /** What was done under a key. */
  find(key: string): DoneRequest | null {
    return this.#done.get(key) ?? null;
  }

  /** What is to be stored with this write; nothing is remembered yet. */
  with(request: DoneRequest): readonly DoneRequest[] {
    return [...this.all(), request].filter(({ atMs }) => atMs > request.atMs - LIFETIME_MS);
  }

  /** Remembers what was stored. */
  keep(stored: readonly DoneRequest[]): void {
    this.#done.clear();
    for (const one of stored) this.#done.set(one.key, one);
  }

  all(): readonly DoneRequest[] {
    return [...this.#done.values()];
  }
}

/** Is it a text that may be a key? */
export function isRequestKey(key: string): boolean {
  return KEY.test(key);
}

export function fingerprintOf(method: string, path: string, body: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([method, path, body ?? null]))
    .digest('base64url')
    .slice(0, 22);
}
