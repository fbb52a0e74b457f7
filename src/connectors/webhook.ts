import type { KeyValue } from './define.js';
import type { Duration } from './duration.js';

/** A secret that is shared with a source. Several at once while one takes the place of another. */
export type WebhookSecret = string | Uint8Array | readonly (string | Uint8Array)[];

/** How a source signs its webhooks: with an HMAC over the very bytes of the body. */
export interface HmacOptions {
  /** A text, or the bytes where the source gives them in another form. */
  readonly secret: WebhookSecret;
  /** The header that has the signature, like `X-Hub-Signature-256`. Of several signatures with spaces between them one must be good. */
  readonly header: string;
  /** Default: sha256. */
  readonly algorithm?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** Default: hex. */
  readonly encoding?: 'hex' | 'base64';
  /** What stands before the signature, like `sha256=`. */
  readonly prefix?: string;
  /** The header is a list like `t=1700000000,v1=…`: its members of this name are signatures. */
  readonly member?: string;
  /** When it was signed. What is older than `tolerance` (default: 5m), or as far ahead, is refused; and each counts once. */
  readonly timestamp?: {
    readonly header?: string;
    /** A member of the signature's header, where that is a list. */
    readonly member?: string;
    /** Default: s, since 1970. */
    readonly unit?: 's' | 'ms';
    readonly tolerance?: Duration;
  };
  /** The header that has the webhook's own id, where it is signed, too: each counts once. */
  readonly id?: string;
  /** What is signed. Default: `{body}`, with a timestamp `{timestamp}.{body}`. Also `{id}`. */
  readonly signs?: string;
}

/** A header whose value only the source knows. It does not show whether the body is the source's: sign, where it can. */
export interface SharedSecretOptions {
  readonly secret: WebhookSecret;
  readonly header: string;
  /** What stands before it, like `Bearer `. */
  readonly prefix?: string;
}

/** How a webhook shows that it comes from its source. */
export type WebhookProof =
  | { readonly kind: 'hmac'; readonly options: HmacOptions }
  | { readonly kind: 'sharedSecret'; readonly options: SharedSecretOptions };

/** A signature over the bytes of the body (GitHub, Stripe, Shopify, Slack, Standard Webhooks …). */
export function hmac(options: HmacOptions): WebhookProof {
  return { kind: 'hmac', options };
}

/** A secret in a header, compared in constant time. */
export function sharedSecret(options: SharedSecretOptions): WebhookProof {
  return { kind: 'sharedSecret', options };
}

/** What a webhook says has changed. */
export interface WebhookName {
  readonly collection: string;
  /** The record's key, as `key` of the collection makes it. Absent: not known. */
  readonly key?: KeyValue;
}

/** What a webhook brings, for a function that reads in it what changed. */
export interface WebhookContent {
  /** JSON as its value, a form as an object of texts, anything else as a text. */
  readonly body: unknown;
  /** By lower-case name, without that of the proof. */
  readonly headers: Readonly<Record<string, string>>;
}

/** That a source tells us when something changed. It moves the time of a poll, never what is believed. */
export interface WebhookFacts {
  readonly proof: WebhookProof;
  /**
   * What changed: a collection, some, or a function of the webhook, which gives none for what is of no interest. At most 1,000; what it
   * throws, or gives otherwise, counts as all. Absent: all collections of the source.
   */
  readonly names?: string | readonly string[] | ((webhook: WebhookContent) => WebhookName | readonly WebhookName[]);
  /** What comes within this long is one poll at its beginning and one at its end. Default: 500ms. */
  readonly debounce?: Duration;
  /** More than this are refused (429), beyond five seconds' worth at once. Default: 20. */
  readonly perSecond?: number;
}
