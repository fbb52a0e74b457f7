import type { AnswerFacts, ClassifySettings, Meaning } from './answer-meaning.js';
import { shownText, type CallPurpose, type Classification } from './fault.js';
import type { HttpHead } from './http-client.js';
import type { SessionAnswer } from './sign-in.js';
import type { SoapContent } from './soap-answer.js';
import type { XmlValue } from './soap-value.js';
import { securityRefusal } from './username-token.js';

/** An answer as it came: the HTTP side of it, and what its envelope held. */
export interface SoapReply {
  readonly head: HttpHead;
  readonly content: SoapContent;
  readonly retryAfterMs: number | null;
  /** How far our clock is ahead of the source's, ms; null: it does not tell its time. */
  readonly aheadMs: number | null;
}

/** What an answer means: what the connector says of it, else by its fault code and status (R11: in doubt, unknown). */
export function classifySoap(reply: SoapReply, purpose: CallPurpose, settings: ClassifySettings): Meaning {
  const { head, content } = reply;
  const told = settings.classify?.({
    purpose,
    status: head.status,
    body: bodyOf(content),
    message: messageOf(reply),
    code: codeOf(content),
  });
  if (told !== undefined) return { is: told, isTold: true };
  return { is: byStandard(reply, settings.notProcessed), isTold: false };
}

/** An answer as one that may say that a session is over. */
export function sessionAnswerOf(reply: SoapReply): SessionAnswer {
  const { head, content } = reply;
  return {
    status: head.status,
    headers: head.headers,
    body: bodyOf(content),
    message: messageOf(reply),
    code: codeOf(content),
  };
}

/** What an answer shows besides its meaning. A source that says what is wrong with a request is well. */
export function factsOf({ head, content, retryAfterMs }: SoapReply): AnswerFacts {
  const isAsked = content.kind === 'fault' && isOurs(content.fault.code);
  return { status: head.status, isSick: head.status >= 500 && !isAsked, retryAfterMs };
}

/** What the source says in an answer that is no success. */
export function saidIn(reply: SoapReply): string {
  const { head, content } = reply;
  const code = content.kind === 'fault' ? content.fault.code : '';
  return `it says ${code === '' ? head.status : code}: ${messageOf(reply)}`;
}

function byStandard(reply: SoapReply, notProcessed: readonly number[]): Classification {
  const { head, content } = reply;
  const { status } = head;
  if (notProcessed.includes(status)) {
    return { kind: 'notProcessed', reason: `it says ${status}`, retryAfterMs: reply.retryAfterMs };
  }
  // Our credentials are refused: that is the operator's matter, not the change's fault.
  if (status === 401 || status === 407) return refusedCredentials(String(status));
  if (content.kind === 'fault') {
    return securityRefusal(content.fault, reply.aheadMs) ?? byFaultCode(reply, content.fault.code);
  }
  if (content.kind === 'misfit') return { kind: 'unknown', reason: content.reason };
  // 202 promises to do it later; an answer with the status of a failure is no answer.
  return status === 200 ? { kind: 'fine' } : { kind: 'unknown', reason: `unexpected status ${status}` };
}

/** The codes of SOAP 1.1 and 1.2, which may be made finer. */
function byFaultCode(reply: SoapReply, code: string): Classification {
  const reason = `it says ${code === '' ? 'a fault without a code' : code}: ${messageOf(reply)}`;
  // Said before the body is looked at (SOAP 1.1, 4.4.1; SOAP 1.2, 2.6): the source has done nothing.
  if (UNREAD.some((unread) => isCode(code, unread))) {
    return {
      kind: 'notProcessed',
      reason: `it does not take requests as they are configured: ${reason}`,
      retryAfterMs: reply.retryAfterMs,
    };
  }
  if (isCode(code, 'Client.Authentication') || isCode(code, 'Sender.Authentication')) return refusedCredentials(code);
  if (isOurs(code)) return { kind: 'refused', message: messageOf(reply), field: null };
  return { kind: 'unknown', reason };
}

/** What says that a request was not even read: our version, a header of ours, or our encoding. */
const UNREAD = ['VersionMismatch', 'MustUnderstand', 'DataEncodingUnknown'] as const;

/** Is the fault the request's? `Client` in SOAP 1.1, `Sender` in 1.2. */
function isOurs(code: string): boolean {
  return isCode(code, 'Client') || isCode(code, 'Sender');
}

function bodyOf(content: SoapContent): XmlValue {
  return content.kind === 'fault' ? content.fault.detail : content.kind === 'answer' ? content.answer : null;
}

function codeOf(content: SoapContent): string | null {
  return content.kind === 'fault' ? content.fault.code : null;
}

function isCode(code: string, wanted: string): boolean {
  return code === wanted || code.startsWith(`${wanted}.`);
}

function refusedCredentials(how: string): Classification {
  return { kind: 'notProcessed', reason: `it refuses our credentials (${how})`, retryAfterMs: null };
}

function messageOf({ head, content }: SoapReply): string {
  const told = content.kind === 'fault' ? content.fault.message : content.kind === 'misfit' ? content.reason : '';
  return shownText(told === '' ? `the source answered with status ${head.status}` : told);
}
