import type { Fields, PushKind, RecordId } from '../../src/core/change.js';
import type { PushStatus } from '../../src/core/intent.js';
import type { PushedChange } from '../../src/push/pushed-change.js';

/** An edit as the device that made it keeps it. */
export class LocalChange {
  readonly changeId: string;
  readonly device: string;
  readonly collection: string;
  readonly id: RecordId;
  readonly kind: PushKind;
  readonly fields: Fields;
  readonly isCreate: boolean;
  readonly baseVersion: string | null;
  readonly changedAtMs: number;
  /** By field: every value that its author had seen when the edit was made. */
  readonly seen: ReadonlyMap<string, ReadonlySet<unknown>>;
  /** Null before it is sent; then the epoch that its device knew of. */
  sentEpoch: string | null = null;
  /** What the device was told last; null: nothing yet, or something that says "send it again". */
  status: PushStatus | null = null;
  /** The round of pulls in which the result came; its effect is there when a later round ends. */
  toldInRound = 0;
  /** Its receipt came: its effect is there when this round ends. */
  hasReceipt = false;
  /** A later change of the record is in effect, so that this one is, too, or fell: the app does not show it any more. */
  isCovered = false;
  /** Everything that it was ever told, for judging. */
  readonly told: PushStatus[] = [];

  constructor(parts: {
    readonly changeId: string;
    readonly device: string;
    readonly collection: string;
    readonly id: RecordId;
    readonly kind: PushKind;
    readonly fields: Fields;
    readonly isCreate: boolean;
    readonly baseVersion: string | null;
    readonly changedAtMs: number;
    readonly seen: ReadonlyMap<string, ReadonlySet<unknown>>;
  }) {
    this.changeId = parts.changeId;
    this.device = parts.device;
    this.collection = parts.collection;
    this.id = parts.id;
    this.kind = parts.kind;
    this.fields = parts.fields;
    this.isCreate = parts.isCreate;
    this.baseVersion = parts.baseVersion;
    this.changedAtMs = parts.changedAtMs;
    this.seen = parts.seen;
  }

  get isFinal(): boolean {
    return this.status !== null && !isOpen(this.status);
  }

  get isRefused(): boolean {
    return this.status === 'CONFLICT' || this.status === 'REJECTED';
  }

  /** To be sent again, or for the first time. */
  get isQueued(): boolean {
    return this.status === null;
  }

  hear(status: PushStatus): void {
    this.status = status;
    this.told.push(status);
  }

  asPushed(): PushedChange {
    const { changeId, collection, id, kind, fields, baseVersion, changedAtMs, sentEpoch } = this;
    const changedAt = new Date(changedAtMs).toISOString();
    return {
      changeId,
      collection,
      id,
      kind,
      baseVersion,
      changedAt,
      fields: kind === 'DELETE' ? null : fields,
      sentEpoch,
    };
  }

  /** For traces: who did what to which record. */
  toString(): string {
    const what = this.kind === 'DELETE' ? 'delete' : `${this.isCreate ? 'create ' : ''}${JSON.stringify(this.fields)}`;
    return `${this.changeId} ${this.collection} ${this.id} ${what}`;
  }
}

/** Not final: a receipt is to follow. */
export function isOpen(status: PushStatus): boolean {
  return status === 'ACCEPTED' || status === 'PARKED';
}

export function isRefusal(status: PushStatus | undefined): boolean {
  return status === 'CONFLICT' || status === 'REJECTED';
}

/** Refused in whole, or in part: what does not conflict was merged. */
export function isFall(status: PushStatus | undefined): boolean {
  return isRefusal(status) || status === 'MERGED';
}
