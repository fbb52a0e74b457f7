import type { ClassifySettings, Meaning } from './answer-meaning.js';
import { CallFault, shownText, type CallPurpose, type Classification } from './fault.js';
import type { ODataPlan } from './odata-plan.js';
import { byStatus, type RestAnswer } from './rest-answer.js';
import type { SessionAnswer } from './sign-in.js';

type Members = Readonly<Record<string, unknown>>;

/** The service refuses a write that comes without an ETag (RFC 6585). */
const PRECONDITION_REQUIRED = 428;

/** What an answer means: what the connector says of it, else by its status (R11: in doubt, unknown). */
export function classifyOData(answer: RestAnswer, purpose: CallPurpose, settings: ClassifySettings): Meaning {
  const { status } = answer.head;
  const { code, message } = errorOf(answer);
  const told = settings.classify?.({ purpose, status, body: answer.body ?? null, message, code });
  if (told !== undefined) return { is: told, isTold: true };
  return { is: byStandard(answer, purpose, message, settings.notProcessed), isTold: false };
}

/** An answer as one that may say that a session is over. */
export function sessionAnswerOf(answer: RestAnswer): SessionAnswer {
  const { status, headers } = answer.head;
  const { code, message } = errorOf(answer);
  return { status, headers, body: answer.body ?? null, message, code };
}

/** What the source says in an answer that is no success. */
export function saidIn(answer: RestAnswer): string {
  return `it says ${answer.head.status}: ${errorOf(answer).message}`;
}

function byStandard(
  answer: RestAnswer,
  purpose: CallPurpose,
  message: string,
  notProcessed: readonly number[],
): Classification {
  if (answer.head.status === PRECONDITION_REQUIRED) {
    // It did nothing, and will not until the connector sends what it wants: that is the operator's matter.
    const reason = `it takes writes under an ETag only (428): version: 'etag' and write.guard: 'ifMatch' send one`;
    return { kind: 'notProcessed', reason, retryAfterMs: answer.retryAfterMs };
  }
  const is = byStatus(answer, purpose, message, notProcessed);
  return is.kind === 'refused' ? { ...is, field: errorOf(answer).target } : is;
}

/** The error of an answer in OData's own form. */
function errorOf(answer: RestAnswer): {
  readonly code: string | null;
  readonly message: string;
  readonly target: string | null;
} {
  const error = membersOf(membersOf(answer.body)['error']);
  const details = Array.isArray(error['details']) ? (error['details'] as readonly unknown[]).map(membersOf) : [];
  const message = [error, ...details].map((one) => textOf(one['message'])).find((text) => text !== null);
  const target = [error, ...details].map((one) => textOf(one['target'])).find((text) => text !== null);
  return {
    code: textOf(error['code']),
    message: shownText(message ?? `the source answered with status ${answer.head.status}`),
    // A path may lead to it, like `/Visits('17')/Note` or `in/Note`.
    target: target === undefined ? null : (/([^/]+)\/?$/.exec(target ?? '')?.[1] ?? null),
  };
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : {};
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A note of the protocol beside a body's members: `@odata.nextLink`, in 4.01 also `@nextLink`. */
export function noteOf(body: unknown, name: string): unknown {
  const members = membersOf(body);
  return members[`@odata.${name}`] ?? members[`@${name}`];
}

/**
 * Looks whether an answer is one of OData 4 at all.
 *
 * @returns why it cannot be believed; null: all is well
 */
export function misfitOfAnswer({ head, misfit }: RestAnswer): string | null {
  if (misfit !== null) return misfit;
  const version = head.headers.get('odata-version') ?? head.headers.get('dataserviceversion');
  return version === undefined || /^4\.\d/.test(version.trim())
    ? null
    : `expected OData 4, got version ${shownText(version)}`;
}

/** The rows of a list. @throws CallFault badAnswer - there is no list, or it tells of an error besides */
export function listedRows({ body }: RestAnswer): readonly unknown[] {
  const { value, error } = membersOf(body) as { readonly value?: unknown; readonly error?: unknown };
  if (!Array.isArray(value)) throw misfit('expected a list in the member value of the answer');
  if (error !== undefined) throw misfit('expected a list, got one that ends with an error');
  return value as readonly unknown[];
}

/** How many rows there are in all, where the list says it. */
export function countOf({ body }: RestAnswer): number | null {
  const count = noteOf(body, 'count');
  const number = typeof count === 'string' && /^\d{1,15}$/.test(count) ? Number(count) : count;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/**
 * A row in the one form that mappings read: its ETag under one name, times as texts of a fixed form, no digit that JSON may have lost.
 *
 * @param tag the ETag of the answer, where the row has none
 * @throws CallFault badAnswer - only a part of what belongs to it came
 */
export function rowOf(
  row: unknown,
  plan: Pick<ODataPlan, 'divided' | 'decimals' | 'moments'>,
  tag: string | null,
): unknown {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return row;
  const shown: Record<string, unknown> = { ...(row as Members) };
  const etag = noteOf(row, 'etag') ?? tag;
  if (typeof etag === 'string') shown['@odata.etag'] = etag;
  for (const name of plan.divided) {
    if ((shown[`${name}@odata.nextLink`] ?? shown[`${name}@nextLink`]) !== undefined)
      throw misfit(`expected all ${name} of a record, got a first page of them`);
  }
  for (const name of plan.decimals) shown[name] = wholeDecimal(shown[name]);
  for (const name of plan.moments) shown[name] = plainMoment(shown[name]);
  return shown;
}

/** More digits than these do not survive a JSON number. */
const EXACT_DIGITS = 15;

/** A source that does not know IEEE754Compatible sends numbers; one that may have lost digits is no decimal any more. */
function wholeDecimal(value: unknown): unknown {
  if (typeof value !== 'number') return value;
  const digits = String(value).replace(/e.*$/, '').replace(/[^\d]/g, '').replace(/^0+/, '');
  return digits.length <= EXACT_DIGITS ? value : `${value} (digits were lost)`;
}

/** Seconds may be left out, and there may be twelve digits behind them. */
function plainMoment(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const [, day, time, seconds = ':00', fraction = '', zone] =
    /^(\d{4}-\d{2}-\d{2}T)(\d{2}:\d{2})(:\d{2})?(\.\d{1,12})?(Z|[+-]\d{2}:\d{2})$/.exec(value) ?? [];
  return day === undefined ? value : `${day}${time}${seconds}${fraction.slice(0, 10)}${zone}`;
}

/** The service is well: it is this answer that proves nothing. */
function misfit(message: string): CallFault {
  return new CallFault('badAnswer', message, { sourceIsSick: false });
}
