import { randomUUID } from 'node:crypto';
import { collectionsOf, checkNames, createSource, keyFormsOf } from '../connectors/define.js';
import type { Collection } from '../core/collection.js';
import { StartupError } from '../core/errors.js';
import type { Chance, Log } from '../core/ports.js';
import type { CollectionState } from '../core/record-port.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Store } from '../core/store-port.js';
import type { UseCases } from '../graphql/context.js';
import { createGraphqlEngine } from '../graphql/engine.js';
import { printTidegateSchema } from '../graphql/schema.js';
import { createAskedPolls } from '../ingest/asked-polls.js';
import { createPoller } from '../ingest/poller.js';
import { createReadCurrent } from '../pull/current.js';
import { withLiveBodies } from '../pull/live-pull.js';
import { createOwedBodies } from '../pull/owed-bodies.js';
import { createPull } from '../pull/pull.js';
import { readAhead } from '../pull/read-ahead.js';
import { createOversight } from '../ingest/oversight.js';
import { createKeptConflicts } from '../push/kept-conflicts.js';
import { createOperator } from '../push/operator.js';
import { createPush } from '../push/push.js';
import { createHub } from '../realtime/hub.js';
import { systemClock } from './clock.js';
import { checkNetwork, configuredDocuments, configuredLimits, configuredSessions } from './configured-access.js';
import type { Config } from './config.js';
import { closeAll, openConfiguredStore, TENANT } from './configured-store.js';
import { createHttpGuard } from './http-guard.js';
import { createSocketServer } from './http-websocket.js';
import { openHttpServer } from './http.js';
import { openKeeping } from './keeping.js';
import { createMetrics } from './metrics.js';
import { planOf } from './plan.js';
import { createReadiness, type Readiness } from './readiness.js';
import { takeUpCollections } from './take-up.js';
import { hashText } from './telemetry.js';
import { startUpkeep } from './upkeep.js';
import { createWebhooks } from './webhooks.js';

export { defineConfig, type Config, type TidegateConfig } from './config.js';

/** A running gateway. */
export interface Gateway {
  /** Where it listens, like http://127.0.0.1:4000. */
  readonly url: string;
  /** The store in a few words, for people. */
  readonly store: string;
  readonly collections: readonly Collection[];
  /** How far each collection's ingest is. */
  progress(): Promise<
    readonly { readonly name: string; readonly state: CollectionState; readonly recordCount: number }[]
  >;
  /** Takes no more requests, finishes what is under way, and stops what it started. Safe to repeat. */
  stop(): Promise<void>;
}

/** What comes into a gateway from outside of its configuration. */
export interface GatewayPorts {
  readonly log: Log;
  /** Put around store and sources when they are opened: where a test ends the process, or looks on. The product passes none. */
  readonly decorate?: {
    store?(store: Store): Store;
    source?(source: SourceCollection): SourceCollection;
  };
}

/**
 * The whole gateway, built once, top to bottom: store, sources, use cases, GraphQL, HTTP. What a failed start had opened is
 * closed again.
 *
 * @throws StartupError - one clear sentence, and the exit code that goes with it
 */
export async function startGateway(config: Config, ports: GatewayPorts): Promise<Gateway> {
  const { log } = ports;
  checkNetwork(config);
  const collections = readCollections(config);
  const closers: (() => Promise<void>)[] = [];
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => (closing ??= closeAll(closers, log));
  try {
    return await build(config, collections, ports, closers, close);
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** The GraphQL schema of a configuration as SDL. Opens nothing. @throws StartupError config */
export async function printSchemaOf(config: Pick<Config, 'connectors'>): Promise<string> {
  return printTidegateSchema(readCollections(config));
}

/** The configured collections, their names checked. @throws StartupError config */
export function readCollections({ connectors }: Pick<Config, 'connectors'>): readonly Collection[] {
  const names = connectors.map((connector) => connector.source);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new StartupError('config', `connectors: expected each source once, got two with the name "${twice}"`);
  }
  const collections = connectors.flatMap((connector) => collectionsOf(connector));
  checkNames(collections, new Set());
  return collections;
}

async function build(
  config: Config,
  collections: readonly Collection[],
  { log, decorate = {} }: GatewayPorts,
  closers: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<Gateway> {
  const clock = systemClock;
  const chance: Chance = Math.random;
  const hash = hashText;
  const holder = randomUUID();
  const deps = { clock, chance, log };

  const { store: opened, description } = await openConfiguredStore(config, log, closers);
  const plain = decorate.store?.(opened) ?? opened;
  await plain.openTenant(TENANT);
  const keeping = await openKeeping(plain, TENANT, collections, config.sealingKeys);
  const { store } = keeping;
  const keyForms = keyFormsOf(config.connectors);
  const sources = config.connectors.map((connector) =>
    createSource(connector, { ...deps, budget: store.callBudget(TENANT) }, keyForms),
  );
  closers.push(async () => void (await Promise.all(sources.map((source) => source.close()))));
  const { sources: sourceCollections, live } = keeping.around(
    sources.flatMap((source) => source.collections).map((source) => decorate.source?.(source) ?? source),
  );
  await takeUpCollections(store, TENANT, sourceCollections, config.acceptNewKeys, log);
  for (const one of sourceCollections) log.info('plan', { collection: one.collection.name, plan: planOf(one) });

  const readiness = createReadiness({ store, clock, collections: collections.map(({ name }) => name) });
  const poller = createPoller(
    { store, clock, hash, log, chance },
    { tenant: TENANT, holder, sources: sourceCollections },
  );
  const askedPolls = createAskedPolls(
    { store, clock, log },
    {
      tenant: TENANT,
      sources: sourceCollections,
      wake: (collection) => poller.wake(collection),
    },
  );
  const webhooks = createWebhooks({ clock, log }, sources, ({ collection, keys }) => askedPolls.ask(collection, keys));
  const push = createPush(
    { store, clock, chance, hash, log },
    {
      tenant: TENANT,
      sources: sourceCollections,
      holder,
      patienceMs: config.patienceMs,
      parentPatienceMs: config.parentPatienceMs,
    },
  );
  const operator = createOperator({ store, clock, hash }, { sources: sourceCollections, wake: () => push.wake() });
  const conflicts = createKeptConflicts({ store, clock, hash }, (session, changes, sentAtMs) =>
    push.push(session, changes, sentAtMs),
  );
  const hub = createHub({ announcer: store, clock, log, windowMs: config.hintWindowMs });
  const pull = await createPull({
    store,
    collections,
    readPriming: (tenant) => readiness.priming(tenant),
    async feedWentBack(tenant, epoch, seenHead) {
      log.error('the feed is older than a checkpoint that was given out: a new epoch begins', { tenant, epoch });
      await store.newEpoch(tenant, epoch, seenHead);
    },
  });

  const livePorts = { store, clock, hash, log, chance };
  const liveOptions = { collections: collections.map(({ name }) => name).sort(), live };
  const useCases: UseCases = {
    pull: withLiveBodies(readAhead(pull, clock), livePorts, liveOptions),
    push: (session, changes, sentAtMs) => push.push(session, changes, sentAtMs),
    readCurrent: createReadCurrent({
      store,
      collections: sourceCollections.map(({ collection }) => collection),
      live: { ports: livePorts, collections: live },
    }),
    operator,
    conflicts,
    oversight: createOversight(store, collections, (name) => poller.pollNow(name)),
    collections: (session) => viewCollections(session.tenant, collections, readiness),
    readEpoch: async (session) => (await store.readHead(session.tenant)).epoch,
    newEpoch: (session, from) => store.newEpoch(session.tenant, from),
    registerDevice: (device, registration) => store.registerDevice(device, registration),
    unregisterDevice: (device) => store.unregisterDevice(device),
    hints: (session, names) => hub.hints(session, names),
  };
  const graphql = await createGraphqlEngine({
    useCases,
    collections,
    clock,
    log,
    maxChangesPerPush: config.maxChangesPerPush,
    fastPath: config.fastPath,
    ...configuredDocuments(config),
    introspection: config.introspection ?? config.auth === undefined,
  });
  closers.push(() => graphql.stop());

  const guard = createHttpGuard(config);
  const session = configuredSessions(config, { clock, log });
  const { rate, limits } = configuredLimits(config, clock);
  const sockets = createSocketServer({ graphql, session, guard, rate, limits, clock, chance, log });
  const metrics = createMetrics({
    readiness,
    store,
    operator,
    clock,
    tenant: TENANT,
    sockets,
    hub,
    sources: sourceCollections,
    webhooks,
  });
  // Closed last to first: what is opened before HTTP stops when nobody asks any more.
  const upkeep = startUpkeep({ store, clock, log, tenant: TENANT, retentionDays: config.retentionDays });
  closers.push(() => upkeep.stop());
  push.start();
  closers.push(() => push.stop());
  const owed = createOwedBodies(livePorts, { tenant: TENANT, live });
  owed.start();
  closers.push(() => owed.stop());
  poller.start();
  closers.push(() => poller.stop());
  askedPolls.start();
  closers.push(() => askedPolls.stop());
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
    isReady: () =>
      store.readHead(TENANT).then(
        () => true,
        () => false,
      ),
    metrics,
    webhooks,
    about: { collections },
    hasPages: config.auth === undefined,
  });
  closers.push(async () => {
    hub.close();
    await http.close();
  });

  return {
    url: http.url,
    store: description,
    collections,
    async progress() {
      const states = await readiness.progress(TENANT);
      return [...states].map(([name, { state, recordCount }]) => ({ name, state, recordCount }));
    },
    stop: close,
  };
}

async function viewCollections(
  tenant: string,
  collections: readonly Collection[],
  readiness: Readiness,
): Promise<Awaited<ReturnType<UseCases['collections']>>> {
  const states = await readiness.progress(tenant);
  return collections.map((collection) => {
    const progress = states.get(collection.name);
    return {
      collection,
      storage: collection.storage ?? 'snapshot',
      state: progress?.state ?? 'PRIMING',
      recordCount: progress?.recordCount ?? 0,
      lastPolledAtMs: progress?.polledAtMs ?? null,
    };
  });
}
