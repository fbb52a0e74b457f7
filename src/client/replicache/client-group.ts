import type { Portions } from '../portions.js';
import type { FateBook } from './fate-book.js';

/** What this process knows of a client group: a device towards the gateway. */
export interface ClientGroup {
  readonly id: string;
  readonly fates: FateBook;
  readonly portions: Portions;
  /** Of its device id, as far as known: a pull reads it from the cookie. */
  generation: number;
  /** Of its last pull; null: none is known of in this process yet. */
  epoch: string | null;
}

/** @param generation the first device is called as Replicache calls the group; its follower after an eviction gets a number (F11) */
export function deviceOf({ id }: Pick<ClientGroup, 'id'>, generation: number): string {
  return generation === 0 ? id : `${id}.${generation}`;
}
