import { ofCall, type CollectionParts } from './collection-parts.js';
import { isErrorBody } from './error-body.js';
import { CallFault, whyOf, WRITE_CALLS } from './fault.js';
import { memberAt } from './rest-answer.js';
import { PendingResult, writtenResult } from './pending-result.js';
import { isSeries, type Series, type Step } from './series.js';
import type { Operation, WriteAnswer, WriteCall } from './transport.js';

/** The part of a write's time that the calls before the last one leave to what follows. */
const LAST_PART = 0.2;

type Done = WriteAnswer & { readonly kind: 'done' };

/**
 * Makes a write: one call, or the calls of its series, each with its own place and turn, all within the time of the write. Only the last one
 * can take effect; what comes of the others is known to have had none.
 *
 * @throws CallFault, `notSent` if it certainly had no effect
 */
export function createWriter(
  parts: CollectionParts,
): (operation: Operation, call: WriteCall, leftMs: () => number, signal: AbortSignal) => Promise<WriteAnswer> {
  const { where, batcher, transport, mapping, definition, deps } = parts;

  async function send(
    operation: Operation,
    call: WriteCall,
    leftMs: () => number,
    signal: AbortSignal,
  ): Promise<WriteAnswer> {
    const writing = ofCall(parts, WRITE_CALLS[call.purpose]);
    const first = await writing.guard.write((deadline) => transport.write(operation, call, deadline), signal, leftMs);
    return first instanceof PendingResult ? await writtenResult(writing, first, leftMs, signal) : first;
  }

  async function run(series: Series, call: WriteCall, leftMs: () => number, signal: AbortSignal): Promise<WriteAnswer> {
    const lastMs = leftMs() * LAST_PART;
    const kept: Record<string, string> = {};
    let isBegun = false;
    for (const [at, step] of series.steps.slice(0, -1).entries()) {
      const named = `call ${at + 1} of ${series.steps.length}`;
      let end: WriteAnswer;
      try {
        end = await send(step.call, callOf(step, call, kept), () => leftMs() - lastMs, signal);
      } catch (thrown) {
        // Nobody knows what it began, which is nothing before the last call.
        const mayBeBegun = isBegun || !(thrown instanceof CallFault && thrown.kind === 'notSent');
        if (mayBeBegun) await giveUp(series, call, kept, leftMs, signal);
        throw notDone(`${named}: ${whyOf(thrown)}`, thrown);
      }
      if (end.kind === 'done') {
        isBegun = true;
        const misfit = keep(step, end, kept);
        if (misfit === null) continue;
        await giveUp(series, call, kept, leftMs, signal);
        throw notDone(`${named}: ${misfit}`);
      }
      if (isBegun) await giveUp(series, call, kept, leftMs, signal);
      // That what was begun is not there any more says nothing of the record.
      if (end.kind === 'unknown' || (end.kind === 'gone' && at > 0)) throw notDone(`${named}: ${wordsOf(end)}`);
      return end;
    }
    return await commit(series, call, kept, leftMs, signal);
  }

  async function commit(
    series: Series,
    call: WriteCall,
    kept: Readonly<Record<string, string>>,
    leftMs: () => number,
    signal: AbortSignal,
  ): Promise<WriteAnswer> {
    const last = series.steps.at(-1) as Step;
    let end: WriteAnswer;
    try {
      end = await send(last.call, callOf(last, call, kept), leftMs, signal);
    } catch (thrown) {
      // What may have taken effect is not given up: it could be undone, or end in two minds.
      if (thrown instanceof CallFault && thrown.kind === 'notSent') await giveUp(series, call, kept, leftMs, signal);
      throw thrown;
    }
    if (end.kind === 'done' || end.kind === 'unknown') return end;
    await giveUp(series, call, kept, leftMs, signal);
    if (end.kind === 'gone') throw notDone(`the last call: ${wordsOf(end)}`);
    return end;
  }

  /** Why an answer is no success although it says so; null: it is one, and what it has to keep is kept. */
  function keep(step: Step, end: Done, kept: Record<string, string>): string | null {
    const isTold = !end.isBare && definition.map === undefined;
    if (isTold && isErrorBody(end.row, (member) => mapping.ourName(member) !== null))
      return 'it says that it is done, and tells of an error in the same answer';
    for (const [name, from] of Object.entries(step.keeps)) {
      const value = typeof from === 'string' ? memberAt(end.row, from) : end.headers?.get(from.header.toLowerCase());
      if ((typeof value !== 'string' && typeof value !== 'number') || value === '')
        return `expected ${name} in its answer, got none`;
      kept[name] = String(value);
    }
    return null;
  }

  /** Once, as far as there is time: what was begun ends by itself otherwise. Whatever comes of it, the write is what it is. */
  async function giveUp(
    { abort }: Series,
    call: WriteCall,
    kept: Readonly<Record<string, string>>,
    leftMs: () => number,
    signal: AbortSignal,
  ): Promise<void> {
    if (abort === null || leftMs() <= 0) return;
    try {
      const end = await send(abort, callOf({ call: abort, keeps: {}, sends: 'nothing' }, call, kept), leftMs, signal);
      if (end.kind === 'done' || end.kind === 'gone') return;
      deps.log.warn('a write that was begun could not be given up', { collection: where, reason: wordsOf(end) });
    } catch (thrown) {
      deps.log.warn('a write that was begun could not be given up', { collection: where, reason: whyOf(thrown) });
    }
  }

  return (operation, call, leftMs, signal) =>
    isSeries(operation)
      ? run(operation, call, leftMs, signal)
      : batcher === null
        ? send(operation, call, leftMs, signal)
        : batcher.send(operation, call, leftMs, signal);
}

/** One call of a series: with what it sends, and the guard if it takes one. */
function callOf({ call: operation, sends }: Step, call: WriteCall, kept: Readonly<Record<string, string>>): WriteCall {
  const own = typeof sends === 'string' ? null : (filled(sends, kept) as Readonly<Record<string, unknown>>);
  return {
    ...call,
    body: sends === 'fields' ? call.body : own,
    guard: operation.guarded ? call.guard : null,
    conflictOn: operation.guarded ? call.conflictOn : [],
    kept,
  };
}

/** A body of a connector's own, with what was kept in the places of its names. */
function filled(value: unknown, kept: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return value.replace(/\{(\w+)\}/g, (place, name: string) => kept[name] ?? place);
  if (Array.isArray(value)) return value.map((one) => filled(one, kept));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one, kept)]));
}

function wordsOf(end: Exclude<WriteAnswer, Done>): string {
  switch (end.kind) {
    case 'gone':
      return 'the source says that it is not there';
    case 'stale':
      return 'the source holds another version';
    case 'refused':
      return end.message;
    case 'notSent':
    case 'unknown':
      return end.reason;
  }
}

function notDone(what: string, cause?: unknown): CallFault {
  const fault = cause instanceof CallFault ? cause : null;
  const { retryAfterMs = null, sourceIsSick = false } = fault ?? {};
  return new CallFault('notSent', `not done, ${what}`, { cause, retryAfterMs, sourceIsSick });
}
