import { ERROR_CATALOGUE, type ErrorCode } from '../../src/core/errors.js';
import type { CheckAnswer, Fate, Gateway, PulledChange, PulledPage, SentChange } from '../../src/client/gateway.js';
import { GatewayFault, type FaultCode } from '../../src/client/gateway.js';

export const EPOCH = 'abcdefgh';

/** A request as it arrived. */
export interface Pushed {
  readonly device: string;
  readonly changes: readonly SentChange[];
  /** The epoch that the device says it knows. */
  readonly epoch: string | null;
}

/** A gateway that says what a test tells it to, and remembers what it was asked. */
export interface ScriptedGateway extends Gateway {
  pull: (request: Parameters<Gateway['pull']>[0]) => Promise<PulledPage>;
  readonly pulls: {
    readonly device: string;
    readonly since: string | null;
    readonly collections: readonly string[] | null;
  }[];
  readonly pushes: Pushed[];
  /** The next pages; behind them every page is empty and the last. */
  readonly pages: Partial<PulledPage>[];
  /** What a push is answered with; by default everything is APPLIED. May throw. */
  answer: (pushed: Pushed) => readonly Fate[];
  /** What a check is answered with. */
  checked: CheckAnswer;
  /** The next pull fails so. */
  pullFault: FaultCode | null;
}

export function createScriptedGateway(): ScriptedGateway {
  let places = 0;
  const gateway: ScriptedGateway = {
    pulls: [],
    pushes: [],
    pages: [],
    answer: ({ changes }) => changes.map(({ changeId }) => ({ changeId, status: 'APPLIED' })),
    pullFault: null,
    async pull({ device, since, collections }) {
      gateway.pulls.push({ device, since, collections });
      const { pullFault } = gateway;
      gateway.pullFault = null;
      if (pullFault !== null) throw new GatewayFault(pullFault, 'as the test said');
      return page({ checkpoint: `place ${++places}`, ...gateway.pages.shift() });
    },
    async push(device, changes, _sentAt, epoch = null) {
      const pushed = { device, changes, epoch };
      gateway.pushes.push(pushed);
      return gateway.answer(pushed);
    },
    checked: { isCurrent: true, collections: [] },
    check: async () => gateway.checked,
  };
  return gateway;
}

export function page(parts: Partial<PulledPage> = {}): PulledPage {
  return {
    changes: [],
    receipts: [],
    checkpoint: 'place',
    hasMore: false,
    reset: false,
    complete: true,
    epoch: EPOCH,
    ...parts,
  };
}

export function upsert(id: string, json: PulledChange['json'], parts: Partial<PulledChange> = {}): PulledChange {
  return { collection: 'visits', id, version: `${EPOCH}.1`, kind: 'UPSERT', pending: false, json, ...parts };
}

export function gone(id: string, kind: 'DELETE' | 'REVOKE' = 'DELETE'): PulledChange {
  return upsert(id, null, { kind });
}

export function refusal(changeId: string, code: ErrorCode, parts: Partial<Fate> = {}): Fate {
  const { retryable } = ERROR_CATALOGUE[code];
  const error = { code, message: `refused: ${code}`, field: null, retryable };
  return { changeId, status: 'REJECTED', error, ...parts };
}
