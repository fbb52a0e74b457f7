import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AnswerView, Credentials } from './credentials.js';
import { checkAnswered } from '../outgoing/reach.js';
import { CallFault } from './fault.js';
import { openHttp, readAll, utf8Text, type HttpHead, type HttpLimits } from './http-client.js';
import { contractOf, type SoapContract, type WsdlChoice, type WsdlDocuments } from './soap-contract.js';
import type { SchemaPart } from './soap-schema.js';
import { DIALECTS, XSD_NAMESPACE } from './soap-version.js';
import { childrenOf, parseXml, type XmlElement } from './xml-tree.js';

export interface WsdlSettings extends WsdlChoice {
  /** A URL, or the path of a file. */
  readonly wsdl: string;
  /** Only this origin is shown our headers, our credentials and our certificate. */
  readonly endpoint: URL;
  /** Origins that parts may come from, besides those of the WSDL and the endpoint. */
  readonly partsFrom: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
  readonly http: HttpLimits;
  /** Something came from the source. */
  readonly heard: (head?: HttpHead) => void;
}

/** A WSDL of more parts than this leads in a circle. */
const MAX_PARTS = 100;
const WSDL_NAMESPACE = 'http://schemas.xmlsoap.org/wsdl/';
/** What everybody refers to and we know: an address for it is of a host far away. */
const WELL_KNOWN: ReadonlySet<string> = new Set([
  XSD_NAMESPACE,
  'http://www.w3.org/XML/1998/namespace',
  ...Object.values(DIALECTS).flatMap(({ encoding, envelope }) => [encoding, envelope]),
]);

/**
 * Reads a WSDL and all that it includes. Its address of the service is not looked at: that one comes from the
 * configuration.
 *
 * @throws CallFault notSent - it cannot be reached or read: nothing was called
 */
export async function readWsdl(settings: WsdlSettings, signal: AbortSignal): Promise<SoapContract> {
  const where = shownAddress(settings.wsdl);
  try {
    return contractOf(where, await loadDocuments(settings, signal), settings);
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

/** A document to be read; `namespace`: that of the schema that includes it, null: it is a WSDL or has its own. */
interface Wanted {
  readonly address: string;
  readonly namespace: string | null;
}

async function loadDocuments(settings: WsdlSettings, signal: AbortSignal): Promise<WsdlDocuments> {
  const definitions: XmlElement[] = [];
  const schemas: SchemaPart[] = [];
  const wanted: Wanted[] = [{ address: settings.wsdl, namespace: null }];
  const known = new Set([settings.wsdl]);

  function want(base: string, location: string, namespace: string | null): void {
    const address = addressOf(base, location);
    checkPart(base, address, settings);
    // The same schema may be included into several namespaces.
    const key = namespace === null ? address : `${address} in ${namespace}`;
    if (known.has(key)) return;
    known.add(key);
    wanted.push({ address, namespace });
    // The first one is the WSDL itself.
    if (wanted.length > MAX_PARTS + 1) throw new Error(`expected at most ${MAX_PARTS} parts, got more`);
  }

  function addSchema(root: XmlElement, address: string, includedIn: string | null): void {
    const namespace = root.attribute('targetNamespace') ?? includedIn ?? '';
    schemas.push({ root, namespace });
    for (const child of root.children) {
      const location = child.attribute('schemaLocation');
      if (child.namespace !== XSD_NAMESPACE || location === undefined) continue;
      if (child.local === 'include' || child.local === 'redefine') want(address, location, namespace);
      else if (child.local === 'import' && !WELL_KNOWN.has(child.attribute('namespace') ?? ''))
        want(address, location, null);
    }
  }

  for (const { address, namespace } of wanted) {
    const root = parseXml(await loadText(address, settings, signal));
    if (root.local === 'schema' && root.namespace === XSD_NAMESPACE && definitions.length > 0) {
      addSchema(root, address, namespace);
      continue;
    }
    if (root.local !== 'definitions' || root.namespace !== WSDL_NAMESPACE) {
      throw new Error(`expected a WSDL 1.1, got a document of {${root.namespace}}${root.local}`);
    }
    definitions.push(root);
    for (const types of childrenOf(root, WSDL_NAMESPACE, 'types')) {
      for (const schema of childrenOf(types, XSD_NAMESPACE, 'schema')) addSchema(schema, address, null);
    }
    for (const found of childrenOf(root, WSDL_NAMESPACE, 'import')) {
      const location = found.attribute('location');
      if (location !== undefined) want(address, location, null);
    }
  }
  return { definitions, schemas };
}

/** Where a document is that another one names. One that came over the network does not lead to our files. */
function addressOf(base: string, location: string): string {
  if (isHttp(location)) return new URL(location).href;
  if (isHttp(base)) {
    const url = new URL(location, base);
    if (!isHttp(url.href)) throw new Error(`expected parts at http or https, got ${url.protocol}`);
    return url.href;
  }
  return resolve(dirname(pathOf(base)), pathOf(location));
}

/**
 * What came over the network leads to the places of the configuration only; a file, which somebody put there, also to public ones.
 *
 * @throws Error - it leads elsewhere
 */
function checkPart(base: string, address: string, settings: WsdlSettings): void {
  if (!isHttp(address) || isConfigured(new URL(address), settings)) return;
  const { origin } = new URL(address);
  if (isHttp(base) && origin !== new URL(base).origin)
    throw new Error(`expected parts at the origins of wsdl, endpoint or wsdlPartsFrom, got ${origin}`);
  checkAnswered(new URL(address));
}

function isConfigured({ origin }: URL, { wsdl, endpoint, partsFrom }: WsdlSettings): boolean {
  return origin === endpoint.origin || (isHttp(wsdl) && new URL(wsdl).origin === origin) || partsFrom.includes(origin);
}

function pathOf(address: string): string {
  return address.startsWith('file:') ? fileURLToPath(address) : address;
}

async function loadText(address: string, settings: WsdlSettings, signal: AbortSignal): Promise<string> {
  if (!isHttp(address)) return await readFile(pathOf(address), 'utf8');
  const url = new URL(address);
  const isOwn = url.origin === settings.endpoint.origin;
  const { client, ...limits } = settings.http;
  const http = openHttp(url.origin, isOwn && client !== undefined ? { ...limits, client } : limits, settings.heard, {
    namedBy: isConfigured(url, settings) ? 'configuration' : 'answer',
  });
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

/** Without the query, which may hold a password. */
function shownAddress(wsdl: string): string {
  return isHttp(wsdl) ? wsdl.replace(/[?#].*$/, '') : wsdl;
}
