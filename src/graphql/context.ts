import type { Audit } from '../audit/audit.js';
import type { Epoch } from '../core/change.js';
import type { Collection } from '../core/collection.js';
import type { Clock, Log } from '../core/ports.js';
import type { DeviceStore, KnownDevice, Registration } from '../core/device-port.js';
import type { CollectionState } from '../core/record-port.js';
import type { DeviceKey, Session } from '../core/session.js';
import type { Erasure } from '../erasure/erasure.js';
import type { Check } from '../pull/check.js';
import type { ReadCurrent } from '../pull/current.js';
import type { Pull } from '../pull/pull.js';
import type { Oversight } from '../ingest/oversight.js';
import type { Clashing, KeptConflicts } from '../push/kept-conflicts.js';
import type { Operator } from '../push/operator.js';
import type { Push } from '../push/push.js';
import type { CurrentRecords } from './current-records.js';
import type { RequestPull } from './request-pull.js';

/** What a collection is, and how far its ingest is. */
export interface CollectionView {
  readonly collection: Collection;
  readonly state: CollectionState;
  readonly storage: 'snapshot' | 'metadataOnly';
  readonly recordCount: number;
  readonly lastPolledAtMs: number | null;
}

/** What the resolvers need of the rest, of one tenant: given in by the composition root. Errors are SyncErrors. */
export interface UseCases {
  readonly pull: Pull;
  readonly check: Check;
  readonly push: Push['push'];
  readonly readCurrent: ReadCurrent;
  readonly operator: Operator;
  readonly conflicts: KeptConflicts;
  readonly oversight: Oversight;
  readonly erasure: Erasure;
  readonly audit: Pick<Audit, 'around' | 'sawOperator' | 'read'>;
  collections(session: Session): Promise<readonly CollectionView[]>;
  /** The epoch in force. */
  readEpoch(session: Session): Promise<Epoch>;
  /** Begins another one, if `from` is in force. @returns the epoch that is in force then */
  newEpoch(session: Session, from: Epoch): Promise<Epoch>;
  /** For hints while it sleeps. Safe to repeat. */
  registerDevice(
    session: Session,
    device: DeviceKey,
    asked: Omit<Registration, 'seen'>,
  ): Promise<{ readonly registeredAtMs: number }>;
  /** False when it was not registered. */
  unregisterDevice(device: DeviceKey): Promise<boolean>;
  readDevices: DeviceStore['readDevices'];
  /** For ever; its sockets are closed. Safe to repeat. Null: there is no such device. */
  revokeDevice(device: DeviceKey): Promise<KnownDevice | null>;
  /** Hints until the iterator is returned (R18). */
  hints(
    session: Session,
    collections: readonly string[],
  ): AsyncIterableIterator<{ readonly collections: readonly string[]; readonly at: string }>;
}

/** What is the same for all requests. */
export interface GraphqlServices {
  readonly collections: readonly Collection[];
  readonly clock: Clock;
  readonly log: Log;
  /** Most changes in one push. */
  readonly maxChangesPerPush: number;
}

/** What resolvers see of a request. */
export interface RequestContext {
  readonly session: Session;
  readonly services: GraphqlServices;
  /** Those of the session's tenant: there is no way to another one's. */
  readonly useCases: UseCases;
  /** The session's pull. */
  readonly pull: RequestPull;
  readonly currentRecords: CurrentRecords;
  /** What is kept of this device's refused edits, by change id; null: nothing. */
  readonly readConflict: (changeId: string) => Promise<Clashing | null>;
}
