import { createHash } from 'node:crypto';
import type { SourceKey } from '../core/change.js';
import { valueText } from '../core/collection.js';
import { SyncError } from '../core/errors.js';
import { sourceKeyParts } from '../core/id.js';
import type { Chance } from '../core/ports.js';
import type { Observation } from '../core/source-port.js';
import type { ExaminedCollection } from './examined-collection.js';
import { CallFault } from './fault.js';
import { faultText, type ProbeCalls } from './probe-calls.js';
import { cannotTell, contradicts, fits, type FactFinding } from './probe-finding.js';
import { isSeries } from './series.js';
import type { Operation, RowAnswer, WriteCall } from './transport.js';
import { compileGuard, memberValue, type WriteGuard } from './write-guard.js';

const FACT = 'write.guard';
const EXPECTED = 'a refusal of an update from a version that is not current';

/**
 * Sends a record's own values back, guarded by a version that is not current, and expects a refusal. The only thing that the doctor ever
 * writes, for a record that an operator names: accepted, it changes no field.
 *
 * @param key null: no record was named, and nothing is tried
 */
export async function probeGuard(
  examined: ExaminedCollection,
  calls: ProbeCalls,
  key: SourceKey | null,
  chance: Chance,
): Promise<readonly FactFinding[]> {
  const { definition } = examined;
  const update = definition.write?.update;
  const guard = compileGuard(definition);
  if (update === undefined)
    return key === null ? [] : [cannotTell(FACT, EXPECTED, 'a collection without write.update')];
  if (guard === null || !update.guarded)
    return key === null ? [] : [cannotTell(FACT, EXPECTED, 'an update that declares no guard, so nothing was sent')];
  if (isSeries(update)) return [cannotTell(FACT, EXPECTED, 'an update of several calls, so nothing was sent')];
  if (key === null) return [cannotTell(FACT, EXPECTED, 'not tried (--write <collection>/<key>)')];
  const found = await readNamed(examined, calls, key);
  if ('verdict' in found) return [found];
  const before = found.seen;
  const stale = before.sourceVersion === null ? null : notCurrent(before.sourceVersion, guard);
  if (stale === null)
    return [cannotTell(FACT, EXPECTED, 'a record without a version that can be changed, so nothing was sent')];
  const told = await answerTo(calls, update, callOf(examined, found, guard, key, stale, chance));
  const after = await readNamed(examined, calls, key);
  const changed = 'verdict' in after ? [] : changedFields(before, after.seen);
  if (changed.length === 0) return [told];
  return [
    told,
    cannotTell(
      `${FACT} leaves the record`,
      'the same fields as before',
      `other values of ${changed.join(', ')}: by the write, or by others meanwhile`,
    ),
  ];
}

interface Named {
  readonly answer: RowAnswer;
  readonly seen: Observation & { readonly fields: NonNullable<Observation['fields']> };
}

async function readNamed(
  examined: ExaminedCollection,
  calls: ProbeCalls,
  key: SourceKey,
): Promise<Named | FactFinding> {
  try {
    const answer = await calls.row(key);
    if (answer === 'absent') return cannotTell(FACT, EXPECTED, 'no record under the key that was named');
    const seen = examined.mapping.observe(answer.row, answer.tag);
    if (seen.fields === null || seen.sourceKey !== key)
      return cannotTell(FACT, EXPECTED, 'another record, or a deleted one');
    return { answer, seen: { ...seen, fields: seen.fields } };
  } catch (thrown) {
    if (thrown instanceof CallFault) return cannotTell(FACT, EXPECTED, faultText(thrown));
    if (thrown instanceof SyncError) return cannotTell(FACT, EXPECTED, 'a record that does not fit its declaration');
    throw thrown;
  }
}

/** The write as the gateway sends it, but for its version. */
function callOf(
  { definition, mapping, source }: ExaminedCollection,
  { answer, seen }: Named,
  guard: WriteGuard,
  key: SourceKey,
  version: string,
  chance: Chance,
): WriteCall {
  const { write } = definition;
  const written = source.collection.fields.filter(({ name, writable }) => writable && seen.fields[name] !== undefined);
  const body = mapping.bodyOf(Object.fromEntries(written.map(({ name }) => [name, seen.fields[name] ?? null])));
  const isMerged = write?.update?.sends === 'merged';
  const as = typeof write?.guard === 'object' ? write.guard.as : undefined;
  const member = guard.member === null ? {} : { [guard.member]: memberValue(version, as) };
  const { idempotencyKey } = write ?? {};
  return {
    purpose: 'update',
    key: sourceKeyParts(key),
    body: { ...(isMerged ? (answer.row as object) : {}), ...body, ...member },
    guard: guard.textOf(version),
    guardHeader: guard.header,
    conflictOn: guard.conflictOn,
    idempotency:
      idempotencyKey === undefined
        ? null
        : {
            key: createHash('sha256').update(`doctor ${chance()} ${chance()}`).digest('hex'),
            ...(idempotencyKey.header === undefined ? {} : { header: idempotencyKey.header }),
            ...(idempotencyKey.argument === undefined ? {} : { argument: idempotencyKey.argument }),
          },
  };
}

async function answerTo(calls: ProbeCalls, update: Operation, call: WriteCall): Promise<FactFinding> {
  if (call.guard === null) return cannotTell(FACT, EXPECTED, 'a version that cannot be sent');
  try {
    const answer = await calls.write(update, call);
    if (answer.kind === 'stale' || (answer.kind === 'refused' && answer.isConflict === true))
      return fits(FACT, 'an update from a version that is not current is refused as stale');
    if (answer.kind === 'done')
      return contradicts(
        FACT,
        EXPECTED,
        'it was accepted',
        'lost update possible: the source does not look at the version',
      );
    if (answer.kind === 'gone') return cannotTell(FACT, EXPECTED, 'that there is no such record');
    return cannotTell(
      FACT,
      EXPECTED,
      `${answer.kind === 'refused' ? 'a refusal for another reason' : 'no clear answer'}`,
    );
  } catch (thrown) {
    if (!(thrown instanceof CallFault)) throw thrown;
    return cannotTell(FACT, EXPECTED, faultText(thrown));
  }
}

/** A version of the same form that is not this one, an earlier one where that can be told; null: it has nothing to change. */
function notCurrent(version: string, { countsSeconds }: WriteGuard): string | null {
  if (countsSeconds) {
    const ms = /^\d{10}$/.test(version)
      ? Number(version) * 1_000
      : /^\d{13}$/.test(version)
        ? Number(version)
        : Date.parse(version);
    if (Number.isNaN(ms)) return null;
    const earlier = new Date(ms - 86_400_000);
    if (/^\d+$/.test(version)) return String(Number(version) - (version.length === 10 ? 86_400 : 86_400_000));
    return version.endsWith('GMT') ? earlier.toUTCString() : earlier.toISOString();
  }
  const at = version.search(/[0-9a-z](?=[^0-9a-z]*$)/i);
  if (at < 0) return null;
  const last = version[at] as string;
  const other = /\d/.test(last) ? String((Number(last) + 9) % 10) : last.toLowerCase() === 'a' ? 'b' : 'a';
  return version.slice(0, at) + other + version.slice(at + 1);
}

function changedFields(before: Named['seen'], after: Named['seen']): readonly string[] {
  return Object.keys(after.fields).filter((name) => valueText(before.fields[name]) !== valueText(after.fields[name]));
}
