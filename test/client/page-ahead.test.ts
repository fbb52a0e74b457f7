import { readAhead } from '../../src/client/page-ahead.js';
import { settled } from './device.js';

const NURSE = { authorization: 'Bearer nurse' };

interface Page {
  readonly checkpoint: string;
  readonly hasMore: boolean;
  readonly reset: boolean;
}

/** Pages from a gateway with so many of them, each named by the place behind it. */
function readerOf({ pages = 9, keepMs = 1_000 } = {}) {
  const asked: string[] = [];
  const state = { who: NURSE as Record<string, string> | null, nowMs: 0, fails: false, resets: false };
  const heldBack: (() => void)[] = [];
  let isHeldBack = false;
  const dropped: AbortSignal[] = [];

  function pageBehind(since: string | null): Page {
    const at = Number(since ?? 0) + 1;
    return { checkpoint: String(at), hasMore: at < pages, reset: state.resets };
  }

  const reader = readAhead<Page>({
    credentials: async () => {
      if (state.who === null) throw new Error('signed out');
      return state.who;
    },
    nowMs: () => state.nowMs,
    keepMs,
    async ask(since) {
      asked.push(`${since}`);
      return pageBehind(since);
    },
    async askAhead(since, who, signal) {
      asked.push(`ahead ${since}${who === NURSE ? '' : ` by ${JSON.stringify(who)}`}`);
      dropped.push(signal);
      if (isHeldBack) await new Promise<void>((resolve) => heldBack.push(resolve));
      if (state.fails) throw new Error('nobody answered');
      return pageBehind(since);
    },
  });
  const isAhead = async (since: string | null): Promise<boolean> => (await reader.read(since)).isAhead;
  return {
    reader,
    asked,
    state,
    dropped,
    isAhead,
    holdBack: () => (isHeldBack = true),
    letGo: () => heldBack.splice(0).forEach((release) => release()),
  };
}

test('the next page is asked for as soon as one is there, and nothing behind the last', async () => {
  const { asked, isAhead } = readerOf({ pages: 3 });
  expect([await isAhead(null), await isAhead('1'), await isAhead('2')]).toEqual([false, true, true]);
  expect(asked).toEqual(['null', 'ahead 1', 'ahead 2']);
});

describe('a page that was read ahead is thrown away', () => {
  test('where the place is another one', async () => {
    const { asked, isAhead, dropped } = readerOf();
    await isAhead(null);
    expect([await isAhead(null), dropped[0]?.aborted]).toEqual([false, true]);
    // Not used later on either.
    expect(await isAhead('7')).toBe(false);
    expect(asked).toEqual(['null', 'ahead 1', 'null', 'ahead 1', '7', 'ahead 8']);
  });

  test('F24: when somebody else asks, or nobody who is signed in', async () => {
    const { state, isAhead, asked } = readerOf();
    await isAhead(null);
    state.who = { authorization: 'Bearer another' };
    expect(await isAhead('1')).toBe(false);
    state.who = null;
    expect(await isAhead('2')).toBe(false);
    expect(asked).toEqual(['null', 'ahead 1', '1', '2']);
  });

  test('when it was dropped, also while somebody waits for it', async () => {
    const { reader, isAhead, dropped, holdBack, letGo } = readerOf();
    holdBack();
    await isAhead(null);
    const waiting = isAhead('1');
    await settled();
    reader.drop();
    letGo();
    expect([await waiting, dropped[0]?.aborted]).toEqual([false, true]);
  });

  test('when it is older than an answer may be, whichever way the clock went', async () => {
    for (const nowMs of [1_001, -1_001]) {
      const { state, isAhead } = readerOf();
      await isAhead(null);
      state.nowMs = nowMs;
      expect(await isAhead('1')).toBe(false);
    }
  });

  test('when it failed, or begins anew', async () => {
    for (const fault of ['fails', 'resets'] as const) {
      const { state, isAhead, asked } = readerOf();
      state[fault] = true;
      await isAhead(null);
      expect(await isAhead('1')).toBe(false);
      expect(asked.slice(0, 3)).toEqual(['null', 'ahead 1', '1']);
    }
  });
});

test('where each request has credentials of its own nothing is read ahead in vain, until they stay', async () => {
  const { state, isAhead, asked } = readerOf();
  for (const [since, token] of [
    [null, 'a'],
    ['1', 'b'],
    ['2', 'c'],
    ['3', 'c'],
  ] as const) {
    state.who = { token };
    await isAhead(since);
  }
  expect(asked).toEqual(['null', 'ahead 1 by {"token":"a"}', '1', '2', '3', 'ahead 4 by {"token":"c"}']);
});
