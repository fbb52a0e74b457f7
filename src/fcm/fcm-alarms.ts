import type { Clock, Log } from '../core/ports.js';
import type { FcmFault } from './fcm-answers.js';

/** The same fault befalls thousands of hints at once: it is told once in so long, with how often it came. */
const QUIET_MS = 600_000;
/** Of what FCM says beside the code. */
const MAX_SAID = 300;
/** Longer words are tokens, keys and the like, ours or a phone's. */
const LONG_WORDS = /[^\s"',;]{41,}/g;

/** Tells people of what only they can repair. */
export interface FcmAlarms {
  raise(fault: FcmFault, platform: string): void;
}

export function createFcmAlarms(log: Log, clock: Pick<Clock, 'monotonicMs'>): FcmAlarms {
  const raised = new Map<string, { toldMs: number; since: number }>();
  return {
    raise({ code, message }, platform) {
      const key = `${code} ${platform}`;
      const before = raised.get(key);
      if (before !== undefined && clock.monotonicMs() - before.toldMs < QUIET_MS) {
        before.since += 1;
        return;
      }
      raised.set(key, { toldMs: clock.monotonicMs(), since: 0 });
      const times = 1 + (before?.since ?? 0);
      log.error('FCM refuses hints', { code, platform, said: withoutSecrets(message), times });
    },
  };
}

/** What Google says, short, without anything that may be a token or a key. */
export function withoutSecrets(message: string): string {
  return message.replaceAll(LONG_WORDS, '…').slice(0, MAX_SAID);
}
