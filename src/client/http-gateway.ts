import { CHECK_DOCUMENT, PULL_DOCUMENT, PUSH_DOCUMENT } from './documents.js';
import { createExchange, type ExchangeOptions } from './exchange.js';
import type { CheckAnswer, Fate, Gateway, PulledPage } from './gateway.js';

/** A gateway behind HTTP. */
export function createHttpGateway(options: ExchangeOptions): Gateway {
  const ask = createExchange(options);
  return {
    pull: async ({ device, ...variables }) =>
      (await ask<{ readonly pull: PulledPage }>(device, PULL_DOCUMENT, variables)).pull,
    push: async (device, changes, sentAt, epoch) => {
      const { push } = await ask<{ readonly push: { readonly results: readonly Fate[] } }>(device, PUSH_DOCUMENT, {
        changes,
        sentAt,
        epoch,
      });
      return push.results;
    },
    check: async ({ device, ...variables }) =>
      (await ask<{ readonly check: CheckAnswer }>(device, CHECK_DOCUMENT, variables)).check,
  };
}
