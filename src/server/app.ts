import { randomUUID } from 'node:crypto';
import type { Collection } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import type { Clock, Log } from '../core/ports.js';
import type { CollectionState } from '../core/record-port.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Store } from '../core/store-port.js';
import { createGraphqlEngine } from '../graphql/engine.js';
import { printTidegateSchema } from '../graphql/schema.js';
import { createPollShare } from '../ingest/poll-share.js';
import { createHub } from '../realtime/hub.js';
import { createOpenSockets } from '../realtime/open-sockets.js';
import { systemClock } from './clock.js';
import type { Config } from './config.js';
import { checkAccess, configuredDocuments, configuredLimits, configuredSessions } from './configured-access.js';
import { openPhoneSender } from './configured-phones.js';
import { closeAll, openConfiguredStore } from './configured-store.js';
import { configuredTenants, type ConfiguredTenant, type TenantSettings } from './configured-tenants.js';
import { createHintMeasures } from './hint-measures.js';
import { createHttpGuard } from './http-guard.js';
import { createSocketServer } from './http-websocket.js';
import { openHttpServer } from './http.js';
import { createMetrics } from './metrics.js';
import { createPhoneMeasures } from './phone-measures.js';
import { readSealingKeys } from './sealing-keys.js';
import type { Site } from './site.js';
import { hashText } from './telemetry.js';
import { createPresence } from './presence.js';
import { openTenant, type SharedParts, type Tenant } from './tenant.js';
import { createWebhooks } from './webhooks.js';

export { defineConfig, type Config, type TidegateConfig } from './config.js';

/** A running gateway. */
export interface Gateway {
  /** Where it listens, like http://127.0.0.1:4000. */
  readonly url: string;
  /** The store in a few words, for people. */
  readonly store: string;
  readonly tenants: readonly string[];
  /** Of each tenant. */
  readonly collections: readonly Collection[];
  /** How far each collection's ingest is. */
  progress(): Promise<
    readonly {
      readonly tenant: string;
      readonly name: string;
      readonly state: CollectionState;
      readonly recordCount: number;
    }[]
  >;
  /** Takes no more requests, finishes what is under way, and stops what it started. Safe to repeat. */
  stop(): Promise<void>;
}

/** What comes into a gateway from outside of its configuration. */
export interface GatewayPorts {
  readonly log: Log;
  /** What commands of the same program send: executed besides those that the configuration names. Absent: none. */
  readonly ownDocuments?: readonly string[];
  /** Shown beside the gateway's own pages. */
  readonly site?: Site;
  /** Instead of this machine's. The product passes none. */
  readonly clock?: Clock;
  /** Put around store and sources when they are opened: where a test ends the process, or looks on. The product passes none. */
  readonly decorate?: {
    store?(store: Store): Store;
    source?(source: SourceCollection): SourceCollection;
  };
}

/**
 * The whole gateway, built once, top to bottom: store, tenants, GraphQL, HTTP. What a failed start had opened is closed again.
 *
 * @throws StartupError - one clear sentence, and the exit code that goes with it
 */
export async function startGateway(config: Config, ports: GatewayPorts): Promise<Gateway> {
  const { log } = ports;
  checkAccess(config);
  const tenants = configuredTenants(config);
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => (closing ??= closeAll(closers, log));
  try {
    return await build(config, tenants, ports, closers, close);
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** The GraphQL schema of a configuration as SDL. Opens nothing. @throws StartupError config */
export async function printSchemaOf(config: TenantSettings): Promise<string> {
  const [{ collections }] = configuredTenants(config);
  return printTidegateSchema(collections);
}

async function build(
  config: Config,
  configured: readonly [ConfiguredTenant, ...ConfiguredTenant[]],
  { log, ownDocuments = [], site, clock = systemClock, decorate = {} }: GatewayPorts,
  closers: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<Gateway> {
  const chance = Math.random;
  const { store: opened, description } = await openConfiguredStore(config, log, closers);
  const store = decorate.store?.(opened) ?? opened;
  const hints = createHintMeasures(() => clock.monotonicMs());
  const hub = createHub({ announcer: store, clock, log, windowMs: config.hintWindowMs, onSent: hints.sent });
  const presence = createPresence(store, clock);
  const [{ collections }] = configured;
  const names = collections.map(({ name }) => name);
  const phones = await openPhoneSender(config, names, { clock, chance, log });
  if (phones !== null) closers.push(() => phones.close());
  const holder = randomUUID();
  const openSockets = phones === null ? null : createOpenSockets({ store, clock, log }, { node: holder });
  const phoneMeasures = phones === null ? null : createPhoneMeasures(store, clock);
  const shared: SharedParts = {
    store,
    hub,
    presence,
    phones,
    clock,
    chance,
    hash: hashText,
    log,
    sealingKeys: await readSealingKeys(config),
    pollShare: createPollShare({ store, clock }),
    holder,
    hintCountsOf: (tenant) => phoneMeasures?.of(tenant) ?? null,
    decorateSource: (source) => decorate.source?.(source) ?? source,
  };
  const tenants = new Map<string, Tenant>();
  for (const one of configured) tenants.set(one.id, await openTenant(one, config, shared, closers));
  const all = [...tenants.values()];

  const graphql = await createGraphqlEngine({
    useCasesOf(tenant) {
      const found = tenants.get(tenant);
      if (found === undefined) throw new SyncError('INTERNAL', `tenant ${JSON.stringify(tenant)} is not configured`);
      return found.useCases;
    },
    collections,
    clock,
    log,
    maxChangesPerPush: config.maxChangesPerPush,
    fastPath: config.fastPath,
    ...configuredDocuments(config, ownDocuments),
    introspection: config.introspection ?? config.auth === undefined,
  });
  closers.push(() => graphql.stop());

  const guard = createHttpGuard(config);
  const session = presence.admitting(configuredSessions(config, [...tenants.keys()], { clock, log }));
  const { rate, limits } = configuredLimits(config, clock);
  const sockets = createSocketServer({
    graphql,
    session,
    guard,
    rate,
    limits,
    clock,
    chance,
    log,
    onOpen: (device) => openSockets?.opened(device) ?? null,
  });
  // Where no HTTP server comes up that would close them.
  closers.push(() => sockets.close());
  presence.onRevoked((device) => sockets.sendAway(device));
  const metrics = createMetrics({
    tenants: all.map(({ measures }) => measures),
    clock,
    sockets,
    hub,
    hints,
    phones: phoneMeasures,
  });
  // Closed last to first: what is started before HTTP stops when nobody asks any more.
  closers.push(async () => void (await Promise.all(all.map((tenant) => tenant.stop()))));
  for (const tenant of all) tenant.start();
  if (openSockets !== null) closers.push(() => openSockets.stop());
  openSockets?.start();
  const nobodysWebhooks = createWebhooks({ clock, log }, [], () => undefined);
  const http = await openHttpServer({
    host: config.host,
    port: config.port,
    graphql,
    session,
    rate,
    guard,
    sockets,
    maxBodyBytes: config.maxBodyBytes,
    log,
    isReady: async () => (await Promise.all(all.map((tenant) => tenant.isReady()))).every((isReady) => isReady),
    metrics,
    webhooksOf: (tenant) => tenants.get(tenant)?.webhooks ?? nobodysWebhooks,
    about: { collections },
    hasPages: config.auth === undefined,
    site,
  });
  closers.push(async () => {
    await http.close();
    // Not before: a listener whose subscription ends by itself, instead of with its socket, does not come back.
    hub.close();
  });

  return {
    url: http.url,
    store: description,
    tenants: [...tenants.keys()],
    collections,
    progress: async () => (await Promise.all(all.map(progressOf))).flat(),
    stop: close,
  };
}

async function progressOf(tenant: Tenant): Promise<Awaited<ReturnType<Gateway['progress']>>> {
  const states = await tenant.progress();
  return [...states].map(([name, { state, recordCount }]) => ({ tenant: tenant.id, name, state, recordCount }));
}
