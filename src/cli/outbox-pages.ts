import type { AnsweredChange, AnsweredConflict, AnsweredOutbox, AnsweredResult } from './outbox-answers.js';
import { lines, printable, table } from './text-page.js';

/** The outbox as a table for people, with what there is of each state below. */
export function outboxTable({ outbox, outboxCounts: counts }: AnsweredOutbox): string {
  const { changes, next } = outbox;
  const rows = changes.map((change) => [
    change.intentNo,
    change.state,
    `${change.collection} ${change.id}`,
    change.kind,
    `${change.user}/${change.device}`,
    change.acceptedAt,
    String(change.attempts),
    whyOf(change),
  ]);
  const open = counts.pending + counts.sent + counts.inDoubt + counts.parked;
  const since = counts.oldestAcceptedAt === null ? '' : `, the oldest since ${counts.oldestAcceptedAt}`;
  return lines(
    ...(rows.length === 0
      ? [open === 0 ? 'Nothing is open.' : 'Nothing of that is open.']
      : table(['no', 'state', 'record', 'kind', 'device', 'accepted', 'sent', 'why'], rows)),
    ...(open === 0
      ? []
      : [
          '',
          `${open} open: ${counts.pending} pending, ${counts.sent} sent, ${counts.inDoubt} in doubt, ${counts.parked} parked${since}`,
        ]),
    ...moreOf(next),
  );
}

/** One open change, everything that is known of it. */
export function changePage(change: AnsweredChange): string {
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['change', `${change.intentNo} (${change.changeId})`],
    ['state', change.state],
    ['record', `${change.collection} ${change.id}`],
    ['by', `${change.user}, device ${change.device}`],
    ['edited', change.editedAt],
    ['accepted', change.acceptedAt],
    ['pushed', `${change.kind} ${json(change.fields)}`],
    ['call', change.call === null ? 'none yet' : `${change.call.kind} ${json(change.call.fields)}`],
    ['known', change.known],
    ['waits for', change.blockedBy ?? 'nothing'],
    ['why', change.error?.message ?? '-'],
    ['due', change.dueAt ?? 'never: an operator decides'],
  ];
  return lines(...facts.map(([name, value]) => `${name.padEnd(10)} ${printable(value)}`));
}

/** Kept conflicts, each with base, theirs and yours. */
export function conflictsPage(conflicts: readonly AnsweredConflict[], next: string | null): string {
  if (conflicts.length === 0) return lines('No edit is kept.');
  const parts = conflicts.flatMap(({ user, device, changeId, collection, id, conflict }) => {
    const { kind, baseVersion, fields, yours, theirs } = conflict;
    return [
      printable(`${collection} ${id}: ${kind} ${changeId} of ${user}, device ${device}`),
      printable(`  conflicts  ${fields.join(', ') || 'because of another change'}`),
      printable(`  base       ${baseVersion ?? 'a new record'}`),
      printable(
        `  theirs     ${theirs === null ? 'no record' : `${theirs.version} ${theirs.kind} ${json(theirs.json)}`}`,
      ),
      printable(`  yours      ${json(yours)}`),
    ];
  });
  return lines(...parts, ...moreOf(next));
}

/** What became of a change, in one line. */
export function resultLine({ changeId, status, error }: AnsweredResult): string {
  return lines(printable(`${changeId}: ${status}${error === null ? '' : `: ${error.message}`}`));
}

function whyOf({ error, blockedBy, dueAt }: AnsweredChange): string {
  if (error !== null) return error.message;
  if (blockedBy !== null) return `waits for ${blockedBy}`;
  return dueAt === null ? '' : `due ${dueAt}`;
}

function moreOf(next: string | null): readonly string[] {
  return next === null ? [] : ['', `There are more: --after ${next}`];
}

function json(value: object | null): string {
  return value === null ? '-' : JSON.stringify(value);
}
