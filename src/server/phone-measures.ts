import { AggregatorRegistry, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PhoneStore } from '../core/phone-port.js';
import type { Clock } from '../core/ports.js';
import type { HintCounts } from '../realtime/hint-counts.js';

/** From seconds, of apps that are awake in the background, to days, of those that somebody opens now and then. */
const SECONDS = [1, 5, 15, 30, 60, 120, 300, 900, 1_800, 3_600, 14_400, 86_400, 604_800];

/** What is owed to phones now, and what became of hints since this process began: sent, not sent, and how long after one the pull came. */
export interface PhoneMeasures {
  of(tenant: string): HintCounts;
  /** As Prometheus reads it, of these tenants only. */
  text(tenants: readonly string[]): Promise<string>;
}

export function createPhoneMeasures(
  store: Pick<PhoneStore, 'countPhones'>,
  clock: Pick<Clock, 'nowMs'>,
): PhoneMeasures {
  const registry = new Registry();
  const registers = [registry];
  const sent = new Counter({
    name: 'tidegate_phone_hints_sent_total',
    help: 'Hints that the push service took.',
    labelNames: ['tenant', 'platform'],
    registers,
  });
  const failed = new Counter({
    name: 'tidegate_phone_hints_failed_total',
    help: 'Hints that it did not take, by why.',
    labelNames: ['tenant', 'platform', 'reason'],
    registers,
  });
  const escalated = new Counter({
    name: 'tidegate_phones_escalated_total',
    help: 'Phones that did not pull for too long after hints.',
    labelNames: ['tenant'],
    registers,
  });
  const answered = new Histogram({
    name: 'tidegate_phone_pull_after_hint_seconds',
    help: 'From a hint to the next pull of its phone.',
    labelNames: ['tenant', 'platform'],
    buckets: SECONDS,
    registers,
  });

  return {
    of: (tenant) => ({
      settled(platform, outcome) {
        if (outcome.kind === 'sent') sent.inc({ tenant, platform });
        else failed.inc({ tenant, platform, reason: outcome.reason });
      },
      escalated: (phones) => escalated.inc({ tenant }, phones),
      answered: ({ platform, afterMs }) => answered.observe({ tenant, platform }, afterMs / 1_000),
    }),
    async text(tenants) {
      const all = await registry.getMetricsAsJSON();
      const shown = all.map((metric) => ({
        ...metric,
        values: metric.values.filter(({ labels }) => tenants.includes(String(labels['tenant']))),
      }));
      const gauges = createPhoneGauges();
      await Promise.all(tenants.map((tenant) => measure(gauges, store, tenant, clock.nowMs())));
      return `${await AggregatorRegistry.aggregate([shown]).metrics()}\n${await gauges.registry.metrics()}`;
    },
  };
}

async function measure(
  gauges: PhoneGauges,
  store: Pick<PhoneStore, 'countPhones'>,
  tenant: string,
  nowMs: number,
): Promise<void> {
  const { byPlatform, due, oldestDueAtMs, stale } = await store.countPhones(tenant);
  for (const [platform, phones] of Object.entries(byPlatform)) gauges.registered.set({ tenant, platform }, phones);
  gauges.due.set({ tenant }, due);
  gauges.oldest.set({ tenant }, oldestDueAtMs === null ? 0 : Math.max(0, nowMs - oldestDueAtMs) / 1_000);
  gauges.stale.set({ tenant }, stale);
}

type PhoneGauges = ReturnType<typeof createPhoneGauges>;

function createPhoneGauges() {
  const registry = new Registry();
  const perTenant = (name: string, help: string) =>
    new Gauge({ name, help, labelNames: ['tenant'], registers: [registry] });
  return {
    registry,
    registered: new Gauge({
      name: 'tidegate_phones',
      help: 'Devices that are registered for hints.',
      labelNames: ['tenant', 'platform'],
      registers: [registry],
    }),
    due: perTenant('tidegate_phones_due', 'Phones for which something waits; those of them that are awake, too.'),
    oldest: perTenant(
      'tidegate_phones_due_oldest_seconds',
      'How long the oldest hint that may be sent has been waiting; 0: there is none.',
    ),
    stale: perTenant('tidegate_phones_stale', 'Phones that do not pull any more, whatever they are sent.'),
  };
}
