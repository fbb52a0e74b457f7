import type { Operation } from './transport.js';

/** One call of a row. */
export interface Step {
  readonly call: Operation;
  /** What later calls take of its answer, by a name of ours: a member of the answer, like `data.id`, or a header. */
  readonly keeps: Readonly<Record<string, string | { readonly header: string }>>;
  /** What goes with it: the fields of the change, nothing, or a body of its own, in whose texts `{name}` stands for what was kept. */
  readonly sends: 'fields' | 'nothing' | Readonly<Record<string, unknown>>;
}

/** A write in several calls: what it does takes effect with the last one, or not at all. */
export interface Series extends Operation {
  readonly steps: readonly Step[];
  /** Gives up what was begun; null: it ends by itself. */
  readonly abort: Operation | null;
}

/** A call of `series`. It sends nothing unless that is said, and takes the guard only where its own call does. */
export function step(call: Operation, options: Partial<Omit<Step, 'call'>> = {}): Step {
  return { call, keeps: options.keeps ?? {}, sends: options.sends ?? 'nothing' };
}

/**
 * A write in several calls (REST, SOAP), of which the last one makes it true: begin, change, commit. What was kept of an answer stands for
 * `{name}` in the path, the query and the body of later calls (REST), or goes into the argument of `keptIn` (SOAP).
 *
 * A call that comes to nothing before the last one ends the write: nothing was done, and `abort` is called, once, whatever comes of it. The
 * last one counts as every other write: when its answer is lost, the write is in doubt, and nothing is given up.
 */
export function series(steps: readonly Step[], options: { readonly abort?: Operation } = {}): Series {
  const last = steps.at(-1)?.call;
  const sending = steps.find(({ sends }) => sends === 'fields')?.call;
  return {
    kit: last?.kit ?? '',
    paging: { kind: 'whole' },
    sends: sending?.sends ?? 'changed',
    answers: last?.answers ?? 'record',
    guarded: steps.some(({ call }) => call.guarded),
    takesKey: steps.some(({ call }) => call.takesKey),
    steps,
    abort: options.abort ?? null,
  };
}

export function isSeries(operation: Operation | undefined): operation is Series {
  return operation !== undefined && 'steps' in operation;
}
