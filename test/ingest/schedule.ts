import fc from '../support/properties.js';
import type { Fields, RecordId } from '../../src/core/change.js';
import type { LeasedIntent } from '../../src/core/outbox-port.js';
import type { SourceCollection, SourceFacts } from '../../src/core/source-port.js';
import type { Store } from '../../src/core/store-port.js';
import { VISITS } from '../contract/store/world.js';
import { createIngestingClinic, type IngestingClinic } from './ingesting-clinic.js';
import { createToySource, unavailable, type ToySource } from './toy-source.js';

const HOUR_MS = 3_600_000;
const RECORDS = 7;

/** What happens while the source is about to answer a call: the office, devices, the source's own troubles. */
const ACTION = fc.record({
  what: fc.constantFrom(
    'edit',
    'add',
    'remove',
    'flag',
    'restore',
    'move',
    'fail',
    'blank',
    'unblank',
    'send',
    'take',
    'settle',
    'park',
    'pass',
    'poll',
  ),
  n: fc.nat(20),
});
export type Action = typeof ACTION extends fc.Arbitrary<infer T> ? T : never;

/** What a schedule is made of: the source's facts, what happens at each of its calls, and between rounds. */
export const SCHEDULE = fc.record({
  facts: fc.record<Partial<SourceFacts>>({
    changes: fc.constantFrom('updatedSince', 'list'),
    scanPaging: fc.constantFrom('keyset', 'offset', 'whole'),
    deletions: fc.constantFrom('scan', 'flag'),
    readOne: fc.boolean(),
  }),
  atCalls: fc.array(fc.array(ACTION, { maxLength: 2 }), { maxLength: 60 }),
  between: fc.array(fc.array(ACTION, { maxLength: 3 }), { minLength: 1, maxLength: 6 }),
});
export type Schedule = typeof SCHEDULE extends fc.Arbitrary<infer T> ? T : never;

/** A write through us: SENT here, then taken by the source, then settled here. */
interface Underway {
  readonly intent: LeasedIntent;
  readonly fields: Fields;
  taken: boolean;
}

/** One run of a schedule: the world that it changes, and what must hold at each commit. */
class Run {
  readonly underway = new Map<string, Underway>();
  readonly parked = new Set<string>();
  private revision = 0;
  private roundBeganAt = 0;
  /** One outage a round, of any length and at any time: nothing is proof against a source that flickers. */
  private hadOutage = false;
  private isPolling = false;
  private readonly clinic: IngestingClinic;
  private readonly source: ToySource;

  constructor(clinic: IngestingClinic, source: ToySource) {
    this.clinic = clinic;
    this.source = source;
  }

  beginRound(): void {
    this.roundBeganAt = this.source.time();
    this.hadOutage = false;
  }

  private unblank(): void {
    this.hadOutage ||= this.source.isBlank;
    this.source.isBlank = false;
  }

  async act({ what, n }: Action): Promise<void> {
    const { clinic, source } = this;
    const alive = source.keys();
    const key = alive[n % Math.max(1, alive.length)];
    const known = `v${n % RECORDS}`;
    if (what === 'add') source.put(`n${n}`, this.fields());
    else if (what === 'restore') source.put(known, this.fields());
    else if (what === 'blank') {
      // Without keyed reads nothing tells a list cut short from records that are gone.
      source.isBlank = source.facts.readOne && !this.hadOutage;
    } else if (what === 'unblank') this.unblank();
    else if (what === 'poll') await this.pollBeside();
    else if (what === 'pass') clinic.clock.advance(n * 100);
    else if (what === 'fail') throw unavailable('503');
    else if (what === 'send') await this.send(known, n % 3 === 0 ? uuid(n) : known);
    else if (what === 'take') this.take(n);
    else if (what === 'settle' || what === 'park') await this.end(n, what);
    else if (key !== undefined) {
      if (what === 'edit') source.put(key, this.fields());
      if (what === 'remove') source.remove(key);
      if (what === 'flag' && source.facts.deletions === 'flag') source.flag(key);
      if (what === 'move') source.moveTo(key, n % alive.length);
    }
  }

  /** Polls, if a scan is what waits for the source now, and goes on beside. */
  private async pollBeside(): Promise<void> {
    const { changes, readOne } = this.source.facts;
    if (this.source.calls.at(-1) !== 'page' || changes === 'list' || !readOne || this.isPolling) return;
    this.isPolling = true;
    await this.clinic.poller.round(VISITS).catch(() => undefined);
    this.isPolling = false;
  }

  /** Every write that is under way ends. */
  async endAll(): Promise<void> {
    while (this.underway.size > 0) await this.end(0, 'settle');
  }

  /**
   * R14, held at each commit of ingest: a record that becomes a tombstone was gone at the source at some time since its round
   * began. R15: no state is replaced by an older one.
   */
  async check(request: Parameters<Store['commit']>): Promise<void> {
    const [, writes, context] = request;
    if (context?.ingest === undefined && context?.fence === undefined) return;
    for (const { id, next } of writes) {
      if (next === undefined) continue;
      if (next.deleted && !this.wasGone(id)) throw new Error(`invented the end of ${id}`);
      if (next.deleted) continue;
      const before = await this.clinic.record(id);
      if (before.seq !== 0 && !before.deleted && revisionOf(next.body) < revisionOf(before.body)) {
        throw new Error(`brought back an older ${id}`);
      }
    }
  }

  /** At some time between the round's beginning and now. */
  private wasGone(key: string): boolean {
    const ofKey = this.source.journal.filter((entry) => entry.key === key);
    const atBegin = ofKey.findLast((entry) => entry.at <= this.roundBeganAt);
    const since = ofKey.filter((entry) => entry.at > this.roundBeganAt);
    return [...since, atBegin].some((entry) => entry?.what !== 'put');
  }

  private fields(): Fields {
    return { note: String(++this.revision).padStart(4, '0'), route: String(this.revision % 3) };
  }

  private async send(known: string, key: string): Promise<void> {
    if (this.underway.has(key) || this.parked.has(key)) return;
    const record = await this.clinic.record(key);
    if (record.deleted || (key === known && record.seq === 0)) return;
    const fields = this.fields();
    this.underway.set(key, { intent: await this.clinic.send(key, fields), fields, taken: false });
  }

  /** The source takes the write, unless it lost the record meanwhile: it then refuses it. */
  private take(n: number): void {
    const [key, write] = [...this.underway][n % Math.max(1, this.underway.size)] ?? [];
    if (key === undefined || write === undefined || write.taken) return;
    if (key.includes('-') || this.source.has(key)) {
      write.taken = true;
      this.source.put(key, write.fields);
    }
  }

  private async end(n: number, how: 'settle' | 'park'): Promise<void> {
    const [key, write] = [...this.underway][n % Math.max(1, this.underway.size)] ?? [];
    if (key === undefined || write === undefined) return;
    this.underway.delete(key);
    if (how === 'park' || !write.taken) {
      this.parked.add(key);
      await this.clinic.park(write.intent);
    } else await this.clinic.settle(write.intent, write.fields);
  }
}

/**
 * Runs a schedule, lets everything heal, and tells what the feed then holds and what it should.
 *
 * @param reach how ingest reaches the source; by default as it is. What it reaches it with has to run `before`, and may make trouble of its
 *   own while `isTroubled` says so
 * @throws Error what a commit of ingest did against R14 or R15
 */
export async function runSchedule(
  { facts, atCalls, between }: Schedule,
  reach: (source: ToySource, isTroubled: () => boolean) => SourceCollection = (source) => source,
): Promise<Comparison> {
  const source = createToySource({ ...facts, concurrency: 1, scanEveryMs: 1_000 });
  for (let n = 0; n < RECORDS; n++) source.put(`v${n}`, { note: '0000', route: '1' });
  let fault: unknown = null;
  let run: Run | null = null;
  const wrap = (store: Store): Store => ({
    ...store,
    async commit(...request) {
      await run?.check(request).catch((thrown: unknown) => (fault ??= thrown));
      return store.commit(...request);
    },
  });
  let isTroubled = false;
  const clinic = await createIngestingClinic([reach(source, () => isTroubled)], { wrap });
  await clinic.poller.round(VISITS);
  run = new Run(clinic, source);
  const script = [...atCalls];
  isTroubled = true;
  const goOn = async (): Promise<void> => {
    for (const action of script.shift() ?? []) await run.act(action);
  };
  source.before = goOn;
  source.sent = goOn;
  for (const actions of between) {
    for (const action of actions) if (action.what !== 'fail') await run.act(action);
    run.beginRound();
    clinic.clock.advance(1_000);
    await clinic.poller.round(VISITS).catch(() => undefined);
  }
  if (fault !== null) throw fault as Error;

  isTroubled = false;
  source.before = source.sent = () => undefined;
  source.isBlank = false;
  await run.endAll();
  // Where every record is gone there is no canary, and the last ones stay.
  source.put('anchor', { note: '0000', route: '1' });
  // Two: one that reads and scans, one for what the first put on the recheck list.
  for (let round = 0; round < 2; round++) {
    run.beginRound();
    clinic.clock.advance(2 * HOUR_MS);
    await clinic.poller.round(VISITS);
  }
  if (fault !== null) throw fault as Error;
  return compare(clinic, source, run);
}

export interface Comparison {
  readonly held: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, unknown>>;
  readonly rechecks: readonly string[];
}

async function compare(clinic: IngestingClinic, source: ToySource, run: Run): Promise<Comparison> {
  const { facts } = source;
  const held = { ...(await clinic.live()) };
  const expected = Object.fromEntries(source.keys().map((key) => [key, source.fieldsOf(key)]));
  const isObservable = facts.readOne || (facts.deletions === 'scan' && facts.scanPaging !== 'offset');
  for (const key of Object.keys(held)) {
    // Where ends cannot be observed, and while an operator has to settle a change of it, a record stays.
    if (!(key in expected) && (!isObservable || run.parked.has(key))) delete held[key];
  }
  const rechecks = (await clinic.rechecks()).map((one) => one.sourceKey as string);
  const isEndless = (key: string): boolean => run.parked.has(key) || (!isObservable && !(key in expected));
  return { held, expected, rechecks: rechecks.filter((key) => !isEndless(key)) };
}

const revisionOf = (body: string | null): number => Number((JSON.parse(body ?? '{}') as { note?: string }).note ?? 0);

function uuid(n: number): RecordId {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` as RecordId;
}
