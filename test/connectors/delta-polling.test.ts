import fc from '../support/properties.js';
import { collection, defineConnector, field, link } from '../../src/connectors/define.js';
import { CallFault, type FaultKind } from '../../src/connectors/fault.js';
import { get } from '../../src/connectors/rest.js';
import { createSource } from '../../src/connectors/source.js';
import type { PageAnswer } from '../../src/connectors/paging.js';
import type { OpenTransport, Transport } from '../../src/connectors/transport.js';
import type { SourceCollection } from '../../src/core/source-port.js';
import { eagerDeps } from './soap/eager-deps.js';

// Whether any sequence of edits, deletions, lost answers, forgotten tokens and ends of our process can hide a change behind a token: a
// source in memory, whose tokens may be good once only, behind the real reads, guard and paging.

interface Facts {
  readonly replayable: boolean;
  readonly pageSize: number;
}

type Step =
  | { readonly kind: 'edit'; readonly key: number }
  | { readonly kind: 'remove'; readonly key: number }
  /** All tokens that were given out are no longer known. */
  | { readonly kind: 'forget' }
  /** Broken off after so many batches, as by the end of our process; the call of this number fails so. */
  | {
      readonly kind: 'poll';
      readonly breakAfter: number;
      readonly failing: number;
      readonly how: 'lost' | FaultKind;
    };

const NEVER = new AbortController().signal;

function startWorld({ replayable, pageSize }: Facts) {
  const rows = new Map<string, string>();
  const log: { readonly key: string; readonly gone: boolean }[] = [];
  /** Of each token: where in the log it stands; null: it is no longer known. */
  const tokens = new Map<string, number | null>();
  const used = new Set<string>();
  let failing = 0;
  let how: 'lost' | FaultKind = 'unknown';

  function tokenAt(place: number): string {
    const token = `T${tokens.size}`;
    tokens.set(token, place);
    return token;
  }

  const rowOf = (key: string): object => {
    const text = rows.get(key);
    return text === undefined ? { id: key, gone: true } : { id: key, text };
  };

  function entriesSince(token: string): readonly object[] {
    const place = tokens.get(token);
    if (place === null || place === undefined)
      throw new CallFault('badAnswer', 'gone', { status: 410, sourceIsSick: false });
    // Without a word about it: what was given once is not given again.
    if (!replayable && used.has(token)) return [];
    used.add(token);
    return [...new Set(log.slice(place).map(({ key }) => key))].map(rowOf);
  }

  function answer(token: string | undefined, next: string | null): PageAnswer {
    const [entries, after] =
      next !== null
        ? (JSON.parse(next) as [readonly object[], string])
        : token === undefined
          ? [[...rows.keys()].map(rowOf), tokenAt(log.length)]
          : [entriesSince(token), tokenAt(log.length)];
    const rest = entries.slice(pageSize);
    return {
      rows: entries.slice(0, pageSize),
      total: null,
      more: null,
      next: rest.length === 0 ? null : JSON.stringify([rest, after]),
      serverTimeMs: null,
      delta: rest.length === 0 ? after : null,
    };
  }

  function called(token: string | undefined, next: string | null): PageAnswer {
    failing -= 1;
    if (failing === 0 && how !== 'lost') throw new CallFault(how, 'as the test wants it', { sourceIsSick: false });
    const given = answer(token, next);
    if (failing === 0) throw new CallFault('unknown', 'the answer is lost');
    return given;
  }

  const transport: Transport = {
    kit: 'rest',
    textOnly: false,
    limits: { concurrent: 2, perSecond: null, timeoutMs: 60_000 },
    headers: {},
    auth: null,
    misfits: [],
    misfitOf: () => null,
    open: () =>
      ({
        readPage: (_operation, args, next) =>
          new Promise((resolve) => resolve(called(args['token'] as string | undefined, next))),
        close: () => Promise.resolve(),
      }) satisfies Partial<OpenTransport> as unknown as OpenTransport,
  };
  const visits = collection({
    type: 'Visit',
    key: 'id',
    fields: { text: field.string() },
    read: {
      list: get('/visits', { paging: link(), deltaToken: 'token' }),
      one: get('/visits/{key}'),
      delta: { param: 'token', removed: { member: 'gone' }, replayable },
    },
  });
  const source = createSource(defineConnector({ source: 'clinic', transport, collections: { visits } }), eagerDeps());
  return {
    collection: source.collections[0] as SourceCollection,
    rows,
    edit(key: string): void {
      log.push({ key, gone: false });
      rows.set(key, `edit ${log.length}`);
    },
    remove(key: string): void {
      if (rows.delete(key)) log.push({ key, gone: true });
    },
    forget(): void {
      for (const token of tokens.keys()) tokens.set(token, null);
    },
    fail(call: number, kind: 'lost' | FaultKind): void {
      failing = call;
      how = kind;
    },
  };
}

const facts: fc.Arbitrary<Facts> = fc.record({ replayable: fc.boolean(), pageSize: fc.constantFrom(1, 2, 100) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('edit' as const), key: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), key: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('poll' as const),
      breakAfter: fc.constantFrom(1, 2, 3, 99, 99),
      failing: fc.constantFrom(0, 0, 1, 2, 3),
      how: fc.constantFrom('lost' as const, 'unknown' as const, 'notSent' as const, 'badAnswer' as const),
    }),
  },
);

test('R14, R16: a delta misses no change and no deletion, and invents none, whatever is lost or forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(facts, fc.array(step, { minLength: 5, maxLength: 40 }), async (given, steps) => {
      const world = startWorld(given);
      const known = new Map<string, unknown>();
      let cursor: string | null = null;
      let isScanAsked = false;

      async function poll(breakAfter: number): Promise<void> {
        let batches = 0;
        // The first load, broken off and begun again, leaves to the scan in its own time what went meanwhile.
        isScanAsked ||= cursor === null && known.size > 0;
        for await (const batch of world.collection.readChanges(cursor, NEVER)) {
          for (const { sourceKey, fields: seen } of batch.observations) {
            if (seen === null) known.delete(sourceKey);
            else known.set(sourceKey, seen['text']);
          }
          cursor = batch.cursor ?? cursor;
          isScanAsked ||= batch.needsScan === true;
          batches += 1;
          if (batches === breakAfter) return;
        }
      }

      for (const one of steps) {
        if (one.kind === 'edit') world.edit(`V-${one.key}`);
        else if (one.kind === 'remove') world.remove(`V-${one.key}`);
        else if (one.kind === 'forget') world.forget();
        else {
          world.fail(one.failing, one.how);
          await poll(one.breakAfter).catch(() => undefined);
        }
      }
      world.fail(0, 'lost');
      await poll(99);
      if (isScanAsked) for (const key of known.keys()) if (!world.rows.has(key)) known.delete(key);
      expect(new Map([...known].sort())).toEqual(new Map([...world.rows].sort()));
    }),
    { numRuns: 500 },
  );
});
