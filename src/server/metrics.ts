import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { IngestStore } from '../core/ingest-port.js';
import type { OpenState } from '../core/intent.js';
import type { Clock } from '../core/ports.js';
import type { SourceCollection } from '../core/source-port.js';
import type { Operator } from '../push/operator.js';
import type { Hub } from '../realtime/hub.js';
import type { SocketServer } from './http-websocket.js';
import type { Readiness } from './readiness.js';
import type { Webhooks } from './webhooks.js';

const OPEN_STATES: readonly OpenState[] = ['PENDING', 'SENT', 'IN_DOUBT', 'PARKED'];

/**
 * What Prometheus reads at /metrics: the process, open sockets and listeners, the outbox by state and the age of its oldest change,
 * and per collection its records, those that do not fit, its last complete poll, and whether its source is down. Read at the time of asking; names of
 * collections and states are the only labels.
 */
export function createMetrics(parts: {
  readonly readiness: Pick<Readiness, 'progress'>;
  readonly store: Pick<IngestStore, 'countQuarantined'>;
  readonly operator: Pick<Operator, 'counts'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly tenant: string;
  readonly sockets: Pick<SocketServer, 'count'>;
  readonly hub: Pick<Hub, 'listening'>;
  readonly sources: readonly SourceCollection[];
  readonly webhooks: Pick<Webhooks, 'counts'>;
}): () => Promise<string> {
  const { readiness, store, operator, clock, tenant, sockets, hub, sources, webhooks } = parts;
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const open = new Gauge({ name: 'tidegate_sockets', help: 'Open WebSockets.', registers });
  const listeners = new Gauge({ name: 'tidegate_hint_listeners', help: 'Subscriptions to hints.', registers });
  const labelNames = ['collection'] as const;
  const records = new Gauge({
    name: 'tidegate_collection_records',
    help: 'Live records of a collection.',
    labelNames,
    registers,
  });
  const polled = new Gauge({
    name: 'tidegate_collection_last_poll_seconds',
    help: 'When the last complete poll of a collection ended, seconds since 1970; absent before the first.',
    labelNames,
    registers,
  });
  const ready = new Gauge({
    name: 'tidegate_collection_ready',
    help: '1: its first ingest is complete and no deletion waits for an operator.',
    labelNames,
    registers,
  });
  const down = new Gauge({
    name: 'tidegate_source_down',
    help: '1: the source of a collection does not answer or is being maintained, calls fail at once.',
    labelNames,
    registers,
  });
  const outbox = new Gauge({
    name: 'tidegate_outbox_changes',
    help: 'Accepted changes that are not settled yet, by state; PARKED ones wait for an operator.',
    labelNames: ['state'],
    registers,
  });
  const oldest = new Gauge({
    name: 'tidegate_outbox_oldest_seconds',
    help: 'How long the oldest of them has been waiting; 0: there is none.',
    registers,
  });
  const skew = new Gauge({
    name: 'tidegate_source_clock_skew_seconds',
    help: 'How far the clock of the source of a collection is ahead of ours, to about a second; absent while nobody knows.',
    labelNames,
    registers,
  });
  const quarantined = new Gauge({
    name: 'tidegate_collection_quarantined',
    help: 'Records of a collection that its source shows, but not as declared: set aside until they fit.',
    labelNames,
    registers,
  });
  const maintained = new Gauge({
    name: 'tidegate_source_maintenance_seconds',
    help: 'How long the declared maintenance of the source of a collection still lasts; 0: there is none.',
    labelNames,
    registers,
  });

  const hooks = new Counter({
    name: 'tidegate_webhooks_total',
    help: 'Webhooks of a source by what became of them: accepted, ignored, repeated, stale, forged, limited, unread.',
    labelNames: ['source', 'outcome'],
    registers,
  });

  return async () => {
    hooks.reset();
    for (const { count, ...labels } of webhooks.counts()) hooks.inc(labels, count);
    open.set(sockets.count());
    listeners.set(hub.listening());
    const misfits = await store.countQuarantined(tenant);
    for (const [collection, progress] of await readiness.progress(tenant)) {
      quarantined.set({ collection }, misfits.get(collection) ?? 0);
      records.set({ collection }, progress.recordCount);
      ready.set({ collection }, progress.state === 'READY' ? 1 : 0);
      if (progress.polledAtMs !== null) polled.set({ collection }, progress.polledAtMs / 1_000);
    }
    const { byState, oldestAcceptedAtMs } = await operator.counts(tenant);
    for (const state of OPEN_STATES) outbox.set({ state }, byState.get(state) ?? 0);
    oldest.set(oldestAcceptedAtMs === null ? 0 : Math.max(0, clock.nowMs() - oldestAcceptedAtMs) / 1_000);
    for (const source of sources) {
      const { name } = source.collection;
      down.set({ collection: name }, source.isDown() ? 1 : 0);
      const skewMs = source.clockSkewMs?.() ?? null;
      if (skewMs !== null) skew.set({ collection: name }, skewMs / 1_000);
      maintained.set({ collection: name }, (source.maintenanceLeftMs?.() ?? 0) / 1_000);
    }
    return registry.metrics();
  };
}
