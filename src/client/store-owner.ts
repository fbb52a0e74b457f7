import { requestReaction } from './error-reactions.js';
import { GatewayFault } from './gateway.js';
import type { Credentials } from './page-ahead.js';

/** Whose a store is, of a library that has no place for a user: the gateway tells by a checkpoint, which is bound to its user (F24). */
export interface StoreOwner {
  /** @param place a checkpoint of this store; null: none is known. @param seenBy what `seenBy` said before */
  ownedBy(place: string | null, seenBy?: string): void;
  /** The credentials that were seen to be its owner's, as text; undefined: none. */
  seenBy(): string | undefined;
  /** A page of the store came to these credentials. */
  seen(who: Credentials, checkpoint: string): void;
  /**
   * Nothing of the store goes out, and nothing comes into it, for anybody else. Asks the gateway where these credentials were not seen to be its
   * owner's.
   *
   * @throws GatewayFault CLOSED - they are another user's; or why it could not be asked
   */
  check(who: Credentials): Promise<void>;
}

/** @param ask whether a place is another user's, as the gateway says to these credentials */
export function createStoreOwner(ask: (who: Credentials, place: string) => Promise<void>): StoreOwner {
  let place: string | null = null;
  let owner: string | undefined;

  return {
    ownedBy(known, seenBy = owner) {
      place = known;
      owner = seenBy;
    },
    seenBy: () => owner,
    seen(who, checkpoint) {
      place = checkpoint;
      owner = JSON.stringify(who);
    },
    async check(who) {
      const asked = JSON.stringify(who);
      if (place === null || asked === owner) return;
      try {
        await ask(who, place);
      } catch (thrown) {
        // Of a place that nobody can read nothing is known: the store begins again.
        if (requestReaction(GatewayFault.from(thrown, 'UNREACHABLE').code) !== 'beginAgain') throw thrown;
      }
      owner = asked;
    },
  };
}
