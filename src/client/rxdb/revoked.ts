import type { RxCollection } from 'rxdb';
import { requestReaction } from '../error-reactions.js';
import { GatewayFault } from '../gateway.js';

/**
 * Removes a collection when the gateway says that this device's rights were taken away, for ever: its documents, and what RxDB noted of their
 * replication, which ends. Other collections hear of it by their own replications.
 *
 * @param told once, behind that; with why it could not be done, or null
 * @returns asks, until then. @throws what is thrown in it; DEVICE_REVOKED from then on, without asking
 */
export function removeWhenRevoked<Doc>(
  collection: RxCollection<Doc>,
  told: (failed: unknown) => void = () => undefined,
): <Answer>(ask: () => Promise<Answer>) => Promise<Answer> {
  let revoked: GatewayFault | null = null;

  return async (ask) => {
    if (revoked !== null) throw revoked;
    try {
      return await ask();
    } catch (thrown) {
      if (thrown instanceof GatewayFault && requestReaction(thrown.code) === 'wipe' && revoked === null) {
        revoked = thrown;
        // The replication that is waiting for this answer ends in it.
        void collection.remove().then(
          () => told(null),
          (failed: unknown) => told(failed),
        );
      }
      throw thrown;
    }
  };
}
