import type { RecordId, Seq, SourceKey } from '../../../src/core/change.js';
import type { RecordWrite } from '../../../src/core/record-port.js';
import type { ScopeGrant } from '../../../src/core/session.js';
import type { Store } from '../../../src/core/store-port.js';

/** A record as the schedule made it; the oracle that devices are compared with. */
export interface TrueRecord {
  readonly collection: string;
  readonly id: string;
  readonly scopes: readonly string[];
  readonly text: string;
  readonly deleted: boolean;
  readonly seq: number;
}

/** A pushed change and the seq of its receipt. */
export interface TrueReceipt {
  readonly device: string;
  readonly changeId: string;
  readonly key: string;
  readonly seq: number;
  readonly inEffect: boolean;
}

/** What is true, beside the store: every state that was written, and every change that was settled. */
export class SourceTruth {
  records = new Map<string, TrueRecord>();
  receipts: readonly TrueReceipt[] = [];
  private made = 0;
  private readonly store: Store;
  private readonly tenant: string;

  constructor(store: Store, tenant: string) {
    this.store = store;
    this.tenant = tenant;
  }

  /** A new record of a collection. */
  async create(collection: string, scopes: readonly string[]): Promise<void> {
    await this.put(collection, `r${this.made++}`, scopes, false);
  }

  async change(record: TrueRecord, scopes: readonly string[]): Promise<void> {
    await this.put(record.collection, record.id, scopes, false);
  }

  async remove(record: TrueRecord): Promise<void> {
    await this.put(record.collection, record.id, [], true);
  }

  /** A device's change of a record is settled: with effect on its state, or refused. */
  async settle(device: string, record: TrueRecord, inEffect: boolean): Promise<void> {
    const changeId = `c${this.made++}`;
    const seq = await this.put(record.collection, record.id, record.scopes, false, { device, changeId, inEffect });
    const key = `${record.collection} ${record.id}`;
    this.receipts = [...this.receipts, { device, changeId, key, seq, inEffect }];
  }

  isAlive(collection: string, id: string): boolean {
    return this.records.get(`${collection} ${id}`)?.deleted === false;
  }

  /** What a session must hold: key → ready text. */
  visible(grant: ScopeGrant, collections: readonly string[]): ReadonlyMap<string, string> {
    const shown = [...this.records].filter(([, record]) => {
      const granted =
        grant.kind === 'every' ? record.scopes.length > 0 : record.scopes.some((s) => grant.scopes.includes(s));
      return !record.deleted && collections.includes(record.collection) && granted;
    });
    return new Map(shown.map(([key, record]) => [key, record.text]));
  }

  private async put(
    collection: string,
    id: string,
    scopes: readonly string[],
    deleted: boolean,
    change?: { readonly device: string; readonly changeId: string; readonly inEffect: boolean },
  ): Promise<number> {
    const [view] = await this.store.readRecords(this.tenant, [{ collection, id: id as RecordId }]);
    const text = `{"v":${this.made++}}`;
    const device = { tenant: this.tenant, user: change?.device ?? '', device: change?.device ?? '' };
    const write: RecordWrite = {
      collection,
      id: id as RecordId,
      expected: { seq: view?.seq ?? (0 as Seq), mark: view?.mark ?? 0 },
      ...(change?.inEffect === false
        ? {}
        : {
            next: {
              sourceKey: `${collection}:${id}` as SourceKey,
              deleted,
              body: text,
              vis: null,
              pending: false,
              sourceVersion: null,
              hash: null,
              scopes,
              throughUs: change !== undefined,
            },
          }),
      ...(change === undefined
        ? {}
        : {
            acceptance: { device, changeId: change.changeId, bodyHash: '', intent: null },
            settlement: {
              device,
              changeId: change.changeId,
              status: change.inEffect ? 'APPLIED' : 'REJECTED',
              error: null,
              inEffect: change.inEffect,
              intent: null,
            },
          }),
    };
    const [outcome] = await this.store.commit(this.tenant, [write]);
    if (outcome?.kind !== 'written') throw new Error(`expected to write ${collection} ${id}, got ${outcome?.kind}`);
    const { seq } = outcome;
    if (write.next !== undefined)
      this.records.set(`${collection} ${id}`, { collection, id, scopes, text, deleted, seq });
    return seq;
  }
}
