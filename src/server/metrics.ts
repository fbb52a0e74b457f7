import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { IngestStore } from '../core/ingest-port.js';
import type { OpenState } from '../core/intent.js';
import type { Clock } from '../core/ports.js';
import type { Session } from '../core/session.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Operator } from '../push/operator.js';
import type { Hub } from '../realtime/hub.js';
import type { HintMeasures } from './hint-measures.js';
import type { SocketServer } from './http-websocket.js';
import type { PhoneMeasures } from './phone-measures.js';
import type { Readiness } from './readiness.js';
import type { Webhooks } from './webhooks.js';

const OPEN_STATES: readonly OpenState[] = ['PENDING', 'SENT', 'IN_DOUBT', 'PARKED'];

/** What is measured of one tenant. */
export interface TenantMeasures {
  readonly tenant: string;
  readonly readiness: Pick<Readiness, 'progress'>;
  readonly store: Pick<IngestStore, 'countQuarantined'>;
  readonly operator: Pick<Operator, 'counts'>;
  readonly sources: readonly SourceCollection[];
  readonly webhooks: Pick<Webhooks, 'counts'>;
}

/**
 * What Prometheus reads at /metrics: of a tenant the outbox by state and the age of its oldest change, webhooks, and per collection its
 * records, those that do not fit, its last complete poll, and whether its source is down; of the process itself, open sockets and
 * listeners. Read at the time of asking; names of tenants, sources, collections and states are the only labels. An operator is told of its
 * own tenant; who may read every tenant, and whoever operates the only one, of the process too.
 */
export function createMetrics(parts: {
  readonly tenants: readonly TenantMeasures[];
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly sockets: Pick<SocketServer, 'count' | 'droppedSlow'>;
  readonly hub: Pick<Hub, 'listening'>;
  readonly hints: Pick<HintMeasures, 'registry'>;
  /** Null: sleeping phones are not hinted. */
  readonly phones: Pick<PhoneMeasures, 'text'> | null;
}): (operator: Pick<Session, 'tenant' | 'readsEveryTenant'>) => Promise<string> {
  const { tenants, clock, sockets, hub, hints, phones } = parts;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const open = new Gauge({ name: 'tidegate_sockets', help: 'Open WebSockets.', registers });
  const slow = new Counter({
    name: 'tidegate_sockets_slow_total',
    help: 'WebSockets that were closed with 4411 because their clients did not read.',
    registers,
  });
  const listeners = new Gauge({ name: 'tidegate_hint_listeners', help: 'Subscriptions to hints.', registers });

  return async ({ tenant, readsEveryTenant }) => {
    const isAll = readsEveryTenant === true || tenants.length === 1;
    const shown = isAll ? tenants : tenants.filter((one) => one.tenant === tenant);
    // Made anew for each answer: another operator may be answered at the same time.
    const gauges = createTenantGauges();
    await Promise.all(shown.map((one) => measure(gauges, one, clock.nowMs())));
    const ofPhones = (await phones?.text(shown.map((one) => one.tenant))) ?? '';
    const told = `${await gauges.registry.metrics()}\n${ofPhones}`;
    if (!isAll) return told;
    open.set(sockets.count());
    slow.reset();
    slow.inc(sockets.droppedSlow());
    listeners.set(hub.listening());
    return `${await registry.metrics()}\n${await hints.registry.metrics()}\n${told}`;
  };
}

async function measure(gauges: TenantGauges, measures: TenantMeasures, nowMs: number): Promise<void> {
  const { tenant, readiness, store, operator, sources, webhooks } = measures;
  for (const { count, ...labels } of webhooks.counts()) gauges.hooks.inc({ tenant, ...labels }, count);
  const misfits = await store.countQuarantined(tenant);
  for (const [collection, progress] of await readiness.progress(tenant)) {
    const labels = { tenant, collection };
    gauges.quarantined.set(labels, misfits.get(collection) ?? 0);
    gauges.records.set(labels, progress.recordCount);
    gauges.ready.set(labels, progress.state === 'READY' ? 1 : 0);
    if (progress.polledAtMs !== null) gauges.polled.set(labels, progress.polledAtMs / 1_000);
  }
  const { byState, oldestAcceptedAtMs } = await operator.counts(tenant);
  for (const state of OPEN_STATES) gauges.outbox.set({ tenant, state }, byState.get(state) ?? 0);
  const waitsMs = oldestAcceptedAtMs === null ? 0 : Math.max(0, nowMs - oldestAcceptedAtMs);
  gauges.oldest.set({ tenant }, waitsMs / 1_000);
  for (const source of sources) {
    const labels = { tenant, collection: source.collection.name };
    gauges.down.set(labels, source.isDown() ? 1 : 0);
    const skewMs = source.clockSkewMs?.() ?? null;
    if (skewMs !== null) gauges.skew.set(labels, skewMs / 1_000);
    gauges.maintained.set(labels, (source.maintenanceLeftMs?.() ?? 0) / 1_000);
  }
}

type TenantGauges = ReturnType<typeof createTenantGauges>;

function createTenantGauges() {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['tenant', 'collection'] as const;
  const perCollection = (name: string, help: string) => new Gauge({ name, help, labelNames, registers });
  return {
    registry,
    records: perCollection('tidegate_collection_records', 'Live records of a collection.'),
    polled: perCollection(
      'tidegate_collection_last_poll_seconds',
      'When the last complete poll of a collection ended, seconds since 1970; absent before the first.',
    ),
    ready: perCollection(
      'tidegate_collection_ready',
      '1: its first ingest is complete and no deletion waits for an operator.',
    ),
    down: perCollection(
      'tidegate_source_down',
      '1: the source of a collection does not answer or is being maintained, calls fail at once.',
    ),
    outbox: new Gauge({
      name: 'tidegate_outbox_changes',
      help: 'Accepted changes that are not settled yet, by state; PARKED ones wait for an operator.',
      labelNames: ['tenant', 'state'],
      registers,
    }),
    oldest: new Gauge({
      name: 'tidegate_outbox_oldest_seconds',
      help: 'How long the oldest of them has been waiting; 0: there is none.',
      labelNames: ['tenant'],
      registers,
    }),
    skew: perCollection(
      'tidegate_source_clock_skew_seconds',
      'How far the clock of the source of a collection is ahead of ours, to about a second; absent while nobody knows.',
    ),
    quarantined: perCollection(
      'tidegate_collection_quarantined',
      'Records of a collection that its source shows, but not as declared: set aside until they fit.',
    ),
    maintained: perCollection(
      'tidegate_source_maintenance_seconds',
      'How long the declared maintenance of the source of a collection still lasts; 0: there is none.',
    ),
    hooks: new Counter({
      name: 'tidegate_webhooks_total',
      help: 'Webhooks of a source by what became of them: accepted, ignored, repeated, stale, forged, limited, unread.',
      labelNames: ['tenant', 'source', 'outcome'],
      registers,
    }),
  };
}
