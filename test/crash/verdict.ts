import type { Fate } from '../support/sync-device.js';
import type { Capability } from './capabilities.js';
import type { JournalEntry } from './capable-system.js';
import type { ChangeLog, LoggedChange } from './change-log.js';

/** What the whole sweep came to: each list names changes with the round they are of; all but `parked` must be empty. */
export interface Verdict {
  /** Accepted, and not in the source's journal; or without a fate. */
  readonly lost: readonly string[];
  /** More than once in the journal, by effect or by idempotency key. */
  readonly twice: readonly string[];
  /** Told as refused although the source took it, or refused without a rule that says so; other answers than before. */
  readonly wrong: readonly string[];
  /** Parked where the source's capability is enough to find out, or without a reason. */
  readonly parkedWrongly: readonly string[];
  readonly parked: readonly string[];
}

/** Capabilities with which a call in doubt may be left to an operator: nothing is told, or what is read proves nothing. */
const MAY_PARK: readonly Capability[] = ['blind'];

const FINAL: ReadonlySet<string> = new Set(['APPLIED', 'MERGED', 'CONFLICT', 'REJECTED']);

/** Compares what devices were told with what is in the source's own journal. */
export function judge(log: ChangeLog, journal: readonly JournalEntry[]): Verdict {
  const verdict = { lost: [], twice: [], wrong: [], parkedWrongly: [], parked: [] } as {
    readonly [Name in keyof Verdict]: string[];
  };
  for (const change of log.changes.values()) {
    const fate = log.fateOf(change.edit.changeId);
    const effects = effectsOf(change, journal);
    const reason = fate?.error ? `, ${fate.error.code} ${fate.error.message}` : '';
    const name = `${change.edit.changeId} (${change.label}): ${fate?.status ?? 'no fate'}, ${effects} effects${reason}`;
    if (effects > 1) verdict.twice.push(name);
    switch (fate?.status) {
      case 'APPLIED':
      case 'MERGED':
        if (effects === 0) verdict.lost.push(name);
        break;
      case 'REJECTED':
      case 'CONFLICT':
        if (effects > 0 || !mayBeRefused(change, log)) verdict.wrong.push(name);
        break;
      case 'PARKED':
        verdict.parked.push(name);
        if (!MAY_PARK.includes(change.capability) || (fate.error?.message ?? '') === '') {
          verdict.parkedWrongly.push(name);
        }
        break;
      default:
        if (effects > 0 || !waitsForParked(change, log)) verdict.lost.push(name);
    }
    if (!areConsistent(change.answers)) {
      verdict.wrong.push(`${name}; answered ${change.answers.map(({ status }) => status).join(', ')}`);
    }
  }
  for (const [key, count] of counted(journal)) if (count > 1) verdict.twice.push(`${key}: ${count} times`);
  return verdict;
}

/** Records of a source that show what only an operator can settle: there devices rightly see more than the source has. */
export function unsettledRecords(log: ChangeLog, capability: Capability): ReadonlySet<string> {
  const unsettled = [...log.changes.values()].filter(
    (change) => change.capability === capability && !FINAL.has(log.fateOf(change.edit.changeId)?.status ?? 'none'),
  );
  return new Set(unsettled.map(({ edit }) => edit.id));
}

/** Is every change settled as far as it will be without an operator? */
export function isSettled(log: ChangeLog): boolean {
  return [...log.changes.values()].every((change) => {
    const status = log.fateOf(change.edit.changeId)?.status;
    return status !== undefined && (status !== 'ACCEPTED' || waitsForParked(change, log));
  });
}

function effectsOf({ edit, capability, kind }: LoggedChange, journal: readonly JournalEntry[]): number {
  const own = journal.filter((entry) => entry.capability === capability);
  if (kind === 'delete') return own.filter(({ method, id }) => method === 'DELETE' && id === edit.id).length;
  return own.filter(({ method, note }) => method !== 'DELETE' && note === noteOf(edit)).length;
}

function noteOf({ json }: LoggedChange['edit']): unknown {
  return (json as { readonly note?: string } | undefined)?.note;
}

/** The source says no to it, or its record was never made. */
function mayBeRefused({ isUnwanted, follows }: LoggedChange, log: ChangeLog): boolean {
  const first = follows === null ? undefined : log.changes.get(follows);
  return isUnwanted || (first?.kind === 'create' && first.isUnwanted);
}

function waitsForParked({ follows }: LoggedChange, log: ChangeLog): boolean {
  return follows !== null && log.fateOf(follows)?.status === 'PARKED';
}

/** R7: once final, always the same answer. */
function areConsistent(answers: readonly Fate[]): boolean {
  const final = answers.findIndex(({ status }) => FINAL.has(status));
  return final < 0 || answers.slice(final).every(({ status }) => status === answers[final]?.status);
}

/** Entries by idempotency key, for the sources that take one. */
function counted(journal: readonly JournalEntry[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { capability, key } of journal) {
    if (key !== null) counts.set(`${capability} ${key}`, (counts.get(`${capability} ${key}`) ?? 0) + 1);
  }
  return counts;
}
