import type { RxCollection } from 'rxdb';
import type { GatewayAddress } from '../glue-gateway.js';
import type { RefusedEdit } from './refused-edit.js';

/** What `tidegateReplication` is told. */
export interface TidegateReplicationSettings<Doc> extends GatewayAddress {
  /**
   * The collection to replicate. Its schema has the field `tidegate`; its other fields are named as the gateway names them, as many of them
   * as the app wants.
   */
  readonly collection: RxCollection<Doc>;
  /** The gateway's name of it; by default its own. */
  readonly name?: string;
  /** An edit was refused: told once, or again after a crash. */
  readonly onRefused?: (refused: RefusedEdit) => void;
  /**
   * An operator took this device's rights away, for ever: the collection is removed, with all that was not pushed, and asks nobody any more.
   *
   * @param failed why it could not be removed; null: it was
   */
  readonly onRevoked?: (failed: unknown) => void;
  /** Listens to hints over a WebSocket, and pulls when one comes. False: pulls happen at the start and by `reSync()`. Default: true. */
  readonly hints?: boolean;
  /** Changes of one page, 1 to 5,000. Default: 1,000: larger ones cost less per record, and hold up an app's screen for longer. */
  readonly pageSize?: number;
  /** Where several replications of one collection are kept apart; by default the gateway's address and the collection's name. */
  readonly replicationIdentifier?: string;
}
