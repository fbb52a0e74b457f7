import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { durationMs } from './duration.js';
import type { HmacOptions, SharedSecretOptions, WebhookProof, WebhookSecret } from './webhook.js';

/** How old a signed webhook may be, where its connector says nothing; also how long an id is remembered, ms. */
const TOLERANCE_MS = 300_000;
/** Webhooks that are remembered, so that each counts once; of more the oldest are forgotten. */
const MOST_REMEMBERED = 10_000;
/** Signatures of one header that are looked at. */
const MOST_SIGNATURES = 10;

/** By lower-case name; what came several times is one text. */
export type WebhookHeaders = Readonly<Record<string, string>>;

/** What is to be thought of a webhook. `stale`: signed by its source, but not lately. `repeated`: it came before. */
export type ProofVerdict = 'good' | 'forged' | 'stale' | 'repeated';

export type CheckProof = (headers: WebhookHeaders, body: Buffer) => ProofVerdict;

/** @param nowMs the wall's clock, ms since 1970 */
export function createProofCheck(proof: WebhookProof, nowMs: () => number): CheckProof {
  return proof.kind === 'hmac' ? checkHmac(proof.options, nowMs) : checkSharedSecret(proof.options);
}

/** The names of the headers that hold a proof, in lower case: not for others to read. */
export function proofHeadersOf({ options }: WebhookProof): readonly string[] {
  return [options.header.toLowerCase()];
}

function checkSharedSecret({ secret, header, prefix = '' }: SharedSecretOptions): CheckProof {
  const expected = secretsOf(secret).map(digestOf);
  return (headers) => {
    const value = headers[header.toLowerCase()] ?? '';
    if (!value.startsWith(prefix)) return 'forged';
    // Digests are as long as each other: how long the secret is cannot be measured either.
    const given = digestOf(Buffer.from(value.slice(prefix.length), 'utf8'));
    return expected.map((one) => timingSafeEqual(one, given)).includes(true) ? 'good' : 'forged';
  };
}

function checkHmac(options: HmacOptions, nowMs: () => number): CheckProof {
  const { secret, algorithm = 'sha256', id, timestamp } = options;
  const secrets = secretsOf(secret);
  const toleranceMs = timestamp?.tolerance === undefined ? TOLERANCE_MS : durationMs(timestamp.tolerance);
  const remembered = createMemory(nowMs);
  const signs = options.signs ?? (timestamp === undefined ? '{body}' : '{timestamp}.{body}');
  const [before = '', after = ''] = signs.split('{body}');

  return (headers, body) => {
    const value = headers[options.header.toLowerCase()] ?? '';
    const signedAt = timestampOf(options, headers, value);
    const given = id === undefined ? '' : (headers[id.toLowerCase()] ?? '');
    if (signedAt === null || (id !== undefined && given === '')) return 'forged';
    // One pass: neither of them may bring a placeholder of its own.
    const filled = (text: string): string =>
      text.replace(/\{(timestamp|id)\}/g, (_all, name: string) => (name === 'id' ? given : signedAt));
    const expected = secrets.map((one) =>
      createHmac(algorithm, one).update(filled(before)).update(body).update(filled(after)).digest(),
    );
    const candidates = signaturesOf(options, value);
    if (!expected.some((one) => candidates.some((candidate) => isSame(one, candidate)))) return 'forged';
    if (timestamp === undefined && id === undefined) return 'good';
    const atMs = timestamp === undefined ? nowMs() : Number(signedAt) * (timestamp.unit === 'ms' ? 1 : 1_000);
    if (Math.abs(nowMs() - atMs) > toleranceMs) return 'stale';
    // By the first secret, whichever it was signed with: while secrets change, a source may sign with both.
    const [first] = expected as [Buffer];
    return remembered.isNew(id === undefined ? first.toString('base64') : given, atMs + toleranceMs)
      ? 'good'
      : 'repeated';
  };
}

/** As it stands in the request, since it is signed as such; '': none is declared; null: it is not there, or no number. */
function timestampOf({ timestamp }: HmacOptions, headers: WebhookHeaders, signature: string): string | null {
  if (timestamp === undefined) return '';
  const { header, member } = timestamp;
  const text =
    member === undefined ? headers[(header ?? '').toLowerCase()] : membersOf(signature, member, MOST_SIGNATURES)[0];
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? text : null;
}

function signaturesOf({ member, prefix = '', encoding = 'hex' }: HmacOptions, value: string): readonly Buffer[] {
  const texts = member === undefined ? value.split(' ', MOST_SIGNATURES) : membersOf(value, member, MOST_SIGNATURES);
  return texts.flatMap((text) => {
    const isWhole = text.startsWith(prefix) && FORM[encoding].test(text.slice(prefix.length));
    return isWhole ? [Buffer.from(text.slice(prefix.length), encoding)] : [];
  });
}

/** Decoders pass over what they do not know: a signature with something in it is none. */
const FORM = { hex: /^(?:[0-9a-fA-F]{2})+$/, base64: /^[A-Za-z0-9+/]+={0,2}$/ } as const;

/** The values of a list like `t=1,v1=a,v1=b`. */
function membersOf(value: string, name: string, most: number): readonly string[] {
  const parts = value.split(',', most + 1).map((part) => part.trim());
  return parts.flatMap((part) => (part.startsWith(`${name}=`) ? [part.slice(name.length + 1)] : []));
}

function isSame(expected: Buffer, given: Buffer): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}

/** Each counts once until its time is over; bounded, and what is forgotten too soon costs a poll. */
function createMemory(nowMs: () => number): { isNew(name: string, untilMs: number): boolean } {
  const until = new Map<string, number>();
  return {
    isNew(name, untilMs) {
      const now = nowMs();
      if ((until.get(name) ?? Number.NEGATIVE_INFINITY) >= now) return false;
      // Oldest first: what was remembered before something that is still remembered goes only when there is no room.
      for (const [old, endsMs] of until) {
        if (endsMs >= now && until.size < MOST_REMEMBERED) break;
        until.delete(old);
      }
      until.delete(name);
      until.set(name, untilMs);
      return true;
    },
  };
}

export function secretsOf(secret: WebhookSecret): readonly Buffer[] {
  const all = typeof secret === 'string' || secret instanceof Uint8Array ? [secret] : secret;
  return all.map((one) => Buffer.from(one as string));
}

function digestOf(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
