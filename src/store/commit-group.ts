import type { CommitContext, RecordWrite, WriteOutcome } from '../core/record-port.js';

/** Most writes of one transaction: what one flush to disk is shared by. */
const MAX_GROUP = 200;

/** Writes as one transaction; outcomes in their order. */
export type CommitOnce = (
  tenant: string,
  writes: readonly RecordWrite[],
  context: CommitContext,
) => Promise<readonly WriteOutcome[]>;

interface Waiting {
  readonly writes: readonly RecordWrite[];
  readonly context: CommitContext;
  readonly alone: boolean;
  readonly resolve: (outcomes: readonly WriteOutcome[]) => void;
  readonly reject: (thrown: unknown) => void;
}

/**
 * Joins a tenant's commits that wait together into one transaction (design section 4): while one is under way the next ones
 * gather, so that nothing waits when nothing else is under way. A group holds at most one write per record; a group that
 * fails is repeated one by one, so that a stranger's bad value fails alone (F16).
 */
export function groupCommits(commitOnce: CommitOnce): CommitOnce {
  const queues = new Map<string, Waiting[]>();

  async function drain(tenant: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) await runGroup(tenant, takeGroup(queue));
    queues.delete(tenant);
  }

  async function runGroup(tenant: string, group: readonly Waiting[]): Promise<void> {
    const [only] = group;
    if (only === undefined) return;
    try {
      const outcomes = await commitOnce(
        tenant,
        group.flatMap((one) => one.writes),
        only.context,
      );
      let at = 0;
      for (const one of group) {
        one.resolve(outcomes.slice(at, at + one.writes.length));
        at += one.writes.length;
      }
    } catch (thrown) {
      if (group.length === 1) only.reject(thrown);
      else for (const one of group) await runGroup(tenant, [one]);
    }
  }

  return (tenant, writes, context) =>
    new Promise((resolve, reject) => {
      const alone = context.fence !== undefined || context.ingest !== undefined;
      const waiting = { writes, context, alone, resolve, reject };
      const queue = queues.get(tenant);
      if (queue !== undefined) queue.push(waiting);
      else {
        const started = [waiting];
        queues.set(tenant, started);
        // Callers of this very turn of the event loop go together.
        setImmediate(() => void drain(tenant, started));
      }
    });
}

function takeGroup(queue: Waiting[]): readonly Waiting[] {
  const group: Waiting[] = [];
  const records = new Set<string>();
  let size = 0;
  while (queue.length > 0) {
    const next = queue[0] as Waiting;
    const names = next.writes.map((write) => `${write.collection} ${write.id}`);
    const fits = group.length === 0 || (!next.alone && group[0]?.alone === false && size + names.length <= MAX_GROUP);
    // Records of earlier writes of the group must be decided on what those leave behind.
    if (!fits || names.some((name) => records.has(name))) break;
    for (const name of names) records.add(name);
    size += names.length;
    group.push(queue.shift() as Waiting);
  }
  return group;
}
