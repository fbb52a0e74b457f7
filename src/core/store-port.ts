import type { AskedPollStore } from './asked-poll-port.js';
import type { AuditStore } from './audit.js';
import type { CallBudgetStore } from './call-budget-port.js';
import type { Announcer, FeedReader } from './feed-port.js';
import type { DeviceStore } from './device-port.js';
import type { ErasureStore } from './erasure-port.js';
import type { IngestStore } from './ingest-port.js';
import type { KeepingStore } from './keeping.js';
import type { OperatorStore } from './operator-port.js';
import type { PhoneStore } from './phone-port.js';
import type { RecordStore } from './record-port.js';
import type { RetentionStore } from './retention-port.js';

/**
 * The whole socket of the sync store. Use cases take the part they need; `test/contract/store.contract.ts` holds what
 * every store must do, and runs on each.
 */
export interface Store
  extends
    FeedReader,
    RecordStore,
    OperatorStore,
    AuditStore,
    IngestStore,
    AskedPollStore,
    KeepingStore,
    DeviceStore,
    PhoneStore,
    RetentionStore,
    ErasureStore,
    CallBudgetStore,
    Announcer {
  /** Makes the tenant's feed if it is not there yet. Safe to repeat. */
  openTenant(tenant: string): Promise<void>;
  close(): Promise<void>;
}
