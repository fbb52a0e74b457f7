import { z } from 'zod';
import { LONGEST_DURATION_MS, parseDuration } from './duration.js';
import { kindOf, misfitsOf, words } from './sign-in-check.js';
import { secretsOf } from './webhook-proof.js';
import type { HmacOptions, WebhookFacts, WebhookProof } from './webhook.js';

/** Shorter ones can be guessed. */
const SHORTEST_SECRET_BYTES = 16;
/** As many as a change of secrets needs, and some. */
const MOST_SECRETS = 5;
const LONGEST_TOLERANCE_MS = 86_400_000;
const LONGEST_DEBOUNCE_MS = 600_000;

const header = z.string('expected a name').regex(/^[\w!#$%&'*+.^`|~-]+$/, 'expected the name of a header');
const SECRETS = 'expected a text, bytes, or a list of these';
const oneSecret = z.union([z.string().min(1, SECRETS), z.instanceof(Uint8Array)], SECRETS);
const secret = z.union([oneSecret, z.array(oneSecret).min(1, SECRETS)], SECRETS);
const NAMES = 'expected the name of a collection, names, or a function';
const span = (most: number, example: string) =>
  z.string().refine((text) => {
    const ms = parseDuration(text);
    return ms !== null && ms >= 1 && ms <= Math.min(most, LONGEST_DURATION_MS);
  }, `expected a duration like ${example}, ${most} ms at most`);

const HMAC = z.strictObject({
  secret,
  header,
  algorithm: z.enum(['sha1', 'sha256', 'sha384', 'sha512']).optional(),
  encoding: z.enum(['hex', 'base64']).optional(),
  prefix: words.optional(),
  member: words.optional(),
  timestamp: z
    .strictObject({
      header: header.optional(),
      member: words.optional(),
      unit: z.enum(['s', 'ms']).optional(),
      tolerance: span(LONGEST_TOLERANCE_MS, '"5m"').optional(),
    })
    .optional(),
  id: header.optional(),
  signs: words.optional(),
});

const SHARED_SECRET = z.strictObject({ secret, header, prefix: words.optional() });

const FACTS = z.strictObject({
  proof: z.custom<WebhookProof>(isProof, 'expected hmac(…) or sharedSecret(…)'),
  names: z
    .union([words, z.array(words).min(1, NAMES), z.custom((value) => typeof value === 'function')], NAMES)
    .optional(),
  debounce: span(LONGEST_DEBOUNCE_MS, '"500ms"').optional(),
  perSecond: z.number().min(0.1).max(1_000).optional(),
});

/** What is wrong with a source's webhooks, each as ".key: expected …, got …", without a secret. @param collections of the source */
export function misfitsOfWebhook(facts: unknown, collections: readonly string[]): readonly string[] {
  if (facts === undefined) return [];
  if (kindOf(facts) !== 'an object') return [`: expected { proof, names }, got ${kindOf(facts)}`];
  const misfits = misfitsOf(FACTS, facts);
  if (misfits.length > 0) return misfits;
  const { proof, names } = facts as WebhookFacts;
  const unknown = (typeof names === 'function' ? [] : [names ?? []].flat()).filter(
    (name) => !collections.includes(name),
  );
  return [
    ...unknown.map((name) => `.names: expected one of ${collections.join(', ')}, got "${name}"`),
    ...misfitsOfProof(proof).map((misfit) => `.proof${misfit}`),
  ];
}

function misfitsOfProof(proof: WebhookProof): readonly string[] {
  const misfits = misfitsOf(proof.kind === 'hmac' ? HMAC : SHARED_SECRET, proof.options);
  if (misfits.length > 0) return misfits;
  const secrets = secretsOf(proof.options.secret);
  return [
    ...(secrets.length > MOST_SECRETS ? [`.secret: expected at most ${MOST_SECRETS}, got ${secrets.length}`] : []),
    ...secrets
      .filter(({ length }) => length < SHORTEST_SECRET_BYTES)
      .map(({ length }) => `.secret: expected at least ${SHORTEST_SECRET_BYTES} bytes, got ${length}`),
    ...(proof.kind === 'hmac' ? misfitsOfSigning(proof.options) : []),
  ];
}

function misfitsOfSigning({ prefix, member, timestamp, id, signs }: HmacOptions): readonly string[] {
  const misfits: string[] = [];
  if (prefix !== undefined && member !== undefined) misfits.push('.prefix: expected prefix or member, got both');
  if (timestamp !== undefined && (timestamp.header === undefined) === (timestamp.member === undefined))
    misfits.push(`.timestamp: expected header or member, got ${timestamp.header === undefined ? 'neither' : 'both'}`);
  if (timestamp?.member !== undefined && member === undefined)
    misfits.push('.member: expected it beside timestamp.member, since the header is a list then, got nothing');
  const asks = (name: string): number => (signs ?? '').split(`{${name}}`).length - 1;
  const shown = (count: number): string => (signs === undefined ? 'nothing' : `${count}`);
  if (signs !== undefined && asks('body') !== 1)
    misfits.push(`.signs: expected {body} once, since the body must be signed, got ${shown(asks('body'))}`);
  if (signs !== undefined && asks('timestamp') !== (timestamp === undefined ? 0 : 1))
    misfits.push(
      `.signs: expected {timestamp} ${timestamp === undefined ? 'only beside timestamp' : 'once, since one that is not signed shows nothing'}, ` +
        `got ${shown(asks('timestamp'))}`,
    );
  if (asks('id') !== (id === undefined ? 0 : 1))
    misfits.push(
      `.signs: expected {id} ${id === undefined ? 'only beside id' : 'once, since one that is not signed shows nothing'}, got ${shown(asks('id'))}`,
    );
  return misfits;
}

function isProof(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('options' in value)) return false;
  return value.kind === 'hmac' || value.kind === 'sharedSecret';
}
