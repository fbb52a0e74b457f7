import type { Epoch, RecordId, Seq } from '../core/change.js';
import type { FeedAdvance, TouchedPair, WaitingReceipt } from '../core/feed-port.js';
import type { CommitContext, RecordWrite, Stamping, WriteOutcome } from '../core/record-port.js';
import { EVERY_FIELD } from '../core/conflict.js';
import { sameDevice } from '../core/session.js';
import { pairKey } from '../core/scope.js';
import { storableText } from '../core/storable-text.js';
import { storeFault, type Connection, type Database } from './database.js';
import { referenceText } from './intent-row.js';

/** Outcomes in the order of the writes, and what listeners are to be told; null when the head did not move. */
export interface Committed {
  readonly outcomes: readonly WriteOutcome[];
  readonly advance: FeedAdvance | null;
}

interface Answer {
  readonly base: number;
  readonly epoch: string;
  readonly fenceLost?: true;
  readonly outcomes: readonly (readonly [WriteOutcome['kind'], number, number | null, string | null])[];
  /** Collection, scope, and the seq of the settlement that moved a row of the pair, if it was one. */
  readonly touched: Touched;
  /** What the scopes of other records brought with them; null: nothing can have. */
  readonly followed?: { readonly head: number; readonly touched: Touched } | null;
}

type Touched = readonly (readonly [string, string, number | null])[];

/**
 * One call of the function that locks the tenant, compares, writes and answers (F1, design section 4).
 *
 * @throws SyncError UNAVAILABLE - nothing was written, or it cannot be known: a repeat finds its change ids
 */
export async function commitWrites(
  database: Database,
  tenant: string,
  writes: readonly RecordWrite[],
  context: CommitContext,
): Promise<Committed> {
  const takes = writes.filter(({ next, settlement }) => next !== undefined || settlement !== undefined).length;
  const values = [
    tenant,
    JSON.stringify(writes.map(encodeWrite)),
    takes,
    JSON.stringify({ ...context, ...encodeRare(writes) }),
  ];
  let answer: Answer;
  try {
    answer = await call(database, values);
  } catch (cause) {
    if ((cause as { code?: string }).code !== OUT_OF_TIME) throw storeFault(cause);
    answer = await callWithTime(database, values);
  }
  if (answer.fenceLost === true) return { outcomes: writes.map(() => ({ kind: 'fenceLost' })), advance: null };
  return { outcomes: answer.outcomes.map(decodeOutcome), advance: advanceOf(tenant, writes, answer) };
}

/** A statement took longer than its connection allows; nothing of it is left. */
const OUT_OF_TIME = '57014';
/** For a record on which some hundred thousand others hang: either all of them go where it goes, or it stays. */
const LONGEST_COMMIT_MS = 600_000;

async function call(database: Pick<Connection, 'query'>, values: readonly unknown[]): Promise<Answer> {
  const { rows } = await database.query<{ answer: Answer }>({
    name: 'tidegate_commit',
    text: 'select tidegate_commit($1, $2, $3, $4) as answer',
    values: [...values],
  });
  return (rows[0] as { answer: Answer }).answer;
}

/** @throws SyncError UNAVAILABLE, INTERNAL */
async function callWithTime(database: Database, values: readonly unknown[]): Promise<Answer> {
  let connection: Connection;
  try {
    connection = await database.connect();
  } catch (cause) {
    throw storeFault(cause);
  }
  try {
    await connection.query(`begin; set local statement_timeout = ${LONGEST_COMMIT_MS}`);
    const answer = await call(connection, values);
    await connection.query('commit');
    connection.release();
    return answer;
  } catch (cause) {
    // With its connection the transaction ends, too.
    connection.release(cause as Error);
    throw storeFault(cause);
  }
}

/** What few writes have, by their places: apart, so that the rest pay nothing for it. */
function encodeRare(writes: readonly RecordWrite[]): Readonly<Record<string, unknown>> {
  const shown = writes.flatMap((write, at) => (write.shown ?? []).map((intentNo) => [at, intentNo]));
  const aliases = writes.flatMap(({ collection, id, aliasOf }, at) =>
    aliasOf === undefined ? [] : [{ at, c: collection, i: id, to: aliasOf }],
  );
  const inDoubt = writes.flatMap(({ acceptance }, at) => (acceptance?.intent?.inDoubt === true ? [at] : []));
  return {
    ...(shown.length > 0 ? { shown } : {}),
    ...(aliases.length > 0 ? { aliases } : {}),
    ...(inDoubt.length > 0 ? { inDoubt } : {}),
  };
}

/** Where the new seq goes in the text of stamps: JSON texts hold this character only escaped. */
const NEW_SEQ = '\u0001';

/** One write as `tidegate_commit` takes it: flat and with short keys, for a batch of 1,000 records is a text of 600 KB already. */
function encodeWrite(write: RecordWrite): Readonly<Record<string, unknown>> {
  const { acceptance, settlement, next } = write;
  const intent = acceptance?.intent;
  const device = acceptance?.device ?? settlement?.device;
  const stamps = write.stamps ?? [];
  const everyField = soleWriter(stamps);
  // One shape for all writes; JSON leaves out what is undefined.
  return {
    c: write.collection,
    i: write.id,
    es: write.expected.seq,
    em: write.expected.mark,
    nd: next?.deleted,
    nk: next?.sourceKey,
    nb: next?.body,
    nx: next?.vis ?? undefined,
    np: next?.pending === true ? true : undefined,
    nv: storable(next === undefined ? write.sourceVersion : next.sourceVersion),
    nh: next?.hash,
    ns: next?.scopes,
    vi: next?.via ?? undefined,
    nt: next?.throughUs,
    sv: write.sourceVersion === undefined ? undefined : true,
    star: everyField ?? undefined,
    st: everyField !== null || stamps.length === 0 ? undefined : stampsText(stamps),
    du: device?.user,
    dd: device?.device,
    dc: acceptance?.changeId ?? settlement?.changeId,
    ah: acceptance?.bodyHash,
    ak: intent?.kind,
    af: intent?.fields,
    ab: intent?.baseSeq,
    ae: intent ? Math.round(intent.editedAtMs) : undefined,
    al: intent?.lease?.holder,
    am: intent?.lease?.leaseMs,
    aw: intent?.waitsFor ?? undefined,
    aq: intent?.isShown === true ? true : undefined,
    ar: intent?.refersTo === undefined || intent.refersTo.length === 0 ? undefined : intent.refersTo.map(referenceText),
    ss: settlement?.status,
    // As text: its message may hold anything that a source said.
    se: settlement?.error ? JSON.stringify(settlement.error) : undefined,
    si: settlement?.inEffect,
    sb: settlement?.blockedBy ?? undefined,
    sk: settlement?.kept,
    sn: settlement?.intent?.intentNo,
    sf: settlement?.intent?.fence,
  };
}

/** The writer when every field is stamped at once with the write's own seq: the common case of a new record. */
function soleWriter(stamps: readonly Stamping[]): string | null {
  const [first] = stamps;
  const whole = stamps.length === 1 && first !== undefined && first.at === null && first.fields.includes(EVERY_FIELD);
  return whole ? first.writer : null;
}

/** Where a field is named twice, the later stamping holds: in JSON, too, the last of equal keys does. */
function stampsText(stamps: readonly Stamping[]): string {
  const members = stamps.flatMap(({ fields, writer, at }) => {
    const stamp = `[${at ?? NEW_SEQ},${JSON.stringify(writer)}]`;
    return fields.map((field) => `${JSON.stringify(field)}:${stamp}`);
  });
  return `{${members.join(',')}}`;
}

/** Postgres texts hold no NUL; a source's token with one is no token, and an unguarded write is parked later, not lost. */
function storable(text: string | null | undefined): string | null | undefined {
  return text === null || text === undefined ? text : storableText(text);
}

function decodeOutcome(outcome: Answer['outcomes'][number]): WriteOutcome {
  const [kind, seq, intentNo, takenBy] = outcome;
  if (kind === 'written') return { kind, seq: seq as Seq, intentNo };
  if (kind === 'keyTaken') return { kind, by: takenBy as RecordId };
  return { kind };
}

function advanceOf(tenant: string, writes: readonly RecordWrite[], answer: Answer): FeedAdvance | null {
  const written = answer.outcomes.filter(([kind]) => kind === 'written');
  const last = written.at(-1);
  if (last === undefined) return null;
  const receipts: WaitingReceipt[] = writes.flatMap((write, at) =>
    write.settlement !== undefined && answer.outcomes[at]?.[0] === 'written'
      ? [{ device: write.settlement.device, collection: write.collection }]
      : [],
  );
  const touched = [...answer.touched, ...(answer.followed?.touched ?? [])];
  if (touched.length === 0 && receipts.length === 0) return null;
  return {
    tenant,
    epoch: answer.epoch as Epoch,
    after: answer.base as Seq,
    head: (answer.followed?.head ?? last[1]) as Seq,
    touched: mergeTouched(writes, answer.outcomes, touched),
    receipts,
  };
}

/** A pair has an author only if every row that moved in it is that device's own change, settled as it was pushed. */
function mergeTouched(
  writes: readonly RecordWrite[],
  outcomes: Answer['outcomes'],
  touched: Touched,
): readonly TouchedPair[] {
  const settlements = new Map(
    outcomes.flatMap(([, seq], at) => {
      const settlement = writes[at]?.settlement;
      return settlement === undefined ? [] : [[seq, settlement] as const];
    }),
  );
  const pairs = new Map<string, TouchedPair>();
  for (const [collection, scope, settledBy] of touched) {
    const settlement = settledBy === null ? undefined : settlements.get(settledBy);
    const author = settlement?.status === 'APPLIED' ? settlement.device : null;
    const key = pairKey({ collection, scope });
    const known = pairs.get(key);
    const same = known === undefined || (known.author !== null && author !== null && sameDevice(known.author, author));
    pairs.set(key, { collection, scope, author: same ? author : null });
  }
  return [...pairs.values()];
}
