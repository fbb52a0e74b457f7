import type { Platform } from '../core/device-port.js';
import type { HintOutcome } from '../core/phone-hint-port.js';
import type { Answered } from '../core/phone-port.js';

/** Told of what becomes of hints to phones, for whoever measures it. */
export interface HintCounts {
  settled(platform: Platform, outcome: HintOutcome): void;
  escalated(phones: number): void;
  answered(answered: Answered): void;
}
