import { createAudit } from '../../src/audit/audit.js';
import { sharedSecret, type WebhookFacts } from '../../src/connectors/webhook.js';
import { createWebhookReader } from '../../src/connectors/webhook-reader.js';
import { renderBody } from '../../src/core/collection.js';
import type { Fields } from '../../src/core/change.js';
import { SyncError } from '../../src/core/errors.js';
import type { Clock, Log } from '../../src/core/ports.js';
import { createGraphqlEngine } from '../../src/graphql/engine.js';
import type { TrustedDocuments } from '../../src/graphql/trusted-documents.js';
import type { UseCases } from '../../src/graphql/context.js';
import { createReadCurrent } from '../../src/pull/current.js';
import { createErasure } from '../../src/erasure/erasure.js';
import { createOversight } from '../../src/ingest/oversight.js';
import { createKeptConflicts } from '../../src/push/kept-conflicts.js';
import { createOperator } from '../../src/push/operator.js';
import { openSigningKeys } from '../../src/pull/signing-keys.js';
import { createCheck } from '../../src/pull/check.js';
import { createPull } from '../../src/pull/pull.js';
import { createHub, type Hub } from '../../src/realtime/hub.js';
import { systemClock } from '../../src/server/clock.js';
import { createHttpGuard } from '../../src/server/http-guard.js';
import { createSocketServer, type SocketLimits, type SocketServer } from '../../src/server/http-websocket.js';
import { openHttpServer, type HttpServer } from '../../src/server/http.js';
import { UNLIMITED, type RequestRate } from '../../src/server/request-rate.js';
import { developmentSessions, type SessionResolver } from '../../src/server/session.js';
import { hashText } from '../../src/server/telemetry.js';
import { createWebhooks, type Webhooks } from '../../src/server/webhooks.js';
import { createWorld, type World } from '../contract/store/world.js';
import { CLINIC, visits } from '../graphql/clinic.js';
import { priming } from '../pull/priming.js';
import { createManualClock } from '../support/manual-clock.js';
import { createMemoryStore } from '../support/memory-store/memory-store.js';
import { seededChance } from '../support/seeded-chance.js';

/** A clinic behind a real port of this machine: everything but its store and its sources is what runs in production. */
export interface ServingClinic {
  readonly url: string;
  readonly webSocketUrl: string;
  readonly world: World;
  readonly hub: Hub;
  readonly sockets: SocketServer;
  /** Collections that webhooks asked to poll, with the keys that they named. */
  readonly woken: string[];
  readonly webhooks: Webhooks;
  /** Lines of level error. */
  readonly faults: string[];
  readonly http: HttpServer;
  /** Puts a visit into the store, as ingest would. */
  show(id: string, fields: Fields): Promise<void>;
  /** Posts an operation as JSON. */
  post(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export interface ServingOptions {
  readonly host?: string;
  readonly port?: number;
  readonly allowedHosts?: readonly string[];
  readonly allowedOrigins?: readonly string[];
  readonly maxBodyBytes?: number;
  readonly isReady?: () => Promise<boolean>;
  readonly documents?: TrustedDocuments;
  readonly session?: SessionResolver;
  readonly useCases?: Partial<UseCases>;
  /** Of the source `clinic`. Default: `WEBHOOK_SECRET` in `X-Token`, and it is visits that changed. */
  readonly webhook?: WebhookFacts;
  /** Of the sockets: when they are sent away, and how long they may keep silent. */
  readonly clock?: Clock;
  readonly rate?: RequestRate;
  readonly limits?: Partial<SocketLimits>;
  readonly initTimeoutMs?: number;
  readonly keepAliveMs?: number;
}

export const WEBHOOK_SECRET = 'a secret of sixteen bytes or more';

const opened: (() => Promise<void>)[] = [];

/** Stops every clinic that a test opened: for `afterEach`. */
export async function closeClinics(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}

export async function serveClinic(options: ServingOptions = {}): Promise<ServingClinic> {
  const { host = '127.0.0.1', port = 0, clock = systemClock, ...rest } = options;
  const store = createMemoryStore({ clock: createManualClock(), chance: seededChance(3) });
  const world = await createWorld(store);
  const faults: string[] = [];
  const ignore = (): void => undefined;
  const log: Log = {
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (what, details) => void faults.push(`${what} ${JSON.stringify(details ?? {})}`),
  };
  const hub = createHub({ announcer: store, clock: systemClock, log, windowMs: 0 });
  const session: SessionResolver = async (credentials) => ({
    ...(await (rest.session ?? developmentSessions())(credentials)),
    tenant: world.tenant,
  });
  const push: UseCases['push'] = async () => {
    throw new SyncError('UNAVAILABLE', 'nothing is pushed here');
  };
  const ports = { store, clock: systemClock, hash: hashText };
  const audit = createAudit({ store, clock: systemClock, log }, world.tenant);
  const keys = await openSigningKeys(store);
  const pull = await createPull({ store, collections: CLINIC, readPriming: priming(store) });
  const graphql = await createGraphqlEngine({
    fastPath: true,
    introspection: true,
    ...(rest.documents === undefined ? {} : { documents: rest.documents }),
    collections: CLINIC,
    clock: systemClock,
    log,
    maxChangesPerPush: 100,
    useCasesOf: () => ({
      pull,
      push,
      check: createCheck({ store, collections: CLINIC, keys }),
      readCurrent: createReadCurrent({ store, collections: CLINIC }),
      operator: createOperator(ports, { sources: [], wake: ignore }),
      conflicts: createKeptConflicts(ports, push),
      oversight: createOversight(store, CLINIC, ignore),
      erasure: createErasure(ports, {
        sources: [],
        keptFor: { retentionDays: 90, auditDays: 400 },
        forgetPages: ignore,
        revoked: ignore,
      }),
      audit,
      collections: async () => [],
      readEpoch: async () => (await store.readHead(world.tenant)).epoch,
      newEpoch: (_session, from) => store.newEpoch(world.tenant, from),
      registerDevice: async () => ({ registeredAtMs: 0 }),
      unregisterDevice: async () => false,
      readDevices: (tenant, request) => store.readDevices(tenant, request),
      revokeDevice: (device) => store.revokeDevice(device),
      hints: (who, names) => hub.hints(who, names),
      ...rest.useCases,
    }),
  });
  const guard = createHttpGuard({
    host,
    allowedHosts: rest.allowedHosts ?? [],
    allowedOrigins: rest.allowedOrigins ?? [],
  });
  const { initTimeoutMs, keepAliveMs, rate = UNLIMITED, limits } = rest;
  const sockets = createSocketServer({
    graphql,
    session,
    guard,
    rate,
    limits: { maxSockets: 100, maxSocketsPerUser: 100, ...limits },
    clock,
    chance: seededChance(5),
    log,
    ...(initTimeoutMs === undefined ? {} : { initTimeoutMs }),
    ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
  });
  const woken: string[] = [];
  const facts = rest.webhook ?? { proof: sharedSecret({ header: 'X-Token', secret: WEBHOOK_SECRET }), names: 'visits' };
  const reader = createWebhookReader('clinic', facts, ['visits', 'patients'], new Map(), { clock, log });
  const webhooks = createWebhooks({ clock, log }, [{ name: 'clinic', webhook: reader }], ({ collection, keys }) =>
    woken.push([collection, ...(keys ?? [])].join(' ')),
  );
  const http = await openHttpServer({
    host,
    port,
    graphql,
    session,
    rate,
    guard,
    sockets,
    maxBodyBytes: rest.maxBodyBytes ?? 100_000,
    log,
    isReady: rest.isReady ?? (async () => true),
    metrics: async () => 'tidegate_sockets 0\n',
    webhooksOf: () => webhooks,
    about: { collections: CLINIC },
    hasPages: true,
  });
  opened.push(async () => {
    await http.close();
    hub.close();
    await graphql.stop();
  });
  return {
    url: http.url,
    webSocketUrl: `${http.url.replace('http', 'ws')}/graphql`,
    world,
    hub,
    sockets,
    woken,
    webhooks,
    faults,
    http,
    show: async (id, fields) => {
      await world.show(id, ['all'], { body: renderBody(visits, { id, ...fields }) });
    },
    post: (body, headers = {}) =>
      fetch(`${http.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
}
