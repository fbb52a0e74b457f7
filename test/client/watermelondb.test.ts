import type { Fetch } from '../../src/client/exchange.js';
import { syncWithTidegate } from '../../src/client/watermelondb.js';
import { settled } from './device.js';
import { visitsDatabase } from './watermelondb-visits.js';

const FIELD = { name: 'note', type: 'string', list: false, writable: true };

interface Page {
  readonly ids: readonly string[];
  readonly hasMore?: boolean;
  readonly reset?: boolean;
}

/**
 * A sync of WatermelonDB's that has nothing to push, before a gateway with these pages.
 *
 * @param applied what each pull brought; what it throws, WatermelonDB does
 * @param isHeldBack is a request left without an answer until it is given up?
 */
function syncOf(
  pages: readonly Page[],
  applied: (ids: readonly string[], isReplacement: boolean) => void,
  isHeldBack: (at: number) => boolean = () => false,
) {
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  const local = new Map<string, string>();
  let lastPulledAt: number | null = null;
  let at = 0;

  const fetch: Fetch = async (_url, { body, signal }) => {
    const { query, variables } = JSON.parse(body) as { query: string; variables: { since?: string | null } };
    const isPull = query.includes('Pull');
    asked.push(isPull ? `${variables.since}` : 'fields');
    if (!isPull)
      return { status: 200, json: async () => ({ data: { collections: [{ name: 'visits', fields: [FIELD] }] } }) };
    signals.push(signal);
    if (isHeldBack(signals.length))
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    const { ids, hasMore = false, reset = false } = pages[at] ?? { ids: [] };
    at += 1;
    const changes = ids.map((id) => ({
      collection: 'visits',
      id,
      version: 'e.1',
      kind: 'UPSERT',
      pending: false,
      json: {},
    }));
    const pull = { changes, receipts: [], checkpoint: `place ${at}`, hasMore, reset, epoch: 'e' };
    return { status: 200, json: async () => ({ data: { pull } }) };
  };

  interface Steps {
    readonly pullChanges: (asked: { readonly lastPulledAt: number | null }) => Promise<{
      readonly changes: Readonly<Record<string, { readonly updated: readonly { readonly id: string }[] }>>;
      readonly timestamp: number;
      readonly experimentalStrategy?: string;
    }>;
    readonly pushChanges?: unknown;
  }
  async function synchronize(given: never): Promise<void> {
    const { pullChanges, pushChanges } = given as Steps;
    const { changes, timestamp, experimentalStrategy } = await pullChanges({ lastPulledAt });
    if (pushChanges === undefined)
      applied(
        (changes['visits']?.updated ?? []).map(({ id }) => id),
        experimentalStrategy === 'replacement',
      );
    lastPulledAt = timestamp;
  }

  const database = visitsDatabase(local);
  const address = { url: 'http://ward.example/graphql', device: 'tablet', fetch, onRevoked: () => undefined };
  return { asked, signals, run: () => syncWithTidegate({ database, synchronize, tables: ['visits'], ...address }) };
}

test('a first sync asks for what the gateway declares and for the first page at once, and for each page ahead', async () => {
  const came: (readonly string[])[] = [];
  const { asked, run } = syncOf([{ ids: ['V-1'], hasMore: true }, { ids: ['V-2'] }], (ids) => void came.push(ids));
  await run();
  expect(came).toEqual([['V-1'], ['V-2']]);
  expect(asked).toEqual(['fields', 'null', 'place 1']);
  await run();
  expect(asked.slice(3)).toEqual(['place 2']);
});

test('a sync that breaks off gives up the page that it had asked for ahead', async () => {
  const { run, signals } = syncOf(
    [{ ids: ['V-1'], hasMore: true }],
    () => {
      throw new Error('no space');
    },
    (at) => at === 2,
  );
  await expect(run()).rejects.toThrow('no space');
  await settled();
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
});

test('F25: a reset in the middle of a reset takes what came before it for nothing', async () => {
  const came: unknown[] = [];
  const pages = [
    { ids: ['V-1'], hasMore: true, reset: true },
    // Read ahead, and asked for anew.
    { ids: ['V-2'], hasMore: true, reset: true },
    { ids: ['V-3'], hasMore: true, reset: true },
    { ids: ['V-4'] },
  ];
  const { run } = syncOf(pages, (ids, isReplacement) => void came.push([ids, isReplacement]));
  await run();
  expect(came).toEqual([[['V-3', 'V-4'], true]]);
});
