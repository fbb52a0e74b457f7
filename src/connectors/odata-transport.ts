import { readFaultOf, writeAnswerOf } from './answer-meaning.js';
import { entriesOf } from './deletion-log.js';
import type { BatchFacts } from './batch.js';
import { createBatchExchange, type BatchItem } from './batch-exchange.js';
import { operationsOf } from './fact-misfits.js';
import { CallFault } from './fault.js';
import { openHttp, serverTimeOf, tagsOf, type HttpLimits } from './http-client.js';
import { createJsonExchange, type JsonSettings } from './json-exchange.js';
import {
  classifyOData,
  countOf,
  listedRows,
  misfitOfAnswer,
  noteOf,
  rowOf,
  saidIn,
  sessionAnswerOf,
} from './odata-answer.js';
import { createContract } from './odata-contract.js';
import { trackedRows } from './odata-delta.js';
import { UnsendableValue } from './odata-literal.js';
import { doubtsOfCall, planCall, type ODataPlan, type ODataUse } from './odata-plan.js';
import {
  entityPath,
  findPath,
  keyOfAddress,
  linkedPath,
  listPath,
  ODATA_HEADERS,
  setPath,
  writeBody,
  writeHeaders,
} from './odata-request.js';
import type { ODataOperation } from './odata.js';
import { withDigest } from './paging.js';
import { factsOf, type RestAnswer } from './rest-answer.js';
import { parseBase } from './rest-request.js';
import type { BatchEnd, OpenContext, OpenTransport, SourceDeps, WriteAnswer, WriteCall } from './transport.js';

export interface ODataSettings extends JsonSettings, Pick<OpenContext, 'source' | 'collections'> {
  readonly serviceUrl: string;
  readonly batch: BatchFacts | null;
  readonly http: HttpLimits;
  /** Longest time for reading the `$metadata`, ms. */
  readonly metadataTimeoutMs: number;
}

/** A write as it goes out. */
interface PreparedWrite {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly answerOf: (answer: RestAnswer) => WriteAnswer;
}

/** A page: its rows come with notes about them. */
interface Listed {
  readonly answer: RestAnswer;
  readonly path: string;
}

const NO_CONTENT = 204;

/** Opens the OData side of a source; its `$metadata` is read at the first call. @throws StartupError config - the service URL is none */
export function openOData(settings: ODataSettings, deps: SourceDeps): OpenTransport {
  const base = parseBase(settings.serviceUrl, 'serviceUrl');
  const http = openHttp(base.origin, settings.http, settings.heard);
  const contract = createContract(
    { ...settings, http, path: `${base.prefix}/$metadata`, timeoutMs: settings.metadataTimeoutMs },
    deps,
  );
  const plans = new Map<ODataOperation, ODataPlan>();
  const told = new Set<string>();

  async function planOf(operation: ODataOperation, signal: AbortSignal): Promise<ODataPlan> {
    const known = plans.get(operation);
    if (known !== undefined) return known;
    const model = await contract.model(signal);
    try {
      const uses = usesOf(settings.collections, operation);
      const plan = planCall(operation, uses, model);
      plans.set(operation, plan);
      for (const doubt of doubtsOfCall(operation, uses, plan)) {
        if (!told.has(doubt)) deps.log.warn(doubt, { source: settings.source });
        told.add(doubt);
      }
      return plan;
    } catch (thrown) {
      contract.isDoubted();
      throw thrown;
    }
  }

  const exchange = createJsonExchange(http, base, settings, deps, {
    headersOf: () => ({ ...ODATA_HEADERS, ...settings.headers }),
    classify: classifyOData,
    seen: sessionAnswerOf,
  });

  async function read(
    facts: ODataOperation,
    path: string,
    purpose: 'list' | 'one' | 'lookUp',
    signal: AbortSignal,
    prefer: Readonly<Record<string, string>> = {},
  ): Promise<RestAnswer | 'absent'> {
    const answer = await exchange(purpose, 'GET', path, { ...facts.headers, ...prefer }, null, signal);
    const meaning = classifyOData(answer, purpose, settings);
    const misfit = misfitOfAnswer(answer);
    const { kind } = meaning.is;
    if (kind === 'absent' && purpose !== 'one') throw noList(facts, answer.head.status);
    // A page that says "not found" is a server's that does not know our path; of a record's absence the service tells itself.
    if (kind === 'absent' && (misfit === null || meaning.isTold)) return 'absent';
    if (kind !== 'fine' && kind !== 'absent') throw readFaultOf(meaning, factsOf(answer), saidIn(answer));
    if (misfit !== null) throw new CallFault('badAnswer', misfit);
    return answer;
  }

  async function readList(
    facts: ODataOperation,
    path: string,
    purpose: 'list' | 'lookUp',
    signal: AbortSignal,
    isFirst: boolean,
  ): Promise<Listed> {
    const answer = await read(facts, path, purpose, signal, preferences(facts, isFirst));
    if (answer === 'absent') throw noList(facts, 404);
    return { answer, path };
  }

  /** Where a link of this answer leads, if it has one of that name. */
  function linkIn({ answer: { body }, path }: Listed, name: 'nextLink' | 'deltaLink'): string | null {
    const link = noteOf(body, name);
    return typeof link === 'string' ? linkedPath(base, path, noteOf(body, 'context'), link) : null;
  }

  /** A write as it is to be sent, or what it comes to without that. @throws CallFault notSent - the service has no such call */
  async function prepared(
    facts: ODataOperation,
    call: WriteCall,
    signal: AbortSignal,
  ): Promise<PreparedWrite | WriteAnswer> {
    const plan = await planOf(facts, signal);
    try {
      const body = writeBody(facts, plan, call);
      const path = facts.does === 'insert' ? setPath(base, plan) : entityPath(base, plan, call.key ?? [], false);
      if (path === null) return { kind: 'gone' };
      const asks = plan.answersWhole ? facts : { ...facts, answers: 'nothing' as const };
      const headers = { ...facts.headers, ...writeHeaders(plan, asks, call) };
      return { path, headers, body, answerOf: (answer) => answerOf(plan, call, answer) };
    } catch (thrown) {
      if (!(thrown instanceof UnsendableValue)) throw thrown;
      return { kind: 'refused', message: thrown.message, field: thrown.property };
    }
  }

  function answerOf(plan: ODataPlan, call: WriteCall, answer: RestAnswer): WriteAnswer {
    const tag = answer.head.headers.get('etag') ?? null;
    const key = keyShown(plan, call, answer);
    const written = writeAnswerOf(classifyOData(answer, call.purpose, settings), factsOf(answer), {
      // Another text beside a success is just no record.
      misfit: answer.isOtherText ? null : misfitOfAnswer(answer),
      row: key ?? rowOf(answer.body, plan, tag),
      tag: tagsOf(answer.head),
      said: answer.body,
    });
    if (written.kind !== 'done') return written;
    return key !== null || !plan.answersWhole ? { ...written, showsKeyOnly: true } : written;
  }

  async function itemOf(facts: ODataOperation, call: WriteCall, signal: AbortSignal): Promise<BatchItem | BatchEnd> {
    try {
      const made = await prepared(facts, call, signal);
      if ('kind' in made) return made;
      const { path, headers, body, answerOf: read } = made;
      const url = path.slice(base.prefix.length + 1);
      return {
        request: { method: facts.method, url, headers: { ...ODATA_HEADERS, ...headers }, body },
        answerOf: read,
      };
    } catch (thrown) {
      if (thrown instanceof CallFault) return thrown;
      throw thrown;
    }
  }

  const batch = settings.batch === null ? null : createBatchExchange(exchange, base, settings.batch, settings, deps);

  return {
    async readPage(operation, args, next, signal) {
      const facts = operation as ODataOperation;
      const plan = await planOf(facts, signal);
      const listed = await readList(facts, next ?? listPath(base, facts, plan, args), 'list', signal, next === null);
      const rows = listedRows(listed.answer);
      const isTracked = facts.delta === 'link';
      return {
        ...(isTracked ? trackedRows(rows, plan) : { rows: rows.map((row) => rowOf(row, plan, null)) }),
        total: countOf(listed.answer),
        more: null,
        next: linkIn(listed, 'nextLink'),
        serverTimeMs: serverTimeOf(listed.answer.head),
        delta: isTracked ? linkIn(listed, 'deltaLink') : null,
        ...withDigest(listed.answer.digest),
      };
    },
    async readRow(operation, key, signal) {
      const facts = operation as ODataOperation;
      const plan = await planOf(facts, signal);
      const path = entityPath(base, plan, key, true);
      const answer = path === null ? 'absent' : await read(facts, path, 'one', signal);
      if (answer === 'absent') return answer;
      const tag = answer.head.headers.get('etag') ?? null;
      return { row: rowOf(answer.body, plan, tag), tag: tagsOf(answer.head) };
    },
    async lookUp(operation, sought, signal) {
      const facts = operation as ODataOperation;
      const plan = await planOf(facts, signal);
      const listed = await readList(facts, findPath(base, facts, plan, sought), 'lookUp', signal, true);
      if (linkIn(listed, 'nextLink') !== null)
        throw new CallFault('badAnswer', 'expected all records of a look-up, got a page');
      return listedRows(listed.answer).map((row) => rowOf(row, plan, null));
    },
    async write(operation, call, signal) {
      const facts = operation as ODataOperation;
      const made = await prepared(facts, call, signal);
      if ('kind' in made) return made;
      return made.answerOf(await exchange(call.purpose, facts.method, made.path, made.headers, made.body, signal));
    },
    ...(batch === null
      ? {}
      : {
          async writeBatch(items, signal) {
            const made = items.map(({ operation, call }) => itemOf(operation as ODataOperation, call, signal));
            return await batch(await Promise.all(made), signal);
          },
        }),
    async close() {
      contract.close();
      await settings.credentials.close();
      await http.close();
    },
  };
}

/** The key of a record that was written, where the answer shows nothing else of it: what was asked for, or its address. */
function keyShown(plan: ODataPlan, { key }: WriteCall, { head, body }: RestAnswer): Record<string, string> | null {
  if (head.status === NO_CONTENT && key !== null) {
    return Object.fromEntries(plan.keyNames.map((name, index) => [name, key[index] ?? '']));
  }
  const address = head.headers.get('odata-entityid') ?? head.headers.get('location');
  return body === undefined && address !== undefined ? keyOfAddress(plan, address) : null;
}

/** What the answer to a list should be like. Links that lead on say by themselves whether changes are tracked. */
function preferences({ paging, delta }: ODataOperation, isFirst: boolean): Readonly<Record<string, string>> {
  const size = paging.kind === 'link' ? paging.size : undefined;
  const wanted = [
    ...(size === undefined ? [] : [`odata.maxpagesize=${size}`]),
    ...(delta === 'link' && isFirst ? ['odata.track-changes'] : []),
  ];
  return wanted.length === 0 ? {} : { prefer: wanted.join(', ') };
}

function noList({ set }: ODataOperation, status: number): CallFault {
  // What is gone was there: a link that is no longer known says nothing about the source's health.
  const sourceIsSick = status !== 410;
  return new CallFault('badAnswer', `expected a list of ${set}, got ${status}`, { status, sourceIsSick });
}

function usesOf(collections: OpenContext['collections'], operation: ODataOperation): readonly ODataUse[] {
  return Object.entries(collections)
    .filter(([, definition]) => operationsOf(definition).some(([, , one]) => one === operation))
    .map(([name, definition]) => {
      const { deletes } = definition.read;
      const isLog = deletes?.kind === 'log' && deletes.list === operation;
      return isLog ? { name, definition: entriesOf(definition, deletes), isLog } : { name, definition };
    });
}
