import type { Clock } from '../core/ports.js';
import type { BatchFacts } from './batch.js';
import { giveTime, TimeOver } from './call-time.js';
import { CallFault } from './fault.js';
import type { Guard } from './guard.js';
import { PendingResult } from './pending-result.js';
import type { BatchEnd, Operation, OpenTransport, WriteAnswer, WriteCall } from './transport.js';

/** Makes the single writes of a source, together where several wait. */
export interface WriteBatcher {
  /** @throws CallFault, as for a write that goes alone */
  send(operation: Operation, call: WriteCall, leftMs: () => number, signal: AbortSignal): Promise<WriteAnswer>;
}

interface Item {
  readonly operation: Operation;
  readonly call: WriteCall;
  readonly leftMs: () => number;
  readonly signal: AbortSignal;
  end(end: BatchEnd): void;
  /** It was not answered in time; if it still waits it was not even sent. */
  readonly giveUp: () => void;
}

/**
 * Joins the writes that wait for a place or a turn of their source, up to the size of a batch. One that comes alone goes at once; while
 * others are under way it waits for more as long as the window. A record has one write under way, so that none overtakes another of its own.
 */
export function createWriteBatcher(
  guard: Guard,
  transport: OpenTransport,
  { size, windowMs }: Pick<BatchFacts, 'size' | 'windowMs'>,
  clock: Clock,
): WriteBatcher {
  const never = new AbortController().signal;
  const waiting = new Set<Item>();
  let window: AbortController | null = null;
  /** Requests that are under way, and those of them that wait for their turn: each of these takes a batch along. */
  let underWay = 0;
  let asked = 0;

  function go(isWindowOver: boolean): void {
    const left = waiting.size - asked * size;
    if (left <= 0) return;
    if (underWay === 0 || left >= size || isWindowOver) void request();
    else if (window === null) {
      const resting = (window = new AbortController());
      clock.wait(windowMs, resting.signal).then(
        () => {
          window = null;
          go(true);
        },
        () => undefined,
      );
    }
  }

  async function request(): Promise<void> {
    window?.abort();
    window = null;
    underWay += 1;
    asked += 1;
    let isAsked = true;
    let taken: readonly Item[] = [];
    const take = (): void => {
      if (isAsked) asked -= 1;
      isAsked = false;
      // A process that stood still has not come to their timers yet (F13).
      for (const item of waiting) if (item.leftMs() <= 0) item.giveUp();
      taken = [...waiting].slice(0, size);
      for (const item of taken) waiting.delete(item);
    };
    try {
      const all = [...waiting];
      const longestMs = (): number => Math.max(...all.map(({ leftMs }) => leftMs()));
      await guard.write(
        async (deadline) => {
          take();
          giveTime(deadline, () => Math.min(...taken.map(({ leftMs }) => leftMs())));
          await make(taken, deadline);
        },
        never,
        longestMs,
      );
    } catch (thrown) {
      if (isAsked) take();
      const fault =
        thrown instanceof CallFault
          ? thrown
          : new CallFault('unknown', 'its batch ended in a fault', { cause: thrown });
      // It did not leave because of those whose time was over: the others go with the next one.
      for (const item of taken) {
        if (fault instanceof TimeOver && item.leftMs() > 0 && !item.signal.aborted) waiting.add(item);
        else item.end(fault);
      }
    } finally {
      underWay -= 1;
      go(false);
    }
  }

  async function make(taken: readonly Item[], deadline: AbortSignal): Promise<void> {
    const [first, ...others] = taken;
    if (first === undefined) return;
    if (others.length === 0 || transport.writeBatch === undefined) {
      first.end(answerOf(await transport.write(first.operation, first.call, deadline)));
      return;
    }
    const ends = await transport.writeBatch(taken, deadline);
    for (const [at, item] of taken.entries())
      item.end(ends[at] ?? new CallFault('unknown', 'its batch says nothing of it'));
  }

  function alone({ operation, call, leftMs, signal }: Item): Promise<WriteAnswer> {
    return guard.write(async (deadline) => answerOf(await transport.write(operation, call, deadline)), signal, leftMs);
  }

  return {
    send(operation, call, leftMs, signal) {
      return new Promise<WriteAnswer>((resolve, reject) => {
        const timer = new AbortController();
        let isOver = false;
        const over = (): boolean => {
          const was = isOver;
          isOver = true;
          timer.abort();
          signal.removeEventListener('abort', giveUp);
          return was;
        };
        const item: Item = {
          operation,
          call,
          leftMs,
          signal,
          end(end) {
            if (over()) return;
            if (end === 'single') alone(item).then(resolve, reject);
            else if (end instanceof CallFault) reject(end);
            else resolve(end);
          },
          giveUp,
        };
        function giveUp(): void {
          const isSent = !waiting.delete(item);
          const what = isSent ? 'no answer in time' : 'no turn came in time: the call was never made';
          item.end(new CallFault(isSent ? 'unknown' : 'notSent', what, { sourceIsSick: false }));
        }
        signal.addEventListener('abort', giveUp, { once: true });
        clock.wait(Math.max(1, leftMs()), timer.signal).then(giveUp, () => undefined);
        waiting.add(item);
        if (signal.aborted) giveUp();
        else go(false);
      });
    },
  };
}

/** Kits that take batches answer at once. */
function answerOf(answer: Awaited<ReturnType<OpenTransport['write']>>): WriteAnswer {
  if (answer instanceof PendingResult) throw new CallFault('unknown', 'expected an answer, got a ticket');
  return answer;
}
