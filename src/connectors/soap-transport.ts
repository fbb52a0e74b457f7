import { StartupError } from '../core/errors.js';
import { orAbort } from './abortable.js';
import { isUndone, readFaultOf, writeAnswerOf, type ClassifySettings } from './answer-meaning.js';
import type { Credentials } from './credentials.js';
import { CallFault, type CallPurpose } from './fault.js';
import { openHttp, retryAfterMs, serverTimeOf, type HttpLimits } from './http-client.js';
import type { SoapContract, WsdlChoice, WsdlOperation } from './soap-contract.js';
import { readEnvelope, type SoapContent } from './soap-answer.js';
import { PendingResult } from './pending-result.js';
import type { PageAnswer } from './paging.js';
import { isPending, jobEnd, ticketIn, type AsyncFacts } from './soap-async.js';
import { renderEnvelope, UnsendableText, type EmptyElements, type Envelope } from './soap-envelope.js';
import { classifySoap, factsOf, saidIn, sessionAnswerOf, type SoapReply } from './soap-fault.js';
import { checkOperation, readRequest, soughtArguments, writeRequest, type RequestElements } from './soap-request.js';
import { pathSteps } from './soap-shape.js';
import { valueAt, type XmlValue } from './soap-value.js';
import { DIALECTS, requestHeaders } from './soap-version.js';
import { isHttp, readWsdl } from './soap-wsdl.js';
import type { SoapOperation } from './soap.js';
import type { SecurityHeader } from './username-token.js';
import type { OpenContext, OpenTransport, RowAnswer, SourceDeps, WriteAnswer, WriteCall } from './transport.js';

export interface SoapSettings extends ClassifySettings, WsdlChoice, Pick<OpenContext, 'headers' | 'heard'> {
  readonly wsdl: string;
  readonly endpoint: string;
  readonly partsFrom: readonly string[];
  readonly credentials: Credentials;
  /** What shows who we are in a call's own header; null: nothing does. */
  readonly security: SecurityHeader | null;
  readonly http: HttpLimits;
  /** Longest time for reading the WSDL with all that it includes, ms. */
  readonly wsdlTimeoutMs: number;
}

/** Opens the SOAP side of a source; its WSDL is read at the first call. @throws StartupError config - an address is none */
export function openSoap(settings: SoapSettings, deps: SourceDeps): OpenTransport {
  const endpoint = parseAddress('endpoint', settings.endpoint);
  if (isHttp(settings.wsdl)) parseAddress('wsdl', settings.wsdl);
  const http = openHttp(endpoint.origin, settings.http, settings.heard);
  const path = `${endpoint.pathname}${endpoint.search}`;
  const security = settings.security ?? (() => '');
  const checked = new Map<SoapOperation, WsdlOperation>();
  let contract: Promise<SoapContract> | null = null;
  let reading = new AbortController();

  /** One reading of the WSDL serves all calls; a failed one is forgotten, so that the next call tries again. */
  function readContract(): Promise<SoapContract> {
    if (contract !== null) return contract;
    const controller = new AbortController();
    const timer = new AbortController();
    reading = controller;
    deps.clock.wait(settings.wsdlTimeoutMs, timer.signal).then(
      () => controller.abort(),
      () => undefined,
    );
    const read = readWsdl({ ...settings, endpoint }, controller.signal).finally(() => timer.abort());
    contract = read;
    read.catch(() => (contract = null));
    return read;
  }

  async function operationOf(facts: SoapOperation, signal: AbortSignal): Promise<WsdlOperation> {
    const known = checked.get(facts);
    if (known !== undefined) return known;
    const found = await orAbort(
      readContract(),
      signal,
      () => new CallFault('notSent', 'the WSDL did not come in time', { cause: signal.reason }),
    );
    try {
      const operation = found.operation(facts.operation);
      checkOperation(facts, operation);
      checked.set(facts, operation);
      return operation;
    } catch (thrown) {
      // The source may be given the operation while we run: the next call looks again.
      contract = null;
      throw thrown;
    }
  }

  function exchange(
    purpose: CallPurpose,
    operation: WsdlOperation,
    envelope: Envelope,
    rows: string | null,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<SoapReply> {
    const own = { ...requestHeaders(DIALECTS[operation.version], operation.soapAction), ...settings.headers };
    return settings.credentials.send(
      (credentials) =>
        http.exchange(
          {
            method: 'POST',
            path,
            headers: { ...own, ...credentials, ...headers },
            body: envelope(security(DIALECTS[operation.version])),
          },
          signal,
          async (head, chunks) => ({
            head,
            content: await readEnvelope(head, chunks, operation, rows === null ? null : pathSteps(rows)),
            retryAfterMs: retryAfterMs(head, deps.clock.nowMs()),
            aheadMs: aheadOf(serverTimeOf(head), deps.clock.nowMs()),
          }),
        ),
      { seen: sessionAnswerOf, isUndone: (reply) => isUndone(classifySoap(reply, purpose, settings)) },
      signal,
    );
  }

  async function read(
    facts: SoapOperation,
    request: RequestElements,
    purpose: 'list' | 'one' | 'lookUp',
    signal: AbortSignal,
  ): Promise<AnsweredReply | 'absent'> {
    const operation = await operationOf(facts, signal);
    const rows = purpose !== 'one' && facts.rows !== '' ? facts.rows : null;
    const reply = await exchange(purpose, operation, renderRead(operation, request), rows, facts.headers, signal);
    const meaning = classifySoap(reply, purpose, settings);
    if (meaning.is.kind === 'absent') return 'absent';
    if (meaning.is.kind !== 'fine' || !isAnswered(reply)) throw readFaultOf(meaning, factsOf(reply), saidIn(reply));
    return reply;
  }

  /**
   * A read whose result may come later: by the ticket that it was answered with.
   *
   * @param shownBy what is made of the answer that has the result, and of the call that it answers
   */
  async function result<T>(
    facts: SoapOperation,
    request: RequestElements,
    purpose: 'list' | 'one' | 'lookUp',
    signal: AbortSignal,
    shownBy: (reply: AnsweredReply | 'absent', call: SoapOperation) => T,
  ): Promise<T | PendingResult<T>> {
    const { async: ticketed } = facts;
    const reply = await read(facts, request, purpose, signal);
    if (ticketed === null || reply === 'absent') return shownBy(reply, facts);
    const { poll, everyMs, withinMs } = ticketed;
    const asked = readRequest(poll, { [poll.ticketIn ?? '']: ticketIn(facts, reply.content.answer) }, null);
    const ask = async (deadline: AbortSignal): Promise<T | PendingResult<T>> => {
      const polled = await read(poll, asked, purpose, deadline);
      if (polled !== 'absent' && isPending(ticketed, polled.content.answer))
        return new PendingResult<T>(everyMs, withinMs, ask);
      return shownBy(polled, poll);
    };
    return new PendingResult<T>(everyMs, withinMs, ask);
  }

  async function send(
    facts: SoapOperation,
    operation: WsdlOperation,
    call: WriteCall,
    signal: AbortSignal,
  ): Promise<WriteAnswer | PendingResult<WriteAnswer>> {
    const empty: EmptyElements = call.purpose === 'update' && facts.sends === 'changed' ? 'sentEmpty' : 'leftOut';
    const envelope = renderEnvelope(operation, writeRequest(facts, operation, call), empty);
    const headers = { ...facts.headers, ...writeHeaders(call) };
    const reply = await exchange(call.purpose, operation, envelope, null, headers, signal);
    const { content } = reply;
    if (facts.async !== null && content.kind === 'answer') {
      const { is } = classifySoap(reply, call.purpose, settings);
      if (is.kind === 'fine') return jobOf(facts, facts.async, content.answer);
    }
    const misfit = content.kind === 'misfit' ? content.reason : null;
    const row = content.kind === 'answer' ? valueAt(content.answer, pathSteps(facts.rows)) : null;
    const said = content.kind === 'fault' ? content.fault.detail : content.kind === 'answer' ? content.answer : null;
    return writeAnswerOf(classifySoap(reply, call.purpose, settings), factsOf(reply), { misfit, row, tag: null, said });
  }

  /** What a write's ticket leads to. @throws CallFault unknown - there is no ticket: it may have been begun */
  function jobOf(facts: SoapOperation, ticketed: AsyncFacts, answer: XmlValue): PendingResult<WriteAnswer> {
    const { poll, everyMs, withinMs } = ticketed;
    let ticket: string;
    try {
      ticket = ticketIn(facts, answer);
    } catch (thrown) {
      throw thrown instanceof CallFault ? new CallFault('unknown', thrown.message, { sourceIsSick: false }) : thrown;
    }
    const asked = readRequest(poll, { [poll.ticketIn ?? '']: ticket }, null);
    const ask = async (deadline: AbortSignal): Promise<WriteAnswer | PendingResult<WriteAnswer>> => {
      // A question is a read: that it is refused, or finds nothing, says nothing of the write.
      const polled = await read(poll, asked, 'one', deadline);
      if (polled === 'absent')
        throw new CallFault('badAnswer', 'its ticket is not known any more', { sourceIsSick: false });
      const { answer: told } = polled.content;
      return isPending(ticketed, told) ? new PendingResult(everyMs, withinMs, ask) : jobEnd(ticketed, told);
    };
    return new PendingResult(everyMs, withinMs, ask);
  }

  return {
    readPage(operation, args, _next, signal) {
      const facts = operation as SoapOperation;
      return result(facts, readRequest(facts, args, null), 'list', signal, (reply, shown): PageAnswer => {
        if (reply === 'absent') throw new CallFault('badAnswer', `expected a list from ${shown.operation}, got none`);
        const { answer, rows } = reply.content;
        return {
          rows: shown.rows === '' ? [answer] : rows,
          total: shown.total === null ? null : numberOf(valueAt(answer, pathSteps(shown.total))),
          more: shown.more === null ? null : truthOf(valueAt(answer, pathSteps(shown.more))),
          next: shown.paging.kind === 'token' ? textOf(valueAt(answer, pathSteps(shown.paging.from ?? ''))) : null,
          serverTimeMs: serverTimeOf(reply.head),
          delta: shown.deltaIn === null ? null : textOf(valueAt(answer, pathSteps(shown.deltaIn))),
        };
      });
    },
    readRow(operation, key, signal) {
      const facts = operation as SoapOperation;
      return result(facts, readRequest(facts, {}, key), 'one', signal, (reply, shown): RowAnswer | 'absent' => {
        if (reply === 'absent') return reply;
        const row = valueAt(reply.content.answer, pathSteps(shown.rows));
        const isEmpty = row === undefined || row === null || row === '';
        return shown.emptyIsAbsent && isEmpty ? 'absent' : { row, tag: null };
      });
    },
    lookUp(operation, sought, signal) {
      const facts = operation as SoapOperation;
      const args = soughtArguments(facts, sought);
      return result(facts, readRequest(facts, args, null), 'lookUp', signal, (reply, shown): readonly unknown[] => {
        if (reply === 'absent') return [];
        const { answer, rows } = reply.content;
        if (shown.rows !== '') return rows;
        return shown.emptyIsAbsent && (answer === null || answer === '') ? [] : [answer];
      });
    },
    async write(operation, call, signal) {
      const facts = operation as SoapOperation;
      try {
        return await send(facts, await operationOf(facts, signal), call, signal);
      } catch (thrown) {
        if (!(thrown instanceof UnsendableText)) throw thrown;
        return { kind: 'refused', message: thrown.message, field: thrown.element };
      }
    },
    async close() {
      reading.abort();
      await settings.credentials.close();
      await http.close();
    },
  };
}

type AnsweredReply = SoapReply & { readonly content: Extract<SoapContent, { readonly kind: 'answer' }> };

function isAnswered(reply: SoapReply): reply is AnsweredReply {
  return reply.content.kind === 'answer';
}

function parseAddress(key: string, address: string): URL {
  if (URL.canParse(address)) {
    const url = new URL(address);
    if ((url.protocol === 'http:' || url.protocol === 'https:') && url.username === '') return url;
  }
  throw new StartupError(
    'config',
    `${key}: expected an address like https://erp.example.com/supplies without a user, got "${address}"`,
  );
}

/** A key or a filter that XML cannot carry is asked for in vain: nothing was sent. */
function renderRead(operation: WsdlOperation, request: RequestElements): Envelope {
  try {
    return renderEnvelope(operation, request, 'leftOut');
  } catch (thrown) {
    if (!(thrown instanceof UnsendableText)) throw thrown;
    throw new CallFault('notSent', thrown.message, { cause: thrown, sourceIsSick: false });
  }
}

/** How far our clock is ahead; null: the source does not tell its time. */
function aheadOf(sourceMs: number | null, nowMs: number): number | null {
  return sourceMs === null ? null : nowMs - sourceMs;
}

function writeHeaders({ idempotency }: WriteCall): Readonly<Record<string, string>> {
  return idempotency?.header === undefined ? {} : { [idempotency.header]: idempotency.key };
}

function numberOf(value: XmlValue | undefined): number | null {
  return typeof value === 'string' && /^\s*\+?\d{1,15}\s*$/.test(value) ? Number(value) : null;
}

function textOf(value: XmlValue | undefined): string | null {
  const text = typeof value === 'string' ? value.trim() : '';
  return text === '' ? null : text;
}

function truthOf(value: XmlValue | undefined): boolean | null {
  if (typeof value !== 'string') return null;
  const text = value.trim();
  return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : null;
}
