import { createAudit } from '../audit/audit.js';
import { createSource, keyFormsOf } from '../connectors/define.js';
import type { Collection } from '../core/collection.js';
import type { CollectionProgress } from '../core/ingest-port.js';
import type { PhoneSender } from '../core/phone-hint-port.js';
import type { Chance, Clock, HashText, Log } from '../core/ports.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Store } from '../core/store-port.js';
import { createTurns } from '../core/turns.js';
import type { UseCases } from '../graphql/context.js';
import { createErasure } from '../erasure/erasure.js';
import { createAskedPolls } from '../ingest/asked-polls.js';
import { createOversight } from '../ingest/oversight.js';
import { createPoller } from '../ingest/poller.js';
import type { PollShare } from '../ingest/poll-share.js';
import { createReadCurrent } from '../pull/current.js';
import { withLiveBodies } from '../pull/live-pull.js';
import { createOwedBodies } from '../pull/owed-bodies.js';
import { createPull } from '../pull/pull.js';
import { createCheck } from '../pull/check.js';
import { readAhead } from '../pull/read-ahead.js';
import { readInTurn } from '../pull/reading-turns.js';
import { openSigningKeys } from '../pull/signing-keys.js';
import { createKeptConflicts } from '../push/kept-conflicts.js';
import { createOperator } from '../push/operator.js';
import { createPush } from '../push/push.js';
import type { Hub } from '../realtime/hub.js';
import type { HintCounts } from '../realtime/hint-counts.js';
import { createRegistration } from '../realtime/registration.js';
import { createSeenScopes } from '../realtime/seen-scopes.js';
import type { Config } from './config.js';
import { readsAtOnce } from './configured-access.js';
import { closeAll } from './configured-store.js';
import type { ConfiguredTenant } from './configured-tenants.js';
import { openKeeping } from './keeping.js';
import type { TenantMeasures } from './metrics.js';
import { createPhones } from './phones.js';
import { planOf } from './plan.js';
import type { Presence } from './presence.js';
import { createReadiness, type Readiness } from './readiness.js';
import { takeUpCollections } from './take-up.js';
import { logOf } from './tenant-log.js';
import { startUpkeep } from './upkeep.js';
import { createWebhooks, type Webhooks } from './webhooks.js';

/** Registrations for hints of one user where nobody is hinted. */
const MOST_PHONES = 100;

/** Everything that serves one tenant, and no other: whoever has it reaches nothing of anybody else. */
export interface Tenant {
  readonly id: string;
  readonly collections: readonly Collection[];
  readonly useCases: UseCases;
  /** Of its own sources. */
  readonly webhooks: Webhooks;
  readonly measures: TenantMeasures;
  /** Can its pulls be answered? Does not depend on its sources. */
  isReady(): Promise<boolean>;
  /** How far each collection's ingest is, by name. */
  progress(): Promise<ReadonlyMap<string, CollectionProgress>>;
  /** Begins to poll, to deliver, and to forget by age. */
  start(): void;
  /** Calls under way end or reach their deadline. */
  stop(): Promise<void>;
}

/** What all tenants of a process share: it holds nothing of any of them, or keeps them apart by name. */
export interface SharedParts {
  readonly store: Store;
  readonly hub: Hub;
  readonly presence: Presence;
  /** Null: nobody hints sleeping phones. */
  readonly phones: PhoneSender | null;
  /** Null: nothing is measured of phones. */
  readonly hintCountsOf: (tenant: string) => HintCounts | null;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly hash: HashText;
  readonly log: Log;
  /** As `openKeeping` takes them; undefined: none are configured. */
  readonly sealingKeys: string | undefined;
  readonly pollShare: PollShare;
  /** This process, named in leases. */
  readonly holder: string;
  readonly decorateSource?: (source: SourceCollection) => SourceCollection;
}

/**
 * Builds what serves one tenant, top to bottom: its sources, its use cases. Nothing runs before `start`.
 *
 * @param closers takes what closes its sources again, also when it does not open
 * @throws StartupError config, store
 */
export async function openTenant(
  { id: tenant, connectors, collections, acceptNewKeys }: ConfiguredTenant,
  config: Config,
  shared: SharedParts,
  closers: (() => Promise<void>)[],
): Promise<Tenant> {
  const { hub, presence, clock, chance, hash, holder, decorateSource = (source) => source } = shared;
  const log = logOf(tenant, shared.log);
  await shared.store.openTenant(tenant);
  const keeping = await openKeeping(shared.store, tenant, collections, shared.sealingKeys, { hash, log });
  const { store } = keeping;
  const ports = { store, clock, chance, hash, log };

  const keyForms = keyFormsOf(connectors);
  const deps = { clock, chance, log, budget: store.callBudget(tenant) };
  const opened = connectors.map((connector) => createSource(connector, deps, keyForms));
  closers.push(async () => void (await Promise.all(opened.map((source) => source.close()))));
  const { sources, live } = keeping.around(opened.flatMap((source) => source.collections).map(decorateSource));
  await takeUpCollections(store, tenant, sources, acceptNewKeys, log);
  for (const one of sources) log.info('plan', { collection: one.collection.name, plan: planOf(one) });

  const names = collections.map(({ name }) => name);
  const seenBy = createSeenScopes(hash);
  const readiness = createReadiness({ store, clock, collections: names });
  const poller = createPoller(ports, { tenant, holder, sources, share: shared.pollShare });
  const askedPolls = createAskedPolls(ports, { tenant, sources, wake: (collection) => poller.wake(collection) });
  const { patienceMs, parentPatienceMs, retentionDays, auditDays } = config;
  const push = createPush(ports, { tenant, sources, holder, patienceMs, parentPatienceMs });
  const operator = createOperator(ports, { sources, wake: () => push.wake() });
  const audit = createAudit(ports, tenant);
  const pushOf: UseCases['push'] = async (session, ...sent) => {
    const results = await push.push(session, ...sent);
    audit.sawAnswers(session, results);
    return results;
  };
  const keys = await openSigningKeys(store);
  const pull = await createPull({
    store,
    collections,
    keys,
    readPriming: () => readiness.priming(tenant),
    async feedWentBack(_tenant, epoch, seenHead) {
      log.error('the feed is older than a checkpoint that was given out: a new epoch begins', { epoch });
      await store.newEpoch(tenant, epoch, seenHead);
    },
  });
  const turns = createTurns(readsAtOnce(config));
  const ahead = readAhead(readInTurn(turns, pull), clock);
  const erasure = createErasure(ports, {
    sources,
    keptFor: { retentionDays, auditDays },
    forgetPages: () => ahead.forget(),
    revoked: (device) => presence.revoked(device),
  });
  const webhooks = createWebhooks(ports, opened, ({ collection, keys }) => askedPolls.ask(collection, keys));
  const owed = createOwedBodies(ports, { tenant, live });
  const { phones: sender } = shared;
  const phones =
    sender === null || config.push === undefined
      ? null
      : createPhones(
          { ...ports, sender, seenBy, counts: shared.hintCountsOf(tenant) },
          { tenant, holder, collections: names, push: config.push },
        );
  const wholePull = withLiveBodies(ahead.pull, ports, { collections: names.toSorted(), live });
  let running: readonly { stop(): Promise<void> }[] = [];

  return {
    id: tenant,
    collections,
    useCases: {
      pull: phones?.noting(wholePull) ?? wholePull,
      check: readInTurn(turns, createCheck({ store, collections, keys })),
      push: phones?.notingPush(pushOf) ?? pushOf,
      readCurrent: createReadCurrent({
        store,
        collections: sources.map(({ collection }) => collection),
        live: { ports, collections: live },
      }),
      operator,
      conflicts: createKeptConflicts(ports, pushOf),
      oversight: createOversight(store, collections, (name) => poller.pollNow(name)),
      erasure,
      audit,
      collections: () => viewCollections(tenant, collections, readiness),
      readEpoch: async () => (await store.readHead(tenant)).epoch,
      newEpoch: (_session, from) => store.newEpoch(tenant, from),
      registerDevice: createRegistration({ store, seenBy }, { atMost: config.push?.maxDevicesPerUser ?? MOST_PHONES }),
      unregisterDevice: (device) => store.unregisterDevice(device),
      readDevices: (id, request) => store.readDevices(id, request),
      async revokeDevice(device) {
        const revoked = await store.revokeDevice(device);
        if (revoked !== null) presence.revoked(device);
        return revoked;
      },
      hints: (session, asked) => hub.hints(session, asked),
    },
    webhooks,
    measures: { tenant, readiness, store, operator, sources, webhooks },
    isReady: () =>
      store.readHead(tenant).then(
        () => true,
        () => false,
      ),
    progress: () => readiness.progress(tenant),
    start() {
      audit.start();
      push.start();
      owed.start();
      poller.start();
      askedPolls.start();
      phones?.start();
      // Stopped last to first.
      running = [
        audit,
        startUpkeep({ store, keys, clock, log, tenant, retentionDays, auditDays }),
        push,
        owed,
        poller,
        askedPolls,
        ...(phones === null ? [] : [phones]),
      ];
    },
    stop: () =>
      closeAll(
        running.map((part) => () => part.stop()),
        log,
      ),
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
