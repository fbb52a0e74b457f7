import type { Change } from '../../../src/core/change.js';
import type { StoredReceipt } from '../../../src/core/feed-port.js';
import type { ScopeGrant } from '../../../src/core/session.js';
import type { PullPage } from '../../../src/pull/pull.js';

/** What a device keeps of a record. */
export interface HeldRecord {
  readonly collection: string;
  readonly id: string;
  readonly text: string;
  readonly seq: number;
}

/** A device as the protocol asks it to be: rows and checkpoint in one step, resets by marking stale (F25). */
export class DeviceModel {
  readonly name: string;
  grant: ScopeGrant = { kind: 'listed', scopes: ['a'] };
  /** Its `collections` argument. */
  asks: readonly string[] | null = null;
  checkpoint: string | null = null;
  /** Resets since somebody began to count. */
  resets = 0;
  readonly held = new Map<string, HeldRecord>();
  readonly receipts = new Map<string, StoredReceipt>();
  private stale: Set<string> | null = null;

  constructor(name: string) {
    this.name = name;
  }

  /** Begins again with another list, as after CHECKPOINT_COLLECTIONS. */
  forget(asks: readonly string[] | null): void {
    this.asks = asks;
    this.checkpoint = null;
    this.stale = new Set(this.held.keys());
  }

  apply(page: PullPage): void {
    if (page.reset) this.resets++;
    if (page.reset || (this.checkpoint === null && this.stale === null)) this.stale = new Set(this.held.keys());
    for (const change of changesOf(page)) {
      const key = `${change.collection} ${change.id}`;
      this.stale?.delete(key);
      if (change.kind === 'UPSERT') this.held.set(key, heldOf(change));
      else this.held.delete(key);
    }
    for (const receipt of page.receipts) this.receipts.set(receipt.changeId, receipt);
    if (!page.hasMore) {
      for (const key of this.stale ?? []) this.held.delete(key);
      this.stale = null;
    }
    this.checkpoint = page.checkpoint;
  }

  isStale(key: string): boolean {
    return this.stale?.has(key) ?? false;
  }
}

/** The changes of a page in full shape. */
export function changesOf(page: PullPage): readonly Change[] {
  const text = page.texts.map((part) => Buffer.from(part).toString('utf8')).join(',');
  return JSON.parse(`[${text}]`) as Change[];
}

function heldOf(change: Change): HeldRecord {
  const { collection, id, json, version } = change;
  return { collection, id, text: JSON.stringify(json), seq: seqOf(version) };
}

export function seqOf(version: string): number {
  return Number(version.split('.')[1]);
}
