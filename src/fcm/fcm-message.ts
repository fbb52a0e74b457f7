import type { PhoneHint } from '../core/phone-hint-port.js';
import type { Platform } from '../core/device-port.js';
import type { TokenMessage } from 'firebase-admin/messaging';

/** A text that phones show for a collection. `{collection}` stands for its name; nothing of a record is there to be put in. */
export interface Notice {
  readonly title: string;
  readonly body: string;
}

/** What phones may show. */
export interface Notices {
  /** By collection. A hint that names several shows the text of the first one that has any. */
  readonly of: ReadonlyMap<string, Notice>;
  /** For a hint that people are to see, whatever its collections are; null: then nothing is shown either. */
  readonly general: Notice | null;
}

/** One for all hints: a phone that was away gets the newest, and FCM keeps no more than four such keys for a device. */
const COLLAPSE_KEY = 'tidegate-hint';
/** A phone that is away for longer pulls when it comes back, as apps do at their start. */
const TTL_MS = 86_400_000;
/** Of the list of names: with the longest notice in three bytes a character, a message keeps below the 4,096 that FCM takes. */
const MAX_NAMES_BYTES = 1_500;
const MAX_TITLE = 100;
const MAX_BODY = 400;

type Envelope = Pick<TokenMessage, 'android' | 'apns' | 'webpush'>;

/**
 * The message that carries a hint: names and a time (R18). An app reads `data.t` = `hint`, `data.collections`, a JSON list, and `data.at`, an ISO time;
 * an empty list means "pull everything", also where the names of very many collections would not fit.
 *
 * @param nowMs from which it is kept for a phone that is away, ms since 1970
 */
export function fcmMessage(hint: PhoneHint, notices: Notices, nowMs: number): TokenMessage {
  const { token, platform, collections, atMs } = hint;
  const names = JSON.stringify(collections);
  const notice = noticeFor(hint, notices);
  const envelope = notice === null ? SILENT[platform](nowMs) : SHOWN[platform](nowMs, notice);
  return {
    token,
    data: {
      t: 'hint',
      collections: Buffer.byteLength(names) > MAX_NAMES_BYTES ? '[]' : names,
      at: new Date(atMs).toISOString(),
    },
    ...envelope,
  };
}

/** Does the phone show something for it? */
export function isShown(hint: PhoneHint, notices: Notices): boolean {
  return noticeFor(hint, notices) !== null;
}

/** Nothing is shown: the app is woken, when the phone's own thrift allows it. */
const SILENT: Readonly<Record<Platform, (nowMs: number) => Envelope>> = {
  // High priority is for what people see; Android takes it away from apps that show nothing.
  ANDROID: () => ({ android: { priority: 'normal', collapseKey: COLLAPSE_KEY, ttl: TTL_MS } }),
  IOS: (nowMs) => ({
    apns: { headers: apnsHeaders(nowMs, 'background', '5'), payload: { aps: { contentAvailable: true } } },
  }),
  WEB: () => ({ webpush: { headers: webHeaders('normal') } }),
};

const SHOWN: Readonly<Record<Platform, (nowMs: number, notice: Notice) => Envelope>> = {
  // The tag replaces the notice before it, so that a night of changes is one line in the morning.
  ANDROID: (_nowMs, notice) => ({
    android: {
      priority: 'high',
      collapseKey: COLLAPSE_KEY,
      ttl: TTL_MS,
      notification: { ...notice, tag: COLLAPSE_KEY },
    },
  }),
  IOS: (nowMs, notice) => ({
    apns: {
      headers: apnsHeaders(nowMs, 'alert', '10'),
      payload: { aps: { alert: { ...notice }, contentAvailable: true } },
    },
  }),
  WEB: (_nowMs, notice) => ({
    webpush: { headers: webHeaders('high'), notification: { ...notice, tag: COLLAPSE_KEY } },
  }),
};

function apnsHeaders(nowMs: number, type: 'background' | 'alert', priority: '5' | '10'): Record<string, string> {
  return {
    'apns-push-type': type,
    'apns-priority': priority,
    'apns-collapse-id': COLLAPSE_KEY,
    'apns-expiration': String(Math.floor((nowMs + TTL_MS) / 1_000)),
  };
}

function webHeaders(urgency: 'normal' | 'high'): Record<string, string> {
  return { TTL: String(TTL_MS / 1_000), Urgency: urgency, Topic: COLLAPSE_KEY };
}

function noticeFor({ collections, isNotice = false }: PhoneHint, { of, general }: Notices): Notice | null {
  const collection = collections.find((name) => of.has(name));
  const notice = collection === undefined ? undefined : of.get(collection);
  if (collection === undefined || notice === undefined) return isNotice ? general : null;
  const filled = (text: string, max: number): string => text.replaceAll('{collection}', collection).slice(0, max);
  return { title: filled(notice.title, MAX_TITLE), body: filled(notice.body, MAX_BODY) };
}
