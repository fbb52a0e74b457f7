import { CallFault } from './fault.js';
import { noteOf, rowOf } from './odata-answer.js';
import type { ODataPlan } from './odata-plan.js';
import { keyOfAddress } from './odata-request.js';
import type { PageAnswer } from './paging.js';

type Members = Readonly<Record<string, unknown>>;

/**
 * The rows of a list whose changes are tracked. An entry that is not there any more (`$deletedEntity` of 4.0, `@removed` of 4.01), or that
 * shows a part of its record only, has its key and nothing else: a read by that key says what is true of it. So it is for those that
 * were removed because they changed: they may be there, and only left a filter (R14).
 *
 * @throws CallFault badAnswer - an entry without a key
 */
export function trackedRows(rows: readonly unknown[], plan: ODataPlan): Pick<PageAnswer, 'rows' | 'removed'> {
  const removed = new Set<unknown>();
  const shown: unknown[] = [];
  for (const row of rows) {
    const context = noteOf(row, 'context');
    const kind = typeof context === 'string' ? (/\$(deletedEntity|link|deletedLink)$/.exec(context)?.[1] ?? '') : '';
    // Links between records say nothing of the records themselves.
    if (kind === 'link' || kind === 'deletedLink') continue;
    const key = kind === 'deletedEntity' ? keyOfRemoved(row, plan) : keyIfPart(row, plan);
    if (key !== null) removed.add(key);
    shown.push(key ?? rowOf(row, plan, null));
  }
  return { rows: shown, removed };
}

/** The form of 4.0: `id` is the address of what was there. */
function keyOfRemoved(row: unknown, plan: ODataPlan): Members {
  const { id } = row as { readonly id?: unknown };
  return keyAt(noteOf(row, 'id') ?? id, plan);
}

/** The form of 4.01, in which also changed records may show what changed only; null: the row is whole. */
function keyIfPart(row: unknown, plan: ODataPlan): Members | null {
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return null;
  const members = row as Members;
  const isWhole = noteOf(row, 'removed') === undefined && plan.members.every((name) => name in members);
  if (isWhole) return null;
  const key = plan.keyNames.flatMap((name) => (name in members ? [[name, members[name]] as const] : []));
  return key.length === plan.keyNames.length ? Object.fromEntries(key) : keyAt(noteOf(row, 'id'), plan);
}

function keyAt(address: unknown, plan: ODataPlan): Members {
  const key = typeof address === 'string' ? keyOfAddress(plan, address) : null;
  if (key !== null) return key;
  throw new CallFault('badAnswer', `expected the address of a record of ${plan.set.name} in an entry without its key`, {
    sourceIsSick: false,
  });
}
