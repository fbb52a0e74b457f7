import type { AnswerFacts, ClassifySettings, Meaning } from './answer-meaning.js';
import { CallFault, isRead, shownText, type CallPurpose, type Classification } from './fault.js';
import { firstFieldText } from './field-errors.js';
import { utf8Text, type HttpHead } from './http-client.js';
import type { SessionAnswer } from './sign-in.js';

/** An answer with its parsed body; `body` is undefined when there was none. */
export interface RestAnswer {
  readonly head: HttpHead;
  readonly body: unknown;
  /** Why there is no believable body: no JSON, broken off; null when all is well. */
  readonly misfit: string | null;
  /** The body is whole, but neither JSON nor a page: like `OK` in plain text. */
  readonly isOtherText: boolean;
  readonly retryAfterMs: number | null;
  /** Of a list: of its bytes. */
  readonly digest?: string;
  /** A body that is not JSON, as it came; absent: there is none. */
  readonly raw?: Buffer;
}

/** A member of a body, by names joined by dots; '' is the body itself. Names may hold dots themselves, like `@odata.nextLink`. */
export function memberAt(body: unknown, path: string): unknown {
  if (path === '') return body;
  if (typeof body !== 'object' || body === null) return undefined;
  if (Object.hasOwn(body, path)) return (body as Readonly<Record<string, unknown>>)[path];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const name = path.slice(0, dot);
    if (Object.hasOwn(body, name))
      return memberAt((body as Readonly<Record<string, unknown>>)[name], path.slice(dot + 1));
  }
  return undefined;
}

/** An answer as one that may say that a session is over. */
export function sessionAnswerOf(answer: RestAnswer): SessionAnswer {
  const { status, headers } = answer.head;
  return { status, headers, body: answer.body ?? null, message: messageOf(answer), code: null };
}

/** What an answer means: what the connector says of it, else by its status (R11: in doubt, unknown). */
export function classifyRest(answer: RestAnswer, purpose: CallPurpose, settings: ClassifySettings): Meaning {
  const { status } = answer.head;
  const message = messageOf(answer);
  const told = settings.classify?.({ purpose, status, body: answer.body ?? null, message, code: null });
  if (told !== undefined) return { is: told, isTold: true };
  return { is: byStatus(answer, purpose, message, settings.notProcessed), isTold: false };
}

/** What an answer shows besides its meaning. */
export function factsOf({ head, retryAfterMs }: RestAnswer): AnswerFacts {
  return { status: head.status, isSick: head.status >= 500, retryAfterMs };
}

/** What the source says in an answer that is no success. */
export function saidIn(answer: RestAnswer): string {
  return `it says ${answer.head.status}: ${messageOf(answer)}`;
}

/** What an answer means by the standard rules, whatever its connector says. */
export function byStatus(
  answer: RestAnswer,
  purpose: CallPurpose,
  message: string,
  notProcessed: readonly number[],
): Classification {
  const { status } = answer.head;
  if (notProcessed.includes(status)) {
    return { kind: 'notProcessed', reason: `it says ${status}`, retryAfterMs: answer.retryAfterMs };
  }
  // 202 promises to do it later; 203 and 206 are not the source's own whole answer.
  if (status === 200 || status === 201 || status === 204) return { kind: 'fine' };
  // Our credentials are refused: that is the operator's matter, not the change's fault.
  if (status === 401 || status === 407) {
    return { kind: 'notProcessed', reason: `it refuses our credentials (${status})`, retryAfterMs: null };
  }
  if ((status === 404 || status === 410) && purpose !== 'create') return { kind: 'absent' };
  if (!isRead(purpose) && status === 412) return { kind: 'stale' };
  if (status === 408 || status < 400) return { kind: 'unknown', reason: `unexpected status ${status}` };
  if (status < 500 || status === 501) return { kind: 'refused', message, field: fieldOf(answer.body) };
  return { kind: 'unknown', reason: `it says ${status}: ${message}` };
}

/** An answer's body by its media type. */
export function parseBody(head: HttpHead, bytes: Buffer): Pick<RestAnswer, 'body' | 'misfit' | 'isOtherText' | 'raw'> {
  if (bytes.length === 0) return { body: undefined, misfit: null, isOtherText: false };
  const type = head.headers.get('content-type') ?? 'no content-type';
  if (!isJson(type)) {
    const misfit = `expected JSON, got ${shownText(type)} (status ${head.status})`;
    // Pages do not always say that they are some.
    const isOtherText = !/html|json/i.test(type) && !/^[\ufeff\s]*</.test(bytes.toString('utf8'));
    return { body: undefined, misfit, isOtherText, raw: bytes };
  }
  try {
    checkValues(bytes);
    return { body: JSON.parse(utf8Text(bytes)) as unknown, misfit: null, isOtherText: false };
  } catch (thrown) {
    const why = thrown instanceof CallFault ? thrown.message : 'its JSON is broken or cut off';
    return { body: undefined, misfit: `${why} (status ${head.status}, ${bytes.length} bytes)`, isOtherText: false };
  }
}

/** Values of an answer in JSON; an empty object costs us ten times its bytes. */
const MAX_VALUES = 5_000_000;

/** Before it is parsed: afterwards it is too late. An empty list or object counts as two. @throws CallFault badAnswer */
function checkValues(bytes: Buffer): void {
  // Each takes a byte at least.
  if (bytes.length <= MAX_VALUES) return;
  let values = 1;
  let isText = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (isText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (byte === COMMA || byte === BRACKET || byte === BRACE) values += 1;
    if (values > MAX_VALUES) throw new CallFault('badAnswer', `expected at most ${MAX_VALUES} values, got more`);
  }
}

const [QUOTE, COMMA, BRACKET, BACKSLASH, BRACE] = [...Buffer.from('",[\\{')] as [
  number,
  number,
  number,
  number,
  number,
];

/** JSON by its media type, in UTF-8. */
function isJson(contentType: string): boolean {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  return (
    /^application\/([a-z0-9.+-]+\+)?json$/.test(type.trim()) && /^(charset="?(utf-?8|us-ascii)"?)?$/.test(charset ?? '')
  );
}

const MESSAGE_MEMBERS = ['message', 'detail', 'error_description', 'title', 'error', 'errors'] as const;
const FIELD_MEMBERS = ['field', 'property', 'path', 'param', 'parameter'] as const;

/** What the source says about it, from the members in which sources say such things; else the status alone. */
function messageOf(answer: RestAnswer): string {
  const text = textIn(answer.body, MESSAGE_MEMBERS) ?? firstFieldText(answer.body);
  return shownText(text ?? `the source answered with status ${answer.head.status}`);
}

function fieldOf(body: unknown): string | null {
  return textIn(body, FIELD_MEMBERS);
}

/** How deep an answer is searched. */
const MAX_DEPTH = 6;

function textIn(body: unknown, members: readonly string[], depth = 0): string | null {
  if (depth > MAX_DEPTH) return null;
  if (Array.isArray(body)) return textIn(body[0], members, depth + 1);
  if (typeof body !== 'object' || body === null) return null;
  const found = body as Readonly<Record<string, unknown>>;
  for (const member of members) {
    const value = found[member];
    if (typeof value === 'string' && value !== '') return value;
  }
  for (const nested of ['error', 'errors', 'details']) {
    const text = textIn(found[nested], members, depth + 1);
    if (text !== null) return text;
  }
  return null;
}
