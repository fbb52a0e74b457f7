import type { IngestStore } from '../core/ingest-port.js';
import type { LeasedIntent, SendNote } from '../core/outbox-port.js';
import type { RecordStore, RecordView } from '../core/record-port.js';
import type { FeedReader } from '../core/feed-port.js';
import type { Chance, Clock, HashText, Log } from '../core/ports.js';
import type { ReferenceMap } from '../core/reference-map.js';
import type { SourceCollection } from '../core/source-port.js';
import type { CallSlots } from './call-slots.js';
import type { DeliveryDecision } from './decide-delivery.js';
import type { Fates } from './fates.js';
import type { Noted } from './send-notes.js';
import type { Settling } from './settling.js';

/** What delivery needs of the store: its own part, and which records could be a canary (F7). */
export type DeliveryStore = RecordStore &
  Pick<IngestStore, 'knownKeys' | 'readCollection' | 'readCreates'> &
  Pick<FeedReader, 'readHead'>;

/** The binding decision, with references as the source knows them; or the open change that must be settled before (F18). */
export type PreparedDelivery =
  | DeliveryDecision
  | {
      readonly kind: 'wait';
      /** Null: what it waits for is not there yet, or came later; asked again after `retryInMs`. */
      readonly waitsFor: number | null;
      readonly retryInMs: number;
    };

/** What deliveries and the resolving of doubts work with. */
export interface DeliveryTools {
  readonly store: DeliveryStore;
  readonly references: ReferenceMap;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly hash: HashText;
  readonly log: Log;
  readonly fates: Fates;
  readonly settling: Settling;
  /** Decides what is to be sent. Ids in references become keys here and nowhere else on the way in. */
  prepare(source: SourceCollection, view: RecordView, intent: LeasedIntent): Promise<PreparedDelivery>;
  note(tenant: string, note: SendNote): Promise<Noted>;
  /** Answers of an intent's source that it holds another version, counted over the deliveries of this process. */
  readonly staleAnswers: Map<number, number>;
  /** Aborted when no more is to be begun. */
  readonly stopping: AbortSignal;
  /** An intent waits for its next attempt, or for another one to be settled. */
  retryLater(waitsFor: number | null): void;
  /** A call in doubt is to be looked at again after this long. */
  lookLater(lookInMs: number): void;
}

/** Where an intent goes: its source, and the calls that may run there at once. */
export interface DeliveryTarget {
  readonly source: SourceCollection;
  readonly slots: CallSlots;
}
