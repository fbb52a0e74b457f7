import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSource, type ConnectorDefinition } from '../../src/connectors/define.js';
import { formatVersion, type RecordId, type SourceKey } from '../../src/core/change.js';
import { renderBody } from '../../src/core/collection.js';
import { EVERY_FIELD } from '../../src/core/conflict.js';
import { idOfSourceKey } from '../../src/core/id.js';
import type { Clock } from '../../src/core/ports.js';
import { SOURCE_WRITER } from '../../src/core/session.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { createPush } from '../../src/push/push.js';
import { hashText } from '../../src/server/telemetry.js';
import type { Choose } from '../support/choices.js';
import { createManualClock, type ManualClock } from '../support/manual-clock.js';
import { createMemoryStore, type MemoryStore } from '../support/memory-store/memory-store.js';
import { silentLog } from '../support/postgres.js';
import { seededChance } from '../support/seeded-chance.js';
import { edit, removal } from './pushing-clinic.js';

/** What a system is asked over HTTP. */
export interface SystemRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface SystemReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A system behind HTTP: it has the visits `17` and `canary`, and does what its connector declares of it. */
export interface System {
  /** One request, done in one step. */
  answer(request: SystemRequest): SystemReply;
  /** The back office changes what it has, `canary` excepted. */
  office(): void;
  /** How often our change took effect. */
  times(): number;
}

/** What can become of a request that writes. */
export const FATES = [
  'answered',
  'requestLost',
  'replyLost',
  'late',
  'replyLost, office',
  'requestLost, office',
] as const;

export interface Life {
  readonly kind: 'create' | 'update' | 'delete';
  readonly connectorOf: (baseUrl: string) => ConnectorDefinition;
  readonly systemOf: (clock: Clock) => System;
  /** Requests whose fate is chosen; the others are answered. */
  readonly attempts: number;
}

export interface LifeEnding {
  readonly status: string | undefined;
  readonly message: string;
  /** How often the change took effect at its source. */
  readonly times: number;
  readonly trail: readonly string[];
}

/** Calls and requests live as long as the connectors of these lives declare. */
export const CALL_MS = 5_000;
export const LIFETIME_MS = 20_000;
const TENANT = 'clinic';
const MOST_STEPS = 3_000;

/**
 * Lives through one schedule against a system behind real HTTP: pushes one change of the collection `visits` with the fields `note` and
 * `route`, loses what is chosen, and goes from timer to timer until the change is settled or parked. Late requests take effect in the
 * last millisecond in which they may.
 */
export async function liveReally(life: Life, choose: Choose): Promise<LifeEnding> {
  const time = createSteppedClock();
  const { clock } = time;
  const trail: string[] = [];
  const system = life.systemOf(clock);
  let writes = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://office');
      const text = Buffer.concat(chunks).toString();
      const asked: SystemRequest = {
        method: request.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: text === '' ? {} : (JSON.parse(text) as SystemRequest['body']),
      };
      const answer = (): void => {
        const { status = 200, headers = {}, body } = system.answer(asked);
        response.writeHead(status, { 'content-type': 'application/json', ...headers });
        response.end(body === undefined ? undefined : JSON.stringify(body));
      };
      if (asked.method === 'GET') return answer();
      const fate = ++writes <= life.attempts ? (FATES[choose(FATES.length)] as (typeof FATES)[number]) : 'answered';
      trail.push(`${asked.method} ${asked.path} ${fate}`);
      if (fate === 'answered') return answer();
      if (fate.startsWith('replyLost')) system.answer(asked);
      if (fate === 'late') void clock.wait(CALL_MS + LIFETIME_MS - 1).then(() => system.answer(asked));
      if (fate.endsWith('office')) system.office();
      response.socket?.resetAndDestroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // Pauses before a read is tried again are over at once: nobody moves the time on while a call is under way.
  const eager: Clock = { ...clock, wait: (ms, signal) => (ms <= 1_500 ? Promise.resolve() : clock.wait(ms, signal)) };
  const source = createSource(life.connectorOf(url), { clock: eager, chance: seededChance(1), log: silentLog });
  try {
    const busy = { calls: 0 };
    const visits = counted(source.collections[0] as SourceCollection, busy);
    const store = createMemoryStore({ clock, chance: seededChance(1) });
    await store.openTenant(TENANT);
    await store.commit(TENANT, [], { ingest: { collection: 'visits', state: 'READY', scannedAtMs: clock.nowMs() } });
    for (const key of ['17', 'canary']) await observe(store, visits, key as SourceKey);
    const push = createPush(
      { store, clock, chance: seededChance(2), hash: hashText, log: silentLog },
      { tenant: TENANT, sources: [visits], holder: 'node', patienceMs: 0 },
    );
    push.start();
    const { epoch } = await store.readHead(TENANT);
    const id = life.kind === 'create' ? randomUUID() : '17';
    const [before] = await store.readRecords(TENANT, [{ collection: 'visits', id: id as RecordId }]);
    const base = before === undefined || before.seq === 0 ? null : formatVersion(epoch, before.seq);
    const fields = { note: 'mine', ...(base === null ? { route: '7' } : {}) };
    const change = life.kind === 'delete' ? removal(id, base) : edit(id, base, fields);
    const session = { tenant: TENANT, user: 'nurse', device: 'phone', grant: { kind: 'every' } } as const;
    void push.push(session, [change], null);
    const fate = async () => (await store.readChanges(session, [change.changeId])).known[0];
    for (let step = 0; step < MOST_STEPS; step++) {
      await settled(busy);
      const status = (await fate())?.status;
      if ((status !== undefined && status !== 'ACCEPTED') || !time.next()) break;
    }
    // What is late comes now, after everything was told.
    for (let late = 0; late < 3; late++) {
      clock.advance(LIFETIME_MS);
      await settled(busy);
    }
    const known = await fate();
    const stopping = push.stop();
    for (let step = 0; step < 20; step++) {
      await settled(busy);
      clock.advance(LIFETIME_MS);
    }
    await stopping;
    return { status: known?.status, message: known?.error?.message ?? '', times: system.times(), trail };
  } finally {
    await source.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Whatever needs no time to pass has happened, over the network too. */
async function settled(busy: { readonly calls: number }): Promise<void> {
  for (let quiet = 0; quiet < 6; quiet = busy.calls === 0 ? quiet + 1 : 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function counted(source: SourceCollection, busy: { calls: number }): SourceCollection {
  async function count<T>(call: Promise<T>): Promise<T> {
    busy.calls += 1;
    try {
      return await call;
    } finally {
      busy.calls -= 1;
    }
  }
  return {
    ...source,
    readOne: (...args) => count(source.readOne(...args)),
    write: (...args) => count(source.write(...args)),
    ...(source.lookUp === undefined
      ? {}
      : { lookUp: (key, signal) => count(source.lookUp?.(key, signal) ?? Promise.resolve('absent' as const)) }),
  };
}

async function observe(store: MemoryStore, source: SourceCollection, key: SourceKey): Promise<void> {
  const seen = await source.readOne(key, new AbortController().signal);
  if (seen === 'absent' || seen.fields === null) throw new Error(`expected a visit ${key}`);
  const { collection } = source;
  const body = renderBody(collection, seen.fields);
  const layer = { sourceKey: key, deleted: false, body, sourceVersion: seen.sourceVersion, hash: hashText(body) };
  await store.commit(TENANT, [
    {
      collection: collection.name,
      id: idOfSourceKey(key),
      expected: { seq: 0 as never, mark: 0 },
      next: { ...layer, vis: null, pending: false, scopes: ['all'], throughUs: false },
      stamps: [{ fields: [EVERY_FIELD], writer: SOURCE_WRITER, at: null }],
    },
  ]);
}

/** A clock that goes from one timer to the next. */
function createSteppedClock(): { readonly clock: ManualClock; next(): boolean } {
  const clock = createManualClock();
  const timers: number[] = [];
  return {
    clock: {
      ...clock,
      wait(ms, signal) {
        timers.push(clock.monotonicMs() + ms);
        return clock.wait(ms, signal);
      },
    },
    next() {
      const now = clock.monotonicMs();
      const due = timers.filter((atMs) => atMs > now);
      timers.splice(0, timers.length, ...due);
      if (due.length === 0) return false;
      clock.advance(Math.min(...due) - now);
      return true;
    },
  };
}
