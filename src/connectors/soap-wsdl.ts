import { readFile } from 'node:fs/promises';
import type { IHttpClient, WSDL } from 'soap';
import type { AnswerView, Credentials } from './credentials.js';
import { CallFault } from './fault.js';
import { openHttp, readAll, utf8Text, type HttpHead, type HttpLimits } from './http-client.js';
import { shapesOf, type ElementShape, type SchemaNode } from './soap-shape.js';

/** One operation of a WSDL, as far as it is needed to call it. */
export interface WsdlOperation {
  readonly name: string;
  readonly soapAction: string;
  /** The element in the request's body; null: the body is empty. */
  readonly input: ElementShape | null;
  readonly output: ElementShape | null;
}

/** A WSDL that was read. */
export interface SoapContract {
  /** @throws CallFault notSent - the WSDL has no such operation, or one of another style than document/literal */
  operation(name: string): WsdlOperation;
}

export interface WsdlSettings {
  /** A URL, or the path of a file. */
  readonly wsdl: string;
  /** Only this origin is shown our headers, our credentials and our certificate. */
  readonly endpoint: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
  readonly http: HttpLimits;
  /** Something came from the source. */
  readonly heard: () => void;
}

/** A WSDL of more parts than this leads in a circle. */
const MAX_PARTS = 100;

/**
 * Reads a WSDL and all that it includes. Its address of the service is not looked at: that one comes from the
 * configuration.
 *
 * @throws CallFault notSent - it cannot be reached or read: nothing was called
 */
export async function readWsdl(settings: WsdlSettings, signal: AbortSignal): Promise<SoapContract> {
  const where = shownAddress(settings.wsdl);
  try {
    const text = isHttp(settings.wsdl)
      ? await loadText(settings.wsdl, settings, signal)
      : await readFile(settings.wsdl.startsWith('file:') ? new URL(settings.wsdl) : settings.wsdl, 'utf8');
    return contractOf(where, await parse(text, settings, signal));
  } catch (cause) {
    const { message } = cause as Error;
    throw new CallFault('notSent', `the WSDL ${where} cannot be read: ${message}`, {
      cause,
      retryAfterMs: cause instanceof CallFault ? cause.retryAfterMs : null,
      sourceIsSick: cause instanceof CallFault && cause.sourceIsSick,
    });
  }
}

export function isHttp(address: string): boolean {
  return /^https?:/i.test(address);
}

async function loadText(address: string, settings: WsdlSettings, signal: AbortSignal): Promise<string> {
  const url = new URL(address);
  const isOwn = url.origin === settings.endpoint.origin;
  const { client, ...limits } = settings.http;
  const http = openHttp(url.origin, isOwn && client !== undefined ? { ...limits, client } : limits, settings.heard);
  const load = (headers: Readonly<Record<string, string>>): Promise<LoadedText> =>
    http.exchange(
      { method: 'GET', path: `${url.pathname}${url.search}`, headers, body: null },
      signal,
      async (head, chunks) => ({ head, bytes: await readAll(chunks) }),
    );
  try {
    const { head, bytes } = isOwn
      ? await settings.credentials.send((own) => load({ ...settings.headers, ...own }), LOADED, signal)
      : await load({});
    if (head.status !== 200) throw new CallFault('badAnswer', `expected status 200, got ${head.status}`);
    return utf8Text(bytes);
  } finally {
    await http.close();
  }
}

interface LoadedText {
  readonly head: HttpHead;
  readonly bytes: Buffer;
}

/** Reading a WSDL does nothing, whatever comes back. */
const LOADED: AnswerView<LoadedText> = {
  seen: ({ head }) => ({ ...head, body: null, message: `status ${head.status}`, code: null }),
  isUndone: () => true,
};

/** Loads what a WSDL includes in our way: with our limits, and with our headers only where they belong. */
function includesLoader(settings: WsdlSettings, signal: AbortSignal): IHttpClient {
  let parts = 0;
  const request = (address: string, _data: unknown, done: (fault: unknown, head?: object, text?: string) => void) => {
    parts += 1;
    const loaded =
      parts > MAX_PARTS
        ? Promise.reject(new CallFault('badAnswer', `expected at most ${MAX_PARTS} parts, got more`, USELESS_TO_REPEAT))
        : loadText(address, settings, signal);
    void loaded.then((text) => done(null, { status: 200 }, text), done);
  };
  return { request: request as unknown as IHttpClient['request'] };
}

async function parse(text: string, settings: WsdlSettings, signal: AbortSignal): Promise<WSDL['definitions']> {
  // Loaded at the first use: a gateway without SOAP sources has no use for it.
  const { WSDL: Reader } = await import('soap');
  return await new Promise((resolve, reject) => {
    const wsdl = new Reader(text, settings.wsdl, { httpClient: includesLoader(settings, signal) });
    wsdl.onReady((fault) => (isFault(fault) ? reject(fault) : resolve(wsdl.definitions)));
  });
}

/** The soap package's types do not say that there may be none. */
function isFault(fault: unknown): fault is Error {
  return fault !== null && fault !== undefined;
}

interface Method {
  readonly style: string;
  readonly soapAction: string;
  readonly input: MessageNode | null;
  readonly output: MessageNode | null;
  readonly inputSoap: { readonly use?: string } | null;
}
type MessageNode = SchemaNode & { readonly targetNamespace?: string; readonly parts?: unknown };

function contractOf(where: string, definitions: WSDL['definitions']): SoapContract {
  const shapeOf = shapesOf(definitions);
  const methods = new Map<string, Method>();
  for (const service of Object.values(definitions.services)) {
    for (const { binding } of Object.values(service.ports)) {
      for (const [name, method] of Object.entries(binding.methods)) methods.set(name, method);
    }
  }
  if (methods.size === 0) throw new CallFault('badAnswer', 'expected a service with operations, got none');

  function elementOf(name: string, message: MessageNode | null): ElementShape | null {
    if (message === null) return null;
    if (message.targetNamespace !== undefined) return shapeOf(message, message.targetNamespace);
    if (Object.keys(message.parts ?? {}).length === 0) return null;
    throw new CallFault(
      'notSent',
      `the operation ${name} of ${where}: expected its message to be an element`,
      USELESS_TO_REPEAT,
    );
  }

  return {
    operation(name) {
      const method = methods.get(name);
      if (method === undefined) {
        const known = [...methods.keys()].join(', ');
        throw new CallFault(
          'notSent',
          `expected one of the operations ${known} of ${where}, got ${name}`,
          USELESS_TO_REPEAT,
        );
      }
      if (method.style === 'rpc' || method.inputSoap?.use === 'encoded') {
        const style = `${method.style}/${method.inputSoap?.use ?? 'literal'}`;
        throw new CallFault(
          'notSent',
          `the operation ${name} of ${where}: expected document/literal, got ${style}`,
          USELESS_TO_REPEAT,
        );
      }
      return {
        name,
        soapAction: method.soapAction,
        input: elementOf(name, method.input),
        output: elementOf(name, method.output),
      };
    },
  };
}

/** The source answers: asking once more would change nothing. */
const USELESS_TO_REPEAT = { sourceIsSick: false } as const;

/** Without the query, which may hold a password. */
function shownAddress(wsdl: string): string {
  return isHttp(wsdl) ? wsdl.replace(/[?#].*$/, '') : wsdl;
}
