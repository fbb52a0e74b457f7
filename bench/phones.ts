import type { PhoneHint } from '../src/core/phone-hint-port.js';
import { createFcmSender } from '../src/fcm/fcm-sender.js';
import { systemClock } from '../src/server/clock.js';
import { createLog } from '../src/server/telemetry.js';
import { ownCpuMs, report, timed } from './measure.js';
import { startPushServiceProcess } from './processes.js';

const PHONES = Number(process.env['BENCH_PHONES'] ?? 10_000);
/** As many as come due at once in a round. */
const PER_CALL = 1_000;

/**
 * How many hints a second the real SDK hands to a push service on this machine,
 * and what one costs us: at this rate phones that are due are worked off. The push service is a process of its own.
 */
export async function benchPhones(): Promise<void> {
  const service = await startPushServiceProcess();
  const sender = createFcmSender(
    {
      account: { kind: 'none', projectId: 'bench' },
      endpoint: new URL(service.url),
      notices: { of: new Map(), general: null },
    },
    { clock: systemClock, chance: Math.random, log: createLog('warn') },
  );
  const hints = Array.from({ length: PHONES }, (_, n) => hintTo(`phone-${n}`));
  // The first calls load the SDK and open the connections.
  await sender.send(hints.slice(0, 200));
  const cpuBeforeMs = ownCpuMs();
  let taken = 0;
  const { ms } = await timed(async () => {
    for (let at = 0; at < hints.length; at += PER_CALL) {
      const outcomes = await sender.send(hints.slice(at, at + PER_CALL));
      taken += outcomes.filter(({ kind }) => kind === 'sent').length;
    }
  });
  report({
    bench: 'phones: hints through the SDK',
    phones: PHONES,
    taken,
    ms,
    perSecond: (PHONES * 1_000) / ms,
    cpuMsPerHint: (ownCpuMs() - cpuBeforeMs) / PHONES,
  });
  await sender.close();
  await service.stop();
}

function hintTo(token: string): PhoneHint {
  return {
    device: { tenant: 'default', user: 'bench', device: token },
    platform: 'ANDROID',
    token: token.padEnd(150, 'x'),
    collections: ['visits', 'patients'],
    atMs: systemClock.nowMs(),
  };
}
