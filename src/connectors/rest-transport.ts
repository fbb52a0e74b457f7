import { readFaultOf, writeAnswerOf } from './answer-meaning.js';
import type { BatchFacts } from './batch.js';
import { createBatchExchange, type BatchItem } from './batch-exchange.js';
import { CallFault } from './fault.js';
import { openHttp, serverTimeOf, tagsOf, type HttpHead, type HttpLimits } from './http-client.js';
import { createJsonExchange, type JsonSettings } from './json-exchange.js';
import { withDigest, type PageAnswer } from './paging.js';
import { classifyRest, factsOf, memberAt, saidIn, sessionAnswerOf, type RestAnswer } from './rest-answer.js';
import { createRestJobs } from './rest-async.js';
import { deltaOf, linkedPath, nextOf, parseBase, pathOf, writeBody, writeHeaders } from './rest-request.js';
import type { RestOperation } from './rest.js';
import type {
  BatchEnd,
  OpenTransport,
  RowAnswer,
  SoughtValue,
  SourceDeps,
  WriteAnswer,
  WriteCall,
} from './transport.js';

export interface RestSettings extends JsonSettings {
  readonly baseUrl: string;
  readonly batch: BatchFacts | null;
  readonly http: HttpLimits;
}

/** Lists of which the last answer is kept, for 304; each at most this many rows. */
const KEPT_LISTS = 64;
const KEPT_ROWS = 5_000;
const NOT_MODIFIED = 304;

/** A list as it was last answered. */
interface KeptList extends Pick<RestAnswer, 'head' | 'body' | 'digest'> {
  readonly tag: string;
}

/** Opens the REST side of a source. @throws StartupError config - the base URL is none */
export function openRest(settings: RestSettings, deps: SourceDeps): OpenTransport {
  const base = parseBase(settings.baseUrl);
  const http = openHttp(base.origin, settings.http, settings.heard);
  const kept = new Map<string, KeptList>();

  const exchange = createJsonExchange(http, base, settings, deps, {
    headersOf: (body) => ({
      accept: 'application/json',
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...settings.headers,
    }),
    classify: classifyRest,
    seen: sessionAnswerOf,
  });

  async function readJson(
    operation: RestOperation,
    path: string,
    purpose: 'list' | 'one' | 'lookUp',
    signal: AbortSignal,
    isFresh = false,
  ): Promise<{ readonly answer: RestAnswer; readonly isAbsent: boolean }> {
    const known = operation.tagged && !isFresh ? kept.get(path) : undefined;
    const conditional = known === undefined ? {} : { 'if-none-match': known.tag };
    const answer = await exchange(purpose, 'GET', path, { ...operation.headers, ...conditional }, null, signal);
    if (answer.head.status === NOT_MODIFIED && known !== undefined) {
      // What 304 leaves out (the next page, the total) holds as it was; without it a list would seem to end here.
      const headers = new Map([...known.head.headers, ...answer.head.headers]);
      const { tag: _sent, ...list } = known;
      return {
        answer: { ...answer, ...list, head: { status: 200, headers }, misfit: null },
        isAbsent: false,
      };
    }
    if (answer.head.status === NOT_MODIFIED && operation.headers['if-none-match'] !== undefined)
      return { answer, isAbsent: false };
    const meaning = classifyRest(answer, purpose, settings);
    const { kind } = meaning.is;
    // A page that says "not found" is a server's that does not know our path; of a record's absence the source tells itself.
    const isPage = purpose === 'lookUp' && answer.misfit !== null && !meaning.isTold;
    if (kind === 'absent' && !isPage) return { answer, isAbsent: true };
    if (kind !== 'fine') throw readFaultOf(meaning, factsOf(answer), saidIn(answer));
    if (answer.misfit !== null) throw new CallFault('badAnswer', answer.misfit);
    if (operation.tagged) keep(path, answer, memberAt(answer.body, operation.rows));
    return { answer, isAbsent: false };
  }

  async function readOne(
    operation: RestOperation,
    key: readonly string[],
    tag: string | null,
    signal: AbortSignal,
  ): Promise<RowAnswer | 'absent' | 'unchanged'> {
    const facts = tag === null ? operation : { ...operation, headers: { ...operation.headers, 'if-none-match': tag } };
    const { answer, isAbsent } = await readJson(facts, pathOf(base, facts, { key }), 'one', signal);
    if (isAbsent) return 'absent';
    if (answer.head.status === NOT_MODIFIED) return 'unchanged';
    return { row: memberAt(answer.body, facts.rows), tag: tagsOf(answer.head) };
  }

  function keep(path: string, answer: RestAnswer, rows: unknown): void {
    const tag = answer.head.headers.get('etag');
    kept.delete(path);
    if (tag === undefined || kept.size >= KEPT_LISTS || lengthOf(rows) > KEPT_ROWS) return;
    const { head, body, digest } = answer;
    kept.set(path, { tag, head, body, ...withDigest(digest) });
  }

  function requestOf(facts: RestOperation, call: WriteCall) {
    const path = pathOf(base, facts, { key: call.key, ...(call.kept === undefined ? {} : { named: call.kept }) });
    return { path, headers: { ...facts.headers, ...writeHeaders(call) }, body: writeBody(facts, call) };
  }

  function answerOf(facts: RestOperation, call: WriteCall, answer: RestAnswer): WriteAnswer {
    const meaning = classifyRest(answer, call.purpose, settings);
    const told = writeAnswerOf(meaning, factsOf(answer), {
      // Another text beside a success is just no record.
      misfit: answer.isOtherText ? null : answer.misfit,
      row: memberAt(answer.body, facts.rows),
      tag: tagsOf(answer.head),
      said: answer.body,
    });
    if (told.kind === 'done') return { ...told, headers: answer.head.headers };
    const isConflict = !meaning.isTold && call.conflictOn.includes(answer.head.status);
    return told.kind === 'refused' && isConflict ? { ...told, isConflict } : told;
  }

  function itemOf(facts: RestOperation, call: WriteCall): BatchItem | BatchEnd {
    try {
      const { path, headers, body } = requestOf(facts, call);
      const type = body === null ? {} : { 'content-type': 'application/json' };
      const request = {
        method: facts.method,
        url: path.slice(base.prefix.length),
        headers: { ...type, ...headers },
        body,
      };
      return { request, answerOf: (answer) => answerOf(facts, call, answer) };
    } catch (thrown) {
      if (thrown instanceof CallFault) return thrown;
      throw thrown;
    }
  }

  const jobs = createRestJobs(exchange, base, settings);
  const batch = settings.batch === null ? null : createBatchExchange(exchange, base, settings.batch, settings, deps);

  return {
    async readPage(operation, args, next, signal, isFresh): Promise<PageAnswer> {
      const facts = operation as RestOperation;
      const path = next === null ? pathOf(base, facts, { args }) : linkedPath(base, next);
      const { answer, isAbsent } = await readJson(facts, path, 'list', signal, isFresh);
      const { head, body } = answer;
      if (isAbsent) throw noList(facts, head.status);
      const rows = memberAt(body, facts.rows);
      if (!Array.isArray(rows)) {
        throw new CallFault(
          'badAnswer',
          `expected a list at ${facts.rows === '' ? 'the top' : facts.rows} of the answer`,
        );
      }
      const more = facts.more === null ? null : memberAt(body, facts.more);
      return {
        rows: rows as readonly unknown[],
        total: totalOf(facts, head, body),
        more: typeof more === 'boolean' ? more : null,
        next: nextOf(facts, answer, path),
        serverTimeMs: serverTimeOf(head),
        delta: deltaOf(base, facts, answer, path),
        ...withDigest(answer.digest),
      };
    },
    async readRow(operation, key, signal) {
      const answer = await readOne(operation as RestOperation, key, null, signal);
      if (answer === 'unchanged') throw new CallFault('badAnswer', 'expected a record, got 304');
      return answer;
    },
    readRowUnless: (operation, key, tag, signal) => readOne(operation as RestOperation, key, tag, signal),
    async lookUp(operation, sought, signal) {
      const facts = operation as RestOperation;
      const values = 'reference' in sought ? sought : { named: namedBy(sought.alike) };
      const { answer, isAbsent } = await readJson(facts, pathOf(base, facts, values), 'lookUp', signal);
      if (isAbsent) {
        // A list that is not there says nothing about what would be in it.
        if (facts.path.includes('{')) return [];
        throw new CallFault('badAnswer', `expected a list at ${facts.path}, got none`);
      }
      const found = memberAt(answer.body, facts.rows);
      const rows = Array.isArray(found) ? (found as readonly unknown[]) : [found];
      const total = totalOf(facts, answer.head, answer.body) ?? rows.length;
      if (total > rows.length) throw new CallFault('badAnswer', `expected all of ${total} records, got ${rows.length}`);
      return rows;
    },
    async write(operation, call, signal) {
      const facts = operation as RestOperation;
      const { path, headers, body } = requestOf(facts, call);
      const answer = await exchange(call.purpose, facts.method, path, headers, body, signal);
      const isTold = classifyRest(answer, call.purpose, settings).isTold;
      return (isTold ? null : jobs.begun(facts, path, answer)) ?? answerOf(facts, call, answer);
    },
    ...(batch === null
      ? {}
      : {
          writeBatch: (items, signal) =>
            batch(
              items.map(({ operation, call }) => itemOf(operation as RestOperation, call)),
              signal,
            ),
        }),
    async close() {
      await settings.credentials.close();
      await http.close();
    },
  };
}

function namedBy(alike: readonly SoughtValue[]): Readonly<Record<string, string>> {
  return Object.fromEntries(alike.map(({ field, value }) => [field, value]));
}

function noList({ path }: RestOperation, status: number): CallFault {
  // What is gone was there: a token that is no longer known says nothing about the source's health.
  return new CallFault('badAnswer', `expected a list at ${path}, got ${status}`, {
    status,
    sourceIsSick: status !== 410,
  });
}

function totalOf(operation: RestOperation, head: HttpHead, body: unknown): number | null {
  const text = operation.totalHeader === null ? undefined : head.headers.get(operation.totalHeader);
  const value =
    operation.total === null ? (/^\d+$/.test(text ?? '') ? Number(text) : undefined) : memberAt(body, operation.total);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function lengthOf(body: unknown): number {
  return Array.isArray(body) ? body.length : 0;
}
