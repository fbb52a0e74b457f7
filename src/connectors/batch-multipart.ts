import type { BatchFacts } from './batch.js';
import type { BatchCodec, BatchRequest } from './batch-exchange.js';
import { CallFault } from './fault.js';
import { retryAfterMs } from './http-client.js';
import { parseBody, type RestAnswer } from './rest-answer.js';

const CRLF = '\r\n';

interface Part {
  readonly headers: ReadonlyMap<string, string>;
  /** Each character a byte. */
  readonly body: string;
}

/** Batches as multipart/mixed, an atomic one as one change set; answers are told apart by Content-ID, else by their order. */
export function multipartCodec({ isAtomic }: BatchFacts, nowMs: () => number): BatchCodec {
  function answerIn({ body }: Part): RestAnswer {
    const [, status = '', rest = ''] = /^HTTP\/\d(?:\.\d)? (\d{3})[^\r\n]*\r?\n(.*)$/s.exec(body.trimStart()) ?? [];
    if (status === '') throw unbelievable('expected an HTTP answer in each part, got none');
    const { headers, body: content } = partOf(rest);
    const head = { status: Number(status), headers };
    const bytes = Buffer.from(content, 'latin1');
    const length = Number(headers.get('content-length') ?? bytes.length);
    return { head, ...parseBody(head, bytes.subarray(0, length)), retryAfterMs: retryAfterMs(head, nowMs()) };
  }

  return {
    render(all) {
      const outer = boundaryFor('tidegate_batch', all);
      const inner = boundaryFor('tidegate_changes', all);
      const parts = all.map(partFor);
      const body = isAtomic
        ? joined([`content-type: multipart/mixed; boundary=${inner}${CRLF}${CRLF}${joined(parts, inner)}`], outer)
        : joined(parts, outer);
      return { type: `multipart/mixed; boundary=${outer}`, body };
    },
    read({ head, raw }, all) {
      const parts = partsOf(head.headers.get('content-type') ?? '', raw?.toString('latin1') ?? '').flatMap((part) => {
        const type = part.headers.get('content-type') ?? '';
        return /^multipart\//i.test(type) ? partsOf(type, part.body) : [part];
      });
      const answers = parts.map((part) => ({ id: part.headers.get('content-id'), answer: answerIn(part) }));
      const [only] = answers;
      // A change set that is refused has one answer.
      if (isAtomic && answers.length === 1 && only !== undefined && only.answer.head.status >= 300)
        return all.map(() => only.answer);
      const isNamed = answers.every(({ id }) => id !== undefined);
      if (answers.length > all.length || (isAtomic && !isNamed && answers.length !== all.length))
        throw unbelievable(`expected ${all.length} answers, got ${answers.length}`);
      return all.map((_one, at) => {
        const found = answers.filter(({ id }, place) => (isNamed ? id === String(at + 1) : place === at));
        return found.length === 1 ? (found[0]?.answer ?? null) : null;
      });
    },
  };
}

/** Bodies are texts of JSON: their bytes may be anything but a boundary. */
function boundaryFor(name: string, all: readonly BatchRequest[]): string {
  let boundary = name;
  while (all.some(({ body }) => body?.includes(boundary) === true)) boundary += '_';
  return boundary;
}

function partFor({ method, url, headers, body }: BatchRequest, at: number): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const length = body === null ? [] : [`content-length: ${Buffer.byteLength(body)}`];
  return [
    'content-type: application/http',
    'content-transfer-encoding: binary',
    `content-id: ${at + 1}`,
    '',
    `${method} ${url} HTTP/1.1`,
    ...lines,
    ...length,
    '',
    body ?? '',
  ].join(CRLF);
}

function joined(parts: readonly string[], boundary: string): string {
  return [...parts.map((part) => `--${boundary}${CRLF}${part}${CRLF}`), `--${boundary}--${CRLF}`].join('');
}

/** @throws CallFault unknown - it is not multipart, or was broken off */
function partsOf(type: string, text: string): readonly Part[] {
  const [, quoted, plain] = /^multipart\/mixed\b.*;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(type) ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw unbelievable(`expected multipart/mixed with a boundary, got "${type}"`);
  const pieces = `${CRLF}${text}`.split(
    new RegExp(`\\r?\\n--${boundary.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?=--|[ \\t]*\\r?\\n)`),
  );
  const last = pieces.at(-1);
  if (pieces.length < 2 || last?.startsWith('--') !== true)
    throw unbelievable('expected all parts of a batch, got some');
  return pieces.slice(1, -1).map((piece) => partOf(piece.replace(/^[ \t]*\r?\n/, '')));
}

function partOf(text: string): Part {
  const end = /(^|\r?\n)\r?\n/.exec(text);
  const lines = (end === null ? text : text.slice(0, end.index)).split(/\r?\n/);
  const headers = new Map(
    lines.flatMap((line) => {
      const [, name = '', value = ''] = /^([^:\s]+)\s*:\s*(.*)$/.exec(line) ?? [];
      return name === '' ? [] : [[name.toLowerCase(), value.trim()] as const];
    }),
  );
  return { headers, body: end === null ? '' : text.slice(end.index + end[0].length) };
}

function unbelievable(message: string): CallFault {
  return new CallFault('unknown', message);
}
