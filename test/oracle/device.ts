import type { Change, Fields, RecordId } from '../../src/core/change.js';
import type { PushStatus } from '../../src/core/intent.js';
import type { Session } from '../../src/core/session.js';
import type { PushResult } from '../../src/push/pushed-change.js';
import type { PullPage } from '../../src/pull/pull.js';
import { isOpen, type LocalChange } from './local-change.js';

/** A record as the gateway sent it. */
export interface HeldRow {
  readonly collection: string;
  readonly id: RecordId;
  readonly version: string;
  readonly fields: Fields;
  readonly pending: boolean;
}

export const TENANT = 'clinic';
/** A round of so many pages does not end. */
export const MOST_PAGES = 400;
/** Most changes of one push. */
const BATCH = 5;

/** A device as everybody else in the world sees it: one that follows the rules by itself, or one that the client makes. */
export interface WatchedDevice {
  readonly name: string;
  readonly rows: ReadonlyMap<string, HeldRow>;
  /** In the order in which they were made; those that are final and in effect, or refused, are gone. */
  readonly outbox: readonly LocalChange[];
  scopes: readonly string[];
  /** By record and field: every value that was ever on it. */
  readonly seen: ReadonlyMap<string, ReadonlySet<unknown>>;
  session(): Session;
  /** What the app shows: rows with the device's own edits laid over them; null: there is none, or it is deleted here. */
  shown(key: string): Fields | null;
  keys(): readonly string[];
  edit(change: LocalChange): Promise<void>;
  /** The app's data is cleared; what was not pushed yet stays. */
  forget(): Promise<void>;
}

/** What happens on a device that the judge looks at. */
export interface DeviceWitness {
  /** A page was applied. @param before the checkpoint until then */
  applied(device: WatchedDevice, page: PullPage, changes: readonly Change[], before: string | null): void;
  /** What the app shows may be different now. */
  shows(device: WatchedDevice): void;
}

/** The rules of a device where planted faults break them. */
export interface DeviceRules {
  /** A page is applied only to the checkpoint that it continues. */
  isCurrent(device: Device, since: string | null): boolean;
  /** The app shows unsent edits on top of what came. */
  keepsOverlay(device: Device, change: LocalChange): boolean;
  /** The rows of a page are kept together with its checkpoint, also when the device dies in between. */
  keepsRows(device: Device): boolean;
}

export const SOUND_RULES: DeviceRules = {
  isCurrent: (device, since) => device.checkpoint === since,
  keepsOverlay: () => true,
  keepsRows: () => true,
};

/**
 * A device as the protocol asks it to be: rows and checkpoint in one step; a page only if it continues the checkpoint; resets
 * by mark and sweep; an edit kept until its fate is final and its effect is there (F10, F25).
 */
export class Device implements WatchedDevice {
  readonly name: string;
  readonly rows = new Map<string, HeldRow>();
  outbox: LocalChange[] = [];
  scopes: readonly string[] = ['a', 'b'];
  checkpoint: string | null = null;
  epoch: string | null = null;
  readonly seen: Seen = new Map();
  resets = 0;
  pages = 0;
  /** Rounds of pulls begun so far. */
  private round = 1;
  /** How often it began again; and how often it had when the push that is under way was sent. */
  private beginnings = 0;
  private sentIn = 0;
  /** The round of which pages are being applied; null between rounds. */
  private openRound: number | null = null;
  private stale: Set<string> | null = null;
  private readonly witness: DeviceWitness;
  private readonly rules: DeviceRules;

  constructor(name: string, witness: DeviceWitness, rules: DeviceRules) {
    this.name = name;
    this.witness = witness;
    this.rules = rules;
  }

  session(): Session {
    return sessionOf(this);
  }

  shown(key: string): Fields | null {
    let fields: Fields | null = this.rows.get(key)?.fields ?? null;
    for (const change of this.outbox) {
      if (keyOf(change) !== key || change.isRefused || change.isCovered || !this.rules.keepsOverlay(this, change))
        continue;
      if (change.kind === 'DELETE') fields = null;
      else if (fields !== null || change.isCreate) fields = { ...fields, ...change.fields };
    }
    return fields;
  }

  keys(): readonly string[] {
    return [...new Set([...this.rows.keys(), ...this.outbox.map(keyOf)])];
  }

  async edit(change: LocalChange): Promise<void> {
    this.outbox.push(change);
    see(this.seen, keyOf(change), change.fields);
    this.witness.shows(this);
  }

  /** The next changes to send. What follows a create waits until that is taken: behind a refused one it would be taken for a create. */
  batch(): readonly LocalChange[] {
    const made = new Set<string>();
    const isNext = (change: LocalChange): boolean => {
      if (!change.isQueued || made.has(keyOf(change))) return false;
      if (change.isCreate) made.add(keyOf(change));
      return true;
    };
    return this.outbox.filter(isNext).slice(0, BATCH);
  }

  /** They are on their way: a repeat says in which epoch they were sent first. */
  sending(batch: readonly LocalChange[]): readonly ReturnType<LocalChange['asPushed']>[] {
    this.sentIn = this.beginnings;
    return batch.map((change) => {
      const pushed = change.asPushed();
      change.sentEpoch ??= this.epoch;
      return pushed;
    });
  }

  /** Nothing of it was taken: it is as it was before it was on its way. */
  notTaken(batch: readonly LocalChange[], sent: readonly ReturnType<LocalChange['asPushed']>[]): void {
    batch.forEach((change, at) => (change.sentEpoch = sent[at]?.sentEpoch ?? null));
  }

  answered(batch: readonly LocalChange[], results: readonly PushResult[]): void {
    batch.forEach((change, at) => {
      const result = results[at];
      if (result === undefined || change.isFinal) return;
      // Not remembered by the gateway: it is to be sent again.
      if (result.status === 'REJECTED' && result.error?.retryable === true) return;
      // What it is to wait for may have been passed over: it is asked again (F10).
      if (isOpen(result.status) && this.sentIn !== this.beginnings) return;
      this.hear(change, result.status);
    });
    this.forgetRefused();
    this.witness.shows(this);
  }

  /** A page is asked for. @returns the round that it belongs to, if it is the first of one */
  ask(): number {
    return (this.round += 1);
  }

  /** @returns false: the answer to a question that is not open any more */
  apply(since: string | null, page: PullPage, asked: number): boolean {
    if (!this.rules.isCurrent(this, since)) return false;
    const changes = changesOf(page);
    this.openRound ??= asked;
    if (page.reset) this.resets += 1;
    if (page.reset || since === null) {
      this.askAgain();
    }
    if (page.reset || (since === null && this.stale === null)) this.stale = new Set(this.rows.keys());
    this.pages += 1;
    if (this.rules.keepsRows(this)) for (const change of changes) this.take(change);
    for (const receipt of page.receipts) {
      const own = this.outbox.find((change) => change.changeId === receipt.changeId);
      if (own === undefined) continue;
      if (!own.isFinal) this.hear(own, receipt.status);
      own.hasReceipt = own.isFinal;
    }
    const before = this.checkpoint;
    this.checkpoint = page.checkpoint;
    this.epoch = page.epoch;
    if (!page.hasMore) this.endRound(page.complete);
    this.witness.applied(this, page, changes, before);
    if (!page.hasMore) this.witness.shows(this);
    return true;
  }

  async forget(): Promise<void> {
    this.rows.clear();
    this.checkpoint = null;
    this.stale = null;
    this.openRound = null;
    this.askAgain();
    this.witness.shows(this);
  }

  /** Receipts may have been forgotten together with the tombstones: a repeat is the other way to learn a fate. */
  private askAgain(): void {
    this.beginnings += 1;
    for (const change of this.outbox) if (!change.isFinal) change.status = null;
  }

  private take(change: Change): void {
    const key = keyOf(change);
    this.stale?.delete(key);
    if (change.kind !== 'UPSERT' || change.json === null) {
      this.rows.delete(key);
      return;
    }
    const { collection, id, version, json, pending } = change;
    this.rows.set(key, { collection, id, version, fields: json, pending });
    see(this.seen, key, json);
  }

  private endRound(isComplete: boolean): void {
    const begun = this.openRound ?? 0;
    this.openRound = null;
    for (const key of this.stale ?? []) this.rows.delete(key);
    this.stale = null;
    // Only what equals one snapshot holds the effect for certain: the record may have moved on past the round's head.
    if (!isComplete) return;
    const isOver = (change: LocalChange): boolean =>
      change.isFinal && (change.hasReceipt || change.toldInRound < begun);
    // What was made before it, of the same record, is below it; of one that fell nothing follows for an earlier one.
    const isIn = (change: LocalChange): boolean => isOver(change) && !change.isRefused;
    const last = new Map(this.outbox.flatMap((change, at) => (isIn(change) ? [[keyOf(change), at] as const] : [])));
    this.outbox.forEach((change, at) => (change.isCovered ||= at < (last.get(keyOf(change)) ?? -1)));
    this.outbox = this.outbox.filter((change) => !isOver(change) && !(change.isFinal && change.isCovered));
  }

  /** A refused create takes what followed it, and was not sent, with it. */
  private hear(told: LocalChange, status: PushStatus): void {
    const isBehind = (one: LocalChange): boolean =>
      keyOf(one) === keyOf(told) && one.isQueued && one.sentEpoch === null && one.baseVersion === null;
    told.hear(status);
    told.toldInRound = this.round;
    if (!told.isCreate || !told.isRefused) return;
    for (const change of this.outbox.filter(isBehind)) this.hear(change, 'REJECTED');
  }

  private forgetRefused(): void {
    this.outbox = this.outbox.filter((change) => !change.isRefused);
  }
}

export type Seen = Map<string, Set<unknown>>;

/** Values came onto a record of a device. */
export function see(seen: Seen, key: string, fields: Fields): void {
  for (const [field, value] of Object.entries(fields)) {
    const name = `${key} ${field}`;
    const values = seen.get(name);
    if (values === undefined) seen.set(name, new Set([value]));
    else values.add(value);
  }
}

export function sessionOf({ name, scopes }: Pick<WatchedDevice, 'name' | 'scopes'>): Session {
  return { tenant: TENANT, user: `user of ${name}`, device: name, grant: { kind: 'listed', scopes } };
}

export function keyOf({ collection, id }: { readonly collection: string; readonly id: string }): string {
  return `${collection} ${id}`;
}

/** The changes of a page in full shape. */
export function changesOf(page: PullPage): readonly Change[] {
  const text = page.texts.map((part) => Buffer.from(part).toString('utf8')).join(',');
  return JSON.parse(`[${text}]`) as Change[];
}
