import type { Asked, Reply } from './odata-service.js';

/** One request of a batch, and the group that it is done or not done with. */
interface Grouped {
  readonly id: string;
  readonly group: string | null;
  readonly asked: Asked;
}

interface JsonRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly atomicityGroup?: string;
}

/** What a service does with the requests of a batch. */
export interface BatchRules {
  answer(asked: Asked): Reply;
  /** Keeps the store as it is; what is returned brings that back. */
  saved(): () => void;
}

/** OData's `$batch`, in JSON (4.01) and as multipart/mixed (4.0), with groups that are done whole or not at all. */
export function answerBatch(asked: Asked, rules: BatchRules): Reply {
  const type = asked.headers['content-type'] ?? '';
  return type.startsWith('multipart/') ? answerMultipart(asked, type, rules) : answerJson(asked, rules);
}

function answerJson(asked: Asked, rules: BatchRules): Reply {
  const { requests } = JSON.parse(asked.body) as { readonly requests: readonly JsonRequest[] };
  const all = requests.map(({ id, method, url, headers = {}, body, atomicityGroup = null }): Grouped => {
    const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
    const one = { method, path: `/${url}`, query: new URLSearchParams(), headers: named };
    return { id, group: atomicityGroup, asked: { ...one, body: body === undefined ? '' : JSON.stringify(body) } };
  });
  const responses = done(all, rules).map(({ status, headers, body }, at) => ({
    id: all[at]?.id,
    status,
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
  }));
  // The order is the service's own.
  return { status: 200, body: { responses: responses.reverse() } };
}

/** Groups stand together; of one that fails every request is answered with what failed first. */
function done(all: readonly Grouped[], rules: BatchRules): readonly Reply[] {
  const replies = new Map<Grouped, Reply>();
  for (const group of new Set(all.map((one) => one.group ?? one))) {
    const own = all.filter((one) => one === group || one.group === group);
    const restore = rules.saved();
    for (const one of own) {
      const reply = rules.answer(one.asked);
      replies.set(one, reply);
      if (reply.status < 300 || one.group === null) continue;
      restore();
      for (const other of own)
        replies.set(other, other === one ? reply : { status: 424, body: { error: { code: '424' } } });
      break;
    }
  }
  return all.map((one) => replies.get(one) as Reply);
}

function answerMultipart(asked: Asked, type: string, rules: BatchRules): Reply {
  const parts = partsOf(type, asked.body);
  const shown = parts.map((part) => {
    if (!part.head.includes('multipart/mixed')) {
      const [reply] = done([grouped(part.body, null, '')], rules);
      return httpPart(reply as Reply, null);
    }
    const inner = partsOf(/content-type: (.*)/i.exec(part.head)?.[1] ?? '', part.body);
    const all = inner.map(({ head, body }) => grouped(body, 'set', /content-id: (\S+)/i.exec(head)?.[1] ?? ''));
    const replies = done(all, rules);
    const failed = replies.find(({ status }) => status >= 300 && status !== 424);
    if (failed !== undefined) return httpPart(failed, null);
    const changes = replies.map((reply, at) => `--set\r\n${httpPart(reply, all[at]?.id ?? null)}\r\n`).join('');
    return `Content-Type: multipart/mixed; boundary="set"\r\n\r\n${changes}--set--\r\n`;
  });
  const text = `${shown.map((part) => `--answer\r\n${part}\r\n`).join('')}--answer--\r\n`;
  return { status: 200, headers: { 'content-type': 'multipart/mixed; boundary=answer' }, text };
}

function grouped(text: string, group: string | null, id: string): Grouped {
  const [first = '', ...lines] = (text.split('\r\n\r\n')[0] ?? '').split('\r\n');
  const [method = '', url = ''] = first.split(' ');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = text.slice(text.indexOf('\r\n\r\n') + 4);
  return { id, group, asked: { method, path: `/${url}`, query: new URLSearchParams(), headers, body } };
}

function httpPart({ status, headers = {}, body }: Reply, id: string | null): string {
  const content = body === undefined ? '' : JSON.stringify(body);
  const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const lines = Object.entries({ ...type, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const named = id === null ? '' : `Content-ID: ${id}\r\n`;
  return `Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n${named}\r\nHTTP/1.1 ${status} Said\r\n${lines.join('')}\r\n${content}`;
}

function partsOf(type: string, text: string): readonly { readonly head: string; readonly body: string }[] {
  const boundary = /boundary="?([^";\r]+)/.exec(type)?.[1] ?? '';
  return text
    .split(`--${boundary}`)
    .slice(1, -1)
    .map((piece) => {
      const part = piece.replace(/^\r\n/, '').replace(/\r\n$/, '');
      const end = part.indexOf('\r\n\r\n');
      return { head: part.slice(0, end), body: part.slice(end + 4) };
    });
}
