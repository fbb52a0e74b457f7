import type { PhoneHint } from '../src/core/phone-hint-port.js';
import { createFcmSender } from '../src/fcm/fcm-sender.js';
import { systemClock } from '../src/server/clock.js';
import { createLog } from '../src/server/telemetry.js';
import { inParallel, median, ownCpuMs, percentile, report, timed } from './measure.js';
import { openPhoneGateway, tokenOf, type PhoneGateway } from './phone-gateway.js';
import { creations, pushBatch } from './pushed-items.js';
import { openPushService } from './push-service.js';
import { pullToEnd } from './requests.js';

const PHONES = Number(process.env['BENCH_PHONES'] ?? 10_000);
/** As the gateway calls the sender: so many hints at once, in so many calls side by side. */
const BATCH = 100;
const BATCHES = 4;
/** Pushes and pulls of each gateway, in each round. */
const REQUESTS = 200;
/** The first ones meet hints that hang, the later ones a breaker that tries again now and then; half a minute and more together. */
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 6);
const GOAL_MORE_MS = 5;
const LOOK_EVERY_MS = 200;

/**
 * How many hints a second the real SDK hands to a push service on this machine; how fast a gateway works off 10,000 phones that are due
 * (goal: at the SDK's own rate), and that none is hinted twice in its window though changes go on; and what pushes and pulls take while the push
 * service does not answer, beside a gateway whose push service does (goal: at most 5 ms more). The p99 of a round is its second worst: what the same
 * gateway shows from round to round is told beside the difference.
 */
export async function benchPhones(): Promise<void> {
  const before = await sendAlone();
  // Both at once: one that is a minute younger is slower than the other for a minute, by tens of milliseconds at the p99.
  const [healthy, hanging] = await Promise.all([openPhoneGateway(PHONES), openPhoneGateway(PHONES)]);
  const rate = await workOff(healthy);
  const alone = (before.perSecond + (await sendAlone()).perSecond) / 2;
  report({ bench: 'phones: the sender alone', phones: PHONES, perSecond: alone, cpuMsPerHint: before.cpuMsPerHint });
  report({ bench: 'phones: worked off by a gateway', phones: PHONES, ...rate, ratio: rate.perSecond / alone });

  await hanging.pushService.answerAll('silence');
  await hanging.change();
  await untilPushed(hanging, 1);
  const rounds = await pushAndPull({ healthy, hanging });
  for (const what of ['push', 'pull'] as const) {
    const all = (of: Of): readonly number[] => rounds.flatMap((round) => round[what][of]);
    const p99s = (of: Of): readonly number[] => rounds.map((round) => percentile(round[what][of], 0.99));
    report({
      bench: `phones: ${what}, FCM healthy and hanging`,
      requests: all('hanging').length,
      healthyP50Ms: median(all('healthy')),
      hangingP50Ms: median(all('hanging')),
      healthyP99Ms: percentile(all('healthy'), 0.99),
      hangingP99Ms: percentile(all('hanging'), 0.99),
      healthyP99MsOfRounds: p99s('healthy'),
      hangingP99MsOfRounds: p99s('hanging'),
      moreP50Ms: median(all('hanging')) - median(all('healthy')),
      moreP99Ms: percentile(all('hanging'), 0.99) - percentile(all('healthy'), 0.99),
      goalMoreMs: GOAL_MORE_MS,
    });
  }
  const { messages, tokens } = await healthy.pushService.journal();
  report({ bench: 'phones: hinted once in a window', phones: tokens, messages, twice: messages - tokens });
  await Promise.all([healthy.stop(), hanging.stop()]);
}

/** The limit: the sender, and nothing else. */
async function sendAlone(): Promise<{ readonly perSecond: number; readonly cpuMsPerHint: number }> {
  const service = await openPushService();
  const sender = createFcmSender(
    {
      account: { kind: 'none', projectId: 'bench' },
      endpoint: new URL(service.url),
      notices: { of: new Map(), general: null },
    },
    { clock: systemClock, chance: Math.random, log: createLog('warn') },
  );
  const hints = Array.from({ length: PHONES }, (_, n) => hintTo(tokenOf(n)));
  // The first calls load the SDK and open the connections.
  await sender.send(hints.slice(0, 2 * BATCH));
  const cpuBeforeMs = ownCpuMs();
  const { ms } = await timed(() =>
    inParallel(PHONES / BATCH, BATCHES, async (at) => {
      const outcomes = await sender.send(hints.slice(at * BATCH, (at + 1) * BATCH));
      const failed = outcomes.find(({ kind }) => kind !== 'sent');
      if (failed !== undefined) throw new Error(`expected every hint to be taken, got ${JSON.stringify(failed)}`);
    }),
  );
  const cpuMsPerHint = (ownCpuMs() - cpuBeforeMs) / PHONES;
  await sender.close();
  await service.stop();
  return { perSecond: (PHONES * 1_000) / ms, cpuMsPerHint };
}

/** From a change that concerns all phones to the last of their hints; other changes come meanwhile. */
async function workOff(gateway: PhoneGateway) {
  const before = gateway.cpu();
  const beganMs = Date.now();
  await gateway.change();
  await untilPushed(gateway, 1);
  await gateway.change();
  await untilPushed(gateway, PHONES);
  const { messages, firstAtMs, lastAtMs } = await gateway.pushService.journal();
  const after = gateway.cpu();
  return {
    perSecond: (messages * 1_000) / (lastAtMs - firstAtMs),
    secondsFromChangeToFirst: (firstAtMs - beganMs) / 1_000,
    secondsFromChangeToLast: (lastAtMs - beganMs) / 1_000,
    nodeCpuMsPerHint: (after.nodeMs - before.nodeMs) / messages,
    postgresCpuMsPerHint: (after.postgresMs - before.postgresMs) / messages,
  };
}

async function untilPushed({ pushService }: PhoneGateway, messages: number): Promise<void> {
  while ((await pushService.journal()).messages < messages)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
}

type Of = 'healthy' | 'hanging';
/** Milliseconds of each push and each pull. */
type Round = Readonly<Record<'push' | 'pull', Readonly<Record<Of, number[]>>>>;

/** In turns, so that what else this machine does meets both. */
async function pushAndPull(gateways: Readonly<Record<Of, PhoneGateway>>): Promise<readonly Round[]> {
  const since = { healthy: gateways.healthy.checkpoint, hanging: gateways.hanging.checkpoint };
  const rounds: Round[] = [];
  for (let n = 0; n < ROUNDS * REQUESTS; n++) {
    if (n % REQUESTS === 0) rounds.push({ push: { healthy: [], hanging: [] }, pull: { healthy: [], hanging: [] } });
    const { push, pull } = rounds.at(-1) as Round;
    for (const of of n % 2 === 0 ? (['healthy', 'hanging'] as const) : (['hanging', 'healthy'] as const)) {
      const { requests } = gateways[of];
      push[of].push((await timed(() => pushBatch(requests, creations(1, n)))).ms);
      const pulled = await timed(() => pullToEnd(requests, since[of]));
      pull[of].push(pulled.ms);
      since[of] = pulled.value.checkpoint;
    }
  }
  return rounds;
}

function hintTo(token: string): PhoneHint {
  return {
    device: { tenant: 'default', user: 'bench', device: token },
    platform: 'ANDROID',
    token,
    collections: ['visits', 'patients'],
    atMs: systemClock.nowMs(),
  };
}
