import type { Change, Fields } from '../../src/core/change.js';
import type { PushStatus } from '../../src/core/intent.js';
import type { PushResult } from '../../src/push/pushed-change.js';
import type { PullPage } from '../../src/pull/pull.js';
import { keyOf, type WatchedDevice } from './device.js';
import { isFall, isRefusal, type LocalChange } from './local-change.js';
import type { CollectionPlan } from './plan.js';
import type { Effect } from './toy-system.js';

/** Fields whose every value is written once in the world, so that a value tells who wrote it. */
export const TELLING = ['note', 'mark'] as const;

/** A promise that was broken: the letter of the check and what was seen. */
export class Breach extends Error {}

/** What the judge has to know of the rest of the world. */
export interface Court {
  readonly plans: ReadonlyMap<string, CollectionPlan>;
  idempotencyKeyOf(change: LocalChange): string;
  /** The fields of a row at its source; null: it is not there. */
  rowOf(collection: string, key: string): Fields | null;
  /** Was there ever a row of this key? */
  hadKey(collection: string, key: string): boolean;
  /** The fields of the row that is a change's record at its source; null: there is none. */
  recordOf(change: LocalChange): Fields | null;
  /** The one in force. */
  epoch(): Promise<string>;
  /** Those of the change ids that the store remembers. */
  knownIds(device: WatchedDevice, changeIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/**
 * Looks at everything that happens and says at once when a promise is broken. The journal of the source and its rows are the
 * truth; what devices made, saw and were told is what it is compared with.
 */
export class Judge {
  /** The first breach; the run ends with it. */
  breach: Breach | null = null;
  readonly changes: LocalChange[] = [];
  readonly effects = new Map<LocalChange, Effect[]>();
  /** Changes that were settled as applied without an effect of their own, rightly. */
  readonly needless = new Set<LocalChange>();
  /** After a restore older states come back: what was shown says nothing any more. */
  isRestored = false;
  private readonly court: Court;
  private readonly byKey = new Map<string, LocalChange>();
  private readonly writers = new Map<unknown, LocalChange | 'office'>();
  private readonly order = new Map<LocalChange, number>();
  /** The last change of a device on a record that had its effect. */
  private readonly lastEffect = new Map<string, LocalChange>();
  /** The last known state on which a call was noted. */
  private readonly noted = new Map<LocalChange, Fields | null>();
  private readonly fates = new Map<LocalChange, PushStatus>();
  private readonly versions = new Map<WatchedDevice, Map<string, number>>();
  private readonly shown = new Map<string, { value: unknown; readonly earlier: Set<unknown> }>();

  constructor(court: Court) {
    this.court = court;
  }

  fail(what: string): void {
    this.breach ??= new Breach(what);
  }

  made(change: LocalChange): void {
    this.order.set(change, this.changes.length);
    this.changes.push(change);
    this.byKey.set(this.court.idempotencyKeyOf(change), change);
    for (const field of TELLING) if (field in change.fields) this.writers.set(change.fields[field], change);
  }

  officeWrote(fields: Fields): void {
    for (const field of TELLING) if (field in fields) this.writers.set(fields[field], 'office');
  }

  changeOfKey(idempotencyKey: string | null): LocalChange | undefined {
    return idempotencyKey === null ? undefined : this.byKey.get(idempotencyKey);
  }

  effectsOf(change: LocalChange): readonly Effect[] {
    return this.effects.get(change) ?? [];
  }

  writerOf(value: unknown): LocalChange | 'office' | undefined {
    return this.writers.get(unaltered(value));
  }

  /** A call is noted: what the gateway knew of the record then. */
  noteSent(device: string, changeId: string, body: Fields | null): void {
    const change = this.changes.find((one) => one.device === device && one.changeId === changeId);
    if (change !== undefined) this.noted.set(change, body);
  }

  /** (b), (c), lost updates and order, at the moment of each effect. */
  effect(effect: Effect): void {
    const change = this.changeOfEffect(effect);
    if (change === undefined) return this.fail(`(d) ${describe(effect)}: nobody made this change`);
    const earlier = this.effects.get(change) ?? [];
    this.effects.set(change, [...earlier, effect]);
    if (earlier.length > 0 && !this.isGoneAgain(earlier, effect)) return this.fail(`(c) applied twice: ${change}`);
    if (isRefusal(this.fates.get(change)) && !this.isRestored) {
      return this.fail(`(b) refused, and applied after that: ${change}`);
    }
    const lane = `${change.device} ${keyOf(change)}`;
    const last = this.lastEffect.get(lane);
    // After a restore nobody knows that it was made and deleted again, and both come once more.
    const isOnceMore = earlier.length > 0 && this.isRestored;
    if (last !== undefined && !isOnceMore && (this.order.get(last) ?? 0) > (this.order.get(change) ?? 0)) {
      return this.fail(`(R8) ${change} came after ${last}, which was made later`);
    }
    this.lastEffect.set(lane, change);
    const patient = effect.sent['patient'] ?? null;
    if (patient !== null && !this.court.hadKey('patients', String(patient))) {
      return this.fail(`(R12) ${change} was sent before the source knew ${String(patient)}`);
    }
    if (effect.kind !== 'create') this.checkLostUpdate(change, effect);
  }

  /**
   * A create that nobody saw, whose record the source's own people deleted before it could be read back: no source can tell it from
   * one that never arrived (F4), and it is sent again.
   */
  private isGoneAgain(effects: readonly Effect[], now: Effect): boolean {
    const isGone = (key: string): boolean =>
      (key === now.key ? now.before : this.court.rowOf(now.collection, key)) === null;
    return effects.every(({ kind, key }) => kind === 'create' && isGone(key));
  }

  /** A value that its author had not seen must not be replaced without anybody's noticing (R9). */
  private checkLostUpdate(change: LocalChange, effect: Effect): void {
    const { policy, facts } = this.court.plans.get(effect.collection) as CollectionPlan;
    // Where versions are declared and can be read there is always a guard.
    const isGuarded = facts.readOne && (effect.kind === 'update' ? facts.updateGuard : facts.deleteGuard) === 'version';
    if (policy === 'deviceWins' || policy === 'newestWins' || effect.before === null) return;
    for (const field of TELLING) {
      if (effect.kind === 'update' && !(field in effect.sent)) continue;
      const replaced = effect.before[field] ?? null;
      if (replaced === null || this.hasSeen(change, field, replaced)) continue;
      // Without a guard the source may change between check and write; what the gateway knew before it called counts.
      if (!isGuarded && (this.noted.get(change)?.[field] ?? null) !== replaced) continue;
      return this.fail(
        `(R9) lost update: ${change} replaced ${field} ${String(replaced)}, which its author had not seen`,
      );
    }
  }

  private hasSeen(change: LocalChange, field: string, value: unknown): boolean {
    const seen = change.seen.get(field);
    // What the source made of a value is that value.
    if (seen?.has(value) === true || seen?.has(unaltered(value)) === true) return true;
    const writer = this.writerOf(value);
    return writer !== undefined && writer !== 'office' && writer.device === change.device;
  }

  /** Whose it is says its key, or, where a fault changed that, what it wrote. */
  private changeOfEffect({ idempotencyKey, sent }: Effect): LocalChange | undefined {
    const byKey = this.byKey.get(idempotencyKey);
    if (byKey !== undefined) return byKey;
    const writers = TELLING.map((field) => this.writerOf(sent[field] ?? null));
    return writers.find((writer) => writer !== undefined && writer !== 'office');
  }

  /**
   * R10: what a device is told is durable by then. And of one that has not heard of a restore nothing is taken (F5, R8).
   *
   * @param epoch the one that the device knew when it pushed
   */
  async told(
    device: WatchedDevice,
    batch: readonly LocalChange[],
    results: readonly PushResult[],
    epoch: string | null,
  ): Promise<void> {
    const kept = batch.filter((_change, at) => isKept(results[at]));
    const [first] = kept;
    if (first !== undefined && epoch !== null && epoch !== (await this.court.epoch()))
      this.fail(`(R8) taken from a device that has not heard of the restore: ${first}`);
    const known = await this.court.knownIds(
      device,
      kept.map((change) => change.changeId),
    );
    const lost = kept.find((change) => !known.has(change.changeId));
    if (lost !== undefined) this.fail(`(b) accepted, but not kept: ${lost}`);
  }

  /** The fate of a change is kept. */
  settled(device: string, changeId: string, status: PushStatus): void {
    const change = this.changes.find((one) => one.device === device && one.changeId === changeId);
    if (change === undefined) return;
    this.fates.set(change, status);
    if (!isRefusal(status) && this.effectsOf(change).length === 0 && this.isNeedless(change, status))
      this.needless.add(change);
    if (!isRefusal(status) || this.isRestored) return;
    const effect = this.effectsOf(change)[0];
    if (effect !== undefined && !this.isOverwritten(effect, status))
      this.fail(`(b) ${status}, but in effect: ${change}`);
  }

  /** What was to be done was done already: by the source's own people, who were first, or by an earlier change of the same value. */
  private isNeedless(change: LocalChange, status: PushStatus): boolean {
    const row = this.court.recordOf(change);
    if (change.kind === 'DELETE') return row === null;
    const sent = Object.keys(change.fields).filter(
      (field) => status === 'APPLIED' || !TELLING.some((one) => one === field),
    );
    return row !== null && sent.every((field) => row[field] === change.fields[field]);
  }

  fateOf(change: LocalChange): PushStatus | undefined {
    return this.fates.get(change);
  }

  /**
   * F4: a call whose outcome was unknown took effect, and was altered by the source or overwritten before anybody could read it
   * back. Its device is told CONFLICT, which is as true as anything that can be known. A create whose record was deleted since, and that
   * is refused when it is sent again, is not in effect any more.
   */
  isOverwritten(effect: Effect, status: PushStatus): boolean {
    const row = this.court.rowOf(effect.collection, effect.key);
    if (status === 'REJECTED' && effect.kind === 'create') return row === null;
    if (status !== 'CONFLICT') return false;
    if (effect.kind === 'delete') return row !== null;
    return row === null || Object.entries(effect.sent).some(([field, value]) => row[field] !== value);
  }

  /** (f), (g), and that nobody sees what nobody wrote. */
  applied(device: WatchedDevice, page: PullPage, changes: readonly Change[], before: string | null): void {
    this.checkCheckpoint(device, page, before);
    let versions = this.versions.get(device);
    if (versions === undefined || page.reset || before === null) this.versions.set(device, (versions = new Map()));
    for (const change of changes) {
      const key = keyOf(change);
      if (change.kind !== 'UPSERT') continue;
      if (change.json === null) return this.fail(`(a) ${device.name} is shown ${key} without its fields`);
      const seq = Number(change.version.split('.')[1]);
      const before = versions.get(key) ?? 0;
      if (seq < before) this.fail(`(f) ${device.name}: ${key} goes back from ${before} to ${seq}`);
      versions.set(key, seq);
      for (const field of TELLING) {
        const value = change.json[field] ?? null;
        if (value !== null && this.writerOf(value) === undefined)
          this.fail(`${device.name} sees ${String(value)}, which nobody wrote`);
      }
    }
  }

  private checkCheckpoint(device: WatchedDevice, page: PullPage, held: string | null): void {
    if (held === null || page.reset) return;
    const [before, after] = [placeOf(held), placeOf(page.checkpoint)];
    if (before.epoch === after.epoch && after.seq < before.seq) {
      this.fail(`(g) the checkpoint of ${device.name} goes back from ${before.seq} to ${after.seq}`);
    }
  }

  /** No flicker: an own edit does not vanish and come back, and a refused one stays away. */
  shows(device: WatchedDevice): void {
    if (this.isRestored) return;
    for (const key of device.keys()) {
      const fields = device.shown(key);
      for (const field of TELLING) {
        const name = `${device.name} ${key} ${field}`;
        const value = fields?.[field] ?? null;
        const shown = this.shown.get(name);
        if (fields === null || shown === undefined) {
          if (fields === null) this.shown.delete(name);
          else this.shown.set(name, { value, earlier: new Set() });
          continue;
        }
        if (value === shown.value) continue;
        const writer = this.writerOf(shown.value);
        const isOwn = writer !== undefined && writer !== 'office' && writer.device === device.name;
        const isBack = shown.earlier.has(value) && !this.isInEffectAfterAll(value);
        if (isBack && isOwn && !this.isFallen(writer) && !this.isAltered(shown.value, value)) {
          this.fail(
            `flicker on ${device.name}: ${key} ${field} goes from its own ${String(shown.value)} back to ${String(value)}`,
          );
        }
        shown.earlier.add(shown.value);
        shown.value = value;
      }
    }
  }

  /** Told so, or settled so: a receipt may be purged before its device comes back. */
  private isFallen(change: LocalChange): boolean {
    return [...change.told, this.fates.get(change)].some(isFall);
  }

  /** Its device was told CONFLICT of what may have taken effect (F4), and it did: what the source has comes back with the next pull. */
  private isInEffectAfterAll(value: unknown): boolean {
    const writer = this.writerOf(value);
    return writer !== undefined && writer !== 'office' && this.isFallen(writer) && this.effectsOf(writer).length > 0;
  }

  private isAltered(a: unknown, b: unknown): boolean {
    return this.writerOf(a) === this.writerOf(b);
  }
}

function unaltered(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/~+$/, '') : value;
}

function isKept(result: PushResult | undefined): boolean {
  return result !== undefined && ['ACCEPTED', 'PARKED', 'APPLIED', 'MERGED'].includes(result.status);
}

/** What the signed part of a checkpoint says. */
function placeOf(checkpoint: string): { readonly epoch: string; readonly seq: number } {
  const { e, s } = JSON.parse(Buffer.from(checkpoint.split('.')[0] ?? '', 'base64url').toString()) as {
    e: string;
    s: number;
  };
  return { epoch: e, seq: s };
}

export function describe(effect: Effect): string {
  return `${effect.kind} ${effect.collection} ${effect.key} ${JSON.stringify(effect.sent)}`;
}
