import fc from '../support/properties.js';
import { changeNumber, collection, defineConnector, deletesByLog, field, keyset } from '../../src/connectors/define.js';
import { CallFault, type FaultKind } from '../../src/connectors/fault.js';
import type { PageAnswer, PageArguments } from '../../src/connectors/paging.js';
import { get } from '../../src/connectors/rest.js';
import { createSource } from '../../src/connectors/source.js';
import type { OpenTransport, Transport } from '../../src/connectors/transport.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { createIngestingClinic } from '../ingest/ingesting-clinic.js';
import { createManualClock } from '../support/manual-clock.js';
import { seededChance } from '../support/seeded-chance.js';

// Whether any order of edits, deletions, late entries, lost pages, ends of our process and losses of the log can invent a deletion, or hide one
// after the next complete poll: a source in memory behind the real reads, guard, paging and ingest.

interface Facts {
  readonly by: 'number' | 'time';
  readonly inclusive: boolean;
  readonly pageSize: number;
  /** Entries show when they were made; else the source's clock tells it. */
  readonly isStamped: boolean;
  readonly readOne: boolean;
}

type Step =
  | { readonly kind: 'edit'; readonly key: number }
  /** The entry shows itself so many tenths of the longest transaction later. */
  | { readonly kind: 'remove'; readonly key: number; readonly lateTenths: number }
  | { readonly kind: 'pass'; readonly ms: number }
  /** We are away for longer than the log keeps entries. */
  | { readonly kind: 'away' }
  /** The log has nothing of what it had. */
  | { readonly kind: 'empty' }
  /** Our process ends, and another goes on from the saved cursor. */
  | { readonly kind: 'restart' }
  | {
      readonly kind: 'poll';
      readonly failing: number;
      readonly how: 'lost' | 'forgotten' | FaultKind;
    };

interface Entry {
  readonly key: string;
  readonly number: number;
  readonly atMs: number;
  readonly shownMs: number;
}

const VISITS = 'visits';
const LATE_MS = 4_000;
const PRECISION_MS = 1_000;
const KEPT_MS = 1_200_000;

const member = (row: object, name: string): string => String((row as Readonly<Record<string, unknown>>)[name]);

async function startWorld(facts: Facts) {
  const rows = new Map<string, { readonly text: string; readonly atMs: number }>();
  let entries: readonly Entry[] = [];
  let seen: readonly Entry[] = [];
  let number = 0;
  let failing = 0;
  let how: (Step & { readonly kind: 'poll' })['how'] = 'lost';
  let nowMs = (): number => 0;

  const floor = (ms: number): number => Math.floor(ms / PRECISION_MS) * PRECISION_MS;

  function pageOf(all: readonly object[], after: unknown, by: string): PageAnswer {
    const sorted = all.toSorted((a, b) => (member(a, by) < member(b, by) ? -1 : 1));
    const rest = after === undefined ? sorted : sorted.filter((one) => member(one, by) > String(after));
    const serverTimeMs = floor(nowMs());
    return { rows: rest.slice(0, facts.pageSize), total: null, more: null, next: null, serverTimeMs };
  }

  function visits(args: PageArguments): PageAnswer {
    const from = Date.parse(String(args['since'] ?? '1970-01-01'));
    const found = [...rows].filter(([, { atMs }]) => floor(atMs) >= from);
    const shown = found.map(([id, { text, atMs }]) => ({ id, text, at: new Date(floor(atMs)).toISOString() }));
    return pageOf(shown, args['after'], 'id');
  }

  function deleted(args: PageArguments): PageAnswer {
    const given = facts.by === 'number' ? Number(args['from']) : Date.parse(String(args['from']));
    const found = entries.filter((one) => {
      const place = facts.by === 'number' ? one.number : floor(one.atMs);
      const isKept = nowMs() - one.atMs < KEPT_MS;
      return isKept && one.shownMs <= nowMs() && (facts.inclusive ? place >= given : place > given);
    });
    const shown = found.map((one) => ({
      visit: one.key,
      seq: one.number,
      order: `${String(one.number).padStart(6, '0')}`,
      ...(facts.isStamped ? { at: new Date(floor(one.atMs)).toISOString() } : {}),
    }));
    return pageOf(shown, args['after'], 'order');
  }

  function called<T>(answer: () => T): T {
    failing -= 1;
    if (failing === 0 && how === 'forgotten')
      throw new CallFault('badAnswer', 'gone', { status: 410, sourceIsSick: false });
    if (failing === 0 && how !== 'lost' && how !== 'forgotten')
      throw new CallFault(how, 'as the test wants it', { sourceIsSick: false });
    const given = answer();
    if (failing === 0) throw new CallFault('badAnswer', 'the answer is lost', { sourceIsSick: false });
    return given;
  }

  const transport: Transport = {
    kit: 'rest',
    textOnly: false,
    limits: { concurrent: 2, perSecond: null, timeoutMs: 3_600_000 },
    headers: {},
    auth: null,
    misfits: [],
    misfitOf: () => null,
    open: () =>
      ({
        readPage: (operation, args) =>
          new Promise((resolve) =>
            resolve(
              called(() => ((operation as { path?: string }).path === '/deleted' ? deleted(args) : visits(args))),
            ),
          ),
        readRow: (_operation, [key = '']) => {
          const found = rows.get(key);
          return Promise.resolve(found === undefined ? 'absent' : { row: { id: key, text: found.text }, tag: null });
        },
        close: () => Promise.resolve(),
      }) satisfies Partial<OpenTransport> as unknown as OpenTransport,
  };
  const paging = (by: string) => keyset({ by, afterIn: 'after', inclusive: false, size: facts.pageSize });
  const definition = collection({
    type: 'Visit',
    key: 'id',
    keysReused: false,
    fields: { text: field.string() },
    read: {
      list: get('/visits', { paging: paging('id') }),
      ...(facts.readOne ? { one: get('/visits/{key}') } : {}),
      changes: {
        param: 'since',
        stamp: 'at',
        precision: '1s',
        inclusive: true,
        ordered: false,
        maxTransaction: '0s',
      },
      deletes: deletesByLog({
        list: get('/deleted', { paging: paging('order') }),
        key: 'visit',
        keepsFor: '20m',
        // A scan that nothing asks for comes after the end of every run.
        every: '20d',
        comesBack: facts.readOne,
        since:
          facts.by === 'number'
            ? changeNumber({ param: 'from', member: 'seq', inclusive: facts.inclusive, longestTransaction: '4s' })
            : {
                param: 'from',
                precision: '1s',
                inclusive: facts.inclusive,
                maxTransaction: '4s',
                ...(facts.isStamped ? { stamp: 'at' } : {}),
              },
      }),
    },
  });
  const connector = defineConnector({ source: 'clinic', transport, collections: { visits: definition } });
  const hands = createManualClock();
  const silent = (): void => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const open = (): SourceCollection =>
    createSource(connector, { clock: hands, chance: seededChance(1), log }).collections[0] as SourceCollection;
  let current = open();
  // What a restart puts another process behind.
  const source: SourceCollection = {
    collection: current.collection,
    facts: current.facts,
    isDown: () => current.isDown(),
    readChanges: (cursor, signal) => current.readChanges(cursor, signal),
    scan: (signal, isProof) => current.scan(signal, isProof),
    readOne: (key, signal) => current.readOne(key, signal),
    write: (write, signal) => current.write(write, signal),
  };
  const clinic = await createIngestingClinic([source]);
  nowMs = () => clinic.clock.nowMs();

  function pass(ms: number): void {
    clinic.clock.advance(ms);
    hands.advance(ms);
  }

  return {
    rows,
    clinic,
    pass,
    edit(key: string): void {
      number += 1;
      rows.set(key, { text: `edit ${number}`, atMs: nowMs() });
    },
    remove(key: string, lateTenths: number): void {
      if (!rows.delete(key)) return;
      number += 1;
      entries = [...entries, { key, number, atMs: nowMs(), shownMs: nowMs() + (LATE_MS * lateTenths) / 10 }];
    },
    /** Where nothing of it was seen, nobody can tell a log that was emptied from one of a day without deletions. */
    empty(): void {
      if (seen.some((one) => nowMs() - one.atMs < KEPT_MS / 2)) entries = seen = [];
    },
    restart: () => void (current = open()),
    fail(call: number, kind: typeof how): void {
      failing = call;
      how = kind;
    },
    async poll(): Promise<void> {
      await clinic.poller.round(VISITS);
      if (facts.isStamped || facts.by === 'number') seen = entries.filter(({ shownMs }) => shownMs <= nowMs());
    },
    known: async () => new Map(Object.entries(await clinic.live()).map(([key, { text }]) => [key, text])),
  };
}

const facts: fc.Arbitrary<Facts> = fc.record({
  by: fc.constantFrom('number' as const, 'time' as const),
  inclusive: fc.boolean(),
  pageSize: fc.constantFrom(1, 2, 100),
  isStamped: fc.boolean(),
  readOne: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('edit' as const), key: fc.nat(7) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      key: fc.nat(7),
      lateTenths: fc.constantFrom(0, 0, 3, 9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 700, 3_000, 9_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ kind: 'away' as const }, { kind: 'empty' as const }, { kind: 'restart' as const }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('poll' as const),
      failing: fc.constantFrom(0, 0, 0, 1, 2, 3, 4),
      how: fc.constantFrom('lost' as const, 'forgotten' as const, 'notSent' as const, 'badAnswer' as const),
    }),
  },
);

test('R14, R16: a log of deletions invents none and hides none, whatever is late, lost, forgotten or broken off', async () => {
  await fc.assert(
    fc.asyncProperty(facts, fc.array(step, { minLength: 5, maxLength: 40 }), async (given, steps) => {
      const world = await startWorld(given);
      /** Keys that were deleted at some time, for which a tombstone may stand until the next complete poll. */
      const removed = new Set<string>();
      for (let key = 0; key < 4; key++) world.edit(`V-${key}`);
      for (const one of steps) {
        const key = 'key' in one ? `V-${one.key}` : '';
        if (one.kind === 'edit' && (given.readOne || !removed.has(key))) world.edit(key);
        else if (one.kind === 'remove') {
          removed.add(key);
          world.remove(key, one.lateTenths);
        } else if (one.kind === 'pass') world.pass(one.ms);
        else if (one.kind === 'away') world.pass(KEPT_MS + 1);
        else if (one.kind === 'empty') world.empty();
        else if (one.kind === 'restart') world.restart();
        else if (one.kind === 'poll') {
          const before = await world.known();
          world.fail(one.failing, one.how);
          await world.poll().catch(() => undefined);
          world.fail(0, 'lost');
          const after = await world.known();
          for (const was of before.keys()) if (!removed.has(was)) expect(after.has(was)).toBe(true);
        }
      }
      world.pass(LATE_MS + PRECISION_MS);
      await world.poll();
      expect(await world.known()).toEqual(new Map([...world.rows].map(([key, { text }]) => [key, text])));
    }),
    { numRuns: 300 },
  );
});
