import fc from '../support/properties.js';
import { collection, defineConnector, field, link } from '../../src/connectors/define.js';
import { get } from '../../src/connectors/rest.js';
import { createSource } from '../../src/connectors/source.js';
import type { OpenTransport, Transport } from '../../src/connectors/transport.js';
import { zoneNamed } from '../../src/connectors/zone.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { createManualClock } from '../support/manual-clock.js';
import { seededChance } from '../support/seeded-chance.js';

// Whether any sequence of edits, breaks and restarts can hide a change from the poller: a source in memory, whose edits
// become visible late, behind the real reads, guard and paging.

interface Facts {
  readonly precisionMs: number;
  readonly inclusive: boolean;
  readonly ordered: boolean;
  readonly showsStamps: boolean;
  readonly zone: 'UTC' | 'Europe/Berlin';
  readonly maxTransactionMs: number;
  readonly readAfterWriteMs: number;
  /** From the moment when the rows are looked up until the answer is dated. */
  readonly answerMs: number;
  readonly pageSize: number;
}

type Step =
  | { readonly kind: 'edit'; readonly key: number; readonly lateShare: number }
  | { readonly kind: 'pass'; readonly ms: number }
  /** Broken off after so many batches; the next one goes on from a cursor that was given out so many cursors ago. */
  | { readonly kind: 'poll'; readonly breakAfter: number; readonly cursorsBack: number };

interface Edit {
  readonly key: string;
  readonly text: string;
  readonly stamp: string;
  readonly visibleAtMs: number;
}

/** Half an hour before Berlin shows the hour from two to three for the second time. */
const AUTUMN = Date.UTC(2026, 9, 25, 0, 30);
const HOUR_MS = 3_600_000;
const NEVER = new AbortController().signal;

function startWorld(facts: Facts) {
  const clock = createManualClock(AUTUMN);
  const zone = zoneNamed(facts.zone);
  const edits: Edit[] = [];
  let isBusy = true;
  const silent = (): void => undefined;

  function visible(): readonly Edit[] {
    const rows = new Map<string, Edit>();
    const seen = edits.filter(({ visibleAtMs }) => visibleAtMs <= clock.nowMs());
    for (const edit of seen.sort((a, b) => a.visibleAtMs - b.visibleAtMs)) rows.set(edit.key, edit);
    const order = facts.ordered ? (row: Edit) => row.stamp : (row: Edit) => row.key;
    return [...rows.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
  }

  function edit(key: string, lateMs: number): void {
    const stamp = zone.localText(Math.floor(clock.nowMs() / facts.precisionMs) * facts.precisionMs);
    edits.push({ key, text: `edit ${edits.length}`, stamp, visibleAtMs: clock.nowMs() + lateMs });
  }

  /** Pages of one look at the table, like those behind a cursor of the database. */
  function answer(since: string | undefined, next: string | null) {
    const found =
      next === null
        ? visible().filter(({ stamp }) => since === undefined || stamp > since || (facts.inclusive && stamp === since))
        : (JSON.parse(next) as readonly Edit[]);
    clock.advance(facts.answerMs / 2);
    // While the answer is on its way people go on working.
    if (isBusy && facts.answerMs > 0) edit('V-6', 0);
    clock.advance(facts.answerMs / 2);
    const rest = found.slice(facts.pageSize);
    return {
      rows: found.slice(0, facts.pageSize).map(({ key, text, stamp }) => ({ id: key, text, stamp })),
      total: null,
      more: null,
      next: rest.length === 0 ? null : JSON.stringify(rest),
      // As in a Date header: whole seconds.
      serverTimeMs: Math.floor(clock.nowMs() / 1_000) * 1_000,
    };
  }

  const transport: Transport = {
    kit: 'rest',
    textOnly: false,
    limits: { concurrent: 2, perSecond: null, timeoutMs: HOUR_MS },
    headers: {},
    auth: null,
    misfits: [],
    misfitOf: () => null,
    open: () =>
      ({
        readPage: (_operation, args, next) => Promise.resolve(answer(args['since'] as string | undefined, next)),
        close: () => Promise.resolve(),
      }) satisfies Partial<OpenTransport> as unknown as OpenTransport,
  };
  const visits = collection({
    type: 'Visit',
    key: 'id',
    fields: { text: field.string() },
    read: {
      list: get('/visits', { paging: link() }),
      readAfterWrite: `${facts.readAfterWriteMs}ms`,
      changes: {
        param: 'since',
        precision: `${facts.precisionMs}ms`,
        inclusive: facts.inclusive,
        ordered: facts.ordered,
        maxTransaction: `${facts.maxTransactionMs}ms`,
        zone: facts.zone,
        format: 'local',
        ...(facts.showsStamps ? { stamp: 'stamp' } : {}),
      },
    },
  });
  const source = createSource(defineConnector({ source: 'clinic', transport, collections: { visits } }), {
    clock,
    chance: seededChance(1),
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
  return {
    collection: source.collections[0] as SourceCollection,
    pass: (ms: number) => clock.advance(ms),
    edit,
    closeForToday: () => void (isBusy = false),
    /** The source's present rows. */
    rows: () => new Map(visible().map(({ key, text }) => [key, text])),
  };
}

/** So long after its time a change may show itself: its transaction ends, and then a replica follows. */
function latestMs({ maxTransactionMs, readAfterWriteMs }: Facts): number {
  return maxTransactionMs + readAfterWriteMs;
}

const facts: fc.Arbitrary<Facts> = fc.record({
  precisionMs: fc.constantFrom(1, 1_000, 60_000),
  inclusive: fc.boolean(),
  ordered: fc.boolean(),
  showsStamps: fc.boolean(),
  zone: fc.constantFrom('UTC', 'Europe/Berlin'),
  maxTransactionMs: fc.constantFrom(0, 700, 30_000),
  readAfterWriteMs: fc.constantFrom(0, 60_000),
  answerMs: fc.constantFrom(0, 40, 4_000),
  pageSize: fc.constantFrom(1, 3, 100),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('edit' as const),
    key: fc.nat(5),
    lateShare: fc.double({ min: 0, max: 1, noNaN: true }),
  }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.oneof(fc.nat(3), fc.nat(2_000), fc.nat(HOUR_MS)) }),
  fc.record({
    kind: fc.constant('poll' as const),
    breakAfter: fc.constantFrom(1, 2, 99),
    cursorsBack: fc.constantFrom(0, 0, 0, 1, 5),
  }),
);

test('R16: polling misses no edit, however late it shows, and from whichever cursor a restart goes on', async () => {
  await fc.assert(
    fc.asyncProperty(facts, fc.array(step, { minLength: 5, maxLength: 60 }), async (given, steps) => {
      const world = startWorld(given);
      const known = new Map<string, unknown>();
      const cursors: (string | null)[] = [null];

      async function poll(breakAfter: number, cursorsBack: number): Promise<void> {
        let batches = 0;
        const from = cursors[Math.max(0, cursors.length - 1 - cursorsBack)] ?? null;
        for await (const { observations, cursor } of world.collection.readChanges(from, NEVER)) {
          for (const { sourceKey, fields: seen } of observations) known.set(sourceKey, seen?.['text']);
          if (cursor !== undefined) cursors.push(cursor);
          batches += 1;
          if (batches === breakAfter) return;
        }
      }

      for (const one of steps) {
        if (one.kind === 'pass') world.pass(one.ms);
        else if (one.kind === 'poll') await poll(one.breakAfter, one.cursorsBack);
        else world.edit(`V-${one.key}`, Math.floor(one.lateShare * latestMs(given)));
      }
      world.closeForToday();
      await poll(99, 0);
      world.pass(latestMs(given));
      await poll(99, 0);
      expect(new Map([...known].sort())).toEqual(new Map([...world.rows()].sort()));
    }),
    { numRuns: 400 },
  );
});
